"""Floor 6: a response that the view itself sends, chunk by chunk, from an ``async with``."""

from collections.abc import AsyncIterator
from enum import Enum, auto
from types import TracebackType

import anyio
from anyio.lowlevel import checkpoint

from erlen.context import Context, current
from erlen.exceptions import ClientDisconnected, OutsideContextError
from erlen.exchange.chunks import Chunk, encode_chunk
from erlen.exchange.outgoing import LEFT, Outgoing
from erlen.exchange.response import HeadersValue, Response, StatusValue
from erlen.pipeline.dispatch import follow


def stream(
    status: StatusValue | None = None,
    headers: HeadersValue | None = None,
    mimetype: str | None = None,
    content_type: str | None = None,
) -> "PushedResponse":
    """Return a response that the view sends while it runs; the view then returns nothing.

    ::

        async with stream(mimetype="text/csv") as out:
            async for row in rows():
                await out.send(row)

    The arguments and their errors are those of :class:`~erlen.Response`.

    Raises:
        OutsideContextError: No request is being served here.
        RuntimeError: The response was sent already, or this is in a generator, which *is* the body.
    """
    context = current()
    _check(context)
    response: Response = context.app.response_class(None, status, headers, mimetype, content_type)
    return PushedResponse(context, response)


def _check(context: Context) -> None:
    if context.scope is None or context.scope["type"] != "http":
        raise OutsideContextError(
            "stream() was used where no request is served, so there is no response to send. Use it "
            "in the view of a request; in a WebSocket call 'await websocket.send()'."
        )
    context.check_running("response")
    if context.started or context.pushed or context.answering:
        raise RuntimeError(
            "stream() was used where the response is on its way already: after another stream(), "
            "in an after hook, or in a generator that is itself the body. Use it once, in a view "
            "that is no generator; in a generator yield the chunk."
        )


class _State(Enum):
    NEW = auto()
    OPEN = auto()
    LEFT = auto()


class _Turn:
    """Lets one task in, and the others after it.

    PERF: ``anyio.Lock`` costs 5 µs for each chunk, this 0.2 where nobody waits.
    """

    __slots__ = ("_given", "_taken")

    def __init__(self) -> None:
        self._taken = False
        self._given: anyio.Event | None = None  # there while somebody waits

    async def __aenter__(self) -> None:
        while self._taken:
            self._given = self._given or anyio.Event()
            await self._given.wait()
        self._taken = True

    async def __aexit__(self, *_error: object) -> None:
        self._taken = False
        given, self._given = self._given, None
        if given is not None:
            given.set()


class _Chunks:
    """What stands for the body in a response whose body is sent by the view."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        raise RuntimeError(
            "The body of this response is sent by its view and cannot be read here. "
            "Leave it alone where 'response.is_streamed' is true."
        )
        yield b""


class PushedResponse(Outgoing):
    """One ``async with stream() as out``.

    Attributes:
        response: Status and headers; they may be changed before the first chunk is sent.
    """

    def __init__(self, context: Context, response: Response) -> None:
        """Made by :func:`stream`."""
        super().__init__(context)
        self.response = response
        self._context = context
        self._chunks = response.response = _Chunks()
        self._opener = context.calling_child
        self._is_for_thread = False
        self._turn = _Turn()
        self._state = _State.NEW

    def begin(self) -> None:
        """Open the block; it can be opened once."""
        if self._state is not _State.NEW:
            raise RuntimeError(
                "A stream() was entered a second time. Call stream() for each 'async with'."
            )
        self._state = _State.OPEN
        super().begin()

    async def send(self, chunk: Chunk) -> None:
        """Send a chunk; return when the client may have the next. Tasks take turns.

        With the first chunk, which may be empty, the after hooks run and status and headers go out.
        Before it something else can still be answered: by ``abort()``, an error, another response.
        Where a response has no body (HEAD, 204, 304), the first ``send()`` ends the block, and
        children of the request outside of it where they call ``send()``.

        Raises:
            ClientDisconnected: The client left.
            TypeError: Neither text nor bytes.
            RuntimeError: The block was left, or the body differs from its Content-Length.
            Exception: What an after hook has raised.
        """
        async with self._turn:
            if self._state is not _State.OPEN:
                await self._end_child()
                raise RuntimeError(
                    "A chunk was sent outside of its 'async with stream()'. Send it inside of the "
                    "block, and await there whatever sends."
                )
            data = encode_chunk(chunk)
            try:
                await self._start_response()
                if self._ended:
                    await self._end_early()
                else:
                    await self._add(data)
            except ClientDisconnected:
                if self._is_inside:
                    self.interruption.limit()
                else:
                    await self._end_block()
                raise

    @property
    def _is_inside(self) -> bool:
        """Whether the caller is in the block, and not in a child of the request beside it."""
        return self._context.calling_child is self._opener

    async def _end_early(self) -> None:
        """End who makes a body that is not sent."""
        if self._is_inside:
            await self.interruption.end()
        else:
            await self._end_block()
            await self._end_child()

    async def _end_block(self) -> None:
        """Cancel the block from a child; a thread is told by its next call."""
        if not self._is_for_thread:
            await self.interruption.cancel()

    async def _end_child(self) -> None:
        """Cancel the calling child where it makes a body that is not sent."""
        child = self._context.calling_child
        has_body = self.response.has_body(self._context)
        if not (has_body or child is self._opener or self._is_for_thread):
            child.task.cancel()
            await checkpoint()

    async def finish(self) -> None:
        """Send what is missing when the block has ended without an error."""
        if self._gone:
            raise ClientDisconnected(LEFT)  # else what waits for ever would never be cancelled
        await self._context.join_children()  # which may want to send
        async with self._turn:
            await self._start_response()
            if not self._ended:
                await self._end()

    async def _start_response(self) -> None:
        """Send the start, once: a response that has no body is complete then."""
        if self._gone:
            raise ClientDisconnected(LEFT)
        if self._torn:
            raise RuntimeError(
                "A send() of this stream was cancelled, so that its chunk may have gone out or "
                "not, and the connection is broken off. Cancel what waits for the next chunk "
                "instead."
            )
        if self._start is None:
            await self._pass_hooks()
            self._start = self.response.start_message(self._context)
            if self.response.has_body(self._context):
                self._declared = self.response.content_length
                await self._begin()
            else:
                # Children are not joined: they may wait for this very call.
                await self._begin()
                await self._send(b"", more=False)
                self._ended = True

    async def _pass_hooks(self) -> None:
        context = self._context
        if context.pushed:
            raise RuntimeError(
                "The after hooks of this exchange have begun already, for another stream() or one "
                "that failed. Send one response in an exchange."
            )
        context.pushed = context.is_engaged = True
        returned = await follow(context.line, context, self.response)
        context.answering = True
        if returned is self.response and self.response.response is self._chunks:
            context.lift_deadline()
            return
        if returned is not None and returned is not self.response:
            await returned.close(context.run_sync)
        raise RuntimeError(
            f"An after hook has put {returned!r} in the place of a response whose body is sent by "
            "its view. Change its status and headers, and return it."
        )

    # --- the end ----------------------------------------------------------------------------------

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Send the end, or raise why it cannot be sent; see ``Outgoing``."""
        failed: BaseException | None = None
        if error is None:
            try:
                await self.finish()
            except BaseException as caught:  # noqa: BLE001  # raised below, without the interruption
                failed = caught
                kind, trace = type(caught), caught.__traceback__
        try:
            swallowed = await super().__aexit__(kind, error or failed, trace)
            if failed is not None and not swallowed:
                raise failed
            return swallowed
        finally:
            del error, failed, trace  # a traceback that names itself would live until collected

    async def conclude(self, error: BaseException | None) -> BaseException | None:
        """As in ``Outgoing``; what breaks the response is remembered, if nobody else tells."""
        self._state = _State.LEFT
        outcome = await super().conclude(error)
        await self.response.close(self._context.run_sync)
        if self._start is not None and not self._ended:
            # The view may catch it, and a scope around the block swallows a cancellation.
            self._context.error = outcome if isinstance(outcome, Exception) else _cut_short()
        try:
            return outcome
        finally:
            del error, outcome  # as above

    # --- for threads ------------------------------------------------------------------------------

    async def open_for_thread(self) -> None:
        """Open the block without scopes: they would stay open in the task between two calls."""
        self._is_for_thread = True
        self.begin()
        # asyncio's own task.cancel() ends the task without the thread, which then awaits nothing.
        self._context.close_at_end(self.dismiss)

    async def send_for_thread(self, chunk: Chunk) -> None:
        """As :meth:`send`; what has no body is not ended, as a thread cannot be cancelled."""
        if self._gone:
            raise ClientDisconnected(LEFT)
        if self._is_inside:
            with self.interruption:
                await self.send(chunk)
        else:  # a block is entered in one task only; the end of the view cancels its children
            await self.send(chunk)
        if self._gone:
            raise ClientDisconnected(LEFT)

    async def leave_for_thread(self, error: BaseException | None) -> bool:
        """Leave the block; *error* is what it raised. Returns and raises as ``__aexit__``."""
        left = error
        try:
            with self.interruption:
                if error is None:
                    await self.finish()
        except BaseException as failed:  # noqa: BLE001  # raised by settle()
            left = failed
        return await self.settle(error, left)


def _cut_short() -> RuntimeError:
    return RuntimeError(
        "A stream() was left by a cancellation before its end, so its connection is broken off. "
        "Put the scope that cancels inside of 'async with stream()', and it ends whole."
    )
