"""What a run has found: one cell for each scenario and peer, and what is computed of them."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.peers import Peer
from bench.scenarios import Scenario

#: The reference work may vary so much before a run is called noisy.
NOISE = 0.05


@dataclass(frozen=True)
class Cell:
    """One peer in one scenario.

    Attributes:
        us: Median of the rounds, microseconds of one request or message; ``None``: not offered.
        low: Fastest round.
        high: Slowest round.
        built: Milliseconds until the application had answered its first request.
        note: How it was written, or why there is no figure.
    """

    us: float | None = None
    low: float | None = None
    high: float | None = None
    built: float | None = None
    note: str = ""


@dataclass
class Results:
    """The figures of one run.

    Attributes:
        peers: In the order of the tables.
        settings: Rounds, seconds and loop of the run.
        versions: Peer → version of its distribution.
        scenarios: In the order of the tables; those that were measured.
        cells: Scenario → peer → figure.
        references: Microseconds of the reference work, in every measurement.
    """

    peers: Sequence[Peer]
    settings: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    scenarios: list[Scenario] = field(default_factory=list)
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    references: list[float] = field(default_factory=list)

    def add(
        self,
        scenario: Scenario,
        opened: Mapping[str, dict[str, Any]],
        samples: Mapping[str, list[dict[str, float]]],
    ) -> None:
        """Take what the workers have answered in one scenario."""
        references = [each["reference"] for rounds in samples.values() for each in rounds]
        self.references += references
        usual = median(references) if references else 1.0
        self.scenarios.append(scenario)
        self.cells[scenario.name] = {
            peer: _cell(answer, samples.get(peer, []), usual) for peer, answer in opened.items()
        }

    def us(self, scenario: str, peer: str) -> float | None:
        """Return the microseconds; ``None``: there are none."""
        cell = self.cells.get(scenario, {}).get(peer)
        return cell.us if cell else None

    def ratio(self, scenario: str, peer: str) -> float | None:
        """Return the time of *peer* over that of bare ASGI."""
        return _divided(self.us(scenario, peer), self.us(scenario, "bare"))

    def adds(self, scenario: str, peer: str) -> float | None:
        """Return the microseconds that *peer* adds to bare ASGI."""
        taken, bare = self.us(scenario, peer), self.us(scenario, "bare")
        return None if taken is None or bare is None else taken - bare

    def over(self, scenario: str, other: str, peer: str) -> float | None:
        """Return how many microseconds *scenario* takes more than *other*, of the same peer."""
        taken, less = self.us(scenario, peer), self.us(other, peer)
        return None if taken is None or less is None else taken - less

    def adds_of(self, scenario: str, peer: str, other: str) -> float | None:
        """Return what *peer* adds as a share of what *other* adds."""
        return _divided(self.adds(scenario, peer), self.adds(scenario, other))

    def winner(self, scenario: str) -> str | None:
        """Return the fastest peer, bare ASGI aside."""
        times = {peer.name: self.us(scenario, peer.name) for peer in self.peers}
        known = {name: us for name, us in times.items() if us is not None and name != "bare"}
        return min(known, key=lambda name: known[name], default=None)

    def mean(self, peer: str, other: str | None = None) -> tuple[float | None, int]:
        """Return the geometric mean of the ratios to bare ASGI, and of how many scenarios.

        Of those alone that *other* has too, when it is given.
        """
        counted = [each.name for each in self.scenarios if each.counts]
        shared = [name for name in counted if self.us(name, other or peer) is not None]
        ratios = [ratio for name in shared if (ratio := self.ratio(name, peer)) is not None]
        if not ratios:
            return None, 0
        return math.exp(sum(map(math.log, ratios)) / len(ratios)), len(ratios)

    def noise(self) -> tuple[float, float]:
        """Return how far nine in ten of the reference works were below and above their median.

        0.05 is 5 %.
        """
        if not self.references:
            return 0.0, 0.0
        ordered, usual = sorted(self.references), median(self.references)
        edge = round(0.05 * (len(ordered) - 1))
        return 1 - ordered[edge] / usual, ordered[-1 - edge] / usual - 1

    def as_json(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        below, above = self.noise()
        means = {peer.name: self.mean(peer.name) for peer in self.peers}
        return {
            "kind": "in process",
            "python": platform.python_version(),
            "settings": self.settings,
            "peers": [
                {"name": each.name, "title": each.title, "version": self.versions.get(each.name)}
                for each in self.peers
            ],
            "rows": [
                {
                    "name": each.name,
                    "title": each.title,
                    "unit": "µs per message" if each.messages else "µs per request",
                    "counts": each.counts,
                    "winner": self.winner(each.name),
                    "cells": {name: asdict(cell) for name, cell in self.cells[each.name].items()},
                }
                for each in self.scenarios
            ],
            "means": {name: {"ratio": mean, "rows": n} for name, (mean, n) in means.items()},
            "reference": {"below": below, "above": above},
        }


def _cell(answer: dict[str, Any], rounds: list[dict[str, float]], usual: float) -> Cell:
    """Return the figure of *rounds*, each corrected by the reference work done beside it."""
    if "lacks" in answer:
        return Cell(note=answer["lacks"])
    times = [(each["us"] - each["own"]) * usual / each["reference"] for each in rounds]
    return Cell(median(times), min(times), max(times), answer["built"], answer["note"])


def _divided(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None or other <= 0 else one / other
