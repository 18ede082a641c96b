"""Floor 8: where a task was started, by which coroutine, and when; known while it runs, and after.

Python keeps nothing of that. So each event loop that serves in debug mode is asked to tell of its
new tasks, asyncio by a task factory, trio by an instrument.
"""

import asyncio  # noqa: TID251  # only to make the tasks that its loop would have made
import sys
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE
from time import perf_counter
from types import CodeType, FrameType
from typing import Any, cast

import anyio

from erlen.debugger.places import kind_of, shown_file
from erlen.spawning import running_loop

#: Tasks that have ended and are remembered, for what they have raised is told later.
REMEMBERED = 256
#: Links of a chain that are kept, the last ones.
_LINKS = 8
COROUTINE = CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR


@dataclass(frozen=True, slots=True)
class Link:
    """One function in a chain of those that await, call or start one another.

    Attributes:
        verb: What the one before it does with it: ``"awaits"``, ``"calls"``, ``"starts"``;
            ``""`` for the first.
        function: Its qualified name.
        file: As a person at work in this directory would write it.
        number: The line where it stood, from 1.
    """

    verb: str
    function: str
    file: str
    number: int


@dataclass(eq=False, slots=True)
class Start:
    """The start of one task.

    Attributes:
        links: Who started it, the outermost first; the last one's line is where that was. Empty
            where none of the application's code was involved.
        at: When, by ``perf_counter()``.
        file: Where the last link's source is.
    """

    links: tuple[Link, ...]
    at: float
    file: str
    _code: CodeType
    _coroutine: "weakref.ref[Any] | None" = None


#: By the identity of the frame that a task begins with. A frame that is at hand has its identity
#: for itself, and a task that begins anew there replaces the entry.
_starts: dict[int, Start] = {}
_ended: deque[tuple[int, Start]] = deque()
#: The application's functions that have an event loop running: what this starts, they do not.
_runners: dict[int, CodeType] = {}


def start_of(frame: FrameType | None) -> Start | None:
    """Return the start of the task that has begun with *frame*, ``None`` where none has."""
    start = _starts.get(id(frame))
    return start if start and frame and start._code is frame.f_code else None


def running_start() -> Start | None:
    """Return the start of the task that is running, ``None`` where it is not known."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if (start := start_of(frame)) is not None:
            return start
        frame = frame.f_back
    return None


def watch_starts() -> None:
    """From now on note each task that the running event loop starts; may be called again."""
    _note_runners()
    loop = running_loop()
    if not hasattr(loop, "get_task_factory"):
        from trio.lowlevel import add_instrument

        add_instrument(cast(Any, _instrument))  # once, whoever asks
    elif not isinstance(before := loop.get_task_factory(), _Factory):
        loop.set_task_factory(_Factory(before or _new_task))


def _note_runners() -> None:
    """Note what is below the task that is running: the script that has called ``run()``."""
    frame = getattr(anyio.get_current_task().coro, "cr_frame", None)
    while frame is not None:
        frame = frame.f_back
        if frame is not None and kind_of(frame.f_code.co_filename) == "own":
            _runners[id(frame)] = frame.f_code


class _Factory:
    """A task factory of asyncio, around the one that was there."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, loop: Any, coroutine: Any, **options: Any) -> Any:
        _note(coroutine)
        return self._make(loop, coroutine, **options)


def _new_task(loop: Any, coroutine: Any, **options: Any) -> Any:
    return asyncio.Task(coroutine, loop=loop, **options)


class _Instrument:
    """What trio calls ``Instrument``."""

    def task_spawned(self, task: Any) -> None:
        _note(task.coro)


_instrument = _Instrument()


def _note(coroutine: Any) -> None:
    """Note the start of a task in the function that is running."""
    frame = getattr(coroutine, "cr_frame", None)
    if frame is None:
        return  # of another kind, or compiled
    key, (links, file) = id(frame), _links(sys._getframe(1))
    start = _starts[key] = Start(links, perf_counter(), file, frame.f_code)
    start._coroutine = weakref.ref(coroutine, lambda _: _forget_later(key, start))


def _forget_later(key: int, start: Start) -> None:
    _ended.append((key, start))
    if len(_ended) > REMEMBERED:
        oldest, start = _ended.popleft()
        if _starts.get(oldest) is start:
            del _starts[oldest]


def _links(frame: FrameType | None) -> tuple[tuple[Link, ...], str]:
    """Return the application's functions that are in the call of *frame*, and the last one's file.

    Those that are no coroutines are left out, but for the last.
    """
    found: list[FrameType] = []
    before: tuple[Link, ...] = ()
    while frame is not None:
        code = frame.f_code
        is_own = kind_of(code.co_filename) == "own" and _runners.get(id(frame)) is not code
        if is_own and (not found or code.co_flags & COROUTINE):
            found.append(frame)
        if (start := start_of(frame)) is not None:
            before = start.links
            break
        frame = frame.f_back
    if not found:
        return (), ""
    links = [*before]
    for position, each in enumerate(reversed(found)):
        verb = "awaits" if each.f_code.co_flags & COROUTINE else "calls"
        links.append(link_of(each.f_code, each.f_lineno, _verb(links, verb, position)))
    return tuple(links[-_LINKS:]), found[0].f_code.co_filename


def _verb(links: list[Link], verb: str, position: int) -> str:
    if not links:
        return ""
    return verb if position else "starts"


def link_of(code: CodeType, number: int, verb: str) -> Link:
    """Return the link of a function that is at a line."""
    return Link(verb, code.co_qualname, shown_file(code.co_filename), number)
