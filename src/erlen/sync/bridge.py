"""Floor 8: waiting for a coroutine where there is no ``await``: in ``def`` views, in scripts."""

import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Generic, ParamSpec, Self, TypeVar

import anyio

from erlen.context import Context, current
from erlen.pipeline.manual import ManualContext
from erlen.threads import await_in_new_loop, await_in_task, in_worker

P = ParamSpec("P")
T = TypeVar("T")

_END: Any = object()


def wait_for(
    name: str,
    function: Callable[P, Coroutine[Any, Any, T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Return what *function* returns when it is awaited.

    In a ``def`` view or hook it is awaited in the task of the exchange. In a script, shell or test
    that has entered a context with ``with``, it is awaited in an event loop of its own.

    Args:
        name: How the user wrote it, ``"request.get_json()"``; for the errors.
        function: A coroutine function.
        args: Its arguments.
        kwargs: Its keywords.

    Raises:
        RuntimeError: An event loop runs in this thread, or an exchange is served in another.
        OutsideContextError: There is no context.
        BaseException: What *function* raised, itself.
    """
    check_caller(name)
    wait = await_in_task if in_worker() else await_in_new_loop
    return wait(function, *args, **kwargs)


def check_caller(name: str) -> None:
    """Refuse a caller that has no place to wait in. Arguments and errors as of :func:`wait_for`."""
    if in_worker():
        return
    _refuse_running_loop(name)
    if _is_served(current()):
        raise RuntimeError(
            f"{name} of erlen.sync was used in the thread {threading.current_thread().name!r}, but "
            "its exchange is served in another. Call it in the 'def' view or hook, and hand the "
            "result to the thread."
        )


def _refuse_running_loop(name: str) -> None:
    try:
        anyio.get_current_task()
    except RuntimeError:
        return
    raise RuntimeError(
        f"{name} of erlen.sync was used on an event loop, which it would stop. "
        f"Write 'await {name}' there, and import it from erlen."
    )


def _is_served(context: Context) -> bool:
    """Whether a server waits for the end of *context*, and not a ``with``."""
    return context.scope is not None and context.receive.__module__ != ManualContext.__module__


class Each(Generic[T]):
    """A plain iterator over an asynchronous iterable; each item is waited for when it is asked for.

    ``close()`` ends the other side, as that of a generator does.
    """

    def __init__(self, name: str, source: AsyncIterable[T]) -> None:
        """*name* is as for :func:`wait_for`."""
        self._name = name
        self._source = aiter(source)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        item = wait_for(self._name, _next, self._source)
        if item is _END:
            raise StopIteration
        return item

    def close(self) -> None:
        """End the iteration; may be called again."""
        close: Callable[[], Coroutine[Any, Any, None]] | None = getattr(
            self._source, "aclose", None
        )
        if close is not None:
            wait_for(self._name, close)


async def settle(value: Awaitable[T]) -> T:
    """Await anything that can be awaited."""
    return await value


async def _next(source: AsyncIterator[T]) -> T:
    return await anext(source, _END)
