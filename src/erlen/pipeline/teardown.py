"""Floor 6: the end of a context: every teardown hook runs, and the worker thread goes back."""

import anyio

from erlen.context import Context
from erlen.pipeline.plan import Pipeline
from erlen.pipeline.recovery import propagates


async def tear_down(line: Pipeline, context: Context) -> None:
    """Run every teardown hook, whatever is cancelled and whichever fails; then free the thread.

    Raises:
        Exception: What the first failing hook raised, in tests and debug mode, when nothing else
            is being raised.
    """
    failure: Exception | None = None
    try:
        with anyio.CancelScope(shield=True):
            for teardown in line.teardown:
                try:
                    await teardown(context.error)
                except Exception as error:  # noqa: BLE001  # the next ones must run too
                    failure = failure or error
                    if not propagates(context):
                        context.app.log_exception(error)
    finally:
        context.release()
    if failure is not None and context.error is None and propagates(context):
        raise failure
