"""Floor 3: a body of chunks: iterated, sent and always closed, in the task of its exchange."""

import inspect
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from time import monotonic
from typing import Any, TypeAlias

import anyio
from anyio.abc import TaskGroup

from erlen.exceptions import ClientDisconnected
from erlen.protocols import Exchange, Message
from erlen.shutdown import ShuttingDown

Chunk: TypeAlias = str | bytes | bytearray | memoryview
Chunks: TypeAlias = AsyncIterable[Chunk] | Iterable[Chunk]

#: Seconds that closing may take when the exchange is cancelled.
CLOSE_SECONDS = 5.0
#: Seconds that a ``send()`` of the server has to return after the client left.
SEND_SECONDS = 1.0
#: Seconds after which a live stream is opened whose first chunk is not there yet.
OPEN_SECONDS = 0.1

_LEFT = "The client left while the response was streamed."

_END: Any = object()
_logger = logging.getLogger("erlen")


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
            :class:`LiveChunks` are kept alive, and end completely when the application shuts down.
        exchange: Whose response this is.
        declared_length: Content-Length in *start*, ``None`` when there is none.

    Raises:
        ClientDisconnected: The client left.
        RuntimeError: The chunks differ from *declared_length*; the connection must break.
        Exception: What the iterator raised, itself. Nothing was sent unless ``exchange.started``.
    """
    body = (
        _LiveStream(start, exchange, declared_length, chunks)
        if isinstance(chunks, LiveChunks)
        else _Stream(start, exchange, declared_length)
    )
    async with anyio.create_task_group() as tasks:
        body.attend(tasks)
        # The generator is closed inside of the group, because the scopes that it may have opened
        # lie inside of the group's; and what it raises leaves the group by hand, or it would come
        # out wrapped.
        cancelled = await _send_and_close(body, chunks, exchange)
        if cancelled is not None:
            try:
                raise cancelled
            finally:
                del cancelled  # a traceback that names itself would live until it is collected
        tasks.cancel_scope.cancel()
    await body.conclude()


async def _send_and_close(
    body: "_Stream", chunks: Chunks, exchange: Exchange
) -> BaseException | None:
    """Send all and close; note in *body* what failed, or return the cancellation to raise."""
    opened: list[Chunks] = [chunks]
    cancelled: BaseException | None = None
    # It is opened before the scopes that the generator opens and may still have open when it is
    # cancelled: these can only be left before it. So it shields the closing when it comes to that.
    with anyio.CancelScope() as closing:
        try:
            await body.send_each(chunks, opened)
        except GeneratorExit:
            raise  # the task itself ends, unfinished, and can await no close
        except BaseException as error:  # noqa: BLE001  # raised by who calls, or noted
            if is_cancellation(error):
                cancelled = error
                closing.deadline = anyio.current_time() + CLOSE_SECONDS
                closing.shield = True
            else:
                body.failure = body.failure or error
        await close_all(opened, exchange.run_sync)
    try:
        return cancelled
    finally:
        del cancelled  # as above


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

    def attend(self, tasks: TaskGroup) -> None:
        """Start what runs beside the iteration, and ends it by cancelling *tasks*."""
        tasks.start_soon(self._watch, tasks.cancel_scope)

    async def _watch(self, scope: anyio.CancelScope) -> None:
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
        await self._end()

    async def _end(self) -> None:
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
            raise ClientDisconnected(_LEFT)

    async def _begin(self) -> None:
        if not self._exchange.started:
            self._exchange.started = True
            self._sending = True
            await send_message(self._exchange, self._start)
            self._sending = False

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

    async def conclude(self) -> None:
        """Return when the whole body was sent, else raise why not."""
        if self._ended:
            return
        if self.failure is None:
            raise ClientDisconnected(_LEFT)
        try:
            raise self.failure
        finally:
            self.failure = None  # a traceback that names itself would live until it is collected


class _Over(Exception):
    """Stops the iteration of a live stream between two chunks."""


class _LiveStream(_Stream):
    """The same for :class:`LiveChunks`. Two tasks send, never both at once."""

    def __init__(
        self, start: Message, exchange: Exchange, declared_length: int | None, live: LiveChunks
    ) -> None:
        super().__init__(start, exchange, declared_length)
        self._live = live
        self._quiet_since = monotonic()
        self._sign_sent: anyio.Event | None = None  # there while a sign is on its way
        self._over = False
        self._held = b""  # the chunk that was made at the moment of the shutdown

    def attend(self, tasks: TaskGroup) -> None:
        super().attend(tasks)
        tasks.start_soon(self._accompany, tasks.cancel_scope)

    # --- beside the iteration ---------------------------------------------------------------------

    async def _accompany(self, scope: anyio.CancelScope) -> None:
        """Keep the stream alive, and stop it at shutdown as :meth:`_watch` does."""
        try:
            await self._keep_alive_until_shutdown()
        except Exception as error:  # noqa: BLE001  # raised where the response is sent
            self.failure = self.failure or error
        else:
            self._over = True
            if self._sending:
                await anyio.sleep(SEND_SECONDS)
        scope.cancel()

    async def _keep_alive_until_shutdown(self) -> None:
        wait = min(self._live.keep_alive, OPEN_SECONDS)
        while True:
            with anyio.move_on_after(wait):
                await self._live.shutting_down.wait()
                return
            wait = self._live.keep_alive
            if self._sending or self._ended or self.failure is not None:
                continue  # a client that does not read needs no sign, one that has all no more
            rest = self._quiet_since + wait - monotonic()
            if rest > 0 and self._exchange.started:
                wait = rest
            else:
                await self._send_sign()

    async def _send_sign(self) -> None:
        sent = self._sign_sent = anyio.Event()
        try:
            await self._begin()
            await self._send(self._live.sign, more=True)
        finally:
            self._sign_sent = None
            sent.set()
        if self._gone:
            raise ClientDisconnected(_LEFT)

    # --- the iteration ----------------------------------------------------------------------------

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
        await super()._send(data, more=more)
        self._quiet_since = monotonic()

    async def conclude(self) -> None:
        """Complete what the shutdown has stopped."""
        if isinstance(self.failure, _Over):
            self.failure = None
        stopped = self._over and self.failure is None
        if stopped and not (self._sending or self._gone or self._ended):
            with anyio.move_on_after(SEND_SECONDS):
                await self._begin()
                if rest := self._held + self._live.last:
                    await self._send(rest, more=True)
                await super()._end()
        await super().conclude()


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


def is_cancellation(error: BaseException) -> bool:
    """Whether *error* is one, or a group that may hold one, which its scope must see."""
    if isinstance(error, Exception):
        return False
    return isinstance(error, anyio.get_cancelled_exc_class() | BaseExceptionGroup)


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
