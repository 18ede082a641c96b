"""The server of a sweep: it waits at every message, as under load, and its client may leave."""

from collections import deque
from collections.abc import Iterable

import anyio
from anyio.lowlevel import checkpoint

from erlen.protocols import Message


class Server:
    """One exchange's ``receive`` and ``send``.

    Each message waits once before it has an effect, and one that is sent once more after it: that
    is where a server waits for its buffer to drain.

    Attributes:
        sent: What went out while the client was there.
    """

    def __init__(self, messages: Iterable[Message], *, kind: str = "http") -> None:
        """*messages* are the client's; after the last one it stays, and says nothing.

        *kind* is the scope's.
        """
        self._messages = deque(messages)
        self._left: Message = {"type": "http.disconnect"}
        if kind == "websocket":
            self._left = {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        self._over = anyio.Event()
        self._is_gone = False
        self._is_told = True
        self.sent: list[Message] = []

    def leave(self, *, is_told: bool) -> None:
        """The client leaves. *is_told*: ``send`` raises; servers before ASGI 2.4 are silent."""
        self._is_gone = True
        self._is_told = is_told
        self._over.set()

    async def receive(self) -> Message:
        await checkpoint()
        if self._messages and not self._is_gone:
            return self._messages.popleft()
        await self._over.wait()
        return self._left

    async def send(self, message: Message) -> None:
        await checkpoint()
        if self._is_gone:
            if self._is_told:
                raise BrokenPipeError("the client has left")
            return
        self.sent.append(message)
        if self.is_complete or message["type"] == "websocket.close":
            self._over.set()
        await checkpoint()

    @property
    def is_complete(self) -> bool:
        """Whether an HTTP response, or a denial, went out to its end."""
        last = self.sent[-1] if self.sent else {"type": ""}
        return last["type"].endswith("response.body") and not last.get("more_body", False)

    @property
    def answer(self) -> tuple[object, ...]:
        """What the client has: status and body, or the messages of a WebSocket."""
        parts: list[object] = []
        for message in self.sent:
            kind = message["type"]
            if kind.endswith("response.start"):
                parts.append(message["status"])
            elif kind.endswith("response.body"):
                parts.append(message.get("body", b""))
            else:
                parts.append((kind, message.get("text") or message.get("code")))
        body = b"".join(part for part in parts if isinstance(part, bytes))
        return (*[part for part in parts if not isinstance(part, bytes)], body)
