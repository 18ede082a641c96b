"""E-06: whatever ends an exchange, and wherever it waits then, it ends well and leaves nothing."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sweep.every import SCENARIOS
from tests.sweep.places import prepared, sweep
from tests.sweep.scenario import Scenario
from tests.sweep.trial import ways_of

#: The long variant: every cleanup of every scenario fails, at every wait.
EVERY_PAIR = bool(os.environ.get("SWEEP_PAIRS"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with prepared(tmp_path_factory.mktemp("sweep")) as folder:
        yield folder


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_e06_it_ends_well_wherever_it_waits(scenario: Scenario, served: Path) -> None:
    pairs = EVERY_PAIR or scenario.in_pairs
    for way in ways_of(scenario, pairs=pairs):
        swept = await sweep(scenario, way, served, pairs=pairs)
        swept.check()
        assert swept.points > 0


def test_the_page_has_every_scenario() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cancellation.md").read_text()
    rows = re.findall(r"^\| (.+?) \| \d+ \S \d+ \| \d+ \S \d+ \|$", page, re.MULTILINE)
    assert rows == [scenario.name for scenario in SCENARIOS]


def test_every_scenario_has_a_name_of_its_own() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) >= 60
