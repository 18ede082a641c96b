"""Floor 3: a body that is iterated, sent, and always closed, in the task of its exchange."""

import logging
from collections.abc import AsyncIterable
from typing import Any, NoReturn

from erlen.exchange.chunks import Chunks
from erlen.exchange.closing import close_all
from erlen.exchange.outgoing import Outgoing
from erlen.protocols import Exchange, Message

_END: Any = object()
_logger = logging.getLogger("erlen")


class Stream(Outgoing):
    """A body that is iterated: sent chunk by chunk, each when it is made.

    A generator that is slow to begin yields an empty chunk to send the start alone.
    """

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
                await self._send_each(opened)
            except GeneratorExit:
                raise  # the task itself ends, unfinished, and can await no close
            except BaseException as error:
                self._raised = error
                self.interruption.limit()
                await close_all(opened, self._exchange.run_sync)
                raise
            await close_all(opened, self._exchange.run_sync)

    async def _send_each(self, opened: list[Chunks]) -> None:
        """Send all; an iterator that is made for it goes into *opened*."""
        chunks = self._chunks
        if isinstance(chunks, AsyncIterable):
            source = aiter(chunks)
            if source is not chunks:
                opened.insert(0, source)
            async for chunk in source:
                await self._add(chunk)
        else:
            iterator = await self._exchange.run_sync(iter, chunks)
            if iterator is not chunks:
                opened.insert(0, iterator)
            while (chunk := await self._exchange.run_sync(next, iterator, _END)) is not _END:
                await self._add(chunk)
        await self._end()

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
