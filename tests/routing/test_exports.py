"""What users take from ``erlen.routing``, from the declaration to the answer."""

from typing import Any

import pytest

import erlen.routing
from erlen import Erlen, url_for
from erlen.routing import (
    AnyConverter,
    BaseConverter,
    FloatConverter,
    IntegerConverter,
    Map,
    PathConverter,
    Rule,
    UnicodeConverter,
    UUIDConverter,
    ValidationError,
)


class ListConverter(BaseConverter):
    """``a+b``: its items are in alphabetical order."""

    regex = "[a-z+]+"

    def __init__(self, map: Map, separator: str = "+") -> None:  # noqa: A002  # Werkzeug's name
        super().__init__(map)
        self.separator = separator

    def to_python(self, value: str) -> list[str]:
        items = value.split(self.separator)
        if items != sorted(items):
            raise ValidationError
        return items

    def to_url(self, value: list[str]) -> str:
        return self.separator.join(super(ListConverter, self).to_url(item) for item in value)


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.url_map.converters["list"] = ListConverter

    @app.get("/tags/<list:tags>")
    async def tags(tags: list[str]) -> list[str]:
        return [*tags, url_for("tags", tags=["y", "z"])]

    return app


def test_every_exported_name_is_there() -> None:
    names = set(erlen.routing.__all__)
    assert names == {name for name in vars(erlen.routing) if name[0].isupper()}
    kinds = (AnyConverter, FloatConverter, IntegerConverter, PathConverter, UnicodeConverter)
    assert all(issubclass(kind, BaseConverter) for kind in (*kinds, UUIDConverter))


async def test_cv6_own_converter_reads_and_writes(app: Erlen) -> None:
    response = await app.test_client().get("/tags/a+b")
    assert response.json() == ["a", "b", "/tags/y+z"]


@pytest.mark.parametrize("path", ["/tags/b+a", "/tags/A"])
async def test_cv6_value_that_an_own_converter_refuses_is_a_404(app: Erlen, path: str) -> None:
    assert (await app.test_client().get(path)).status_code == 404


async def test_cv6_value_that_an_own_converter_refuses_falls_to_the_next_rule(app: Erlen) -> None:
    app.get("/tags/<path:other>", endpoint="other")(lambda other: f"other {other}")
    assert (await app.test_client().get("/tags/b+a")).text == "other b+a"


async def test_rule_may_be_added_to_the_map_itself(app: Erlen) -> None:
    app.url_map.add(Rule("/<uuid:key>", endpoint="by-key", methods=["GET"]))

    @app.endpoint("by-key")
    async def view(key: Any) -> str:
        return type(key).__name__

    path = "/12345678-1234-5678-1234-567812345678"
    assert (await app.test_client().get(path)).text == "UUID"
