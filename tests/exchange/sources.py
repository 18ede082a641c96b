"""Bodies for the tests that remember what was asked of them: sources and streams."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from anyio.lowlevel import checkpoint

THIRTEEN = b"0123456789abc"


class KnownSource:
    """Thirteen bytes in chunks of four (``erlen.exchange.sources.Source``).

    Attributes:
        spans: What was asked for.
        closed: How often it was closed.
        open_spans: How many spans are being read.
    """

    def __init__(
        self, data: bytes = THIRTEEN, *, path: str | None = None, given: bytes | None = None
    ) -> None:
        """*given* is what there really is, in the place of *data*."""
        self.length = len(data)
        self.path = path
        self.spans: list[tuple[int, int]] = []
        self.closed = 0
        self.open_spans = 0
        self._data = data if given is None else given
        self._grows = len(self._data) - len(data)

    async def span(self, start: int, stop: int) -> AsyncIterator[bytes]:
        assert 0 <= start < stop <= self.length
        assert not self.closed
        assert not self.open_spans, "spans are read one at a time"
        self.spans.append((start, stop))
        self.open_spans += 1
        try:
            end = stop + max(self._grows, 0)
            for position in range(start, end, 4):
                await checkpoint()
                yield self._data[position : min(position + 4, end)]
        finally:
            self.open_spans -= 1

    async def aclose(self) -> None:
        assert not self.open_spans, "spans are closed before their source"
        self.closed += 1


class Stream:
    """A synchronous or asynchronous stream of chunks.

    Attributes:
        given: How many chunks were given.
        closed: How often it was closed.
    """

    def __init__(self, *chunks: Any) -> None:
        self.chunks = list(chunks)
        self.given = 0
        self.closed = 0


class SyncStream(Stream):
    """For ``for``."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self.chunks:
            raise StopIteration
        self.given += 1
        return self.chunks.pop(0)

    def close(self) -> None:
        self.closed += 1


class AsyncStream(Stream):
    """For ``async for``."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if not self.chunks:
            raise StopAsyncIteration
        self.given += 1
        return self.chunks.pop(0)

    async def aclose(self) -> None:
        self.closed += 1
