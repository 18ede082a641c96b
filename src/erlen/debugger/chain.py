"""Floor 8: an exception with all that belongs to it: causes, groups, notes, frames.

Everything is bounded, and nothing is walked twice: a chain may be long, or go in circles.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType

from erlen.debugger.frames import Frame, frame_of, place_of
from erlen.debugger.starts import Link, Start
from erlen.debugger.values import cut

#: Exceptions of one failure that are shown, and frames of each: outermost and innermost ones.
EXCEPTIONS = 24
OUTER_FRAMES, INNER_FRAMES = 10, 40
_MESSAGE_LIMIT = 4096
_NOTES = 10
_OWN_CODE = "erlen.debugger."


@dataclass(slots=True)
class Raised:
    """One exception.

    Attributes:
        relation: What it is to the one before it: ``""`` for the failure itself, ``"cause"``
            (``raise ... from``), ``"context"`` (raised while it was handled), ``"suppressed"``
            (``from None``), ``"member"`` of a group.
        depth: How many groups it is in.
        name: Its class, with the module unless that is Python's own.
        message: What it says; empty for nothing.
        notes: What ``add_note`` has added.
        frames: The innermost first.
        omitted: How many more there were, between the outermost and the innermost.
        task: The start of the task that has told of it, when that is known: an exception that has
            not left its task has no frame yet that the task begins with.
    """

    relation: str
    depth: int
    name: str
    message: str
    notes: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    omitted: int = 0
    task: Start | None = None

    @property
    def line(self) -> str:
        """``"ValueError: what it says"``."""
        return f"{self.name}: {self.message}" if self.message else self.name

    @property
    def started(self) -> Start | None:
        """Where the innermost task was started that it came out of, if that is known."""
        starts = (*(frame.started for frame in self.frames), self.task)
        return next((start for start in starts if start and start.links), None)

    @property
    def awaiting(self) -> list[Link]:
        """The functions of the application that led here, the outermost first.

        Those are the coroutines that awaited one another; for a task those, too, that led to its
        start.
        """
        links = [*self.task.links] if self.task else []
        verb = "starts" if links else ""
        for frame in reversed(self.frames):
            if frame.started is not None and frame.started.links:
                links, verb = [*frame.started.links], "starts"
            if frame.is_async and frame.kind == "own":
                links.append(Link(verb, frame.function, frame.file, frame.number))
                verb = "awaits"
        return links


def unfold(error: BaseException) -> tuple[list[Raised], int]:
    """Return an exception and those that belong to it, and how many more there are.

    Causes follow what they have caused, members follow their group. Frames are numbered through.
    """
    found: list[Raised] = []
    omitted = count = 0
    for relation, depth, each in _walk(error):
        if len(found) == EXCEPTIONS:
            omitted += 1
            continue
        raised = Raised(relation, depth, name_of(type(each)), _message(each), _notes(each))
        traces, raised.omitted = _some(each.__traceback__)
        for trace in traces:
            raised.frames.append(frame_of(trace, count))
            count += 1
        if (place := place_of(each, count)) is not None:
            # Jinja adds a frame for it, in which there is nothing to see.
            others = [frame for frame in raised.frames if not frame.is_at(place)]
            raised.frames = [place, *others]
            count += 1
        found.append(raised)
    return found, omitted


def _walk(error: BaseException) -> Iterator[tuple[str, int, BaseException]]:
    """Give the exceptions with relation and depth, at most a thousand."""
    seen: set[int] = set()
    waiting: list[tuple[str, int, BaseException]] = [("", 0, error)]
    while waiting and len(seen) < 1000:
        relation, depth, each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield relation, depth, each
        if each.__cause__ is not None:
            waiting.append(("cause", depth, each.__cause__))
        elif each.__context__ is not None:
            kind = "suppressed" if each.__suppress_context__ else "context"
            waiting.append((kind, depth, each.__context__))
        if isinstance(each, BaseExceptionGroup):
            waiting.extend(("member", depth + 1, member) for member in reversed(each.exceptions))


def name_of(kind: type) -> str:
    """Return the name of a class, with its module unless that is Python's own or ``__main__``."""
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return cut(str(error), _MESSAGE_LIMIT)
    except Exception as failure:  # noqa: BLE001  # the user's own __str__
        return f"<its str() raised {type(failure).__name__}>"


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", None)
    if not isinstance(notes, list):
        return []
    return [cut(note, _MESSAGE_LIMIT) for note in notes[:_NOTES] if isinstance(note, str)]


def _some(trace: TracebackType | None) -> tuple[list[TracebackType], int]:
    """Return entries, the innermost first, without those of the debugger; and how many more."""
    entries = []
    while trace is not None:
        if not trace.tb_frame.f_globals.get("__name__", "").startswith(_OWN_CODE):
            entries.append(trace)
        trace = trace.tb_next
    entries.reverse()
    omitted = max(0, len(entries) - INNER_FRAMES - OUTER_FRAMES)
    return entries[:INNER_FRAMES] + entries[INNER_FRAMES + omitted :], omitted
