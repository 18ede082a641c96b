"""Floor 8: the outermost middleware in debug mode: what fails is kept, shown, and logged once."""

import logging
import os
import sys
from collections.abc import Callable

from erlen.app import Erlen
from erlen.debugger.desk import PATH, Desk
from erlen.debugger.failures import Failure, Failures
from erlen.debugger.gate import Gate
from erlen.debugger.listening import Listening
from erlen.debugger.live import Exchange, Live, current_exchange
from erlen.debugger.reports import as_text
from erlen.exceptions import SetupError
from erlen.protocols import ASGIApp, Message, Receive, Scope, Send

_FIXED = b"Internal Server Error\n"


class Debugger:
    """An ASGI application that serves another one and shows what fails in it.

    Where the other one is an erlen application, nothing is done while its ``DEBUG`` is off.

    Attributes:
        app: The application within.
        failures: The last 16 failures.
        token: What unlocks the consoles, until the process ends.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        workers: int = 1,
        token: str | None = None,
        serve_failed_startup: bool = True,
        say: Callable[[str], object] | None = None,
    ) -> None:
        """Wrap *app*, and write the token to the terminal.

        Args:
            app: The application.
            host: What the server listens on; other hosts than this machine's have no console.
            workers: Processes that serve; several have no console.
            token: One that a supervisor hands on, so that it outlives a reload.
            serve_failed_startup: Go on after a failed startup, and answer every request with it.
            say: Called with the line that has the token; it is written to stderr otherwise.

        Raises:
            SetupError: ``ERLEN_ENV`` is ``production``.
            ValueError: *token* is too short.
        """
        if os.environ.get("ERLEN_ENV") == "production":
            raise SetupError(
                "The debugger was started although ERLEN_ENV is 'production'. It shows the inside "
                "of the application and runs what is typed; serve without debug mode."
            )
        self.app = app
        self.failures = Failures()
        self._gate = Gate(token, host=host, workers=workers)
        self.token = self._gate.token
        self._live = Live()
        self._desk = Desk(self._gate, self.failures, self._live)
        self._erlen = app if isinstance(app, Erlen) else None
        self._listening = Listening(app, self.failures) if isinstance(app, Erlen) else None
        self._serve_failed_startup = serve_failed_startup
        self._startup: Failure | None = None
        (say or _write)(
            f" * {self._gate.refusal}"
            if self._gate.refusal
            else f" * Debugger at {PATH}, token: {self.token}"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if self._erlen is not None and not self._erlen.debug:
            await self.app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._serve_lifespan(scope, receive, send)
        elif self._desk.answers(scope):
            await self._desk(scope, receive, send)
        elif self._startup is not None:
            await self._serve_failure(self._startup, scope, send)
        else:
            await self._serve(scope, receive, send)

    # --- requests and WebSockets ------------------------------------------------------------------

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._live.enter(scope)
        token = current_exchange.set(exchange)
        try:
            await self.app(scope, receive, exchange.sending(send))
        except Exception as error:
            failure = self.failures.add(error, scope)
            if exchange.is_websocket or exchange.started:
                raise  # the server breaks the connection off, and logs
            self._log(failure)
            await self._answer(failure, exchange, send)
        finally:
            current_exchange.reset(token)
            self._live.leave(exchange)

    async def _answer(self, failure: Failure, exchange: Exchange, send: Send) -> None:
        """Answer with what failed; where even that fails with text, and at last with nothing."""
        noting, scope = exchange.sending(send), exchange.scope
        try:
            await self._desk.answer_failure(failure, scope, noting)
        except Exception as error:
            if exchange.started:
                raise
            _logger().error("The page of a failure failed.", exc_info=error)
            await _send_text(noting, _last_words(failure, self._gate.why_hidden(scope)))

    def _log(self, failure: Failure) -> None:
        """Log a failure once, as the application does."""
        try:
            if self._erlen is None:
                _logger().error("Exception on %s", failure.facts.title, exc_info=failure.error)
            else:
                failure.variables.copy().run(self._erlen.log_exception, failure.error)
        except Exception as error:  # noqa: BLE001  # the application's own log_exception()
            _logger().error("log_exception() failed.", exc_info=error)

    # --- the lifespan -----------------------------------------------------------------------------

    async def _serve_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._startup = None
        failed: list[Message] = []

        async def keeping(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed" and self._serve_failed_startup:
                failed.append(message)
            else:
                await send(message)

        error: Exception | None = None
        try:
            await self.app(scope, receive, keeping)
        except Exception as raised:
            error = raised
            if not failed:
                self.failures.add(raised, scope, "lifespan")
                raise
        if failed:
            error = error or RuntimeError(failed[0].get("message") or "The startup has failed.")
            self._startup = self.failures.add(error, scope, "startup")
            self._log(self._startup)
            await self._stand_in(receive, send)

    async def _stand_in(self, receive: Receive, send: Send) -> None:
        """Play the part of an application that could not start, until the server ends."""
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve_failure(self, failure: Failure, scope: Scope, send: Send) -> None:
        """Answer a request with the failed startup; a WebSocket breaks by it."""
        exchange = self._live.enter(scope)
        try:
            if exchange.is_websocket:
                raise RuntimeError("The application could not start.") from failure.error
            await self._answer(failure, exchange, send)
        finally:
            self._live.leave(exchange)


async def _send_text(send: Send, body: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _last_words(failure: Failure, hidden: str) -> bytes:
    try:
        return as_text(failure, PATH, hidden=hidden)
    except Exception:  # noqa: BLE001  # nothing can be told of it
        return _FIXED


def _logger() -> logging.Logger:
    return logging.getLogger("erlen.debugger")


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
