"""Floor 3: a body of chunks: iterated, sent and always closed, in the task of its exchange."""

import logging
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, TypeAlias

import anyio

from erlen.exceptions import ClientDisconnected
from erlen.protocols import Exchange

Chunk: TypeAlias = str | bytes | bytearray | memoryview
Chunks: TypeAlias = AsyncIterable[Chunk] | Iterable[Chunk]

#: Seconds that a generator's ``finally`` may take after the client left.
CLOSE_SECONDS = 5.0

_END: Any = object()
_logger = logging.getLogger("erlen")


async def send_chunks(chunks: Chunks, exchange: Exchange, declared_length: int | None) -> None:
    """Send each chunk when it is made, until the last one or until the client leaves.

    Args:
        chunks: Any kind of iterable. A synchronous one is iterated in the exchange's worker thread.
        exchange: Whose response this is; the start message was sent.
        declared_length: Content-Length that was sent, ``None`` when there was none.

    Raises:
        ClientDisconnected: The client left; the iterator was closed.
        RuntimeError: The chunks differ from *declared_length*; the connection must break.
        Exception: What the iterator raised, itself.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_on_disconnect, exchange, tasks.cancel_scope)
        try:
            await _send_each(_iterate(chunks, exchange), exchange, declared_length)
        except Exception as error:  # noqa: BLE001  # raised below, outside the group that would wrap it
            failure = error
        finally:
            await close_chunks(chunks, exchange)
        finished = not tasks.cancel_scope.cancel_called
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if not finished:
        raise ClientDisconnected("The client left while the response was streamed.")


async def _cancel_on_disconnect(exchange: Exchange, scope: anyio.CancelScope) -> None:
    await exchange.wait_disconnected()
    scope.cancel()


async def _send_each(
    chunks: AsyncIterator[Chunk], exchange: Exchange, declared_length: int | None
) -> None:
    sent = 0
    async for chunk in chunks:
        data = encode_chunk(chunk)
        sent += len(data)
        if declared_length is not None and sent > declared_length:
            break
        if data:
            await exchange.send({"type": "http.response.body", "body": data, "more_body": True})
    if declared_length is not None and sent != declared_length:
        raise RuntimeError(
            f"The streamed body does not have the {declared_length} bytes that its Content-Length "
            "declares, so the connection is broken off. Declare the right length, or none."
        )
    await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})


async def _iterate(chunks: Chunks, exchange: Exchange) -> AsyncIterator[Chunk]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
        return
    iterator = iter(chunks)
    while (chunk := await exchange.run_sync(next, iterator, _END)) is not _END:
        yield chunk


async def close_chunks(chunks: Chunks, exchange: Exchange) -> None:
    """Close a generator so that its ``finally`` runs now, whatever is being cancelled.

    Closing again is harmless. What the ``finally`` raises is logged: the response is decided.
    """
    with anyio.move_on_after(CLOSE_SECONDS, shield=True):
        try:
            if isinstance(chunks, AsyncIterable):
                if (aclose := getattr(chunks, "aclose", None)) is not None:
                    await aclose()
            elif (close := getattr(chunks, "close", None)) is not None:
                await exchange.run_sync(close)
        except Exception:
            _logger.exception("A streamed body failed while it was closed.")


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
        f"A streamed body gave {chunk!r} of type {type(chunk).__name__}. Yield str or bytes."
    )
