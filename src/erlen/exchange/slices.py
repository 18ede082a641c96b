"""Floor 3: a body in slices, with turns for the loop between them, so that no parser holds it."""

from collections.abc import AsyncIterator
from time import monotonic
from typing import Self

from anyio.lowlevel import checkpoint

from erlen.exchange.body import Body

#: Bytes that are parsed without a look at the clock.
SLICE = 64 * 1024
#: Seconds after which the loop gets a turn.
#: PERF: a turn costs 10 µs, as much as the parser takes for a slice of a file; a form of 1 MiB
#: that is parsed in 0.2 ms needs none.
TURN_SECONDS = 0.002


class Slices:
    """The chunks of a body, none longer than :data:`SLICE`.

    SAFETY: a server may hand over a whole body of 16 MiB as one message, or have all of its
    messages ready, so that receiving never waits. Other exchanges would wait for the parser.
    """

    __slots__ = ("_body", "_chunk", "_chunks", "_position", "_turned")

    def __init__(self, body: Body) -> None:
        """Nothing is read before the first slice is asked for."""
        self._body = body
        self._chunks: AsyncIterator[bytes] | None = None
        self._chunk = b""
        self._position = 0
        self._turned = monotonic()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next slice. Errors as in ``Body.read``."""
        if monotonic() - self._turned > TURN_SECONDS:
            await checkpoint()
            self._turned = monotonic()
        if self._position == len(self._chunk):
            if self._chunks is None:
                self._chunks = aiter(self._body)
            chunk = await anext(self._chunks)
            if len(chunk) <= SLICE:
                return chunk
            self._chunk, self._position = chunk, 0
        data = self._chunk[self._position : self._position + SLICE]
        self._position += len(data)
        return data
