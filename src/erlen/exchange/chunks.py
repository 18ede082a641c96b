"""Floor 3: a chunk of a body, and its bytes."""

from collections.abc import AsyncIterable, Iterable
from types import AsyncGeneratorType
from typing import Any, TypeAlias, TypeGuard

Chunk: TypeAlias = str | bytes | bytearray | memoryview
Chunks: TypeAlias = AsyncIterable[Chunk] | Iterable[Chunk]


def is_asynchronous(chunks: Any) -> TypeGuard[AsyncIterable[Chunk]]:
    """Whether *chunks* are iterated by ``async for``. PERF: 0.02 µs for a generator, else 0.3."""
    return type(chunks) is AsyncGeneratorType or isinstance(chunks, AsyncIterable)


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
