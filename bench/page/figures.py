"""The measured figures in one shape, whichever command they come from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.scenarios import BY_NAME

#: The yardstick, and the one of which others are told to be ahead.
BARE, OWN = "bare", "erlen"
_MIB = 1024 * 1024

RATE, CPU = "requests per second", "server CPU µs per request"

#: Figure of a row → what it is, digits after the point, whether more is better.
_WIRE = {
    "requests_per_second": (RATE, 0, True),
    "p50_us": ("p50, µs", 0, False),
    "p99_us": ("p99, µs", 0, False),
    "cpu_us": (CPU, 1, False),
}
#: Row → what it is, its unit in the results, digits after the point.
_STARTUP = {
    "import_ms": ("import, ms", 1.0, 0),
    "modules": ("modules imported", 1.0, 0),
    "first_response_ms": ("start of a server to its first response, ms", 1.0, 0),
    "resident": ("idle server, MiB", _MIB, 1),
    "socket_bytes": ("idle WebSocket, KiB", 1024.0, 1),
    "distributions": ("distributions, itself included", 1.0, 0),
    "installed": ("installed, MiB", _MIB, 1),
}


@dataclass(frozen=True)
class Measure:
    """One thing that was measured of all peers.

    Attributes:
        kind: Of the file: ``in process``, ``wire``, ``startup``.
        row: Its name there.
        title: What tables call the row.
        what: What the figures are, with their unit.
        values: Peer → figure; ``None``: the peer does not offer it.
        digits: After the point.
        more_is_better: Whether the largest is the best.
    """

    kind: str
    row: str
    title: str
    what: str
    values: dict[str, float | None]
    digits: int
    more_is_better: bool = False

    def of_bare(self) -> dict[str, float | None]:
        """Return each figure as a multiple of bare ASGI's."""
        bare = self.values[BARE]
        if not bare:
            return dict.fromkeys(self.values)
        return {peer: value and value / bare for peer, value in self.values.items()}

    def written(self, peer: str) -> str:
        """Return the figure of *peer* as tables show it."""
        value = self.values[peer]
        return "n/a" if value is None else f"{value:,.{self.digits}f}"


def measures(found: dict[str, Any]) -> list[Measure]:
    """Return all that *found*, kind → figures, holds, in the order of the page."""
    return [*in_process(found), *over_the_wire(found), *startup(found)]


def in_process(found: dict[str, Any]) -> Iterator[Measure]:
    """Give the microseconds of one request without a server, by scenario."""
    for row in found.get("in process", {}).get("rows", ()):
        values = {peer: cell["us"] for peer, cell in row["cells"].items()}
        yield Measure("in process", row["name"], row["title"], "µs in process", values, 2)


def counted(found: dict[str, Any]) -> Iterator[Measure]:
    """Give the thousands of instructions of one request without a server, by scenario."""
    for row, cells in found.get("instructions", {}).get("rows", {}).items():
        values = {peer: value and value / 1e3 for peer, value in cells.items()}
        yield Measure("instructions", row, BY_NAME[row].title, "thousands", values, 1)


def over_the_wire(found: dict[str, Any]) -> Iterator[Measure]:
    """Give what wrk and the server's clock have told, by scenario."""
    for row, cells in found.get("wire", {}).get("rows", {}).items():
        for key, (what, digits, more) in _WIRE.items():
            values = {peer: cell[key] for peer, cell in cells.items()}
            yield Measure("wire", row, BY_NAME[row].title, what, values, digits, more)


def startup(found: dict[str, Any]) -> Iterator[Measure]:
    """Give what comes before the first request, and memory and dependencies."""
    for row, cells in found.get("startup", {}).get("rows", {}).items():
        what, unit, digits = _STARTUP[row]
        values = {peer: value if value is None else value / unit for peer, value in cells.items()}
        yield Measure("startup", row, what, what, values, digits)
