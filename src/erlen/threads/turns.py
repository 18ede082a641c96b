"""Floor 3: how a task waits for its thread and is told by it, in each event loop."""

import math
from collections.abc import Callable, Generator
from typing import Any, Protocol

import anyio


class Turn(Protocol):
    """Where a task waits until its thread gives it the turn, once; made in the task."""

    def give(self) -> None:
        """Let the task go on; in the thread.

        Raises:
            RuntimeError: The event loop has ended, so that nobody waits.
        """
        ...

    def __await__(self) -> Generator[Any, Any, None]:
        """Wait for the turn."""
        ...


def turns_of(loop: Any) -> Callable[[Any], Turn]:
    """Return what makes a turn of *loop*, see :func:`erlen.spawning.running_loop`."""
    return _Turn if hasattr(loop, "call_soon_threadsafe") else _TrioTurn


class _Turn:
    """On asyncio. PERF: a future of the loop is 3 µs less than an event of anyio."""

    __slots__ = ("_future", "_later")

    def __init__(self, loop: Any) -> None:
        self._future = loop.create_future()
        self._later = loop.call_soon_threadsafe

    def give(self) -> None:
        self._later(self._set)

    def _set(self) -> None:
        if not self._future.done():  # asyncio's own task.cancel() may have ended it
            self._future.set_result(None)

    def __await__(self) -> Generator[Any, Any, None]:
        waiting: Generator[Any, Any, None] = self._future.__await__()
        return waiting


class _TrioTurn:
    """On trio."""

    __slots__ = ("_event", "_later")

    def __init__(self, token: Any) -> None:
        self._event = anyio.Event()
        self._later = token.run_sync_soon

    def give(self) -> None:
        self._later(self._event.set)

    def __await__(self) -> Generator[Any, Any, None]:
        return self._event.wait().__await__()


def is_cancelled() -> bool:
    """Whether a cancel scope around the caller is cancelled.

    PERF: 1.3 µs, where anyio's ``checkpoint_if_cancelled()`` is 3.8.
    """
    return anyio.current_effective_deadline() == -math.inf
