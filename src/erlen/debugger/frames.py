"""Floor 8: one frame of a traceback: whose code it is, where it failed, and what stood around."""

import linecache
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import CodeType, TracebackType
from typing import Any

from erlen.debugger.places import kind_of, shown_file
from erlen.debugger.starts import COROUTINE, Start, start_of

#: Lines around the one that failed.
AROUND = 5
#: Characters of a line that are shown.
_WIDTH = 400
#: What Jinja and erlen give to each template.
_TEMPLATE_WORDS = frozenset(
    {
        "config", "cycler", "dict", "g", "get_flashed_messages", "joiner", "lipsum", "namespace",
        "range", "request", "session", "url_for", "websocket",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A line of source in three parts, of which the middle one has failed; it may be empty."""

    number: int
    before: str
    failed: str = ""
    after: str = ""
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        index: Its number within the failure; the console is asked for by it.
        file: As a person at work in this directory would write it.
        number: The line, from 1.
        function: Qualified name; for a template ``"template"``, or its block.
        kind: ``"own"``, ``"template"``, or ``"library"``: installed, of Python, of erlen.
        is_async: Whether it is a coroutine that something awaits.
        lines: Source around, empty where there is none.
        scope: Local names, as they are in the frame.
        outside: Global names.
        has_console: Whether there is a namespace: not for the place of a syntax error.
        started: Where its task was started, when a task begins with it and that is known.
    """

    index: int
    file: str
    number: int
    function: str
    kind: str
    is_async: bool = False
    lines: tuple[Line, ...] = ()
    scope: Mapping[str, Any] = field(default_factory=dict)
    outside: Mapping[str, Any] = field(default_factory=dict)
    has_console: bool = True
    started: Start | None = None

    def is_at(self, other: "Frame") -> bool:
        """Whether this is the same line as another."""
        return (self.file, self.number) == (other.file, other.number)

    @property
    def variables(self) -> list[str]:
        """Names of the locals that are worth showing: not those that every template has."""
        hidden = _TEMPLATE_WORDS if self.kind == "template" else frozenset()
        return [name for name in self.scope if name not in hidden and not name.startswith("__")]

    @property
    def code(self) -> str:
        """The line that failed, without what surrounds it."""
        for line in self.lines:
            if line.is_current:
                return f"{line.before}{line.failed}{line.after}".strip()
        return ""


def frame_of(trace: TracebackType, index: int) -> Frame:
    """Return the frame of one entry of a traceback; this reads its file."""
    frame, code = trace.tb_frame, trace.tb_frame.f_code
    file, number = code.co_filename, trace.tb_lineno or code.co_firstlineno
    # Jinja puts a frame with the template's file and line in the place of the compiled code, and
    # its columns are nobody's.
    is_template = "__jinja_exception__" in frame.f_globals
    source = _source(file, frame.f_globals)
    failed = None if is_template else _failed_part(code, trace.tb_lasti, source, number)
    return Frame(
        index=index,
        file=shown_file(file),
        number=number,
        function=_function_of(code, is_template=is_template),
        kind="template" if is_template else kind_of(file),
        is_async=bool(code.co_flags & COROUTINE),
        lines=_lines(source, number, failed),
        scope=dict(frame.f_locals),
        outside=frame.f_globals,
        started=start_of(frame),
    )


def place_of(error: BaseException, index: int) -> Frame | None:
    """Return the place that a syntax error of Python or of a template points to, if it does."""
    file, number = getattr(error, "filename", None), getattr(error, "lineno", None)
    if not isinstance(number, int):
        return None
    failed: _Part = None
    if isinstance(error, SyntaxError):
        kind, source = "own", _source(str(file), {}) or _text_of(error, number)
        failed = _wrong_part(error, number)
    elif hasattr(error, "source"):  # jinja2.TemplateSyntaxError, which need not be loaded
        kind, source = "template", str(getattr(error, "source", None) or "").splitlines()
    else:
        return None
    return Frame(
        index=index,
        file=shown_file(str(file or getattr(error, "name", None) or "<unknown>")),
        number=number,
        function="",
        kind=kind,
        lines=_lines(source, number, failed),
        has_console=False,
    )


def _function_of(code: CodeType, *, is_template: bool) -> str:
    return code.co_name if is_template else code.co_qualname


# --- the source -----------------------------------------------------------------------------------

#: First column and the one after the last, in characters from 0; ``None`` for the whole line.
_Part = tuple[int, int] | None


def _source(file: str, names: dict[str, Any]) -> list[str]:
    linecache.checkcache(file)
    return linecache.getlines(file, names)


def _text_of(error: SyntaxError, number: int) -> list[str]:
    """Return the lines of a source that has no file, as far as the error knows them."""
    return [*[""] * min(number - 1, AROUND), error.text or ""]


def _failed_part(code: CodeType, instruction: int, source: list[str], number: int) -> _Part:
    """Return which part of its line an instruction was made of."""
    if instruction < 0 or number > len(source):
        return None
    _, last, start, end = next(islice(code.co_positions(), instruction // 2, None))
    if last is None or start is None or end is None:
        return None  # Python was told to keep no columns
    octets = source[number - 1].encode(errors="replace")  # it counts bytes of UTF-8
    if last > number:
        end = len(octets)
    return _characters(octets[:start]), _characters(octets[:end])


def _characters(octets: bytes) -> int:
    return len(octets.decode(errors="replace"))


def _wrong_part(error: SyntaxError, number: int) -> _Part:
    """Return the part of its line that a syntax error blames; it counts characters from 1."""
    if not error.offset:
        return None
    start, end = error.offset - 1, (error.end_offset or 0) - 1
    if (error.end_lineno or number) > number:
        return start, _WIDTH
    return start, max(start + 1, end)


def _lines(source: list[str], number: int, failed: _Part) -> tuple[Line, ...]:
    first = max(1, number - AROUND)
    return tuple(
        _marked(position, text.rstrip(), failed)
        if position == number
        else Line(position, text[:_WIDTH].rstrip())
        for position, text in enumerate(source[first - 1 : number + AROUND], first)
    )


def _marked(number: int, text: str, failed: _Part) -> Line:
    """Divide the line that failed; one that failed as a whole is not marked."""
    if failed is None or text[slice(*failed)].strip() == text.strip():
        return Line(number, text[:_WIDTH], is_current=True)
    start, end = failed
    return Line(number, text[:start], text[start:end], text[end:][:_WIDTH], is_current=True)
