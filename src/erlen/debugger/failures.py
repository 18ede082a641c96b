"""Floor 8: the last failures, with their frames; then both are let go."""

import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from contextvars import Context as Variables
from contextvars import copy_context
from dataclasses import replace
from functools import cached_property
from typing import Any

from erlen.debugger.chain import Raised, unfold
from erlen.debugger.console import Console
from erlen.debugger.facts import Facts, facts_of
from erlen.debugger.frames import Frame, Line
from erlen.debugger.interrupts import Aside, Interrupted, Stretch
from erlen.debugger.starts import running_start
from erlen.debugger.values import shown
from erlen.debugger.veil import Veil
from erlen.debugger.words import WORDS
from erlen.protocols import Scope

#: Failures that are kept.
KEPT = 16
#: Seconds for the text of one local variable, and of all of a page.
VALUE_SECONDS = 0.25
PAGE_SECONDS = 3.0
#: Locals of one frame that are shown.
_LOCALS = 80

#: Frame → names and texts of its local variables.
Locals = dict[int, list[tuple[str, str]]]


class Failure:
    """One failure.

    Attributes:
        id: 128 random bits; names it in addresses.
        error: What was raised.
        facts: What was going on.
        variables: The context variables of what has failed, as they were.
        veil: Masks secrets in any text.
        task: The start of the task that has failed, when that is known.
    """

    def __init__(
        self, error: BaseException, variables: Variables, facts: Facts, veil: Veil | None = None
    ) -> None:
        """Keep *error*; nothing of it is looked at yet."""
        self.id = secrets.token_hex(16)
        self.error = error
        self.veil = veil or Veil()
        self.facts = facts.veiled(self.veil)
        self.variables = variables
        self.task = running_start()
        self._consoles: dict[int, Console] = {}

    @cached_property
    def _unfolded(self) -> tuple[list[Raised], int]:
        chain, omitted = unfold(self.error)
        chain[0].task = self.task
        return [_veiled(raised, self.veil) for raised in chain], omitted

    @property
    def chain(self) -> list[Raised]:
        """The exception, and what belongs to it."""
        return self._unfolded[0]

    @property
    def omitted(self) -> int:
        """How many exceptions are not in the chain, because there were too many."""
        return self._unfolded[1]

    @cached_property
    def frames(self) -> dict[int, Frame]:
        """All frames of the chain by their numbers."""
        return {frame.index: frame for raised in self.chain for frame in raised.frames}

    def console(self, index: int) -> Console | None:
        """Return the console of a frame, made at first use; ``None`` where no such frame is."""
        frame = self.frames.get(index)
        if frame is None or not frame.has_console:
            return None
        if index not in self._consoles:
            names = {**WORDS, **frame.outside, **frame.scope}
            self._consoles[index] = Console(names, self.variables)
        return self._consoles[index]

    async def locals(self) -> Locals:
        """Return the texts of all local variables; those that take too long say so.

        SAFETY: a repr() is the user's code, and may block, print, or never end.
        """
        texts: Locals = {}
        stretch = Stretch()

        def write() -> None:
            with stretch.limited(VALUE_SECONDS):
                for frame in self.frames.values():
                    own = texts.setdefault(frame.index, [])
                    for name in frame.variables[:_LOCALS]:
                        text = _text(stretch, name, frame.scope[name])
                        own.append((name, self.veil(text)))

        await Aside(write, self.variables).wait(PAGE_SECONDS)
        return {index: list(own) for index, own in list(texts.items())}


def _text(stretch: Stretch, name: str, value: object) -> str:
    try:
        text: str = stretch.call(shown, name, value)
    except Interrupted:
        return f"<{type(value).__name__}: its repr() takes too long>"
    return text


def _veiled(raised: Raised, veil: Veil) -> Raised:
    frames = [replace(each, lines=_veiled_lines(each.lines, veil)) for each in raised.frames]
    notes = [veil(note) for note in raised.notes]
    return replace(raised, message=veil(raised.message), notes=notes, frames=frames)


def _veiled_lines(lines: tuple[Line, ...], veil: Veil) -> tuple[Line, ...]:
    return tuple(
        replace(line, before=veil(line.before), failed=veil(line.failed), after=veil(line.after))
        for line in lines
    )


class Failures:
    """The last :data:`KEPT` failures.

    Attributes:
        config: The application's; its secrets are masked wherever they appear.
    """

    def __init__(self) -> None:
        """None yet."""
        self.config: Mapping[str, Any] = {}
        self._kept: deque[Failure] = deque(maxlen=KEPT)

    def __iter__(self) -> Iterator[Failure]:
        """The newest first."""
        return reversed(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, error: BaseException, scope: Scope | None = None, kind: str = "") -> Failure:
        """Keep a failure with the variables of the caller; one that is kept already is returned.

        Args:
            error: What was raised.
            scope: The ASGI scope, where it is known.
            kind: What failed, where neither scope nor context tells.
        """
        for failure in self._kept:
            if failure.error is error:
                return failure
        variables = copy_context()
        facts = facts_of(variables, scope, kind)
        failure = Failure(error, variables, facts, Veil(self.config))
        self._kept.append(failure)
        return failure

    def find(self, name: str) -> Failure | None:
        """Return the failure with an id, ``None`` when it was let go or never was."""
        return next((failure for failure in self._kept if failure.id == name), None)
