"""Floor 3: a body of chunks on its way to a client who may leave or not read.

Rules. Whoever makes the chunks runs in the task of the exchange and is ended there: cancelled where
it waits, or told between two chunks. A body is complete, or the connection is seen to break.
"""

import logging
from collections.abc import Coroutine
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, NoReturn, Self

import anyio
from anyio.lowlevel import checkpoint

from erlen.exceptions import ClientDisconnected, leaves
from erlen.exchange import closing
from erlen.exchange.chunks import Chunk, encode_chunk
from erlen.exchange.interrupting import Interruption
from erlen.exchange.patience import described, stalled
from erlen.protocols import Exchange, Message
from erlen.spawning import Child, Timer, call_later, spawn

#: Seconds after which somebody looks whether the client is still there.
#: PERF: a body that is sent faster costs a timer, 2 µs on asyncio, and not a task, 45 µs; one that
#: never waits not even that.
PATIENCE = 0.02
#: Seconds that a ``send()`` of the server has to return after the client left.
SEND_SECONDS = 1.0
#: How often it is looked, in one send timeout, whether the client takes something.
LOOKS = 4

#: Seconds after which the event loop gets a turn, because a server may take chunks without one.
TURN_SECONDS = 0.005

#: In the place of the number of the message that is on its way.
NOTHING = 0

#: What a ``ClientDisconnected`` says.
LEFT = "The client left while the response was streamed."

_logger = logging.getLogger("erlen")


class Outgoing:
    """One streamed body on its way: what was sent, and why it stopped.

    An ``async with`` around whatever makes the chunks, in one task. The start goes out with the
    first chunk, so that what fails before it can still be answered.

    Attributes:
        interruption: Ends what makes the chunks, from beside.
    """

    # PERF: what a short stream never sets stands here and not in each of them, 0.2 µs.
    _sent = 0
    _torn = False  # a message may have been sent or not
    _ended = False
    _failure: BaseException | None = None
    _timer: Timer | None = None
    _messages = 0
    _looked_at = NOTHING
    _fruitless = 0

    def __init__(
        self, exchange: Exchange, start: Message | None = None, declared_length: int | None = None
    ) -> None:
        """Nothing is sent or watched yet.

        Args:
            exchange: Whose response this is.
            start: The message with status and headers.
            declared_length: Content-Length in *start*, ``None`` when there is none.
        """
        self._exchange = exchange
        self._start = start
        self._declared = declared_length
        self._gone = False
        self._sending = NOTHING  # the number of the message that is on its way
        self._beside: list[Child] = []
        self._turned = monotonic()
        self.interruption = Interruption()

    async def __aenter__(self) -> Self:
        self.begin()
        self.interruption.__enter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Raise why the body is not complete.

        Raises:
            ClientDisconnected: The client left.
            SendTimeout: It has taken nothing for as long as ``exchange.send_timeout``.
            Exception: What the block raised, itself, or what ``receive()`` has raised meanwhile.
        """
        left = error
        try:
            if self.interruption.__exit__(kind, error, trace):
                left = None
        except BaseException as remaining:  # noqa: BLE001  # what the scopes leave of a group
            left = remaining
        try:
            return await self.settle(error, left)
        finally:
            del error, left  # a traceback that names itself would live until it is collected

    async def settle(self, error: BaseException | None, left: BaseException | None) -> bool:
        """End what watches, then the response.

        Args:
            error: What the block has raised.
            left: The same without the interruption.

        Returns:
            Whether *error* is swallowed.

        Raises:
            Exception: What is raised in its place; see :meth:`__aexit__`.
        """
        dismissed = self._dismiss()
        if isinstance(error, GeneratorExit):
            return False  # the task itself ends, unfinished, and can await nothing more
        if dismissed:
            with anyio.CancelScope(shield=True):
                for child in dismissed:
                    await child.wait()
        outcome = await self.conclude(left)
        try:
            if outcome is not None and outcome is not error:
                raise outcome
            return outcome is None
        finally:
            self._failure = None
            del outcome, error, left  # as above

    # --- beside the block -------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin to watch, in a while; :meth:`settle` must follow."""
        self._timer = call_later(PATIENCE, self._attend_now)

    def _attend_now(self) -> None:
        if self._timer is not None:  # else the block was left just now
            self.attend()

    def attend(self) -> None:
        """Start what runs beside the block and may end it."""
        self._beside.append(spawn(self._watch))
        timeout = self._exchange.send_timeout
        if timeout is not None:
            self._look_later(timeout)

    async def dismiss(self) -> None:
        """End what watches, unless :meth:`settle` has done it."""
        for child in self._dismiss():
            await child.wait()

    def _dismiss(self) -> list[Child]:
        """Cancel what runs beside the block, and return it."""
        timer, self._timer = self._timer, None
        if timer is None:
            return []
        dismissed = self._beside
        if isinstance(timer, Child):
            dismissed.append(timer)
        with suppress(RuntimeError):  # the event loop has ended, and they with it
            timer.cancel()
            for child in dismissed:
                child.cancel()
        return dismissed

    async def _watch(self) -> None:
        """Stop the stream when the client leaves: between chunks, else by cancelling."""
        try:
            await self._exchange.wait_disconnected()
        except Exception as error:  # noqa: BLE001  # raised where the response is sent
            self._failure = self._failure or error
        self._lose_client()
        await self._stop_block()

    async def _stop_block(self) -> None:
        if self._is_sending:
            # The server is about to return from send(): what makes the chunks is then told so
            # without a cancellation.
            await anyio.sleep(SEND_SECONDS)
            if not self._is_sending:
                return
        await self.interruption.cancel()

    def _look_later(self, timeout: float) -> None:
        self._timer = call_later(timeout / LOOKS, lambda: self._look(timeout))

    def _look(self, timeout: float) -> None:
        """Break the response off when one message was on its way at all of the last looks."""
        if self._timer is None:
            return  # the block was left just now
        if self._is_sending and self._looked_at == self._sending:
            self._fruitless += 1
        else:
            self._looked_at = self._sending
            self._fruitless = 0
        if self._fruitless < LOOKS:
            self._look_later(timeout)
            return
        self._failure = self._failure or stalled(self._exchange, timeout)
        self._lose_client()
        self._beside.append(spawn(self.interruption.cancel))

    def _lose_client(self) -> None:
        self._gone = True

    @property
    def _is_sending(self) -> bool:
        """Whether the server has a message and has not taken it."""
        return self._sending > NOTHING

    # --- in the block -----------------------------------------------------------------------------

    async def _add(self, chunk: Chunk) -> None:
        if self._gone:
            self._refuse()
        data = encode_chunk(chunk)
        self._count(len(data))
        if not self._exchange.started:
            await self._begin()
        if data:
            await self._send(data, more=True)
        # SAFETY: to a client that has left, uvicorn sends without waiting. An endless body would
        # never let it know of that, and stop the whole process.
        if monotonic() - self._turned > TURN_SECONDS:
            await self._give_turn()
        if self._gone:
            raise ClientDisconnected(LEFT)

    def _count(self, size: int) -> None:
        self._sent += size
        self._check(self._declared is not None and self._sent > self._declared)

    async def _give_turn(self) -> None:
        """Let the event loop have a turn."""
        await checkpoint()
        self._turned = monotonic()

    def _refuse(self) -> NoReturn:
        """Take no chunk any more."""
        raise ClientDisconnected(LEFT)

    async def _end(self) -> None:
        await self._exchange.join_children()
        if self._gone:
            self._refuse()
        self._check(self._declared is not None and self._sent != self._declared)
        if not self._exchange.started:
            await self._begin()
        await self._send(b"", more=False)
        self._ended = True

    # PERF: what these return is awaited at once; a coroutine around it would be 0.1 µs.

    def _begin(self) -> Coroutine[Any, Any, None]:
        assert self._start is not None
        self._exchange.started = True
        return self._emit(self._start)

    def _send(self, data: bytes, *, more: bool) -> Coroutine[Any, Any, None]:
        return self._emit({"type": "http.response.body", "body": data, "more_body": more})

    async def _emit(self, message: Message) -> None:
        self._messages += 1
        self._sending = self._messages
        try:
            await self._exchange.send(message)
        except BaseException as error:
            self._note_failure(error)
            raise
        finally:
            self._sending = NOTHING

    def _note_failure(self, error: BaseException) -> None:
        """Note what a ``send()`` of the server has raised."""
        # SPEC: ASGI 2.4: send() raises OSError once the client is gone
        if isinstance(error, OSError):
            self._lose_client()
            raise ClientDisconnected(LEFT) from error
        self._torn = True

    def _check(self, differs: bool) -> None:
        if differs:
            raise RuntimeError(
                f"The streamed body does not have the {self._declared} bytes that its "
                "Content-Length declares, so the connection is broken off. "
                "Declare the right length, or none."
            )

    # --- the end ----------------------------------------------------------------------------------

    async def conclude(self, error: BaseException | None) -> BaseException | None:
        """Return what the response ends with, ``None`` when the whole body was sent.

        Args:
            error: What has left the block, without the interruption.
        """
        if self.interruption.is_overdue:
            _logger.warning(
                "%s did not end within %g seconds after it was cancelled or closed, and was "
                "cancelled again. Clean up faster, or in a background task.",
                described(self._exchange),
                closing.CLOSE_SECONDS,
            )
        if self._ended or not self._gone:
            return error
        if error is not None and not isinstance(error, Exception):
            return error
        if error is not None and error is not self._failure and not _tells_of_leaving(error):
            _logger.error(
                "%s failed while it ended, after its client had left.",
                described(self._exchange),
                exc_info=error,
            )
        return self._failure or ClientDisconnected(LEFT)


def raise_departure(error: Exception) -> None:
    """Raise ``ClientDisconnected`` in the place of a group that says only that."""
    if isinstance(error, ExceptionGroup) and _tells_of_leaving(error):
        raise leaves(error)[0] from None


def _tells_of_leaving(error: Exception) -> bool:
    ends = leaves(error) if isinstance(error, ExceptionGroup) else (error,)
    return all(isinstance(each, ClientDisconnected) for each in ends)
