"""Floor 8: an ASGI application as a WSGI application, for servers that offer nothing else."""

import logging
import queue
from collections.abc import Iterable, Iterator
from contextvars import copy_context

import anyio

from erlen.exceptions import reason_phrase
from erlen.protocols import ASGIApp, Message
from erlen.spawning import spawn
from erlen.wsgi.calling import HOP_BY_HOP
from erlen.wsgi.environ import Environ, StartResponse
from erlen.wsgi.loop import Loops, LoopThread
from erlen.wsgi.scope import length_of, scope_of

#: Bytes that are read at once from the server.
CHUNK = 64 * 1024

_TEXT = [("Content-Type", "text/plain; charset=utf-8")]
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
            start_response("501 Not Implemented", _TEXT)
            return [b"A WSGI server has no WebSockets. Serve the application over ASGI.\n"]
        if _is_endless(environ):
            start_response("411 Length Required", _TEXT)
            return [b"The server cannot tell where the body ends. Send a Content-Length.\n"]
        exchange = _Exchange(self._app, environ, self._loops.get())
        return exchange.respond(start_response)

    def close(self) -> None:
        """End the application, its loop and its thread; the end of the process does so."""
        self._loops.close()


class _Read:
    """The application wants up to *size* bytes of the request."""

    def __init__(self, size: int) -> None:
        self.size = size


class _Ended:
    """The application has returned, or raised *error*."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Exchange:
    """One request: the server's thread does what the loop asks for, and waits for it otherwise.

    What the loop knows only changes there: the thread sends its calls.
    """

    def __init__(self, app: ASGIApp, environ: Environ, loop: LoopThread) -> None:
        self._app = app
        self._environ = environ
        self._loop = loop
        self._to_thread: queue.SimpleQueue[_Read | _Ended | Message] = queue.SimpleQueue()
        self._start: Message | None = None
        self._is_over = False
        self._has_last = False
        # --- of the loop
        self._left = length_of(environ)
        self._bytes: Message | None = None if self._left != 0 else _chunk(b"", more=False)
        self._is_reading = False
        self._is_taken = False
        self._is_complete = False
        self._is_gone = False
        self._changed: anyio.Event | None = None

    # --- in the loop ------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the task that serves the exchange."""
        spawn(self._serve, name="erlen-wsgi")

    def lose(self) -> None:
        """Let the server's thread go on: the loop has ended, and the exchange with it."""
        self._is_over = True
        self._to_thread.put(_Ended(None))

    async def _serve(self) -> None:
        error: Exception | None = None
        try:
            await self._app(scope_of(self._environ, self._loop.state), self._receive, self._send)
        except Exception as raised:  # the server's thread raises or logs it
            if self._is_complete or (self._is_gone and not isinstance(raised, OSError)):
                _logger.exception("The application failed after its response.")
            error = raised
        finally:
            self._is_over = True
            self._to_thread.put(_Ended(error))
            self._loop.leave(self)
            error = None  # a traceback that names itself would live until it is collected

    async def _receive(self) -> Message:
        while not self._is_gone:
            if self._bytes is not None:
                message, self._bytes = self._bytes, None
                return message
            if self._left != 0 and not self._is_reading:
                self._is_reading = True
                self._to_thread.put(_Read(CHUNK if self._left is None else min(self._left, CHUNK)))
            await self._wait_change()
        return _LEFT

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body":
            raise RuntimeError(
                f"The application sent {message['type']!r}, which WSGI does not have. "
                "Send it where the scope offers the extension only."
            )
        if self._is_gone:
            raise OSError("The server has closed the response.")
        more = message.get("more_body", False)
        self._is_taken = False
        self._is_complete = not more
        self._to_thread.put(message)
        while more and not (self._is_taken or self._is_gone):
            # One chunk is on its way at a time: the server pulls the next one.
            await self._wait_change()

    async def _wait_change(self) -> None:
        if self._changed is None:
            self._changed = anyio.Event()
        await self._changed.wait()

    def _note_change(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _take_bytes(self, data: bytes) -> None:
        """Take what was read; nothing is lost when who has asked for it has gone since."""
        self._is_reading = False
        if self._left is not None and not data:
            self.note_gone()  # a short body is never taken for a whole one
            return
        self._left = (self._left - len(data)) if self._left is not None else (None if data else 0)
        self._bytes = _chunk(data, more=self._left != 0)
        self._note_change()

    def _note_taken(self) -> None:
        self._is_taken = True
        self._note_change()

    def note_gone(self) -> None:
        """Tell the application that nobody wants more."""
        self._is_gone = True
        self._note_change()

    # --- in the server's thread -------------------------------------------------------------------

    def respond(self, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the exchange; return the response when its first chunk is there."""
        self._loop.enter(self, copy_context().run, self.begin)
        try:
            first = self._next()
            if first is None:
                start_response("500 Internal Server Error", _TEXT)
                return [b"Internal Server Error\n"]
            assert self._start is not None
            status: int = self._start["status"]
            headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in self._start["headers"]
                if name.lower() not in HOP_BY_HOP
            ]
            start_response(f"{status} {reason_phrase(status)}", headers)
        except BaseException:
            self.close()
            raise
        return _Response(self, first)

    def next_chunk(self) -> bytes | None:
        """Return the next chunk of the body, ``None`` at its end.

        Raises:
            BaseException: What the application raised: the connection must break.
        """
        if self._has_last:
            return None
        self._loop.call(self._note_taken)
        return self._next()

    def close(self) -> None:
        """Tell the application that nobody wants more, if it has not ended."""
        if not self._is_over:  # PERF: 12 us less for a plain response, which has ended by now
            self._loop.call(self.note_gone)

    def _next(self) -> bytes | None:
        """Return the next chunk; ``None`` when there is no response."""
        while True:
            item = self._to_thread.get()
            if isinstance(item, _Read):
                # It never goes beyond the end of the body, where a server may block.
                self._loop.call(self._take_bytes, self._environ["wsgi.input"].read(item.size))
            elif isinstance(item, _Ended):
                self._has_last = True
                self._fail(item)
                return None
            else:
                self._has_last = not item.get("more_body", False)
                return bytes(item.get("body", b""))

    def _fail(self, ended: _Ended) -> None:
        """Tell of a response that is not complete."""
        error, ended.error = ended.error, None
        if error is None:
            error = RuntimeError("The application ended without completing its response.")
        try:
            if self._start is not None:
                raise error
            _logger.error("The application failed.", exc_info=error)
        finally:
            del error


class _Response:
    """The body as the server pulls it."""

    def __init__(self, exchange: _Exchange, first: bytes) -> None:
        self._exchange = exchange
        self._first: bytes | None = first

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk, self._first = self._first, None
        if chunk is None:
            chunk = self._exchange.next_chunk()
        if chunk is None:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Called by the server at the end, or when the client has left."""
        self._exchange.close()

    #: A server that forgets to close must not keep the view for ever.
    __del__ = close


def _chunk(data: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


def _is_endless(environ: Environ) -> bool:
    """Whether there is a body that would be taken for an empty one."""
    return (
        "HTTP_TRANSFER_ENCODING" in environ
        and not environ.get("CONTENT_LENGTH")
        and not environ.get("wsgi.input_terminated")
    )
