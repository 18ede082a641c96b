"""Exchanges with an ASGI application that a middleware wraps, without a server."""

from collections.abc import Iterable
from typing import Any

from erlen.protocols import ASGIApp, Message, Receive, Scope, Send
from tests.exchange.wire import scope_of

Pair = tuple[bytes, bytes]


class Answer:
    """What was sent.

    Attributes:
        sent: The messages.
        scope: What the application got.
    """

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.scope: Scope | None = None

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    def field(self, name: str) -> str | None:
        """Return the one value of a field of the response, ``None`` for none."""
        values = [value for key, value in self.sent[0]["headers"] if key == name.encode()]
        assert len(values) < 2, values
        return values[0].decode() if values else None


def replying(
    *chunks: bytes, status: int = 200, headers: Iterable[Pair] = (), answer: Answer
) -> ASGIApp:
    """Return an application that sends these chunks."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        answer.scope = scope
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for index, chunk in enumerate(chunks or (b"",)):
            more = index < len(chunks) - 1
            await send({"type": "http.response.body", "body": chunk, "more_body": more})

    return app


async def exchange(
    middleware: Any,
    *chunks: bytes,
    answering: int = 200,
    response: Iterable[Pair] = (),
    request: Iterable[Pair] = ((b"host", b"example.com"),),
    scope: dict[str, Any] | None = None,
    **options: Any,
) -> Answer:
    """Send a request through ``middleware(app, **options)`` and return what comes back."""
    answer = Answer()
    app = replying(*chunks, status=answering, headers=response, answer=answer)

    async def send(message: Message) -> None:
        answer.sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    await middleware(app, **options)(scope_of(headers=request, **(scope or {})), receive, send)
    return answer


async def passes_lifespan(middleware: Any, **options: Any) -> bool:
    """Whether a lifespan comes through untouched."""
    got: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        got.append(scope)

    async def nothing(*_: Any) -> Any: ...

    scope: Scope = {"type": "lifespan"}
    await middleware(app, **options)(scope, nothing, nothing)
    return got == [scope] and got[0] is scope
