"""Floor 3: a body of chunks: iterated, sent and always closed, in the task of its exchange."""

import inspect
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import anyio

from erlen.exceptions import ClientDisconnected
from erlen.protocols import Exchange, Message

Chunk: TypeAlias = str | bytes | bytearray | memoryview
Chunks: TypeAlias = AsyncIterable[Chunk] | Iterable[Chunk]

#: Seconds that closing may take when the exchange is cancelled.
CLOSE_SECONDS = 5.0
#: Seconds that a ``send()`` of the server has to return after the client left.
SEND_SECONDS = 1.0

_END: Any = object()
_logger = logging.getLogger("erlen")


async def send_message(exchange: Exchange, message: Message) -> None:
    """Send one message of a response.

    Raises:
        ClientDisconnected: The server says that nobody is there to read it.
    """
    try:
        await exchange.send(message)
    except OSError as error:  # SPEC: ASGI 2.4: send() raises OSError once the client is gone
        raise ClientDisconnected("The client left while the response was sent.") from error


async def send_chunks(
    start: Message, chunks: Chunks, exchange: Exchange, declared_length: int | None
) -> None:
    """Send each chunk when it is made, until the last one or until the client leaves; then close.

    The start goes out with the first chunk, so that what fails before it can still be answered. A
    generator that is slow to begin yields an empty chunk to send the start alone.

    Args:
        start: The message with status and headers.
        chunks: Any kind of iterable. A synchronous one is iterated in the exchange's worker thread.
        exchange: Whose response this is.
        declared_length: Content-Length in *start*, ``None`` when there is none.

    Raises:
        ClientDisconnected: The client left.
        RuntimeError: The chunks differ from *declared_length*; the connection must break.
        Exception: What the iterator raised, itself. Nothing was sent unless ``exchange.started``.
    """
    body = _Stream(start, exchange, declared_length)
    opened: list[Chunks] = [chunks]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(body.watch, tasks.cancel_scope)
        # The generator is closed inside of the group, because the scopes that it may have opened
        # lie inside of the group's; and what it raises leaves the group by hand, or it would come
        # out wrapped.
        try:
            await body.send_each(chunks, opened)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await close_all(opened, exchange.run_sync)
            raise
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  # raised below
            body.failure = body.failure or error
        await close_all(opened, exchange.run_sync)
        tasks.cancel_scope.cancel()
    body.conclude()


class _Stream:
    """One streamed body on its way: what was sent, and what went wrong first."""

    def __init__(self, start: Message, exchange: Exchange, declared_length: int | None) -> None:
        self._start = start
        self._exchange = exchange
        self._declared = declared_length
        self._sent = 0
        self._sending = False
        self._gone = False
        self._ended = False
        self.failure: BaseException | None = None

    async def watch(self, scope: anyio.CancelScope) -> None:
        """Stop the stream when the client leaves: between chunks, else by cancelling *scope*."""
        try:
            await self._exchange.wait_disconnected()
        except Exception as error:  # noqa: BLE001  # raised where the response is sent
            self.failure = self.failure or error
        self._gone = True
        if self._sending:
            # The server is about to return from send(): the generator is then closed without a
            # cancellation, so that its cleanup may await.
            await anyio.sleep(SEND_SECONDS)
        scope.cancel()

    async def send_each(self, chunks: Chunks, opened: list[Chunks]) -> None:
        """Send every chunk and the end; an iterator that is made for it goes into *opened*."""
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
        self._check(self._declared not in {None, self._sent})
        await self._begin()
        await self._send(b"", more=False)
        self._ended = True

    async def _add(self, chunk: Chunk) -> None:
        data = encode_chunk(chunk)
        self._sent += len(data)
        self._check(self._declared is not None and self._sent > self._declared)
        await self._begin()
        if data:
            await self._send(data, more=True)
        if self._gone:
            raise ClientDisconnected("The client left while the response was streamed.")

    async def _begin(self) -> None:
        if not self._exchange.started:
            self._exchange.started = True
            await send_message(self._exchange, self._start)

    async def _send(self, data: bytes, *, more: bool) -> None:
        self._sending = True
        await send_message(
            self._exchange, {"type": "http.response.body", "body": data, "more_body": more}
        )
        self._sending = False

    def _check(self, differs: bool) -> None:
        if differs:
            raise RuntimeError(
                f"The streamed body does not have the {self._declared} bytes that its "
                "Content-Length declares, so the connection is broken off. "
                "Declare the right length, or none."
            )

    def conclude(self) -> None:
        """Return when the whole body was sent, else raise why not."""
        if self._ended:
            return
        if self.failure is None:
            raise ClientDisconnected("The client left while the response was streamed.")
        try:
            raise self.failure
        finally:
            self.failure = None  # a traceback that names itself would live until it is collected


async def close_all(iterables: Iterable[Chunks], run_sync: Callable[..., Awaitable[Any]]) -> None:
    """Close what has an ``aclose`` or ``close``, the latter by *run_sync*, so that it ends now.

    Closing again is harmless. What is raised is logged: the response is decided.
    """
    for each in iterables:
        if isinstance(each, AsyncIterable):
            close = getattr(each, "aclose", None)
            if close is not None:
                await isolated(close)
        elif (close := getattr(each, "close", None)) is not None:
            # The client may have left just now; a thread cannot be stopped anyway.
            with anyio.CancelScope(shield=True):
                await isolated(run_sync, close)


async def isolated(function: Callable[..., Awaitable[Any]], *args: Any) -> None:
    """Await a call at the end of a response, and what it returns; log what it raises."""
    try:
        result = await function(*args)
        if inspect.isawaitable(result):
            await result
    except Exception:
        _logger.exception("%r failed at the end of a response.", args[0] if args else function)
    except BaseExceptionGroup as group:
        # A task group around a yield wraps even what aclose() ends the generator by.
        if group.split(GeneratorExit)[1] is not None:
            raise


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
