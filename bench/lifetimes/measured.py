"""What an experiment found on one server, and which bounds that breaks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Measured:
    """One line of a table.

    Attributes:
        figures: Heading → value.
        faults: Bounds that were broken: which → what was seen in place of it.
    """

    server: str
    application: str
    figures: dict[str, Any]
    faults: dict[str, Any] = field(default_factory=dict)

    def expect(self, bound: str, seen: object, wanted: object) -> None:
        """Note a fault unless *seen* is *wanted*."""
        if seen != wanted:
            self.faults[bound] = seen

    def at_most(self, bound: str, seen: float, limit: float) -> None:
        """Note a fault if *seen* is over *limit*."""
        if seen > limit:
            self.faults[bound] = seen


@dataclass(frozen=True)
class Experiment:
    """One of the experiments.

    Attributes:
        name: For the command line.
        title: For the report.
        text: What is done, in a sentence or two for the report; ``{...}`` are members of a size.
        short: The size of the tests.
        full: The size of the report.
        measure: Called with server, application, folder, size.
        servers: Where it is done with erlen.
        controls: Where it is done with bare ASGI beside.
    """

    name: str
    title: str
    text: str
    short: Any
    full: Any
    measure: Callable[[str, str, Path, Any], list[Measured]]
    servers: tuple[str, ...]
    controls: tuple[str, ...]


def table(lines: Sequence[Measured]) -> str:
    """Return the lines as a table of Markdown."""
    headings = ["server", "application", *lines[0].figures]
    rows = [
        headings,
        ["---", "---"] + ["---:"] * len(lines[0].figures),
        *([line.server, line.application, *map(_cell, line.figures.values())] for line in lines),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
