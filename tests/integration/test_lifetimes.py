"""Servers that end, lose their clients, or are filled up: bench/lifetimes in its short size."""

import sys
from pathlib import Path

import pytest

from bench.lifetimes.__main__ import EXPERIMENTS
from bench.lifetimes.known import unexplained
from bench.lifetimes.servers import SERVERS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.mark.parametrize("server", [name for name in SERVERS if name != "erlen run httptools"])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_e01_to_e04_nothing_is_lost_and_nothing_is_left(
    name: str, server: str, tmp_path: Path
) -> None:
    experiment = EXPERIMENTS[name]
    for found in experiment.measure(server, "erlen", tmp_path, experiment.short):
        assert unexplained(found) == {}, found
