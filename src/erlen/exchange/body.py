"""Floor 3: the request body, pulled from the server only when someone wants bytes.

Rules. One object owns ``receive``. Bytes are counted here, under every way of reading, so no reader
can pass the limit. A body is complete or it raises: a short body is never returned as a whole one.
"""

from collections.abc import Generator

import anyio

from erlen.exceptions import (
    BadRequest,
    ClientDisconnected,
    RequestEntityTooLarge,
    RequestTimeout,
)
from erlen.protocols import Message, Receive


class Body:
    """The bytes of one request: ``await body`` for all of them, ``async for chunk in body`` for each.

    Attributes:
        max_length: Bytes allowed, ``None`` for no limit; may be changed before the first read.
        timeout: Seconds that may pass without a byte, ``None`` for no limit.
    """

    __slots__ = (
        "_ahead", "_cached", "_changed", "_complete", "_declared", "_gone", "_receive", "_receiving",
        "_replay", "_seen", "_started", "max_length", "timeout",
    )  # fmt: skip

    def __init__(
        self,
        receive: Receive,
        content_length: int | None = None,
        max_length: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """*content_length* is what the request declares, ``None`` when it declares nothing."""
        self._receive = receive
        self._declared = content_length
        self.max_length = max_length
        self.timeout = timeout
        self._seen = 0
        self._started = False
        self._complete = False
        self._gone = False
        self._cached: bytes | None = None
        self._replay = b""
        self._ahead: Message | None = None
        self._receiving = False
        self._changed: anyio.Event | None = None

    async def read(self, *, cache: bool = True) -> bytes:
        """Return the whole body; again and again when it was kept.

        Args:
            cache: Keep the bytes for later calls. Without, the body is consumed.

        Raises:
            RequestEntityTooLarge: Over :attr:`max_length`; before the first byte when declared so.
            BadRequest: More or fewer bytes than declared.
            RequestTimeout: No byte for :attr:`timeout` seconds.
            ClientDisconnected: The client left before the end.
            RuntimeError: The body was consumed in chunks, or is being read elsewhere.
        """
        if self._cached is not None:
            return self._cached
        chunks = [chunk async for chunk in self]
        whole = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if cache:
            self._cached = whole
        return whole

    def __await__(self) -> Generator[None, None, bytes]:
        return self.read().__await__()

    def __aiter__(self) -> "Body":
        """Give each chunk as it arrives; nothing is kept. Errors as in :meth:`read`."""
        if self._cached is not None:
            self._replay = self._cached
        elif self._started:
            raise RuntimeError(
                "The request body was already read in chunks or is being read by another task. "
                "Read it once with 'await request.get_data()' and use the result, which is kept."
            )
        else:
            self._started = True
            self._check_length(self._declared or 0)
        return self

    async def __anext__(self) -> bytes:
        if self._replay:
            chunk, self._replay = self._replay, b""
            return chunk
        if not self._complete and (chunk := await self._next_chunk()):
            return chunk
        raise StopAsyncIteration

    async def wait_disconnected(self) -> None:
        """Return when the client has left, holding at most one unread message of the body."""
        while not self._gone:
            if self._receiving or self._ahead is not None:
                await self._wait_change()
            else:
                message = await self._take_from_server()
                if message["type"] == "http.request" and not self._complete:
                    self._ahead = message
                    self._note_change()

    async def _next_chunk(self) -> bytes:
        """Return the bytes of the next message that has some, or ``b""`` at the end."""
        # SAFETY: one deadline over any number of empty messages; they must not keep a reader alive.
        with anyio.move_on_after(self.timeout) as scope:
            while True:
                message = await self._next_message()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnected("The client left while its request body was read.")
                chunk = bytes(message.get("body") or b"")
                self._count(len(chunk), more=bool(message.get("more_body")))
                if chunk or self._complete:
                    return chunk
        assert scope.cancelled_caught
        raise RequestTimeout

    def _count(self, size: int, *, more: bool) -> None:
        self._seen += size
        self._check_length(self._seen)
        if self._declared is not None and (
            self._seen > self._declared or (not more and self._seen < self._declared)
        ):
            raise BadRequest("The request body differs from its Content-Length.")
        self._complete = not more

    def _check_length(self, length: int) -> None:
        if self.max_length is not None and length > self.max_length:
            raise RequestEntityTooLarge

    async def _next_message(self) -> Message:
        while True:
            if self._ahead is not None:
                message, self._ahead = self._ahead, None
                self._note_change()
                return message
            if self._gone:
                return {"type": "http.disconnect"}
            if not self._receiving:
                return await self._take_from_server()
            await self._wait_change()

    async def _take_from_server(self) -> Message:
        self._receiving = True
        try:
            message = await self._receive()
        finally:
            self._receiving = False
            self._note_change()
        if message["type"] == "http.disconnect":
            self._gone = True
        return message

    async def _wait_change(self) -> None:
        if self._changed is None:
            self._changed = anyio.Event()
        await self._changed.wait()

    def _note_change(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
