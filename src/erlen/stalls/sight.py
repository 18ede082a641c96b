"""Floor 5: for how long one step of an event loop was seen, and by which clocks."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic
from types import FrameType
from typing import NamedTuple


class Reading(NamedTuple):
    """What the clocks say, in seconds.

    Attributes:
        time: The time.
        computed: How long the watched thread has computed.
        kept: How long it was ready to compute, and the machine had no processor for it.
        late: The same of the watching thread.
        is_ready: Whether it is ready now; then :attr:`kept` does not have that yet.
    """

    time: float
    computed: float
    kept: float
    late: float
    is_ready: bool


class Clocks:
    """The clocks of a watched thread and of the one that watches, which makes this.

    Only Linux tells what threads do. Elsewhere nothing was computed, and all the time counts as
    late.
    """

    def __init__(self, watched: int) -> None:
        """*watched* is the thread's number in the system."""
        self._files = ExitStack()
        self._descriptors: list[int] = []
        try:
            thread = f"self/task/{watched}"
            for name in (f"{thread}/stat", f"{thread}/schedstat", "thread-self/schedstat"):
                descriptor = os.open(f"/proc/{name}", os.O_RDONLY)
                self._files.callback(os.close, descriptor)
                self._descriptors.append(descriptor)
        except OSError:
            self.close()

    def __call__(self) -> Reading:
        """Return what they say now."""
        now = monotonic()
        if not self._descriptors:
            return Reading(now, 0.0, 0.0, now, is_ready=False)
        status, watched, own = (os.pread(each, 500, 0) for each in self._descriptors)
        (computed, kept), (_, late) = _statistics(watched), _statistics(own)
        return Reading(now, computed, kept, late, is_ready=b") R " in status)

    def close(self) -> None:
        """Close what is open."""
        self._descriptors.clear()
        self._files.close()


def _statistics(line: bytes) -> tuple[float, float]:
    """Return for how many seconds a thread has run, and for how many it was kept from it."""
    run, kept, _turns = line.split()
    return int(run) / 1e9, int(kept) / 1e9


class Sight:
    """What was seen of one step.

    Attributes:
        seconds: How long it was seen.
        computed: How much of that its thread has computed.
    """

    def __init__(self, clocks: Callable[[], Reading], most: float) -> None:
        """The time between two looks counts for *most* seconds, unless the step has computed."""
        self.seconds = self.computed = 0.0
        self._root: FrameType | None = None
        self._clocks = clocks
        self._most = most
        self._last = clocks()

    def see(self, root: FrameType | None, waited: float) -> None:
        """Note that the step is that with the frame *root*, *waited* seconds after the last look.

        When it was not seen before, only that counts for which it has let nobody look: it has
        computed in a function written in C that keeps the interpreter to itself.
        """
        now = self._clocks()
        elapsed, computed, kept, late, _ = (
            new - old for new, old in zip(now, self._last, strict=True)
        )
        if root is None:
            self.seconds = self.computed = 0.0
        elif root is self._root:
            blocked = 0.0 if now.is_ready else min(elapsed, self._most) - kept
            self.seconds += max(blocked, computed)
            self.computed += computed
        else:
            self.seconds = self.computed = max(min(computed, elapsed - waited - late), 0.0)
        self._root, self._last = root, now
