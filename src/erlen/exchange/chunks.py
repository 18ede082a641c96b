"""Floor 3: a chunk of a body, and its bytes."""

from collections.abc import AsyncIterable, Iterable
from typing import TypeAlias

Chunk: TypeAlias = str | bytes | bytearray | memoryview
Chunks: TypeAlias = AsyncIterable[Chunk] | Iterable[Chunk]


def encode_chunk(chunk: object) -> bytes:
    """Return a chunk of a body as bytes, text as UTF-8.

    Raises:
        TypeError: The chunk is neither text nor bytes; the view's fault.
    """
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, bytearray | memoryview):
        return bytes(chunk)
    raise TypeError(
        f"A streamed body gave {chunk!r} of type {type(chunk).__name__}. Give str or bytes."
    )
