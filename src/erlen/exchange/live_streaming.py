"""Floor 3: a body of chunks that come when something happens: kept alive, ended at shutdown."""

from collections.abc import AsyncIterator
from time import monotonic

import anyio

from erlen.exceptions import ClientDisconnected
from erlen.exchange import outgoing
from erlen.exchange.chunks import Chunk, Chunks, encode_chunk
from erlen.exchange.streaming import Stream
from erlen.protocols import Exchange, Message
from erlen.shutdown import ShuttingDown
from erlen.spawning import call_later, spawn

#: Seconds after which a live stream is opened whose first chunk is not there yet.
OPEN_SECONDS = 0.1


class LiveChunks:
    """Chunks that come when something happens: kept alive in between, and ended at shutdown.

    Attributes:
        keep_alive: Seconds of silence after which :attr:`sign` is sent; ``math.inf`` for never but
            once, when the first chunk is late.
        sign: A chunk that says nothing to the client.
        last: What is sent when the application shuts down, may be empty.
    """

    keep_alive: float
    sign: bytes
    last: bytes

    @property
    def shutting_down(self) -> ShuttingDown:
        """The event that ends the stream; asked for in the context of the exchange."""
        raise NotImplementedError


class _Over(Exception):
    """Stops the iteration of a live stream between two chunks."""


class LiveStream(Stream):
    """A body of :class:`LiveChunks`. Two tasks send, never both at once."""

    def __init__(
        self, start: Message, chunks: Chunks, exchange: Exchange, declared_length: int | None
    ) -> None:
        """As for :class:`~erlen.exchange.streaming.Stream`."""
        super().__init__(start, chunks, exchange, declared_length)
        assert isinstance(chunks, LiveChunks)
        self._live: LiveChunks = chunks
        self._quiet_since = monotonic()
        self._sign_sent: anyio.Event | None = None  # there while a sign is on its way
        self._over = False
        self._held = b""  # the chunk that was made at the moment of the shutdown

    # --- beside the iteration ---------------------------------------------------------------------

    def begin(self) -> None:
        """As in ``Outgoing``; a live stream does wait."""
        self._timer = call_later(outgoing.PATIENCE, self._attend_now)

    def attend(self) -> None:
        """Start what keeps the stream alive and ends it, too."""
        super().attend()
        self._beside.append(spawn(self._accompany))

    async def _accompany(self) -> None:
        try:
            await self._keep_alive_until_shutdown()
        except Exception as error:  # noqa: BLE001  # raised where the response is sent
            self._failure = self._failure or error
            self._lose_client()
            await self.interruption.cancel()
        else:
            self._over = True
            await self._stop_block()

    async def _keep_alive_until_shutdown(self) -> None:
        wait = min(self._live.keep_alive, OPEN_SECONDS)
        while True:
            with anyio.move_on_after(wait):
                await self._live.shutting_down.wait()
                return
            wait = self._live.keep_alive
            if self._is_sending or self._ended or self._gone:
                continue  # a client that does not read needs no sign, one that has all no more
            rest = self._quiet_since + wait - monotonic()
            if rest > 0 and self._exchange.started:
                wait = rest
            else:
                await self._send_sign()

    async def _send_sign(self) -> None:
        sent = self._sign_sent = anyio.Event()
        try:
            await self._send(self._live.sign, more=True)
        finally:
            self._sign_sent = None
            sent.set()
        if self._gone:
            raise ClientDisconnected(outgoing.LEFT)

    # --- the iteration ----------------------------------------------------------------------------

    async def _pass_on(self, source: AsyncIterator[Chunk]) -> None:
        async for chunk in source:
            await self._add(chunk)

    async def _add(self, chunk: Chunk) -> None:
        await self._take_turn()
        if self._over:
            self._held = encode_chunk(chunk)
        else:
            await super()._add(chunk)
        self._check_over()

    async def _end(self) -> None:
        await self._take_turn()
        self._check_over()
        await super()._end()

    async def _take_turn(self) -> None:
        while self._sign_sent is not None:
            await self._sign_sent.wait()

    def _check_over(self) -> None:
        # From here on everything is about to be cancelled, and nothing can be sent before the end.
        if self._over:
            raise _Over

    async def _send(self, data: bytes, *, more: bool) -> None:
        if not self._exchange.started:
            await self._begin()
        await super()._send(data, more=more)
        self._quiet_since = monotonic()

    # --- the end ----------------------------------------------------------------------------------

    async def conclude(self, error: BaseException | None) -> BaseException | None:
        """Complete what the shutdown has stopped; then as in ``Stream``."""
        if isinstance(error, _Over):
            error = None
        if self._over and error is None and not (self._gone or self._ended):
            error = await self._complete()
        try:
            return await super().conclude(error)
        finally:
            del error

    async def _complete(self) -> Exception | None:
        """Send the last words and the end; return why that was not possible."""
        if not self._torn:
            with anyio.move_on_after(outgoing.SEND_SECONDS):
                try:
                    if rest := self._held + self._live.last:
                        await self._send(rest, more=True)
                    await super()._end()
                except Exception as error:  # noqa: BLE001  # raised where the response is sent
                    return error
        return None if self._ended else ClientDisconnected(outgoing.LEFT)
