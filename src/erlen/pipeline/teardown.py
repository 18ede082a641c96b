"""Floor 6: the end of a context: every teardown hook runs, and what it holds is given back."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from erlen.context import Context
from erlen.exceptions import ClientDisconnected, WebSocketDisconnect
from erlen.pipeline.announce import announce_end, heard
from erlen.pipeline.plan import Pipeline
from erlen.pipeline.recovery import log_leaving, propagates


async def tear_down(line: Pipeline, context: Context) -> None:
    """Run every teardown hook, whatever is cancelled and whichever fails; then let go of all.

    Raises:
        Exception: What the first failing hook raised, in tests and debug mode, when nothing else
            is being raised.
        BaseException: The first that is no ``Exception``: asyncio's own ``task.cancel()``, which no
            shield keeps off, or what a hook raised. The other hooks have run too.
    """
    failures: list[Exception] = []
    interruptions: list[BaseException] = []

    async def isolated(function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        try:
            await function(*args)
        except GeneratorExit:
            raise  # the task itself ends, unfinished, and can await nothing more
        except Exception as error:  # noqa: BLE001  # the next ones must run too
            failures.append(error)
        except BaseException as error:  # noqa: BLE001  # as above
            interruptions.append(error)

    try:
        with anyio.CancelScope(shield=True):
            await isolated(context.end_children)
            context.begin_teardown()
            for teardown in line.teardown:
                await isolated(teardown, context.error)
            if heard:
                await isolated(announce_end, line.life, context)
            await context.close()
    finally:
        context.release()
    if not interruptions:
        return conclude(context, failures)
    for failure in failures:
        context.app.log_exception(failure)
    raise interruptions.pop(0)


def conclude(context: Context, failures: list[Exception]) -> None:
    """Log what teardown hooks raised; in tests and debug mode raise the first of it instead.

    It is not raised in the place of what the exchange itself raised.
    """
    is_free = context.error is None or isinstance(
        context.error, ClientDisconnected | WebSocketDisconnect
    )
    first = failures.pop(0) if failures and is_free and propagates(context) else None
    for failure in failures:
        context.app.log_exception(failure)
    if first is not None:
        log_leaving(context, first)
        raise first
