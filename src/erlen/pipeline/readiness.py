"""Floor 6: whether the application has started, and in which event loop."""

import enum
import os
from collections.abc import Callable
from typing import Any

import anyio

from erlen.spawning import running_loop


class Phase(enum.Enum):
    """Where an application stands between its startups and shutdowns."""

    NEW = enum.auto()
    STARTING = enum.auto()
    SERVING = enum.auto()
    ENDED = enum.auto()


class Readiness:
    """The phase of one application; changed by its lifespan.

    Attributes:
        phase: The phase.
        state: What the lifespan has put into ``scope["state"]``, for who shares it.
        changed: Called after each change.
    """

    def __init__(self) -> None:
        """Nothing has been started."""
        self.phase = Phase.NEW
        self.state: dict[str, Any] = {}
        self.changed: Callable[[], None] = _nothing
        self._loop: Any = None
        self._process = os.getpid()
        self._waiting: set[anyio.Event] = set()

    def claim(self, name: str) -> bool:
        """Begin a startup; ``False`` when the application *name* is started already, in this loop.

        Raises:
            RuntimeError: It is started in another event loop.
        """
        self._forget_dead_loop()
        if self.phase in {Phase.STARTING, Phase.SERVING}:
            self.check_loop(name)
            return False
        self._loop = running_loop()
        self._process = os.getpid()
        self.change(Phase.STARTING)
        return True

    def change(self, phase: Phase) -> None:
        """Go on to *phase* and tell who waits; in the event loop of the startup."""
        self.phase = phase
        self.changed()
        for event in self._waiting:
            event.set()

    async def settled(self, name: str) -> Phase:
        """Return the phase when no startup is under way.

        Raises:
            RuntimeError: The application *name* is starting in another event loop.
        """
        self._forget_dead_loop()
        while self.phase is Phase.STARTING:
            self.check_loop(name)
            event = anyio.Event()
            self._waiting.add(event)
            try:
                await event.wait()
            finally:
                self._waiting.discard(event)
        return self.phase

    def _forget_dead_loop(self) -> None:
        """Begin anew where the event loop of the last startup has ended, in order or not.

        In a process that was forked since, that loop looks as if it ran, but has no thread.
        """
        if self._loop is None or self._loop is running_loop():
            return
        if self._process != os.getpid() or _is_over(self._loop):
            self._loop = None
            self._waiting.clear()
            self.change(Phase.NEW)

    def check_loop(self, name: str) -> None:
        """Raise ``RuntimeError`` where another event loop runs than that of the startup."""
        if self._loop is not running_loop():
            raise RuntimeError(
                f"The application {name!r} was started in one event loop and is used in another. "
                "What it opens at startup belongs to one loop: make an application for each, by a "
                "function that returns it."
            )


def _is_over(loop: Any) -> bool:
    """Whether an event loop has ended and can run nothing any more."""
    later = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
    try:
        later(_nothing)
    except RuntimeError:
        return True
    return False


def _nothing() -> None:
    """Do nothing."""
