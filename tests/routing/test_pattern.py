"""Parts of rules: what they match, in what time, and in what order."""

import re
import timeit
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import NotFound
from erlen.routing.map import Map
from erlen.routing.pattern import Pattern, domain_reader
from erlen.routing.rule import Rule
from erlen.routing.template import Template
from tests.counting import count_calls


def pattern(text: str) -> Pattern:
    template = Template(text)
    template.bind(Map())
    return Pattern(tuple(template.pieces()))


@pytest.mark.parametrize(
    ("template", "text", "values"),
    [
        ("x<a>y", "xay", ("a",)),
        ("x<a>y", "xy", None),
        ("<a>-<int:b>", "a-1-2", ("a-1", 2)),
        ("<a>-<int:b>", "a-b", None),
        ("<a>-<b>", "x-y-z", ("x-y", "z")),
        ("<a>-<b>.txt", "x-y-z.txt", ("x-y", "z")),
        ("<a>-<b>-", "x-y-", ("x", "y")),
        ("<a>-<b>", "x-", None),
        ("<a><b>", "abc", ("ab", "c")),
        ("<int:a><b>-<c>", "12-y", (1, "2", "y")),
        ("<string(minlength=2):a>.<string(minlength=2):b>", "a.bb", None),
        ("<string(minlength=2):a>.<string(minlength=2):b>", "aa.bb", ("aa", "bb")),
        ("<path:p>.html", "a/b.html", ("a/b",)),
        ("<path:p>.<ext>", "x.y/a.tar.gz", ("x.y/a", "tar.gz")),
        ("<path:p>/<x>/end", "a/b/c/end", ("a/b", "c")),
        ("<path:p>/x/<path:q>", "a/x/b/x/c", ("a", "b/x/c")),
        ("<path:p>/x/<path:q>", "a/x//b", None),
        ("<path:p>/x/<path:q>", "/a/x/b", None),
        ("<path:p>/<int:n>/<path:q>", "a/b/1/2/c", ("a/b", 1, "2/c")),
        ("<a>-<b>", "x\0y-z", None),
        ("<path:p>-<x>", "a\0b-z", ("a/b", "z")),
        ("<path:p>-<x>", "\0b-z", None),
        ("<int(max=5):a>-<b>", "6-x", None),
    ],
)
def test_a_pattern_splits_a_text(
    template: str, text: str, values: tuple[object, ...] | None
) -> None:
    assert pattern(template)(text) == values


EXPRESSIONS = {
    "": "[^/]+",
    "path:": "[^/].*?",
    "int:": "[0-9]{1,19}",
    "string(minlength=2):": "[^/]{2,}",
}
PIECE = st.sampled_from(["-", "/", ".", "ab", *(f"<{name}_>" for name in EXPRESSIONS)])


@given(st.lists(PIECE, min_size=1, max_size=6), st.text("ab-./12", max_size=12))
def test_a_pattern_agrees_with_a_backtracking_regular_expression(
    pieces: list[str], text: str
) -> None:
    source, template = "", ""
    for number, piece in enumerate(pieces):
        name = piece[1:-2] if piece[0] == "<" else None
        source += re.escape(piece) if name is None else f"({EXPRESSIONS[name]})"
        template += piece.replace("_>", f"n{number}>")
    found = re.fullmatch(source, text, re.DOTALL)
    values = pattern(template)(text)
    assert (values is None) == (found is None)
    if found is not None and values is not None:
        ints = [each.startswith("<int") for each in pieces if each[0] == "<"]
        texts = [int(t) if i else t for t, i in zip(found.groups(), ints, strict=True)]
        assert list(values) == texts


def calls(call: Callable[[str], object], text: str) -> int:
    """Count the calls of Python and C functions; unlike seconds, they are the same every time."""
    return count_calls(lambda: call(text))


def seconds(call: Callable[[str], object], text: str) -> float:
    return min(timeit.repeat(lambda: call(text), number=1, repeat=5))


@pytest.mark.parametrize(
    ("template", "unit", "end"),
    [
        ("<a>-<b>.txt", "-", ""),
        ("<a>-<b>_<c>!", "-_", ""),
        ("<a>-<b>_<c>!", "-", "_"),
        ("<path:a>/x/<path:b>/y/<path:c>/z", "x/y/", "q"),
        ("<path:p>.<ext>", "a.", "/"),
        ("<path:p>/<x>/end", "a/", "b"),
        ("<a>-<int:b>-<c>!", "1-", ""),
    ],
)
def test_b017_a_pattern_needs_linear_time(template: str, unit: str, end: str) -> None:
    match = pattern(template)
    short, long = unit * 1000 + end, unit * 10000 + end
    assert match(short) is None
    assert calls(match, long) <= 12 * calls(match, short)
    # Quadratic time would be a hundredfold; the bound leaves room for a busy machine.
    assert seconds(match, long) <= 40 * seconds(match, short) + 0.001


def test_mixed_parts_are_tried_from_the_most_to_the_least_literal() -> None:
    texts = ["/<a>", "/x<a>", "/x<a>y", "/<a>-<b>", "/<int:a>", "/<path:a>", "/v<path:a>"]
    rules = [Rule(text, endpoint=text) for text in texts]
    url_map = Map(rules)
    found = {p: url_map.match(p, "GET")[0].rule for p in ("/xay", "/xa", "/a", "/1", "/1-2", "/v1")}
    assert found == {
        "/xay": "/x<a>y", "/xa": "/x<a>", "/a": "/<a>", "/1": "/<int:a>", "/1-2": "/<a>-<b>",
        "/v1": "/v<path:a>",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("template", "text", "values"),
    [
        ("<sub>.example.com", "foo.example.com", ("foo",)),
        ("<sub>.example.com", "foo.bar.example.com", None),
        ("<path:sub>.example.com", "foo.bar.example.com", ("foo.bar",)),
        ("s<int:n>.example.com", "s3.example.com", (3,)),
        ("s<int(max=2):n>.example.com", "s3.example.com", None),
    ],
)
def test_a_host_placeholder_sees_the_text_between_dots(
    template: str, text: str, values: tuple[object, ...] | None
) -> None:
    parsed = Template(template)
    parsed.bind(Map())
    assert domain_reader(parsed.pieces())(text) == values


def test_a_rule_with_a_part_that_does_not_fit_is_not_found() -> None:
    with pytest.raises(NotFound):
        Map([Rule("/<a>-<b>.txt", endpoint="e")]).match("/a.txt", "GET")
