"""Floor 6: any callable of the user becomes a coroutine function, once, at the freeze.

``async def`` stays as it is. ``def`` runs in the exchange's one worker thread. What a ``def``
returns is awaited when it is awaitable, so a decorator written for ``def`` may wrap ``async def``.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from erlen.context import current

Async = Callable[..., Awaitable[Any]]


def adapt(function: Callable[..., Any]) -> Async:
    """Return *function* as a coroutine function.

    PERF: decided once here; ``inspect.iscoroutinefunction`` costs 0.3 µs and would be per call.
    """
    plain = function
    while isinstance(plain, functools.partial):
        plain = plain.func
    call = plain if inspect.isroutine(plain) else getattr(type(plain), "__call__", plain)  # noqa: B004
    if inspect.iscoroutinefunction(call):
        return function
    if inspect.isasyncgenfunction(call) or inspect.isgeneratorfunction(call):
        return _calls(function)
    return _calls_in_worker(function)


def _calls(function: Callable[..., Any]) -> Async:
    """A generator function only makes its generator when called: no thread is needed for that."""

    @functools.wraps(function)
    async def make(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return make


def _calls_in_worker(function: Callable[..., Any]) -> Async:
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        call = functools.partial(function, *args, **kwargs) if kwargs else function
        result = await current().run_sync(call, *(() if kwargs else args))
        return await result if inspect.isawaitable(result) else result

    return run
