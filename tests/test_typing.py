"""The types that users write: what they say is what is served; ``typing/usage.py`` checks them."""

import typing
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import erlen.typing
from erlen import Erlen, Response
from erlen.typing import ResponseReturnValue


@pytest.mark.parametrize("name", erlen.typing.__all__)
def test_name_may_be_written_in_an_annotation(name: str) -> None:
    def function(value: Any) -> None: ...

    function.__annotations__["value"] = getattr(erlen.typing, name)
    assert typing.get_type_hints(function)["value"] == getattr(erlen.typing, name)


def chunks() -> Iterator[bytes]:
    yield b"a"


async def texts() -> AsyncIterator[str]:
    yield "a"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Response("a"), lambda: "a", lambda: b"a", chunks, texts, lambda: {"a": 1},
        lambda: ["a"], lambda: ("a", {"x-a": "b"}), lambda: ("a", [("x-a", "b")]),
        lambda: ("a", 201), lambda: ("a", "201 Made"), lambda: (texts(), 201, {"x-a": "b"}),
    ],
)  # fmt: skip
async def test_every_kind_of_return_value_is_served(
    make: Callable[[], ResponseReturnValue],
) -> None:
    app = Erlen("shop")
    app.get("/", endpoint="view")(make)
    response = await app.test_client().get("/")
    assert response.is_success
    assert "a" in response.text
