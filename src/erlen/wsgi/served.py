"""Floor 8: an ASGI application as a WSGI application, for servers that offer nothing else."""

import logging
import queue
from collections.abc import Iterable, Iterator
from contextvars import copy_context

import anyio

from erlen.exceptions import reason_phrase
from erlen.protocols import ASGIApp, Message
from erlen.spawning import spawn
from erlen.wsgi.environ import Environ, StartResponse
from erlen.wsgi.loop import Loops, LoopThread
from erlen.wsgi.scope import scope_of

#: Bytes that are read at once from the server.
CHUNK = 64 * 1024

_END: Message = {"type": "http.request", "body": b"", "more_body": False}
_LEFT: Message = {"type": "http.disconnect"}

_logger = logging.getLogger("erlen")


class WSGIAdapter:
    """A WSGI callable that serves an ASGI application.

    All requests run in one event loop of the process, in a thread of its own, so that pools and
    background tasks live on; the server's threads only carry bytes. It is made at the first
    request, in each process that a server forks, and runs the lifespan until the process ends. A
    request for a WebSocket is answered with 501.
    """

    def __init__(self, app: ASGIApp, *, backend: str = "asyncio") -> None:
        """Wrap *app*.

        Args:
            app: The ASGI application.
            backend: ``"asyncio"`` or ``"trio"``.
        """
        self._app = app
        self._loops = Loops(app, backend)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 says."""
        if environ.get("HTTP_UPGRADE", "").lower() == "websocket":
            start_response("501 Not Implemented", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"A WSGI server has no WebSockets. Serve the application over ASGI.\n"]
        loop = self._loops.get()
        exchange = _Exchange(self._app, environ, loop)
        loop.call(copy_context().run, exchange.begin)
        return exchange.respond(start_response)

    def close(self) -> None:
        """End the application, its loop and its thread; the end of the process does so."""
        self._loops.close()


class _Read:
    """The application wants bytes of the request."""


class _Ended:
    """The application has returned, or raised *error*."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Exchange:
    """One request: the server's thread does what the loop asks for, and waits for it otherwise."""

    def __init__(self, app: ASGIApp, environ: Environ, loop: LoopThread) -> None:
        self._app = app
        self._environ = environ
        self._loop = loop
        self._to_thread: queue.SimpleQueue[_Read | _Ended | Message] = queue.SimpleQueue()
        self._left = _length_of(environ)
        self._answer: Message = {"more_body": True}
        self._answered: anyio.Event
        self._taken: anyio.Event
        self._gone: anyio.Event
        self._start: Message | None = None
        self._complete = False

    # --- in the loop ------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the task that serves the exchange."""
        self._answered = anyio.Event()
        self._taken = anyio.Event()
        self._gone = anyio.Event()
        spawn(self._serve, name="erlen-wsgi")

    async def _serve(self) -> None:
        error: Exception | None = None
        try:
            await self._app(scope_of(self._environ, self._loop.state), self._receive, self._send)
        except Exception as raised:  # noqa: BLE001  # the server's thread raises or logs it
            error = raised
        finally:
            self._to_thread.put(_Ended(error))

    async def _receive(self) -> Message:
        if self._gone.is_set():
            return _LEFT
        if self._left is None or self._left > 0:
            self._answered = anyio.Event()
            self._to_thread.put(_Read())
            await self._answered.wait()
        elif self._answer.get("more_body"):
            self._answer = _END  # PERF: a request without a body asks the thread for nothing
        else:
            await self._gone.wait()
            return _LEFT
        return self._answer

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._gone.is_set():
            raise OSError("The server has closed the response.")
        more = message.get("more_body", False)
        self._taken = anyio.Event()
        self._to_thread.put(message)
        if more:
            # One chunk is on its way at a time: the server pulls the next one.
            await self._taken.wait()

    # --- in the server's thread -------------------------------------------------------------------

    def respond(self, start_response: StartResponse) -> "_Response":
        """Return the response, when its first chunk is there."""
        first = self._next()
        if self._start is None:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return _Response(self, b"Internal Server Error\n", last=True)
        status: int = self._start["status"]
        start_response(
            f"{status} {reason_phrase(status)}",
            [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in self._start["headers"]
            ],
        )
        return _Response(self, first or b"", last=self._complete)

    def next_chunk(self) -> bytes | None:
        """Return the next chunk of the body, ``None`` at its end.

        Raises:
            BaseException: What the application raised: the connection must break.
        """
        if self._complete:
            return None
        self._loop.call(self._taken.set)
        return self._next()

    def close(self) -> None:
        """Tell the application that nobody wants more."""
        self._loop.call(self._note_gone)

    def _note_gone(self) -> None:
        self._gone.set()
        self._taken.set()
        if not self._answered.is_set():
            self._take_answer(_LEFT)

    def _next(self) -> bytes | None:
        while True:
            item = self._to_thread.get()
            if isinstance(item, _Read):
                self._read()
            elif isinstance(item, _Ended):
                self._complete = True
                self._end(item.error)
                return None
            else:
                self._complete = not item.get("more_body", False)
                return bytes(item.get("body", b""))

    def _end(self, error: BaseException | None) -> None:
        """End a response that is not complete."""
        if error is None:
            error = RuntimeError("The application ended without completing its response.")
        if self._start is not None:
            raise error
        _logger.error("The application failed.", exc_info=error)

    def _read(self) -> None:
        """Read some of the request's body, never beyond its end, where a server may block."""
        size = CHUNK if self._left is None else min(self._left, CHUNK)
        data: bytes = self._environ["wsgi.input"].read(size)
        answer: Message
        if self._left is None:
            answer = {**_END, "body": data, "more_body": bool(data)}
            self._left = None if data else 0
        elif data:
            self._left -= len(data)
            answer = {**_END, "body": data, "more_body": self._left > 0}
        else:
            answer = _LEFT  # a short body is never taken for a whole one
        self._loop.call(self._take_answer, answer)

    def _take_answer(self, answer: Message) -> None:
        self._answer = answer
        self._answered.set()


class _Response:
    """The body as the server pulls it."""

    def __init__(self, exchange: _Exchange, first: bytes, *, last: bool) -> None:
        self._exchange = exchange
        self._first: bytes | None = first
        self._is_last = last

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            chunk, self._first = self._first, None
            return chunk
        if self._is_last or (more := self._exchange.next_chunk()) is None:
            raise StopIteration
        return more

    def close(self) -> None:
        """Called by the server at the end, or when the client has left."""
        self._exchange.close()


def _length_of(environ: Environ) -> int | None:
    """Return the bytes of the body, ``None`` for those until the file's end."""
    value = environ.get("CONTENT_LENGTH") or ""
    if value.isdecimal() and value.isascii():
        return int(value)
    return None if not value and environ.get("wsgi.input_terminated") else 0
