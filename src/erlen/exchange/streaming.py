"""Floor 3: a body that is iterated, sent, and always closed, in the task of its exchange."""

import logging
from collections.abc import AsyncIterator
from time import monotonic
from types import AsyncGeneratorType
from typing import Any, NoReturn

from erlen.exchange.begun import attended
from erlen.exchange.chunks import Chunk, Chunks, encode_chunk, is_asynchronous
from erlen.exchange.closing import close_all
from erlen.exchange.outgoing import NOTHING, TURN_SECONDS, Outgoing
from erlen.protocols import Exchange, Message, Send

#: Chunks, at most, between two looks at the clock.
MOST_UNTIMED = 64

_END: Any = object()
_logger = logging.getLogger("erlen")


class Stream(Outgoing):
    """A body that is iterated: sent chunk by chunk, each when it is made.

    A generator that is slow to begin yields an empty chunk to send the start alone.
    """

    _stride = 1
    _look_at = NOTHING  # the number of the chunk after which to look around
    _pass: Send
    _generator: AsyncGeneratorType[Chunk, None] | None = None

    def __init__(
        self, start: Message, chunks: Chunks, exchange: Exchange, declared_length: int | None
    ) -> None:
        """As for :class:`Outgoing`.

        *chunks* is any kind of iterable; a synchronous one is iterated in the exchange's worker
        thread.
        """
        super().__init__(exchange, start, declared_length)
        self._chunks = chunks
        self._raised: BaseException | None = None

    async def send_all(self) -> None:
        """Send every chunk and the end, until the client leaves; close what was iterated.

        Raises:
            Exception: As when the block of :class:`Outgoing` is left. Nothing was sent unless
                ``exchange.started``.
        """
        opened = [self._chunks]
        async with self:
            try:
                await attended(self._send_each(opened), self._begin_late)
            except GeneratorExit:
                raise  # the task itself ends, unfinished, and can await no close
            except BaseException as error:
                self._raised = error
                self.interruption.limit()
                await close_all(opened, self._exchange.run_sync)
                raise
            # PERF: a generator that has come to its end has nothing to close, 0.5 µs.
            if type(self._chunks) is not AsyncGeneratorType:
                await close_all(opened, self._exchange.run_sync)

    def begin(self) -> None:
        """Watch nothing yet: only who waits must be watched."""

    def _begin_late(self) -> None:
        if self._timer is None:
            super().begin()

    async def _send_each(self, opened: list[Chunks]) -> None:
        """Send all; an iterator that is made for it goes into *opened*."""
        chunks = self._chunks
        if is_asynchronous(chunks):
            source = aiter(chunks)
            if source is not chunks:
                opened.insert(0, source)
            await self._pass_on(source)
        else:
            iterator = await self._exchange.run_sync(iter, chunks)
            if iterator is not chunks:
                opened.insert(0, iterator)
            while (chunk := await self._exchange.run_sync(next, iterator, _END)) is not _END:
                await self._add(chunk)
        await self._end()

    async def _pass_on(self, source: AsyncIterator[Chunk]) -> None:
        """Send each chunk of *source*."""
        async for chunk in source:
            await self._add(chunk)
            if type(source) is AsyncGeneratorType and self._declared is None:
                break
        else:
            return
        self._generator = source
        self._pass = self._exchange.send
        try:
            await self._drain(source)
        except OSError as error:
            if source.ag_frame is None:  # it has raised it; else it has come from send()
                raise
            self._note_failure(error)
        finally:
            self._generator = None
            del self._pass
        self._sending = NOTHING

    async def _drain(self, generator: AsyncGeneratorType[Chunk, None]) -> None:
        """Send what follows the first chunk: as :meth:`_add` does, without a call for each.

        PERF: 0.05 µs a chunk beyond a bare loop around ``send()``; by :meth:`_add` it was 0.9.
        """
        number = self._messages
        async for chunk in generator:
            data = chunk if chunk.__class__ is bytes else encode_chunk(chunk)
            number += 1
            if data:
                self._sending = number
                await self._pass({"type": "http.response.body", "body": data, "more_body": True})
            if number >= self._look_at:
                await self._look_around(number)

    async def _look_around(self, number: int) -> None:
        """After a chunk: stop when the client has left, and give the event loop its turns.

        PERF: a look is 0.1 µs, of 0.3 for a chunk. Looks become rarer, and a turn is given before
        twice ``TURN_SECONDS`` are over, at an even pace.
        """
        self._stride = min(2 * self._stride, MOST_UNTIMED)
        if monotonic() - self._turned > TURN_SECONDS:
            self._stride = 1
            await self._give_turn()
        if self._gone:
            self._refuse()
        self._look_at = number + self._stride

    def _lose_client(self) -> None:
        super()._lose_client()
        if self._generator is not None:
            self._look_at = NOTHING
            self._pass = self._refuse_message

    async def _refuse_message(self, _message: Message) -> NoReturn:
        self._refuse()

    @property
    def _is_sending(self) -> bool:
        # A generator is not running while what it gave is on its way.
        generator = self._generator
        return super()._is_sending and (generator is None or not generator.ag_running)

    def _refuse(self) -> NoReturn:
        if self.interruption.is_limited:
            _logger.warning(
                "%r yielded once more after its client had left and it was cancelled. "
                "That goes nowhere; do not yield in 'finally'.",
                self._chunks,
            )
        super()._refuse()

    async def conclude(self, error: BaseException | None) -> BaseException | None:
        """As in :class:`Outgoing`; what the block raised is not lost when its closing was cut."""
        raised, self._raised = self._raised, None
        if self.interruption.is_overdue and not self.interruption.is_cancelled:
            error = error or raised
        try:
            return await super().conclude(error)
        finally:
            del raised, error  # a traceback that names itself would live until it is collected
