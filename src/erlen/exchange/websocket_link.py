"""Floor 3: the lower half of a WebSocket: one owner of ``receive``, and what it starts by itself.

Nothing is started for a socket whose view receives. Where it does not, messages are read ahead, so
that the end is noticed when it comes.
"""

import logging
from collections.abc import Callable
from contextvars import Context as Variables
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import NoReturn

import anyio

from erlen.exceptions import WebSocketDisconnect
from erlen.exchange.settings import Settings
from erlen.exchange.websocket_ending import PATIENCE, Ending, State
from erlen.exchange.websocket_reading import SOON, Pace, ReadAhead
from erlen.exchange.websocket_sending import Progress, end_timer
from erlen.protocols import Message, Receive, Send
from erlen.spawning import Timer, call_later
from erlen.wire.urls import printable

_logger = logging.getLogger("erlen")


class Link(Ending):
    """What a WebSocket has of the server: its messages, checked, and the way back.

    Attributes:
        path: For the log.
        settings: Limits of the application.
        max_message_size: Bytes that a message may have.
        max_message_rate: Messages that the peer may send in a second, ``None`` for no limit.
    """

    __slots__ = (
        "_ahead", "_pace", "_progress", "_receive", "_receiving", "_send", "_timer", "_variables",
        "max_message_rate", "max_message_size",
    )  # fmt: skip

    path: str
    settings: Settings

    def __init__(self, receive: Receive, send: Send, settings: Settings) -> None:
        """With the server's callables; nothing runs beside the view before :meth:`begin`."""
        super().__init__()
        self._receive = receive
        self._send = send
        self._receiving = False
        self._progress = Progress()
        self._ahead: ReadAhead | None = None
        self._timer: Timer | None = None
        self._pace: Pace | None = None
        self._variables: Variables | None = None
        self.max_message_size = settings.max_message_size
        self.max_message_rate: float | None = settings.max_message_rate

    # --- its time ---------------------------------------------------------------------------------

    def begin(
        self, running: anyio.CancelScope, current: Callable[[None], object], owner: object
    ) -> None:
        """Let the socket notice its end by itself, until :meth:`release`.

        Args:
            running: Cancelled when its end would not be noticed otherwise.
            current: Tells what exchange the caller belongs to; given what to tell for none.
            owner: What it tells to those of this one.
        """
        self._view = running
        self._current = current
        self._owner = owner
        # What reads ahead must not carry the variables of whoever happens to send.
        self._variables = copy_context()
        self._progress.begin(self.settings.send_timeout, self._stand_still)

    async def release(self) -> None:
        """End what was started beside the view."""
        self._variables = None
        self._view = None
        await self._progress.end()
        if self._timer is not None:
            await end_timer(self._timer)
            self._timer = None
        if self._ahead is not None:
            await self._ahead.end()
            self._ahead = None

    def cut_off(self) -> None:
        """Note that the exchange has ended without closing the socket."""
        if self.state is not State.CLOSED:
            self._end(1006, "", here=False)

    async def go_away(self) -> None:
        """End the socket with the application; called beside its view, more than once perhaps.

        A task that waits in :meth:`receive` gets :class:`WebSocketDisconnect` with 1001, as soon as
        the peer has answered the close. A task that does not may go on to send, and gets it at its
        next :meth:`receive`; what is not closed :data:`PATIENCE` seconds later is cancelled.
        """
        if self.going_away or self.state is State.CLOSED:
            return
        self.going_away = True
        # PERF: a scope around each receive() would end it without the peer's answer, but costs
        # 3.4 us on asyncio and 6.9 us on trio for every message, of 2.4 us for one that is echoed.
        if self._receiving:
            await self.leave()
        elif self._view is not None:
            self._view.deadline = anyio.current_time() + PATIENCE

    async def leave(self) -> None:
        """Close with 1001, as if the peer had; does nothing when it is closed."""
        if self.state is State.OPEN:
            await self._close(1001, "", here=False)

    # --- what comes -------------------------------------------------------------------------------

    async def _take(self, ahead: ReadAhead) -> str | bytes:
        if self.state is State.CLOSED:
            self._heed()
        data = await ahead.take()
        if data is None:
            raise self._told()
        if ahead.is_paused and not ahead:
            self._ahead = None
        return data

    async def _pull(self) -> str | bytes:
        """Return the server's next message if it may be; one task at a time."""
        if self.max_message_rate is None:
            message = await self._receive()
        else:
            message = await self._receive_paced(self.max_message_rate)
        return await self._read(message)

    async def _read(self, message: Message) -> str | bytes:
        """Return what a message of the server says, if it may be."""
        if message["type"] == "websocket.disconnect":
            raise self._closed_by_peer(message)
        # COMPAT: Hypercorn sends both keys, the unused one as None.
        binary = message.get("bytes")
        data: str | bytes = (message.get("text") or "") if binary is None else bytes(binary)
        try:
            size = len(data if isinstance(data, bytes) or data.isascii() else data.encode())
        except UnicodeEncodeError:
            await self._refuse(1007, "The text is not valid UTF-8.")
        if size > self.max_message_size:
            await self._refuse(1009, "The message is too large.")
        return data

    async def _receive_paced(self, rate: float) -> Message:
        asked = monotonic()
        if self._pace is None:
            self._pace = Pace(rate)
        message = await self._receive()
        if message["type"] != "websocket.disconnect" and not self._pace.allows(rate, asked):
            await self._refuse(1008, "The messages come too fast.")
        return message

    async def _refuse(self, code: int, reason: str) -> NoReturn:
        await self._close(code, reason, here=False)
        raise WebSocketDisconnect(code, reason)

    def _closed_by_peer(self, message: Message) -> WebSocketDisconnect:
        if self.state is not State.CLOSED:  # else the server only confirms our own close
            self._end(message.get("code") or 1005, message.get("reason") or "", here=False)
        return self._disconnected()

    def _watch(self) -> None:
        is_reading = self._ahead is not None and not self._ahead.is_paused
        if self._timer is None and not is_reading and self._variables is not None:
            self._timer = call_later(SOON, partial(self._look, self._receives))

    def _look(self, receives: int) -> None:
        """Read ahead, unless somebody has received meanwhile."""
        self._timer = None
        if self._variables is None or self._receiving or self.state is not State.OPEN:
            return
        if self._receives != receives:
            if self._attended:
                self._watch()
        elif self._ahead is None:
            self._ahead = self._variables.run(ReadAhead, self._pull)
        else:
            self._variables.run(self._ahead.resume)

    def _has_messages(self) -> bool:
        return bool(self._ahead)

    # --- what goes --------------------------------------------------------------------------------

    async def _deliver_in_time(self, message: Message) -> None:
        """Deliver for a task of another exchange, which the end of this one would not free."""
        with anyio.move_on_after(self.settings.send_timeout) as waiting:
            await self._deliver(message)
        if waiting.cancelled_caught:
            self._stand_still()
            raise self._told()

    async def _deliver(self, message: Message) -> None:
        progress = self._progress
        progress.begun += 1
        if progress.is_unwatched:
            progress.watch()
        try:
            await self._send(message)
        except OSError:
            self._lose_peer()
        finally:
            progress.done += 1
        if progress.done >= progress.clock_at:
            await progress.look_at_clock()

    def _lose_peer(self) -> NoReturn:
        # SPEC: ASGI 2.4: send() raises OSError once the peer is gone.
        self.cut_off()
        raise self._told() from None

    async def _emit(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:
            if self.state is not State.CLOSED:
                self._end(1006, "", here=False)
                raise self._told() from None

    async def _close(self, code: int, reason: str, *, here: bool) -> None:
        if self.state is State.CLOSED:
            return
        self._end(code, reason, here=here)
        with anyio.move_on_after(self.settings.send_timeout):
            await self._emit({"type": "websocket.close", "code": code, "reason": reason})

    def _end(self, code: int, reason: str, *, here: bool) -> None:
        if self._ahead is not None:
            self._ahead.stop(forget=here or self.going_away)
        super()._end(code, reason, here=here)

    def _stand_still(self) -> None:
        if self.state is State.OPEN:
            _logger.warning(
                "The peer of the WebSocket %s has taken nothing for %g s (SEND_TIMEOUT); "
                "it was given up.",
                printable(self.path),
                self.settings.send_timeout,
            )
            self._give_up()
