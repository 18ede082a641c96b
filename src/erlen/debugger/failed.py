"""Floor 8: what is served in the place of an application that could not be imported or started."""

from erlen.debugger.answering import answer
from erlen.debugger.desk import Desk
from erlen.debugger.failures import Failure
from erlen.debugger.opening import Say, open_desk
from erlen.protocols import Receive, Scope, Send


class FailedApp:
    """An ASGI application that answers every request with one failure, behind the debugger's gate.

    It starts and ends without an error, and refuses WebSockets. It logs nothing.

    Attributes:
        token: What unlocks the consoles, until the process ends.
    """

    def __init__(
        self,
        error: BaseException,
        *,
        host: str = "127.0.0.1",
        token: str | None = None,
        workers: int = 1,
        say: Say | None = None,
    ) -> None:
        """Keep *error*, and write the token to the terminal.

        Args:
            error: What importing the application has raised.
            host: What the server listens on; other hosts than this machine's have no console.
            token: One that a supervisor hands on, so that it outlives a reload.
            workers: Processes that serve; several have no console.
            say: Called with the line that has the token; it is written to stderr otherwise.

        Raises:
            SetupError: ``ERLEN_ENV`` is ``production``.
            ValueError: *token* is too short.
        """
        desk = open_desk(token, host=host, workers=workers, say=say)
        self.token = desk.gate.token
        self._place = Standin(desk, desk.failures.add(error, kind="import"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "lifespan":
            await receive()
            await stand_in(receive, send)
        else:
            await self._place(scope, receive, send)


class Standin:
    """Stands where an application should: the debugger's own addresses, and one failure."""

    def __init__(self, desk: Desk, failure: Failure) -> None:
        """*failure* is among those of *desk*."""
        self._desk = desk
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; refuse a WebSocket, by what servers turn into 403."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1011})
        elif self._desk.answers(scope):
            await self._desk(scope, receive, send)
        else:
            with self._desk.live.entered(scope) as exchange:
                await answer(self._desk, self._failure, exchange, send)


async def stand_in(receive: Receive, send: Send) -> None:
    """Play the part of an application that has started, until the server ends."""
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
