"""How a name goes on that a developer has begun to type."""

from types import SimpleNamespace
from typing import Any

import pytest

from erlen.debugger.completion import LIMIT, complete


class Failing:
    @property
    def broken(self) -> Any:
        raise RuntimeError


NAMES: dict[str, Any] = {
    "order": SimpleNamespace(total=1, tax=2, _id=3, inner=SimpleNamespace(deep=1)),
    "orders": [],
    "failing": Failing(),
    **{f"many{number}": 0 for number in range(80)},
}


@pytest.mark.parametrize(
    ("text", "start", "names"),
    [
        ("ord", 0, ["ord", "order", "orders"]),
        ("x = ord", 4, ["ord", "order", "orders"]),
        ("order.t", 6, ["tax", "total"]),
        ("order.inner.", 12, ["deep"]),
        ("order._i", 6, ["_id"]),
        ("f(order.ta", 8, ["tax"]),
        ("awa", 0, ["await"]),
        ("", 0, []),
        ("1 + ", 4, []),
        ("nowhere.x", 8, []),
        ("failing.broken.x", 15, []),
        ("str.upp", 4, ["upper"]),
        ("1.5", 3, []),
        ("order..t", 8, []),
        ("x" * 100_000, 100_000 - 200, []),
    ],
)
def test_a_word_goes_on(text: str, start: int, names: list[str]) -> None:
    assert complete(text, NAMES) == (start, names)


def test_suggestions_are_not_too_many() -> None:
    assert len(complete("many", NAMES)[1]) == LIMIT
