"""Floor 0: what a callable is: its name for messages, and whether it is ``async def``."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


def name_of(function: Callable[..., Any]) -> str:
    """Return the name by which a message tells the user which function is meant."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__qualname__", None) or repr(function)


def called(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function whose ``def`` decides: a partial's, or an object's ``__call__``."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function):
        return function
    call: Callable[..., Any] = type(function).__call__
    return call


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling *function* only makes something to await, and needs no thread."""
    return inspect.iscoroutinefunction(called(function))
