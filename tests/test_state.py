"""The namespace that the process shares."""

import pytest

from erlen import Erlen, current_app
from erlen.state import State


def test_attribute_may_be_set_and_replaced() -> None:
    state = State()
    state.pool = 1
    state.update({"pool": 2, "cache": 3})
    assert (state.pool, state.cache) == (2, 3)
    del state.cache
    assert not hasattr(state, "cache")


def test_any_name_is_an_attribute_of_its_own() -> None:
    state, other = State(), State()
    state.name = "shop"
    with pytest.raises(AttributeError, match=r"no attribute 'name'\. Yield \{'name': \.\.\.\}"):
        _ = other.name


async def test_views_may_set_what_later_ones_read() -> None:
    app = Erlen("shop")

    @app.get("/<int:number>")
    async def view(number: int) -> str:
        before = getattr(current_app.state, "last", None)
        current_app.state.last = number
        return f"{before}"

    client = app.test_client()
    assert [(await client.get(f"/{number}")).text for number in (1, 2)] == ["None", "1"]
