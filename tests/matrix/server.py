"""A server of one exchange: it is a position of the exchange itself, at each receive and send."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from erlen.protocols import Message, Scope

#: Awaited at every position, with its name.
Reach = Callable[[str], Awaitable[None]]


class Server:
    """``receive`` and ``send`` of one exchange.

    Attributes:
        sent: The messages that were sent, but for those whose ``send`` raised.
        told: Set when ``receive`` has said that the client left.
        is_stream: Whether the body is streamed, so that the server is asked beside it.
    """

    def __init__(self, scope: Scope, reach: Reach) -> None:
        """*reach* is awaited at each position with its name."""
        self.sent: list[Message] = []
        self._kind: str = scope["type"]
        self.is_stream = scope["path"] in {"/stream", "/push"}
        self._reach = reach
        self._taken = 0
        self._told_by = ""
        self._left = anyio.Event()
        self.told = anyio.Event()

    def leave(self, told_by: str) -> None:
        """Let the client leave; *told_by* is ``receive`` or ``send``, which alone says so."""
        self._told_by = told_by
        if told_by == "receive":
            self._left.set()

    async def receive(self) -> Message:
        """Give the next event; there are one (HTTP) or two (WebSocket) and the client's leaving."""
        events = _EVENTS[self._kind]
        place = self._taken
        if place < len(events) - 1:
            if not self.is_stream:
                await self._reach(f"receive ({_RECEIVED[self._kind][place]})")
        else:
            if self.is_stream:
                await self._reach("receive (beside a stream)")
            await self._left.wait()
        self._taken = place + 1
        if self._left.is_set():
            self.told.set()
            return events[-1]
        return events[place]

    async def send(self, message: Message) -> None:
        """Take a message; a position as often as the life of this exchange says."""
        await checkpoint()
        await self._reach(f"send ({self._name(message)})")
        if self._told_by == "send":
            raise OSError("The client has left.")
        self.sent.append(message)

    def _name(self, message: Message) -> str:
        kind = message["type"].split(".")[1:]
        if kind[0] == "http":
            return "denial" if kind[-1] == "start" else "denial's body"
        if kind[0] in _SENT:
            return _SENT[kind[0]]
        return self._name_in_stream(message) if self.is_stream else kind[1]

    def _name_in_stream(self, message: Message) -> str:
        if message["type"] == "http.response.start":
            has_length = any(name == b"content-length" for name, _ in message["headers"])
            self.is_stream = not has_length  # else it is an error's page, in its place
            return "start" if has_length else "start of a stream"
        if not message.get("more_body"):
            return "end of a stream"
        return "next chunk" if any("body" in each for each in self.sent) else "chunk"

    @property
    def seen(self) -> str:
        """What the client has seen: a status, a close code, ``nothing`` or ``broken``."""
        kinds = [message["type"] for message in self.sent]
        if kinds in ([], ["websocket.accept"]):
            return "broken" if kinds else "nothing"
        first, last = self.sent[0], self.sent[-1]
        if last["type"] == "websocket.close":
            # A close of what was never accepted refuses it, with 403.
            is_refusal = len(kinds) == 1 and last["code"] == 1000
            return "403" if is_refusal else str(last["code"])
        if last["type"].endswith("body") and not last.get("more_body"):
            return str(first["status"])
        return "broken"


_RECEIVED = {"http": ["body"], "websocket": ["connect", "message"]}
_SENT = {"accept": "accept", "send": "message", "close": "close"}
_EVENTS: dict[str, list[Message]] = {
    "http": [{"type": "http.request", "body": b"tea"}, {"type": "http.disconnect"}],
    "websocket": [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "tea"},
        {"type": "websocket.disconnect", "code": 1001},
    ],
}


async def settle() -> None:
    """Let every other task come to a rest that needs no time."""
    for _ in range(10):
        await checkpoint()


def scope_of(kind: str, path: str, *, denial: bool) -> Scope:
    """Return the ASGI scope of an exchange."""
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http" if kind == "http" else "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"example.com")],
        "client": ("203.0.113.9", 50000),
        "server": ("127.0.0.1", 8000),
        "extensions": {"websocket.http.response": {}} if denial else {},
    }
    if kind == "http":
        scope["method"] = "GET"
    return scope
