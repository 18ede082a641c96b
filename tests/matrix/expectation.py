"""What a cell of the table says in full: positions, handlers, log, teardown, and what is raised."""

from dataclasses import dataclass
from typing import Any

import anyio

from erlen.exceptions import ClientDisconnected, WebSocketDisconnect
from tests.matrix.stage import Run
from tests.matrix.table import FATES, LIVES, Fate


@dataclass(frozen=True)
class Cell:
    """One cell of a matrix.

    Attributes:
        kind: ``HTTP`` or ``WebSocket``.
        position: Where it happens.
        outcome: What happens.
        client: What the client sees.
        fate: What becomes of the exchange.
    """

    kind: str
    position: str
    outcome: str
    client: str
    fate: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.position}: {self.outcome}"

    @property
    def path(self) -> str:
        """The first path whose life has the position."""
        return next(path for path, life in LIVES[self.kind].items() if self.position in life)

    @property
    def is_refusal(self) -> bool:
        """Whether it ends with the refusal of a handshake."""
        answered = FATES[self.fate].goes == "answer"
        return self.kind == "WebSocket" and answered and not self.is_open

    @property
    def is_open(self) -> bool:
        """Whether the client sees the close of an open WebSocket."""
        return self.kind == "WebSocket" and len(self.client) == 4


@dataclass
class Seen:
    """What is seen of one exchange; the order of the positions matters, and each exception's self.

    Attributes:
        client: What the client sees.
        trace: Positions.
        handled: What handlers were given.
        torn: What the three teardown hooks were given.
        logged: What was logged.
        raised: What the server got.
        closed: What was closed before the teardown.
    """

    client: str
    trace: list[str]
    handled: list[Any]
    torn: list[Any]
    logged: list[Any]
    raised: Any
    closed: list[str]

    @classmethod
    def of(cls, run: Run) -> "Seen":
        """Return what *run* has noted."""
        return cls(
            run.server.seen, _ordered(run.trace), run.handled, run.torn, run.logged,
            run.raised, sorted(run.closed),
        )  # fmt: skip

    def differences(self, wanted: "Seen") -> list[str]:
        """Return in words what is not as *wanted*."""
        mine, others = vars(self), vars(wanted)
        return [
            f"{name}: {_shown(mine[name])}, not {_shown(others[name])}"
            for name in mine
            if mine[name] != others[name]
        ]


class AnyOf:
    """Equals every exception of some types."""

    def __init__(self, name: str, *types: type[BaseException]) -> None:
        self._name = name
        self._types = types

    def __eq__(self, other: object) -> bool:
        return isinstance(other, self._types or anyio.get_cancelled_exc_class())

    __hash__ = None  # type: ignore[assignment]  # it is compared, never looked up

    def __repr__(self) -> str:
        return self._name


def _shown(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return str([each if type(each) is str else type(each).__name__ for each in values])


CANCELLATION = AnyOf("a cancellation")
LEFT = AnyOf("that the client left", ClientDisconnected, WebSocketDisconnect)


def cells(kind: str, outcomes: dict[str, str], matrix: str) -> list[Cell]:
    """Return the cells of a matrix: each position of a row and each outcome of a column alone."""
    return [
        Cell(kind, position, outcome, *text.split(" "))
        for positions, row in rows(matrix)
        for position in positions
        for alike, text in zip(outcomes, row, strict=True)
        for outcome in alike.split("; ")
    ]


def rows(matrix: str) -> list[tuple[list[str], list[str]]]:
    """Return the rows of a matrix: positions and the texts of their cells."""
    lines = [line for line in matrix.splitlines() if line]
    return [
        (names.split("; "), [text.strip() for text in row.strip("| ").split("|")])
        for names, row in zip(lines[::2], lines[1::2], strict=True)
    ]


def expected(cell: Cell, run: Run, *, propagates: bool, denial: bool) -> Seen:
    """Return what is to be seen when *run* has gone as *cell* says.

    Args:
        cell: What happens where, and its fate.
        run: What was performed; it has the very exceptions.
        propagates: Whether unhandled errors are raised, as in tests.
        denial: Whether the server can send a response to a handshake.
    """
    fate = FATES[cell.fate]
    in_tests = fate.raised == "in tests" and propagates
    is_told = propagates and fate.raised != "never"  # whoever gets it in tests has no need of a log
    is_logged = fate.logged and isinstance(run.thrown, Exception) and not is_told
    answerer = "" if in_tests else fate.handler
    before = [] if run.trigger is None else [run.trigger]
    failed = before if cell.path.endswith("/boom") else []
    torn = {
        "nothing": failed[0] if failed else None,
        "error": run.thrown,
        "cancellation": CANCELLATION,
        "left": LEFT,
    }[fate.hooks_get]
    raised = {
        "never": None,
        "in tests": run.thrown if in_tests else None,
        "always": run.thrown or torn,
    }
    return Seen(
        client=_client(cell, is_silent=in_tests and fate.goes == "answer", denial=denial),
        trace=_trace(cell, fate, run, _names(cell, answerer), in_tests=in_tests, denial=denial),
        handled=[*before, *{"its": [leaf(run.thrown)], "500": [run.thrown], "": []}[answerer]],
        torn=[torn] * 3,
        logged=[*failed, *([run.thrown] if is_logged else [])],
        raised=raised[fate.raised],
        # What awaits nothing more can close nothing either.
        closed=sorted(run.closed if cell.outcome == "GeneratorExit" else run.made),
    )


def leaf(error: BaseException | None) -> BaseException | None:
    """Return what a handler is given: the first end of a group, else the error."""
    return error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error


def _client(cell: Cell, *, is_silent: bool, denial: bool) -> str:
    if is_silent and not cell.is_open:
        return "nothing"
    if cell.kind == "WebSocket" and len(cell.client) == 3 and not denial:
        return "403"
    return cell.client


def _names(cell: Cell, answerer: str) -> list[str]:
    """Return the position of the handler that answers, if one does."""
    if not answerer:
        return []
    its = {"HTTP error": "403", "abort(500)": "500"}.get(cell.outcome, "Known")
    of = "" if cell.kind == "HTTP" or cell.is_open else " of a handshake"
    return [f"errorhandler({its if answerer == 'its' else '500'}){of}"]


def _trace(
    cell: Cell, fate: Fate, run: Run, handlers: list[str], *, in_tests: bool, denial: bool
) -> list[str]:
    """Return the positions that are reached, in order."""
    whole = LIVES[cell.kind][cell.path]
    life = _ordered(whole)
    teardown = life[-3:]
    if fate.goes == "on":
        return life
    until = _ordered(whole[: whole.index(cell.position) + 1])
    if fate.hooks_get == "left" or (fate.hooks_get == "cancellation" and run.in_thread):
        # Where it notices is not the table's matter; that nothing comes after it is.
        until = life[: max(len(until), len(_ordered(run.trace)) - 3)]
    close = ["send (close)"] if cell.is_open and fate.goes == "answer" else []
    if fate.goes == "end" or in_tests:
        return [*until, *close, *(each for each in teardown if each not in until)]
    after = _after(cell, life, until)
    if cell.kind == "HTTP":
        return [*until, *handlers, *after, "send (start)", "send (body)", *teardown]
    if cell.is_open:
        return [*until, *handlers, *close, *after, *teardown]
    denied = ["send (denial)", "send (denial's body)"] if denial else ["send (close)"]
    return [*until, *handlers, *after, "receive (connect)", *denied, *teardown]


def _ordered(trace: list[str]) -> list[str]:
    """Return a trace without what has no fixed place in it."""
    return [each for each in trace if each not in {"call_on_close", "receive (beside a stream)"}]


def _after(cell: Cell, life: list[str], until: list[str]) -> list[str]:
    """Return the after hooks that run for an answer: all, or none when one of them has failed."""
    first = next(index for index, each in enumerate(life) if each.startswith("after_this"))
    after = life[first : first + 3]
    if cell.kind == "HTTP" or not cell.is_open:
        after.append("session is saved")
    if cell.position in life[first : first + len(after)]:
        return []
    if cell.position == "session opens":
        after.remove("session is saved")
    # The function of this exchange is named by the view.
    viewed = next(index for index, each in enumerate(life) if each.startswith("view"))
    return after if len(until) > viewed + 1 else after[1:]
