"""A coroutine driven step by step: it counts where it waits, and something happens at one of these."""

import gc
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

Step = Callable[[], Any]


class HangError(Exception):
    """Raised where a coroutine waits in vain."""


class Stepping:
    """Runs a coroutine in the task that awaits :meth:`run`, and passes on what it yields.

    It is the same task for whatever the coroutine calls, and for both event loops: what one of them
    is told when a coroutine waits passes through here, and so can be counted.

    Attributes:
        count: How often the coroutine has waited so far.
        place: Line of erlen at which it waited when the strike came; ``""`` when none has come.
        innermost: Name of the innermost function that waited then.
    """

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        at: int,
        strike: Callable[[], None],
        again: int = 0,
    ) -> None:
        """*strike* is called when the coroutine is about to wait for the time *at*; never for 0.

        It is called once more at the wait *again*, if there is such a one.
        """
        self._coroutine = coroutine
        self._at = at
        self._again = again
        self._strike = strike
        self._hang: HangError | None = None
        self.count = 0
        self.place = ""
        self.innermost = ""

    @property
    def has_struck(self) -> bool:
        """Whether the strike came."""
        return 0 < self._at <= self.count

    @property
    def has_struck_again(self) -> bool:
        """Whether the second strike came, too."""
        return 0 < self._again <= self.count

    def give_up(self) -> str:
        """Say where the coroutine waits, which will raise :class:`HangError` when it goes on."""
        place = place_of(self._coroutine)
        self._hang = HangError(f"nothing ended the wait in {place}")
        return place

    @types.coroutine
    def run(self) -> Generator[Any, Any, Any]:
        """Await the coroutine."""
        step: Step = partial(self._coroutine.send, None)
        while True:
            try:
                trap = step()
            except StopIteration as end:
                return end.value
            self.count += 1
            if self.count == self._at:
                self.place = place_of(self._coroutine)
                self.innermost = frames_of(self._coroutine)[-1].f_code.co_qualname
                self._strike()
            elif self.count == self._again:
                self.place += f", then {place_of(self._coroutine)}"
                self._strike()
            try:
                value = yield trap
            except BaseException as thrown:  # noqa: BLE001  # belongs to the coroutine
                step = partial(self._coroutine.throw, thrown)
            else:
                step = partial(self._coroutine.send, value)
            if self._hang is not None:
                step, self._hang = partial(self._coroutine.throw, self._hang), None


def place_of(coroutine: Any) -> str:
    """Return the innermost line of erlen at which *coroutine* waits, else its innermost line."""
    lines = [
        f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
        for frame in frames_of(coroutine)
    ]
    ours = [line.partition("/src/")[2] for line in lines if "/src/erlen/" in line]
    return (ours or lines)[-1]


def frames_of(coroutine: Any) -> list[types.FrameType]:
    """Return the frames of what *coroutine* waits for, the innermost last."""
    frames = []
    while coroutine is not None:
        frame, coroutine = _step_in(coroutine)
        if frame is not None:
            frames.append(frame)
    return frames


def _step_in(waiting: Any) -> tuple[types.FrameType | None, Any]:
    """Return the frame of something that is awaited, and what it awaits in its turn."""
    for kind in ("cr", "gi", "ag"):
        if hasattr(waiting, f"{kind}_frame"):
            inner = "yieldfrom" if kind == "gi" else "await"
            return getattr(waiting, f"{kind}_frame"), getattr(waiting, f"{kind}_{inner}")
    # The step of an asynchronous generator does not tell whose it is. The garbage collector does.
    for referent in gc.get_referents(waiting):
        if hasattr(referent, "ag_frame"):
            return None, referent
    return None, None
