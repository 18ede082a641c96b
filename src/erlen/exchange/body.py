"""Floor 3: the request body, pulled from the server only when someone wants bytes.

Rules. One object owns ``receive``. Bytes are counted here, under every way of reading, so no reader
can pass the limit. A body is complete or it raises: a short body is never returned as a whole one.
"""

import math
from collections.abc import AsyncIterator, Awaitable, Generator
from copy import copy
from time import monotonic
from typing import NoReturn

import anyio
from anyio.lowlevel import checkpoint

from erlen.exceptions import (
    BadRequest,
    ClientDisconnected,
    RequestEntityTooLarge,
    RequestTimeout,
)
from erlen.exchange.arrival import ask
from erlen.exchange.pile import Pile
from erlen.protocols import Message, Receive

#: Bytes of a body above which it is not kept beyond its exchange.
LARGE = 64 * 1024
#: Unread messages that are kept while somebody waits for the end of the client.
MOST_AHEAD = 16
#: Messages after which the loop gets a turn, because a server may have all of them ready.
_TURN = 500
#: Seconds of rest after a message without bytes.
_REST = 0.001


class Body:
    """The bytes of one request: ``await body`` gives all, ``async for chunk in body`` each chunk.

    Attributes:
        max_length: Bytes allowed, ``None`` for no limit; may be changed before the first read.
        timeout: Seconds that may pass without a byte, ``None`` for no limit.
        advice: What a 413 says besides; begins with a space.
    """

    __slots__ = (
        "_ahead", "_cached", "_changed", "_complete", "_declared", "_ended", "_failure", "_gone",
        "_messages", "_receive", "_receiving", "_seen", "_started", "advice", "max_length",
        "timeout",
    )  # fmt: skip

    def __init__(
        self,
        receive: Receive,
        content_length: int | None = None,
        max_length: int | None = None,
        timeout: float | None = None,
        advice: str = "",
    ) -> None:
        """*content_length* is what the request declares, ``None`` when it declares nothing."""
        self._receive = receive
        self._declared = content_length
        self.max_length = max_length
        self.timeout = timeout
        self.advice = advice
        self._seen = 0
        self._messages = 0
        self._started = False
        self._ended = False  # the server has given the last message
        self._complete = False  # and the reader has got it
        self._gone = False
        self._failure: Exception | None = None
        self._cached: bytes | None = None
        self._ahead: tuple[Message, ...] = ()  # unread
        self._receiving = False
        self._changed: anyio.Event | None = None

    # --- reading ----------------------------------------------------------------------------------

    @property
    def is_kept(self) -> bool:
        """Whether the whole body was read and kept, so that it can be had again."""
        return self._cached is not None

    def is_at_most(self, size: int) -> bool:
        """Whether it is known before reading that the body has at most *size* bytes."""
        known = self._declared if self._cached is None else len(self._cached)
        return known is not None and known <= size

    def forget_large(self) -> bool:
        """Give up the bytes that were kept if they are many; return whether they were.

        SAFETY: uvicorn keeps the context of a request as long as the connection may bring another
        one, and with it what the request holds: 16 MiB for each client, five seconds long.
        """
        if self._cached is None or len(self._cached) <= LARGE:
            return False
        self._cached = None
        self._failure = RuntimeError(
            "The exchange has ended, and its large body was given up. Pass on what is needed later."
        )
        return True

    async def read(self, *, cache: bool = True) -> bytes:
        """Return the whole body; again and again when it was kept.

        Args:
            cache: Keep the bytes for later calls. Without, the body is consumed.

        Raises:
            RequestEntityTooLarge: Over :attr:`max_length`; before the first byte when declared so.
            BadRequest: More or fewer bytes than declared.
            RequestTimeout: No byte for :attr:`timeout` seconds.
            ClientDisconnected: The client left before the end.
            RuntimeError: The body was consumed, or is being read elsewhere.
        """
        if self._cached is not None:
            return self._cached
        self._start()
        whole = await self._pull()
        if not self._complete:
            whole = await self._pull_rest(whole)
        if cache:
            self._cached = whole
        return whole

    def __await__(self) -> Generator[None, None, bytes]:
        return self.read().__await__()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give each chunk as it arrives; nothing is kept. Errors as in :meth:`read`."""
        if self._cached is not None:
            return _Kept(self._cached)
        self._start()
        return self

    async def __anext__(self) -> bytes:
        if self._failure is not None:
            raise copy(self._failure)
        if self._complete:
            raise StopAsyncIteration
        chunk = await self._pull()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    def _start(self) -> None:
        if self._failure is not None:
            raise copy(self._failure)
        if self._started:
            raise RuntimeError(
                "The request body was already read in chunks or as a form, or is being read by "
                "another task. Call 'await request.get_data()' before anything else: its result is "
                "kept, and JSON and the form are then read from it."
            )
        if self.max_length is not None and (self._declared or 0) > self.max_length:
            self._refuse_length()
        self._started = True

    async def _pull_rest(self, first: bytes) -> bytes:
        # PERF: 1 MiB takes 60 µs; by way of a bytearray that grows, 1,000 µs.
        pile = Pile()
        pile.add(first)
        while not self._complete:
            pile.add(await self._pull())
        return pile.take()

    async def _pull(self) -> bytes:
        """Return the bytes of the next message that has some, or ``b""`` at the end.

        Raises:
            RequestTimeout: It has not come in :attr:`timeout`.
            Exception: As in :meth:`read`.
        """
        self._messages += 1
        if self._messages % _TURN == 0:
            await checkpoint()
        if self._ahead or self._gone or self._receiving:
            chunk = self._bytes_of(await self._next_message(self.timeout))
        else:
            # PERF: most messages are there already: 0.6 µs less than by a coroutine that waits.
            message, coming = ask(self.timeout, self._receive)
            if coming is None:
                self._note(message)
            else:
                message = await self._wait_for(coming)
            chunk = self._bytes_of(message)
        if chunk or self._complete:
            return chunk
        # SAFETY: messages without bytes neither extend the deadline nor occupy the processor.
        deadline = math.inf if self.timeout is None else monotonic() + self.timeout
        while not (chunk or self._complete):
            await anyio.sleep(_REST)
            left = deadline - monotonic()
            if left < 0:
                self._fail(RequestTimeout())
            chunk = self._bytes_of(await self._next_message(None if left == math.inf else left))
        return chunk

    def _bytes_of(self, message: Message | None) -> bytes:
        """Count and return the bytes of a message; ``None`` is one that has not come in time."""
        if message is None:
            self._fail(RequestTimeout())
        if message["type"] == "http.disconnect":
            self._fail(ClientDisconnected("The client left while its request body was read."))
        chunk: bytes = message.get("body") or b""
        if type(chunk) is not bytes:
            chunk = bytes(chunk)
        more = message.get("more_body")
        self._seen = seen = self._seen + len(chunk)
        if self.max_length is not None and seen > self.max_length:
            self._refuse_length()
        declared = self._declared
        if declared is not None and (seen > declared or (not more and seen < declared)):
            self._fail(BadRequest("The request body differs from its Content-Length."))
        self._complete = not more
        return chunk

    def _refuse_length(self) -> NoReturn:
        text = f"{RequestEntityTooLarge.description}{self.advice}"
        if self._started:
            self._fail(RequestEntityTooLarge(text))
        raise RequestEntityTooLarge(text)

    def _fail(self, error: Exception) -> NoReturn:
        """Raise *error* now and at every later attempt: bytes are missing from here on."""
        # SAFETY: by its traceback an error holds all bytes read so far. Nothing that it leads to
        # may lead to it, or they would stay in memory until the next collection.
        self._failure = copy(error)
        try:
            raise error
        finally:
            del error

    # --- the server -------------------------------------------------------------------------------

    @property
    def is_gone(self) -> bool:
        """Whether the server has said that the client left."""
        return self._gone

    async def wait_disconnected(self) -> None:
        """Return when the client has left.

        What has come of a body that nobody reads is kept meanwhile, as the end is behind it: up to
        :data:`MOST_AHEAD` messages or :data:`LARGE` bytes. The end of a client who sends more is
        not seen before somebody reads.
        """
        while not self._gone:
            if self._receiving or (self._is_full() and not self._ended):
                await self._wait_change()
                continue
            ended = self._ended
            message = await self._wait_for(self._receive())
            if self._gone:
                return
            assert message is not None
            if ended:
                # SAFETY: a server that repeats the end of the body will do so for ever.
                await self._wait_change()
            else:
                self._ahead = (*self._ahead, message)
                self._note_change()

    def _is_full(self) -> bool:
        # SAFETY: without a bound an upload would fill the memory that no view asks for.
        held = sum(len(message.get("body") or b"") for message in self._ahead)
        return held >= LARGE or len(self._ahead) >= MOST_AHEAD

    async def _next_message(self, seconds: float | None) -> Message | None:
        """Return the next message, from those that are kept first; ``None`` after *seconds*."""
        with anyio.move_on_after(seconds):
            while True:
                if self._ahead:
                    message, *rest = self._ahead
                    self._ahead = tuple(rest)
                    self._note_change()
                    return message
                if self._gone:
                    return {"type": "http.disconnect"}
                if not self._receiving:
                    return await self._wait_for(self._receive())
                await self._wait_change()
        return None

    async def _wait_for(self, coming: Awaitable[Message | None]) -> Message | None:
        """Return what the server gives; ``None`` is nothing in time."""
        self._receiving = True
        try:
            message = await coming
        finally:
            self._receiving = False
            self._note_change()
        self._note(message)
        return message

    def _note(self, message: Message | None) -> None:
        """Remember what a message of the server, if there is one, says of those that follow."""
        if message is not None:
            self._gone = message["type"] == "http.disconnect"
            self._ended = not (self._gone or message.get("more_body"))

    async def _wait_change(self) -> None:
        if self._changed is None:
            self._changed = anyio.Event()
        await self._changed.wait()

    def _note_change(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None


class _Kept:
    """A body that is known already, as one chunk; each loop over it has one of these."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._data:
            raise StopAsyncIteration
        data, self._data = self._data, b""
        return data
