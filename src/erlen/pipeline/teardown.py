"""Floor 6: the end of a context: every teardown hook runs, and the worker thread goes back."""

import anyio

from erlen.context import Context
from erlen.pipeline.plan import Pipeline


async def tear_down(line: Pipeline, context: Context) -> None:
    """Run every teardown hook, whatever is cancelled and whichever fails; then free the thread."""
    try:
        with anyio.CancelScope(shield=True):
            for teardown in line.teardown:
                try:
                    await teardown(context.error)
                except Exception as error:  # noqa: BLE001  # the next ones must run too
                    context.app.log_exception(error)
    finally:
        context.release()
