"""Floor 3: a WebSocket whose peer takes nothing, noticed without a clock for each message."""

from collections.abc import Callable
from time import monotonic

import anyio
from anyio.lowlevel import checkpoint

from erlen.spawning import Child, Timer, call_later

#: Looks at a send that stands still before it counts as hopeless.
_LOOKS = 4
#: Seconds of sending after which the event loop gets a turn.
TURN_SECONDS = 0.005
#: Sends, at most, between two looks at the clock.
MOST_UNTIMED = 64


class Progress:
    """Whether sends return.

    PERF: two counters for a message, and one timer for a socket that sends. A cancel scope around
    each send would cost 3.4 µs on asyncio and 6.9 µs on trio.

    Attributes:
        begun: Sends that have begun.
        done: Sends that have returned or raised.
        is_unwatched: Whether the next send must call :meth:`watch`.
        clock_at: How many sends are done when :meth:`look_at_clock` is to be called.
    """

    __slots__ = (
        "_give_up", "_looks", "_seconds", "_seen", "_stride", "_timer", "_turned", "begun",
        "clock_at", "done", "is_unwatched",
    )  # fmt: skip

    def __init__(self) -> None:
        """Nothing is watched before :meth:`begin`."""
        self.begun = 0
        self.done = 0
        self.is_unwatched = False
        self.clock_at = 1
        self._stride = 1
        self._turned = monotonic()
        self._seconds = 0.0
        self._seen = -1
        self._looks = 0
        self._timer: Timer | None = None
        self._give_up: Callable[[], None]

    def begin(self, seconds: float | None, give_up: Callable[[], None]) -> None:
        """Have *give_up* called when sends stand still for *seconds*, ``None`` for never."""
        if seconds is not None:
            self._seconds = seconds
            self._give_up = give_up
            self.is_unwatched = True

    async def look_at_clock(self) -> None:
        """Give the event loop a turn when it has had none for long.

        SAFETY: servers take messages for a peer that has left without waiting. A view that only
        sends would never let them know of that, and stop the whole process.

        PERF: the clock is 0.05 µs, of 1 for a message that is echoed. It is looked at more and more
        rarely, and a turn is given before twice ``TURN_SECONDS`` are over, at an even pace.
        """
        if monotonic() - self._turned > TURN_SECONDS:
            await checkpoint()
            self._turned = monotonic()
            self._stride = 1
        else:
            self._stride = min(2 * self._stride, MOST_UNTIMED)
        self.clock_at = self.done + self._stride

    def watch(self) -> None:
        """Look whether there is progress, until nothing is being sent."""
        self.is_unwatched = False
        self._timer = call_later(self._seconds / _LOOKS, self._look)

    def _look(self) -> None:
        if self.done == self.begun:
            self.is_unwatched = True
            self._timer = None
            return
        self._looks = self._looks + 1 if self.done == self._seen else 0
        self._seen = self.done
        if self._looks == _LOOKS:
            self._timer = None
            self._give_up()
        else:
            self.watch()

    async def end(self) -> None:
        """Watch nothing any more."""
        self.is_unwatched = False
        if self._timer is not None:
            await end_timer(self._timer)
            self._timer = None


async def end_timer(timer: Timer) -> None:
    """Cancel *timer*, and wait for its task where it is one: on trio."""
    timer.cancel()
    if isinstance(timer, Child):
        with anyio.CancelScope(shield=True):
            await timer.wait()
