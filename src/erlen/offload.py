"""Floor 5: ``run_sync``: a ``def`` function to be awaited, for coroutines that must not block."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from erlen.context import current_context
from erlen.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

#: Where no application tells a limit.
_outside = Threads(40)


def run_sync(function: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return a coroutine function that calls *function* in a worker thread.

    As ``rows = await run_sync(query)(user_id)``, or as a decorator. The thread is the one of the
    exchange, in which its ``def`` hooks run too, so that what they opened can be used, and in which
    ``erlen.sync`` works. Where no context is, it is any thread, one of 40.

    Cancellation: waits for the call to end; a thread cannot be stopped.
    """

    @functools.wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        call = functools.partial(function, *args, **kwargs)
        context = current_context.get(None)
        if context is None:
            result: T = await _outside.call(call)
        else:
            result = await context.run_sync(call)
        return result

    return run
