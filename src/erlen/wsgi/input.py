"""Floor 8: ``wsgi.input``: the body of an ASGI request, read by a thread that waits for it."""

import io
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias

from erlen.exceptions import ClientDisconnected, HTTPException
from erlen.exchange.body import Body
from erlen.threads import await_in_task

#: Awaits a coroutine function with arguments in the task that waits for the calling thread.
WaitFor: TypeAlias = Callable[..., Any]


def waiting_aside() -> WaitFor:
    """Return what waits for the task without taking its context variables over.

    A call sets for its caller what the task has set. A WSGI application may have set the same
    variables, and keeps its own values: Django has the prefix of its links in one.
    """
    run: Callable[..., Any] = copy_context().run
    return partial(run, await_in_task)


class RequestEnded(ConnectionError):
    """The body could not be read to its end.

    Attributes:
        refusal: What is wrong with it; ``None`` when the client has left.
    """

    def __init__(self, error: ClientDisconnected | HTTPException) -> None:
        """*error* is what reading raised."""
        super().__init__(f"The request body could not be read: {error}")
        self.refusal = error if isinstance(error, HTTPException) else None


class _Chunks(io.RawIOBase):
    """The chunks of a body as a stream of bytes; each is fetched when it is asked for."""

    def __init__(self, body: Body, wait_for: WaitFor) -> None:
        self._body = body
        self._wait_for = wait_for
        self._rest = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest and not self._ended:
            try:
                chunk = self._wait_for(_next, self._body)
            except (ClientDisconnected, HTTPException) as error:
                raise RequestEnded(error) from error
            self._ended = chunk is None
            self._rest = memoryview(chunk or b"")
        view = memoryview(buffer)
        size = min(len(view), len(self._rest))
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


async def _next(body: Body) -> bytes | None:
    try:
        return await anext(body)
    except StopAsyncIteration:
        return None


def open_input(body: Body, wait_for: WaitFor = await_in_task) -> io.BufferedReader:
    """Return the body as a file that blocks until there is what is asked for.

    Its methods are those of any binary file, with their limits.

    Raises:
        RequestEnded: When it is read: bytes are missing. A short body is never given as a whole.
    """
    return io.BufferedReader(_Chunks(body, wait_for), 64 * 1024)
