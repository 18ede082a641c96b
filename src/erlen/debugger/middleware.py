"""Floor 8: the outermost middleware in debug mode: what fails is kept, shown, and logged once."""

from erlen.app import Erlen
from erlen.debugger.answering import answer, logger
from erlen.debugger.failed import Standin, stand_in
from erlen.debugger.failures import Failure, Failures
from erlen.debugger.listening import Listening
from erlen.debugger.live import Exchange
from erlen.debugger.opening import Say, open_desk
from erlen.debugger.starts import watch_starts
from erlen.logs import was_logged
from erlen.protocols import ASGIApp, Message, Receive, Scope, Send


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
        say: Say | None = None,
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
        self.app = app
        self._desk = open_desk(token, host=host, workers=workers, say=say)
        self.failures: Failures = self._desk.failures
        self.token = self._desk.gate.token
        self._erlen = app if isinstance(app, Erlen) else None
        if isinstance(app, Erlen):
            self.failures.config = app.config
            self._listening = Listening(app, self.failures)
        self._serve_failed_startup = serve_failed_startup
        self._startup: Standin | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if self._erlen is not None and not self._erlen.debug:
            await self.app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._serve_lifespan(scope, receive, send)
        elif self._startup is not None:
            await self._startup(scope, receive, send)
        elif self._desk.answers(scope):
            await self._desk(scope, receive, send)
        else:
            with self._desk.live.entered(scope) as exchange:
                await self._serve(exchange, receive, send)

    # --- requests and WebSockets ------------------------------------------------------------------

    async def _serve(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        try:
            watch_starts()
            await self.app(exchange.scope, exchange.receiving(receive), exchange.sending(send))
        except Exception as error:
            failure = self.failures.add(error, exchange.scope)
            if exchange.is_websocket or exchange.started:
                raise  # the server breaks the connection off, and logs
            self._log(failure)
            await answer(self._desk, failure, exchange, send)

    def _log(self, failure: Failure) -> None:
        """Log a failure once, as the application does."""
        if was_logged(failure.error):
            return
        try:
            if self._erlen is None:
                logger().error("Exception on %s", failure.facts.title, exc_info=failure.error)
            else:
                failure.variables.copy().run(self._erlen.log_exception, failure.error)
        except Exception as error:  # noqa: BLE001  # the application's own log_exception()
            logger().error("log_exception() failed.", exc_info=error)

    # --- the lifespan -----------------------------------------------------------------------------

    async def _serve_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        watch_starts()
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
            failure = self.failures.add(error, scope, "startup")
            self._startup = Standin(self._desk, failure)
            self._log(failure)
            await stand_in(receive, send)
