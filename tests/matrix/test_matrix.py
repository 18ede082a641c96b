"""Whatever happens wherever in an exchange: what the table says is what happens. B-313 to B-317.

A cell is tried with ``async def`` and with ``def`` functions, with errors answered (production) and
raised (tests), on both event loops, and where a handshake is refused on servers with and without
the extension for that. Of each exchange is asserted, whatever its cell says: the messages obey ASGI
(so there is one start and one end at most); what is raised, logged and given to handlers and
teardown hooks is the very object; every position is reached once, in order, teardown hooks all;
generators and responses are closed before them; no context, task or thread is left; and the next
request is served well.
"""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from erlen import Response
from erlen.exceptions import Forbidden, HTTPException, InternalServerError, NotFound
from tests.matrix.application import Boom, Known, Unprintable
from tests.matrix.expectation import Cell, Seen, cells, expected
from tests.matrix.stage import Run, Stage
from tests.matrix.table import IMPOSSIBLE, LIVES, MATRICES

THROWN: dict[str, Callable[[], BaseException]] = {
    "HTTP error": Forbidden,
    "handled exception": Known,
    "exception": Boom,
    "group of one kind": lambda: ExceptionGroup("one kind", [Known(), Known()]),
    "mixed group": lambda: ExceptionGroup("mixed", [Known(), Boom()]),
    "abort(404)": NotFound,
    "abort(500)": InternalServerError,
    "abort(response)": lambda: HTTPException(response=Response("gone", 410)),
    "ValueError": ValueError,
    "RecursionError": RecursionError,
    "MemoryError": MemoryError,
    "Unprintable": Unprintable,
    "StopAsyncIteration": StopAsyncIteration,
    "SystemExit": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
}
#: What a view raises by itself, by the last part of its path.
TRIGGERS: dict[str, Callable[[], Exception]] = {
    "403": Forbidden,
    "known": Known,
    "boom": Boom,
    "refused": Forbidden,
}
CELLS = [
    cell for kind, outcomes, matrix in MATRICES.values() for cell in cells(kind, outcomes, matrix)
]


@cache
def stage(is_async: bool, propagates: bool) -> Stage:
    """Return one of the four applications, which serve all cells, one after another."""
    return Stage(is_async=is_async, propagates=propagates)


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_cell(cell: Cell) -> None:
    for place, denial in variants(cell):
        thrown, trigger = THROWN.get(cell.outcome), TRIGGERS.get(cell.path.rpartition("/")[2])
        run = Run(cell.position, cell.outcome, thrown and thrown(), trigger and trigger())
        await place.perform(cell.kind.lower(), cell.path, run, denial=denial)
        wanted = expected(cell, run, propagates=place.propagates, denial=denial)
        assert not Seen.of(run).differences(wanted), f"{place}, {denial=}"
        assert await place.is_well()


def variants(cell: Cell) -> Iterator[tuple[Stage, bool]]:
    """Give the applications in which a cell is tried, and whether the server can send a denial."""
    for is_async in (True, False):
        for propagates in (False, True):
            if propagates and cell.position == "errorhandler(500)":
                continue  # it is not reached: the error is raised in its place
            if not is_impossible(cell, "async def" if is_async else "def"):
                yield stage(is_async, propagates), True
                if cell.is_refusal:
                    yield stage(is_async, propagates), False


def is_impossible(cell: Cell, functions: str) -> bool:
    return any(
        cell.position.startswith(position) and cell.outcome == outcome and kind in {"", functions}
        for position, outcome, kind, _ in IMPOSSIBLE
    )


def test_every_position_of_every_life_is_tried() -> None:
    tried = {(cell.kind, cell.position) for cell in CELLS}
    assert tried == {
        (kind, position)
        for kind, lives in LIVES.items()
        for life in lives.values()
        for position in life
    }
