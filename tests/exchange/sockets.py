"""A WebSocket at work without an application, and a server whose peer the test plays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import anyio

from erlen.exchange.websocket import WebSocket
from erlen.protocols import Message
from tests.exchange.wire import scope_of, settings

#: Which exchange is running.
owner: ContextVar[object] = ContextVar("owner")


class Peer:
    """The other side.

    Attributes:
        socket: The application's side.
        view: The scope of its view.
        sent: What it has sent.
        taken: Messages that the application took, the connect included.
        reads: Set as long as the peer takes what is sent.
        error: What the server's ``receive`` raises, when there are no messages.
    """

    def __init__(self, **config: Any) -> None:
        self._messages: list[Message] = [{"type": "websocket.connect"}]
        self._changed = anyio.Event()
        self.sent: list[Message] = []
        self.taken = 0
        self.reads = anyio.Event()
        self.reads.set()
        self.error: Exception | None = None
        self.view = anyio.CancelScope()
        scope = scope_of("/socket", type="websocket", scheme="ws")
        self.socket = WebSocket(scope, self._receive, self._send, settings(**config))

    async def _receive(self) -> Message:
        while not self._messages:
            if self.error is not None:
                raise self.error
            await self._changed.wait()
        self.taken += 1
        return self._messages.pop(0)

    async def _send(self, message: Message) -> None:
        await self.reads.wait()
        self.sent.append(message)

    def _gives(self, *messages: Message) -> None:
        self._messages.extend(messages)
        self.wake()

    def wake(self) -> None:
        """Let the server's ``receive`` look again."""
        self._changed.set()
        self._changed = anyio.Event()

    def says(self, *texts: str | bytes) -> None:
        """Send messages."""
        for data in texts:
            key = "text" if isinstance(data, str) else "bytes"
            self._gives({"type": "websocket.receive", key: data})

    def leaves(self, code: int = 4002, reason: str = "bye") -> None:
        """Close."""
        self._gives({"type": "websocket.disconnect", "code": code, "reason": reason})

    @property
    def kinds(self) -> list[str]:
        """What was sent, in short."""
        return [message["type"].removeprefix("websocket.") for message in self.sent]


@asynccontextmanager
async def at_work(**config: Any) -> AsyncIterator[Peer]:
    """Run the block as the view of a socket."""
    peer = Peer(**config)
    token = owner.set(peer)
    try:
        with peer.view:
            peer.socket.begin(peer.view, owner.get, peer)
            yield peer
    finally:
        await peer.socket.release()
        owner.reset(token)
