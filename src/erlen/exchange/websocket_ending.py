"""Floor 3: the end of a WebSocket: how it is noted, who is told, and what is cancelled for it."""

import enum
import math
from collections.abc import Callable

import anyio

from erlen.exceptions import WebSocketDisconnect

#: Seconds that what neither receives nor sends has after the end, before it is cancelled.
PATIENCE = 0.5
#: The same for a view that has messages to receive still: they came before the end.
PATIENCE_WITH_MESSAGES = 10.0


class State(enum.Enum):
    """Where a WebSocket stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSED = "closed"


class Ending:
    """The part of :class:`~erlen.exchange.websocket.WebSocket` that knows of its end.

    Whoever receives or sends is told by :class:`WebSocketDisconnect`. Whoever does neither is told
    by nothing, so it is cancelled: a view that has never received, like a stream whose client has
    left, and a block of ``tasks()`` in which nothing has received. What has received may be at work
    on the last message, and is told when it goes on.

    Attributes:
        state: See :class:`State`.
        close_code: Close code once closed, ``None`` before.
        close_reason: The closing side's reason, ``""`` when it gave none.
        going_away: Whether the application ends, and this socket with it.
    """

    # PERF: with these in its dict, a WebSocket has more than 30 attributes; the dict then shares no
    # keys with those of others, which is 1.3 KB for each.
    __slots__ = (
        "_attended", "_blocks", "_closed", "_closed_here", "_current", "_owner", "_receives",
        "_view", "close_code", "close_reason", "going_away", "state",
    )  # fmt: skip

    def __init__(self) -> None:
        """It has not ended."""
        self.state = State.CONNECTING
        self.close_code: int | None = None
        self.close_reason = ""
        self.going_away = False
        self._closed_here = False
        self._receives = 0  # calls of receive(); the running one counts
        self._view: anyio.CancelScope | None = None
        #: Of each tasks() block: its scope, and ``_receives`` at its start.
        self._blocks: list[tuple[anyio.CancelScope, int]] = []
        self._attended = 0  # who wants to know of the end: tasks() blocks and wait_closed()
        self._closed: anyio.Event | None = None
        self._current: Callable[[None], object] = _nobody
        self._owner: object = None

    def _end(self, code: int, reason: str, *, here: bool) -> None:
        """Note the end.

        Args:
            code: How it ended.
            reason: The closing side's.
            here: Whether the application has called :meth:`close`, and so knows.
        """
        self.state = State.CLOSED
        self.close_code = code
        self.close_reason = reason
        self._closed_here = here
        if self._closed is not None:
            self._closed.set()
        self._grant_time()
        for scope, since in self._waiting(here=here):
            if self._receives == since:
                scope.deadline = anyio.current_time() + self._patience()

    def _give_up(self) -> None:
        """Note that the peer takes nothing; whoever waits for it is cancelled, receiver or not."""
        self._end(1006, "", here=False)
        for scope, _ in self._waiting(here=False):
            scope.deadline = anyio.current_time() + PATIENCE

    def _waiting(self, *, here: bool) -> list[tuple[anyio.CancelScope, int]]:
        """Return what the end may cancel; a view that has closed the socket itself knows of it."""
        if self._blocks or here or self._view is None:
            return self._blocks
        return [(self._view, 0)]

    def _attend(self, scope: anyio.CancelScope) -> None:
        """Take note of the *scope* of a ``tasks()`` block."""
        self._attended += 1
        self._blocks.append((scope, self._receives))
        if self.state is State.CLOSED:
            scope.deadline = anyio.current_time() + self._patience()
        else:
            self._watch()

    def _dismiss(self, scope: anyio.CancelScope) -> None:
        """Forget the scope of a block that is over."""
        self._attended -= 1
        self._blocks = [block for block in self._blocks if block[0] is not scope]

    def _conclude(self, scope: anyio.CancelScope) -> None:
        """A task of a block has ended; if the socket has too, so does the block.

        Messages that came before the end may still be received.
        """
        if self.state is State.CLOSED:
            if self._has_messages():
                scope.deadline = anyio.current_time() + PATIENCE_WITH_MESSAGES
            else:
                scope.cancel()

    def _patience(self) -> float:
        return PATIENCE_WITH_MESSAGES if self._has_messages() else PATIENCE

    def _has_messages(self) -> bool:
        """Whether messages that came before the end are still to be received."""
        raise NotImplementedError

    def _watch(self) -> None:
        """See to it that the end is noticed although nobody receives."""
        raise NotImplementedError

    def _grant_time(self) -> None:
        if self._view is not None:
            self._view.deadline = math.inf
        for scope, _ in self._blocks:
            scope.deadline = math.inf

    def _is_own(self) -> bool:
        """Whether the caller belongs to the socket's own exchange."""
        return self._current(None) is self._owner

    def _heed(self) -> None:
        """Note that the caller knows of the end: its exchange has all the time it wants."""
        if self._is_own():
            self._grant_time()

    def _told(self) -> WebSocketDisconnect:
        """Return what tells the caller of the end."""
        self._heed()
        return self._disconnected()

    def _disconnected(self) -> WebSocketDisconnect:
        assert self.close_code is not None
        return WebSocketDisconnect(self.close_code, self.close_reason)


def _nobody(_default: None) -> None:
    """What runs where no exchange is served."""


def check_close(code: int, reason: str) -> None:
    """Raise ``ValueError`` for a close code or reason that RFC 6455 does not let anyone send."""
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise ValueError(
            f"{code} is not a close code that may be sent. "
            "Use 1000 to 1003, 1007 to 1014, or 3000 to 4999 for your own."
        )
    if len(reason.encode()) > 123 or not (reason.isprintable() or not reason):
        raise ValueError(
            f"The close reason {reason[:40]!r} is longer than 123 bytes or has control characters. "
            "Shorten it; it is for programs, not for people."
        )
