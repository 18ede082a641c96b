"""Floor 5: ``run_sync``: a ``def`` function to be awaited, for coroutines that must not block."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from anyio import to_thread

from erlen.context import current_context

P = ParamSpec("P")
T = TypeVar("T")


def run_sync(function: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return a coroutine function that calls *function* in a worker thread.

    As ``rows = await run_sync(query)(user_id)``, or as a decorator. The thread is the one of the
    exchange, in which its ``def`` hooks run too, so that what they opened can be used, and in which
    ``erlen.sync`` works. Where no context is, it is any thread.

    Cancellation: waits for the call to end; a thread cannot be stopped.
    """

    @functools.wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        call = functools.partial(function, *args, **kwargs)
        context = current_context.get(None)
        if context is None:
            return await to_thread.run_sync(call)
        result: T = await context.run_sync(call)
        return result

    return run
