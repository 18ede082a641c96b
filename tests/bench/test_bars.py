"""Bars of text."""

import pytest

from bench.page.bars import WIDTH, bar, bars


@pytest.mark.parametrize(
    ("part", "drawn"),
    [
        (0, ""),
        (1, "█" * WIDTH),
        (0.5, "█" * (WIDTH // 2)),
        (1 / WIDTH / 2, "▌"),
        (1.01, "█" * (WIDTH - 1) + "▶"),
    ],
)
def test_a_bar_is_as_long_as_its_part(part: float, drawn: str) -> None:
    assert bar(part) == drawn


def test_the_largest_fills_the_width() -> None:
    lines = bars("µs", {"erlen": 1.0, "Quart": 2.0}).splitlines()
    assert lines == ["µs", f"  erlen  {'█' * (WIDTH // 2)} 1.00", f"  Quart  {'█' * WIDTH} 2.00"]


def test_a_longer_one_than_the_most_is_cut() -> None:
    assert bars("", {"a": 30.0}, most=10.0, digits=0).endswith("▶ 30")


def test_nothing_but_zeros_has_no_bars() -> None:
    assert bars("", {"a": 0.0}).splitlines()[1].split() == ["a", "0.00"]
