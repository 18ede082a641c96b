"""Floor 8: what a client has sent: handed on, its beginning kept, its rest read when all fails."""

from collections import deque

import anyio

from erlen.protocols import Message, Receive

#: Bytes of a body that a page tells of.
KEPT = 64 * 1024
#: Bytes, messages and seconds that are read ahead for the console.
AHEAD_BYTES = 1024 * 1024
_AHEAD_MESSAGES = 1000
_AHEAD_SECONDS = 0.5


class Arriving:
    """The body of one request on its way to the application.

    Attributes:
        body: Its first :data:`KEPT` bytes.
        size: Bytes that have come.
        is_over: Whether the last of it has come, or the client has left.
    """

    def __init__(self, receive: Receive) -> None:
        """*receive* is the server's."""
        self.body = b""
        self.size = 0
        self.is_over = False
        self._receive = receive
        self._ahead: deque[Message] = deque()
        self._is_waiting = False

    async def receive(self) -> Message:
        """Return the next message."""
        return self._ahead.popleft() if self._ahead else await self._take()

    async def _take(self) -> Message:
        self._is_waiting = True
        try:
            message = await self._receive()
        finally:
            self._is_waiting = False
        chunk = message.get("body") or b""
        self.size += len(chunk)
        self.body += bytes(chunk[: max(0, KEPT - len(self.body))])
        self.is_over = self.is_over or not message.get("more_body")
        return message

    async def read_ahead(self) -> None:
        """Read what the application has not, as far as it comes soon and is not much.

        After the answer a server gives nothing of it any more, and ``await request.get_data()``
        could not be typed.
        """
        limit = self.size + AHEAD_BYTES
        with anyio.move_on_after(_AHEAD_SECONDS):
            while not (self.is_over or self._is_waiting or self.size > limit):
                if len(self._ahead) == _AHEAD_MESSAGES:
                    break
                self._ahead.append(await self._take())
