"""Requests to a WSGI application that is served over ASGI, without a server."""

from collections.abc import Iterable
from typing import Any

import anyio

from erlen.protocols import Message
from erlen.wsgi import WSGIApp
from tests.exchange.wire import Feed, parts, scope_of

Pair = tuple[bytes, bytes]


class Got:
    """What was sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def is_complete(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False


async def ask(
    application: Any,
    *chunks: bytes,
    leaves_after: int | None = None,
    got: Got | None = None,
    ended: Message | None = None,
    after: Message | None = None,
    options: Any = None,
    headers: Iterable[Pair] = ((b"host", b"example.com"),),
    **scope: Any,
) -> Got:
    """Send a request whose body has these chunks.

    Args:
        application: The WSGI application.
        chunks: Of the request's body.
        leaves_after: Messages after which ``send`` says that the client is gone.
        got: Filled and returned.
        ended: In the place of the last message of the body.
        after: Another message when the body is complete.
        options: Of ``WSGIApp``.
        headers: Of the request.
        scope: Other keys of the scope.
    """
    got = got or Got()

    async def send(message: Message) -> None:
        await anyio.lowlevel.checkpoint()
        if leaves_after is not None and len(got.sent) >= leaves_after:
            raise OSError
        got.sent.append(message)

    messages = parts(*(chunks or (b"",)))
    if ended is not None:
        messages = [*({**message, "more_body": True} for message in messages), ended]
    if after is not None:
        messages.append(after)
    app = WSGIApp(application, **(options or {}))
    try:
        await app(scope_of(headers=headers, **scope), Feed(messages), send)
    finally:
        app.close()
    return got
