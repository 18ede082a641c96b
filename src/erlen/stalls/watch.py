"""Floor 5: a thread that looks after an event loop."""

import logging
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from erlen.protocols import Application
from erlen.spawning import running_loop
from erlen.stalls.sight import Clocks, Sight
from erlen.stalls.stack import (
    describe,
    exchange_of,
    is_excused,
    loop_code,
    own_frames,
    root_of,
    stack_of,
)

#: The event loops that are watched; one may run several applications.
_watched: set[Any] = set()


@contextmanager
def watching(app: Application) -> Iterator[None]:
    """Watch the running event loop in the block, in debug mode and not under ``TESTING``.

    What holds it for more than ``STALL_THRESHOLD`` seconds is named by one warning in the
    application's log, while it still holds it. A loop is watched once, whoever asks.

    PERF: nothing for each request; 1 % of a processor for the thread, 40 ticks a second.

    Raises:
        RuntimeError: No event loop runs in this thread.
    """
    threshold: float | None = app.config["STALL_THRESHOLD"]
    loop = running_loop()
    wanted = app.config["DEBUG"] and not app.config["TESTING"] and loop not in _watched
    if threshold is None or not wanted:
        yield
        return
    watch = Watch(threshold, logging.getLogger(app.name).warning)
    _watched.add(loop)
    try:
        yield
    finally:
        _watched.discard(loop)
        watch.stop()


class Watch:
    """Looks after the event loop that runs where it is made, until :meth:`stop`.

    The thread posts a tick to the loop and waits for it. While the tick is late it looks at the
    stack of the loop's thread, ten times in a threshold, and adds up for how long it has seen one
    and the same step of the loop. More than the threshold is told, if the application's code is in
    the step.

    So nobody is blamed for many short steps, nor for a loop that waits. Nor for a machine at work:
    what the loop's thread was kept from computing is taken off. A machine that was asleep has kept
    the watching thread, too, and a long time between two looks does not count in full.

    A function written in C may keep every other thread from running, ``json.dumps`` does. What the
    loop's thread has computed meanwhile counts for the step that is seen then, unless it was the
    machine that kept the watching thread.

    A step in which only code of erlen is seen must have computed half of the time: it makes a
    response of a large value, say. While a debugger holds the thread, or erlen imports something,
    nothing counts.
    """

    def __init__(self, threshold: float, tell: Callable[[str], object]) -> None:
        """Begin.

        Args:
            threshold: Seconds.
            tell: Called in the thread, once for each stall.
        """
        loop = running_loop()
        self._later = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
        self._threshold = threshold
        self._tell = tell
        self._pause = max(threshold / 4, 0.001)
        self._step = max(threshold / 10, 0.001)
        #: ``True``: the loop has answered; ``False``: the end.
        self._heard: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._watched = threading.get_ident()
        self._number = threading.get_native_id()
        self._loop = loop_code(sys._getframe())
        self._thread = threading.Thread(target=self._run, name="erlen-stalls", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for that."""
        self._heard.put(False)
        self._thread.join()

    # --- in the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        # The loop may have ended, or its thread, and nobody has stopped this.
        with suppress(RuntimeError, OSError), closing(Clocks(self._number)) as clocks:
            while self._tick(clocks):
                pass

    def _tick(self, clocks: Clocks) -> bool:
        """Post one tick and stay until it is answered; return ``False`` at the end."""
        sight = Sight(clocks, self._threshold / 2)
        if self._hear(self._pause) is not None:
            return False
        # Before the tick is posted, for that gives the loop's thread a chance to go on.
        is_told = self._tell_if_held(sight, self._pause)
        self._later(self._heard.put, True)
        while (heard := self._hear(None if is_told else self._step)) is None:
            is_told = self._tell_if_held(sight, self._step)
        return heard

    def _hear(self, seconds: float | None) -> bool | None:
        """Return what is heard in *seconds*; ``None`` for nothing."""
        try:
            return self._heard.get(timeout=seconds)
        except queue.Empty:
            return None

    def _tell_if_held(self, sight: Sight, waited: float) -> bool:
        """Look at the stack after *waited* seconds; return whether something was to be told."""
        stack = stack_of(self._watched, self._loop)
        sight.see(None if is_excused(stack) else root_of(stack), waited)
        if sight.seconds < self._threshold:
            return False
        computes = sight.computed > sight.seconds / 2
        if not own_frames(stack) and not (computes and exchange_of(stack)):
            return False
        self._tell(
            f"The event loop was held for more than {self._threshold * 1000:g} ms by "
            f"{describe(stack)}. Await the work, or run it by run_sync()."
        )
        sight.see(None, waited)  # lets go of the frame, for the stall may last
        return True
