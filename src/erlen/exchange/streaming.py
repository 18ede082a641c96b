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
#: Number of the message with the first chunk: the start is before it.
_FIRST = NOTHING + 2

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
        # PERF: what ``async with self`` does, without three coroutines for who comes to its end.
        self.begin()
        self.interruption.__enter__()
        try:
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
        except BaseException as error:
            if not await self.__aexit__(type(error), error, error.__traceback__):
                raise
        else:
            if self._timer is None and self._ended:
                self.interruption.__exit__(None, None, None)
            else:
                await self.__aexit__(None, None, None)

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
        if type(source) is not AsyncGeneratorType or self._declared is not None:
            async for chunk in source:
                await self._add(chunk)
            return
        # PERF: as _add() does, without a call for each chunk: 0.08 µs beyond a bare loop around
        # send(), and not 0.9.
        self._generator = source
        self._pass = self._send_first
        number = _FIRST - 1
        try:
            async for chunk in source:
                number += 1
                if chunk.__class__ is not bytes:
                    chunk = encode_chunk(chunk)  # noqa: PLW2901  # PERF: 0.02 µs
                if chunk:
                    self._sending = number
                    send = self._pass  # PERF: as a method it is called 0.04 µs later (CPython 3.11)
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if number >= self._look_at:
                    await self._look_around(number)
        except OSError as error:
            if source.ag_frame is None:  # it has raised it; else it has come from send()
                raise
            self._note_failure(error)
        finally:
            self._generator = None
            del self._pass
            self._sending = NOTHING
            self._messages = number

    async def _look_around(self, number: int) -> None:
        """After a chunk: stop when the client has left, and give the event loop its turns.

        PERF: a look is 0.2 µs, of 0.4 for a chunk. Looks become rarer, and a turn is given before
        twice ``TURN_SECONDS`` are over, at an even pace.
        """
        if not self._exchange.started:
            await self._begin()
        if monotonic() - self._turned > TURN_SECONDS:
            self._stride = 0
            await self._give_turn()
        self._stride = min(2 * self._stride, MOST_UNTIMED) or 1
        self._look_at = number + self._stride
        if self._gone:
            self._refuse()

    # --- what a message is given to beside the server's send() ------------------------------------

    async def _send_first(self, message: Message) -> None:
        self._pass = self._exchange.send
        if not self._exchange.started:
            await self._begin()
            self._sending = _FIRST
        send = self._pass  # another one, if the client has left meanwhile
        await send(message)

    async def _refuse_message(self, _message: Message) -> NoReturn:
        self._refuse()

    def _lose_client(self) -> None:
        super()._lose_client()
        if self._generator is not None:
            self._look_at = NOTHING
            self._pass = self._refuse_message

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
