"""Floor 4: functions that take the running context along, to another task or thread.

A task that an exchange starts has its context anyway. A thread has not, nor has a task that
something else starts: a queue's worker, a callback, the application's own task group.
"""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from erlen.context import Context, current, current_context

F = TypeVar("F", bound=Callable[..., Any])


def copy_current_request_context(function: F) -> F:
    """Return *function* as one that sees ``request``, ``session`` and ``g`` of the running request.

    It may be ``def``, ``async def`` or a generator of either kind, and stays that. It sees the very
    objects of the request, not copies. Once the request has ended they can still be read, but what
    needs the connection (the body, a session's change, ``def`` hooks) fails; so await in the view
    what shall run before the end, or pass values on.

    Raises:
        OutsideContextError: No request is running where the function is decorated.
    """
    context = current()
    _ = context.request
    return _carrying(context, function)


def copy_current_websocket_context(function: F) -> F:
    """Return *function* as one that sees ``websocket``, ``session`` and ``g`` of the running one.

    Otherwise as :func:`copy_current_request_context`.

    Raises:
        OutsideContextError: No WebSocket is running where the function is decorated.
    """
    context = current()
    _ = context.websocket
    return _carrying(context, function)


def copy_current_app_context(function: F) -> F:
    """Return *function* as one that sees ``current_app`` and ``g`` of the running context.

    Otherwise as :func:`copy_current_request_context`.

    Raises:
        OutsideContextError: There is no context where the function is decorated.
    """
    return _carrying(current(), function)


@contextmanager
def _entered(context: Context) -> Iterator[None]:
    token = current_context.set(context)
    try:
        yield
    finally:
        current_context.reset(token)


def _carrying(context: Context, function: F) -> F:
    """Return *function* with *context* around each of its steps, as the same kind of function."""
    kinds = (function, type(function).__call__)
    made: Callable[..., Any]
    if any(map(inspect.iscoroutinefunction, kinds)):
        made = _carrying_coroutine(context, function)
    elif any(map(inspect.isasyncgenfunction, kinds)):
        made = _carrying_async_generator(context, function)
    elif any(map(inspect.isgeneratorfunction, kinds)):
        made = _carrying_generator(context, function)
    else:
        made = _carrying_function(context, function)
    return cast(F, functools.update_wrapper(made, function))


def _carrying_coroutine(context: Context, function: Callable[..., Any]) -> Callable[..., Any]:
    async def carrying(*args: Any, **kwargs: Any) -> Any:
        with _entered(context):
            return await function(*args, **kwargs)

    return carrying


def _carrying_function(context: Context, function: Callable[..., Any]) -> Callable[..., Any]:
    async def awaited(result: Any) -> Any:
        with _entered(context):
            return await result

    def carrying(*args: Any, **kwargs: Any) -> Any:
        with _entered(context):
            result = function(*args, **kwargs)
        return awaited(result) if inspect.isawaitable(result) else result

    return carrying


# Between two steps a generator belongs to its caller, whose context must be the caller's own.


def _carrying_generator(context: Context, function: Callable[..., Any]) -> Callable[..., Any]:
    def carrying(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        step = functools.partial(next, generator)
        while True:
            with _entered(context):
                try:
                    value = step()
                except StopIteration as end:
                    return end.value
            try:
                step = functools.partial(generator.send, (yield value))
            except GeneratorExit:
                with _entered(context):
                    generator.close()
                raise
            except BaseException as error:  # noqa: BLE001  # the function's own to handle
                step = functools.partial(generator.throw, error)

    return carrying


def _carrying_async_generator(context: Context, function: Callable[..., Any]) -> Callable[..., Any]:
    async def carrying(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        step = functools.partial(anext, generator)
        while True:
            with _entered(context):
                try:
                    value = await step()
                except StopAsyncIteration:
                    return
            try:
                step = functools.partial(generator.asend, (yield value))
            except GeneratorExit:
                with _entered(context):
                    await generator.aclose()
                raise
            except BaseException as error:  # noqa: BLE001  # as above
                step = functools.partial(generator.athrow, error)

    return carrying
