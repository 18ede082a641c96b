"""The tables of the page."""

from dataclasses import replace

import pytest

from bench.page.figures import Measure
from bench.page.tables import ahead, best, by_peer, leaders, mean, shares

TIMES = Measure(
    "in process",
    "plaintext",
    "plaintext",
    "µs",
    {"bare": 1.0, "erlen": 4.0, "falcon": 2.0, "flask": None},
    1,
)
RATES = replace(TIMES, what="requests per second", more_is_better=True)


def test_a_line_for_each_measure_with_the_best_framework_in_bold() -> None:
    head, rule, line = by_peer([TIMES]).splitlines()
    assert head == "|  | bare ASGI | erlen | Falcon | Flask (a2wsgi) |"
    assert rule == "|---|---:|---:|---:|---:|"
    assert line == "| plaintext | 1.0 | 4.0 | **2.0** | n/a |"


@pytest.mark.parametrize(("measure", "who"), [(TIMES, "falcon"), (RATES, "erlen")])
def test_the_best_is_the_fastest(measure: Measure, who: str) -> None:
    assert best(measure) == who


def test_shares_are_multiples_of_bare_asgi() -> None:
    (found,) = shares([replace(TIMES, values={"bare": 2.0, "erlen": 5.0, "flask": None})])
    assert found.values == {"bare": 1.0, "erlen": 2.5, "flask": None}


def test_without_bare_asgi_there_are_no_shares() -> None:
    assert (
        TIMES.values.keys()
        == replace(TIMES, values={**TIMES.values, "bare": None}).of_bare().keys()
    )
    assert set(replace(TIMES, values={**TIMES.values, "bare": None}).of_bare().values()) == {None}


def test_the_mean_is_geometric_and_of_what_is_offered() -> None:
    rows = [
        replace(TIMES, values={"bare": 1.0, "erlen": 2.0, "flask": None}),
        replace(TIMES, row="json", values={"bare": 1.0, "erlen": 8.0, "flask": 9.0}),
    ]
    assert mean(rows).values == pytest.approx({"bare": 1.0, "erlen": 4.0, "flask": 9.0})


def test_rows_that_do_not_count_are_not_in_the_mean() -> None:
    rows = [TIMES, replace(TIMES, row="routes-10-miss", values={**TIMES.values, "erlen": 99.0})]
    assert mean(rows).values["erlen"] == pytest.approx(4.0)


def test_who_is_ahead_is_told_with_figure_and_reason() -> None:
    reasons = {("in process", "*", "*"): "any", ("in process", "plaintext", "falcon"): "does less"}
    *_, line = ahead([TIMES], reasons).splitlines()
    assert line == "| plaintext: µs | 4.0 | Falcon 2.0 (2.00 times) | does less |"


def test_more_may_be_better_and_then_erlen_is_ahead() -> None:
    assert leaders(RATES) == {}
    assert ahead([RATES], {}) == "Nowhere."


def test_a_reason_that_nobody_wrote_is_not_known() -> None:
    assert ahead([TIMES], {}).endswith("| not known |")


def test_who_is_as_fast_is_not_ahead() -> None:
    close = replace(TIMES, values={"erlen": 4.0, "falcon": 3.99})
    assert leaders(close) == {}


def test_what_was_measured_without_erlen_has_no_leaders() -> None:
    assert leaders(replace(TIMES, values={"bare": 1.0, "falcon": 1.0})) == {}
