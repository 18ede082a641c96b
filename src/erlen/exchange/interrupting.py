"""Floor 3: a block that another task can cancel once, so that its cleanup may await."""

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.lowlevel import checkpoint

from erlen.exchange import closing
from erlen.spawning import running_task

#: Seconds between two attempts to cancel a task that does not wait just now, or shields itself.
PAUSE = 0.01
#: Attempts after which it is cancelled as anyio does it, wherever it awaits.
ATTEMPTS = 100


class Interruption:
    """A block that is cancelled where it waits, and then has ``CLOSE_SECONDS`` to come to its end.

    A scope of anyio cancels whatever is awaited until it is left, so that a ``finally`` can await
    nothing. It does so at once where a task waits; a shield that is set right after lets no second
    cancellation through. A task that is about to run sees neither, nor does one that shields
    itself: there it is tried again.

    Where a task group of trio is open in the block there is no shield: the group would take the
    cancellation for its own and end as if all was well, and what follows it would run. There
    everything is cancelled that is awaited in the block, unless it shields itself.

    Attributes:
        is_cancelled: Whether a cancellation was attempted.
        is_limited: Whether the block is shielded up to its deadline.
        is_overdue: Whether it was cancelled at the deadline; known when it was left.
    """

    __slots__ = (
        "_groups", "_inner", "_outer", "_task", "is_cancelled", "is_limited", "is_overdue",
    )  # fmt: skip

    def __init__(self) -> None:
        """Nothing is entered. It may be entered again when it was left."""
        self._outer: anyio.CancelScope | None = None
        self.is_cancelled = False
        self.is_limited = False
        self.is_overdue = False

    def __enter__(self) -> Self:
        task = self._task = running_task()
        self._groups = _groups_of(task)
        scope = _scopes.get(type(task)) or _find_scope(type(task))
        self._outer = scope().__enter__()
        # A generator may have scopes of its own open when it is cancelled, which must be left
        # first. So what shields its closing is opened before them.
        self._inner = scope().__enter__()
        return self

    @property
    def scope(self) -> anyio.CancelScope:
        """The scope around the block, while it runs; to be cancelled as any other."""
        assert self._outer is not None
        return self._outer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        outer, self._outer = self.scope, None
        self.is_overdue = self._inner.cancel_called
        if error is None:  # PERF: a stack costs 2 us
            self._inner.__exit__(None, None, None)
            outer.__exit__(None, None, None)
            return False
        stack = ExitStack()
        stack.push(outer)
        stack.push(self._inner)
        return bool(stack.__exit__(kind, error, trace))

    def limit(self) -> None:
        """Shield the block from now on, up to a deadline."""
        self.is_limited = True
        self._inner.deadline = anyio.current_time() + closing.CLOSE_SECONDS
        self._inner.shield = True

    async def cancel(self) -> None:
        """Cancel the block from another task, unless it has a deadline already."""
        self.is_cancelled = True
        for _ in range(ATTEMPTS):
            if self.is_limited:
                return
            if self._is_in_group():
                break
            if self._outer is not None and self._reaches(self._outer):
                self.limit()
                return
            await anyio.sleep(PAUSE)
        if self._outer is not None:
            self._inner.shield = False
            self._outer.cancel()

    def _is_in_group(self) -> bool:
        return self._outer is not None and _groups_of(self._task) > self._groups

    def _reaches(self, outer: anyio.CancelScope) -> bool:
        """Try to cancel; return whether it has arrived in the task of the block."""
        has_arrived = _watched(self._task)
        self._inner.shield = False
        outer.cancel()
        self._inner.shield = True
        return has_arrived()

    async def end(self) -> None:
        """Cancel the block from inside; returns only where the caller shields itself."""
        assert self._outer is not None
        self.is_cancelled = True
        self._outer.cancel()
        try:
            await checkpoint()
        except BaseException:
            if not self._is_in_group():
                self.limit()
            raise


#: Type of a task → the class of its scopes. PERF: ``anyio.CancelScope()`` finds out each time which
#: event loop is running, 1.2 µs.
_scopes: dict[type, type[anyio.CancelScope]] = {}


def _find_scope(kind: type) -> type[anyio.CancelScope]:
    _scopes[kind] = type(anyio.CancelScope())
    return _scopes[kind]


def _groups_of(task: Any) -> int:
    """Return how many task groups of trio *task* has open; asyncio's need no care."""
    return len(getattr(task, "child_nurseries", ()))


def _watched(task: Any) -> Callable[[], bool]:
    """Return what tells whether *task* has been woken by a cancellation since."""
    if hasattr(task, "cancelling"):  # asyncio's
        before = task.cancelling()
        return lambda: task.cancelling() > before
    # Trio has a place for what belongs to a sleeping task, and clears it on waking the task.
    mine = object() if task.custom_sleep_data is None else None
    if mine is not None:
        task.custom_sleep_data = mine
    mark = task.custom_sleep_data

    def was_woken() -> bool:
        if task.custom_sleep_data is not mark:
            return True
        if mark is mine:
            task.custom_sleep_data = None
        return False

    return was_woken
