"""Floor 8: a WSGI application as an ASGI application, for ``app.mount("/old", wsgi=...)``."""

import contextlib
import logging
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import Any

import anyio

from erlen.exceptions import ClientDisconnected, HTTPException
from erlen.exchange.body import Body
from erlen.middleware.responding import answer
from erlen.protocols import Message, Receive, Scope, Send
from erlen.spawning import spawn
from erlen.threads import Threads
from erlen.wsgi.calling import Responding, call
from erlen.wsgi.environ import Environ, environ_of
from erlen.wsgi.input import RequestEnded, WaitFor, open_input, waiting_aside

WSGI = Callable[[Environ, Any], Any]

_logger = logging.getLogger("erlen")


class WSGIApp:
    """Serves a WSGI application.

    Each request has one thread for as long as it takes: for the call, the iteration and
    ``close()``. Bodies are streamed both ways; while the client or the loop is waited for, the
    request takes no place among *threads*. WebSockets are refused.
    """

    def __init__(
        self,
        application: WSGI,
        *,
        threads: int = 40,
        max_content_length: int | None = None,
        body_timeout: float | None = 60.0,
    ) -> None:
        """Wrap *application*.

        Args:
            application: The WSGI callable.
            threads: How many requests may be in its code at the same time; others wait.
            max_content_length: Bytes of a request body, ``None`` for no limit but its own.
            body_timeout: Seconds without a byte of the request after which reading fails.
        """
        self._application = application
        self._threads = Threads(threads)
        self._max_length = max_content_length
        self._body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await answer(scope, receive, send, 404, "Not Found\n")
        else:
            await self._run_lifespan(receive, send)

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    def close(self) -> None:
        """End the idle threads, which would end by themselves some seconds later."""
        self._threads.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(receive, _length_of(scope), self._max_length, self._body_timeout)
        try:
            aiter(body)  # refuses what is declared too long
        except HTTPException as error:
            await answer(scope, receive, send, error.code or 400, f"{error.name}\n")
            return
        wait_for = waiting_aside()
        response = _Response(scope, body, send, wait_for)
        environ = environ_of(scope, open_input(body, wait_for))
        worker = self._threads.worker()
        watch = spawn(response.watch)
        try:
            await worker.run(response.run, self._application, environ)
            worker.release()
            with contextlib.suppress(ClientDisconnected):
                await response.send(response.rest)
        finally:
            worker.release()
            watch.cancel()
            with anyio.CancelScope(shield=True):
                await watch.wait()


class _Response(Responding):
    """One response, sent by a thread through the task that waits for it."""

    def __init__(self, scope: Scope, body: Body, send: Send, wait_for: WaitFor) -> None:
        super().__init__(is_head=scope["method"] == "HEAD")
        self._body = body
        self._put = send
        self._wait_for = wait_for
        self._sending_failed = False

    @property
    def _gone(self) -> bool:
        return self._sending_failed or self._body.is_gone

    async def watch(self) -> None:
        """Hear when the client leaves, so that an endless response ends with its next chunk."""
        await self._body.wait_disconnected()

    def run(self, application: WSGI, environ: Environ) -> None:
        """Call the application to its end; in the thread."""
        try:
            # Variables that it sets are its own: they are not for who mounts it.
            copy_context().run(call, application, environ, self)
        except (Exception, SystemExit, GeneratorExit) as error:
            if self._gone and isinstance(error, ClientDisconnected | OSError):
                return  # nobody is left to answer
            if isinstance(error, RequestEnded) and error.refusal and not self.started:
                self.fail(error.refusal.code or 400, error.refusal.name)
                return
            _logger.exception("The WSGI application failed.")
            if not self.started:
                self.fail()
            elif isinstance(error, Exception):
                raise  # the connection must break: a short body must not look whole
            else:
                # SAFETY: an exit that leaves a task as it is ends the server.
                raise RuntimeError(f"The WSGI application ended with {error!r}.") from error

    def emit(self, *messages: Message) -> None:
        """Send messages; in the thread. PERF: one way to the task and back, 30 us, for all."""
        if self._gone:
            raise ClientDisconnected("The client left while the response was sent.")
        self._wait_for(self.send, messages)

    async def send(self, messages: Iterable[Message]) -> None:
        """Send messages; in the task.

        Raises:
            ClientDisconnected: The server has lost the client.
        """
        try:
            for message in messages:
                await self._put(message)
        except OSError as error:  # SPEC: ASGI 2.4
            self._sending_failed = True
            raise ClientDisconnected("The client left while the response was sent.") from error


def _length_of(scope: Scope) -> int | None:
    values = {value for name, value in scope["headers"] if name == b"content-length"}
    value = values.pop() if len(values) == 1 else b""
    # SAFETY: Python refuses to read numbers of thousands of digits.
    return int(value) if value.isdigit() and len(value) < 20 else None
