"""``python -m tests.sweep``: sweep every scenario and print how many points that were."""

import logging
import sys
import tempfile
from pathlib import Path
from time import monotonic

import anyio

from tests.sweep.every import SCENARIOS
from tests.sweep.places import prepared, sweep
from tests.sweep.scenario import Scenario
from tests.sweep.sweeping import Swept
from tests.sweep.trial import ways_of

LOOPS = ("asyncio", "trio")


def tell(*words: object) -> None:
    """Write a line."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Print the table; return 1 when something did not end well. ``--pairs``: the long variant."""
    pairs = "--pairs" in sys.argv
    logging.getLogger().addHandler(logging.NullHandler())  # what is logged is looked at elsewhere
    begun = monotonic()
    totals = dict.fromkeys(LOOPS, 0)
    runs = 0
    failures: list[str] = []
    tell("| scenario | asyncio | trio |\n|---|--:|--:|")
    with tempfile.TemporaryDirectory() as folder, prepared(Path(folder)) as served:
        for scenario in SCENARIOS:
            cells = []
            for loop in LOOPS:
                made = anyio.run(sweep_all, scenario, served, pairs, backend=loop)
                totals[loop] += sum(swept.points for swept in made)
                runs += sum(swept.runs for swept in made)
                failures += [text for swept in made for text in swept.failures]
                cells.append(f"{max(s.points for s in made)} \N{MULTIPLICATION SIGN} {len(made)}")
            tell(f"| {scenario.name} | {' | '.join(cells)} |")
    tell(f"| **{len(SCENARIOS)} scenarios, points** |", " | ".join(map(str, totals.values())), "|")
    tell(f"\n{runs} runs in {monotonic() - begun:.0f} s, {len(failures)} ended badly")
    for text in failures:
        tell(text)
    return 1 if failures else 0


async def sweep_all(scenario: Scenario, served: Path, pairs: bool) -> list[Swept]:
    """Sweep *scenario* in every way of the running event loop."""
    in_pairs = pairs or scenario.in_pairs
    return [
        await sweep(scenario, way, served, pairs=in_pairs)
        for way in ways_of(scenario, pairs=in_pairs)
    ]


if __name__ == "__main__":
    sys.exit(main())
