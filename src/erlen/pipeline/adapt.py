"""Floor 6: any callable of the user becomes a coroutine function, once, at the freeze.

``async def`` stays as it is. ``def`` runs in the exchange's one worker thread. What a ``def``
returns is awaited when it is awaitable, so a decorator written for ``def`` may wrap ``async def``.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from erlen.callables import called, is_async
from erlen.context import current

Async = Callable[..., Awaitable[Any]]

_PLAIN = "_erlen_plain"
#: Types of what is surely not to be awaited. PERF: to ask ``inspect.isawaitable`` is 0.5 µs.
_VALUES = {str, bytes, dict, list, type(None)}


def adapt(function: Callable[..., Any]) -> Async:
    """Return *function* as a coroutine function.

    PERF: decided once here; ``inspect.iscoroutinefunction`` costs 0.3 µs and would be per call.
    """
    if is_async(function):
        return function
    code = called(function)
    if inspect.isasyncgenfunction(code) or inspect.isgeneratorfunction(code):
        adapted = _calls(function)
    else:
        adapted = _calls_in_worker(function)
    setattr(adapted, _PLAIN, function)
    return adapted


def plain_of(adapted: Async) -> Callable[..., Any] | None:
    """Return the ``def`` function behind an adapted one, ``None`` for ``async def``."""
    plain: Callable[..., Any] | None = getattr(adapted, _PLAIN, None)
    return plain


def _calls(function: Callable[..., Any]) -> Async:
    """A generator function only makes its generator when called: no thread is needed for that."""

    @functools.wraps(function)
    async def make(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return make


def _calls_in_worker(function: Callable[..., Any]) -> Async:
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        call = functools.partial(function, **kwargs) if kwargs else function
        result = await current().run_sync(call, *args)
        if type(result) in _VALUES:
            return result
        if inspect.isawaitable(result):
            return await result
        if type(result) is tuple and result and inspect.isawaitable(result[0]):
            return (await result[0], *result[1:])
        return result

    return run
