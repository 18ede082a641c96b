"""What must be awaited says so (law 1, pains 59)."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from erlen import Erlen, request
from erlen.exchange.pending import Pending


async def seven() -> int:
    return 7


@pytest.fixture
def pending() -> Any:
    return Pending("request.json", seven)


async def test_awaiting_it_gives_the_value_each_time(pending: Any) -> None:
    assert (await pending, await pending) == (7, 7)
    assert inspect.isawaitable(pending)


USES: dict[str, Callable[[Any], Any]] = {
    "item": lambda pending: pending["a"],
    "attribute": lambda pending: pending.get("a"),
    "in": lambda pending: "a" in pending,
    "iteration": list,
    "length": len,
    "truth": bool,
    "equality": lambda pending: pending == {},
    "text": str,
    "hash": hash,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_using_it_as_the_value_says_to_await_it(pending: Any, use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"Write '\(await request\.json\)' in its place"):
        use(pending)


def test_its_repr_says_what_it_is(pending: Any) -> None:
    assert repr(pending) == "<request.json, not awaited>"


async def test_rq10_the_properties_of_a_request_are_awaited() -> None:
    app = Erlen("shop")

    @app.post("/")
    async def read() -> dict[str, Any]:
        return {"json": await request.json, "data": (await request.data).decode()}

    response = await app.test_client().post("/", json=[1])
    assert response.get_json() == {"json": [1], "data": "[1]"}
