"""Rule texts taken apart."""

import pytest

from erlen.routing.map import Map
from erlen.routing.pattern import Part
from erlen.routing.rule import Rule
from erlen.routing.template import Template


def test_cv1_texts_and_names_alternate() -> None:
    template = Template("/<a>-<int:b>/x/<any('<>', \")\"):c>")
    assert template.texts == ("/", "-", "/x/", "")
    assert template.names == ("a", "b", "c")


@pytest.mark.parametrize(
    "text",
    ["/<", "/<a", "/a>", "/<>", "/<int:>", "/<1a>", "/<a b>", "/<int(:a>", "/<é>", "/<a<b>>"],
)
def test_rt8_a_malformed_placeholder_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="Malformed url rule"):
        Template(text)


def test_rt8_a_variable_twice_is_a_value_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="'b' occurs twice"):
        Template("/<a>/<b>/<int:b>")


def test_a_name_may_repeat_where_that_is_meant() -> None:
    assert Template("<a>/<a>", may_repeat=True).names == ("a", "a")


def parts(text: str, merge_slashes: bool = True) -> list[str]:
    """Return static segments as they are, dynamic parts as ``~`` or ``~~`` for all the rest."""
    rule = Rule(text, endpoint="e")
    Map([rule], merge_slashes=merge_slashes)
    return [("~~" if p.is_rest else "~") if isinstance(p, Part) else p for p in rule.parts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/", []),
        ("/a/b", ["a", "b"]),
        ("/a/b/", ["a", "b"]),
        ("/a//b", ["a", "b"]),
        ("/<a>", ["~"]),
        ("/<a>/", ["~"]),
        ("/x<a>y/z", ["~", "z"]),
        ("/x/<a>-<b>/", ["x", "~"]),
        ("/<a>/<b>/c", ["~", "~", "c"]),
        ("/x/<path:p>/edit/", ["x", "~~"]),
        ("/<a>/v<path:p>", ["~", "~~"]),
    ],
)
def test_mt2_a_rule_is_split_into_parts(text: str, expected: list[str]) -> None:
    assert parts(text) == expected


def test_slashes_in_a_row_are_segments_when_they_are_not_merged() -> None:
    assert parts("/a//b", merge_slashes=False) == ["a", "", "b"]
    assert parts("/<a>//", merge_slashes=False) == ["~", ""]
    assert parts("//", merge_slashes=False) == [""]
