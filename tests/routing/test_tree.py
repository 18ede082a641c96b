"""The routing law: which of many rules answers, whatever the order of their declaration."""

import timeit
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erlen.exceptions import HTTPException, MethodNotAllowed
from erlen.routing.converters import BaseConverter
from erlen.routing.map import Map
from erlen.routing.rule import Rule
from tests.counting import count_calls


class Letters(BaseConverter):
    regex = "[a-z]+"


def url_map(texts: Sequence[str]) -> Map:
    converters: dict[str, type[BaseConverter]] = {"letters": Letters}
    return Map([Rule(t, endpoint=t, methods=["GET"]) for t in texts], converters=converters)


def answer(routes: Map, path: str, method: str = "GET") -> str:
    """Return the text of the rule that answers, or the error's status."""
    try:
        return routes.match(path, method)[0].rule
    except HTTPException as error:
        return str(error.code)


LAW = [
    "/", "/about", "/<x>", "/<int:x>", "/<int(max=5):x>", "/<float:x>", "/<uuid:x>",
    "/<any(a, b):x>", "/<path:x>", "/<letters:x>", "/<string(length=2):x>", "/x<x>", "/x<x>y",
    "/<x>/b", "/a/<y>", "/<path:x>/edit", "/<path:x>/<y>/edit", "/<path:x>.html", "/tree/",
]  # fmt: skip

ANSWERS = {
    "/": "/",
    "/about": "/about",
    "/4": "/<int(max=5):x>",
    "/9": "/<int:x>",
    "/1.5": "/<float:x>",
    "/12345678-1234-5678-9abc-123456789abc": "/<uuid:x>",
    "/a": "/<any(a, b):x>",
    "/c": "/<letters:x>",
    "/C": "/<x>",
    "/CC": "/<string(length=2):x>",
    "/xay": "/x<x>y",
    "/xa": "/x<x>",
    "/a/b": "/a/<y>",
    "/c/b": "/<x>/b",
    "/c/d": "/<path:x>",
    "/c/d/edit": "/<path:x>/<y>/edit",
    "/a/edit": "/a/<y>",
    "/c/edit": "/<path:x>/edit",
    "/c/d.html": "/<path:x>.html",
    "/c.html": "/<path:x>.html",
    "/tree/": "/tree/",
    "/tree": "308",
    "/tree/x": "/<path:x>",
}


@settings(max_examples=40, deadline=None)
@given(st.permutations(LAW))
def test_mt3_mt5_mt6_the_law_does_not_depend_on_the_order(texts: list[str]) -> None:
    routes = url_map(texts)
    assert {path: answer(routes, path) for path in ANSWERS} == ANSWERS


@pytest.mark.parametrize(
    ("texts", "path", "rule"),
    [
        pytest.param(["/a/b/c", "/<x>/b/d"], "/a/b/d", "/<x>/b/d", id="MT-3-back-to-the-root"),
        pytest.param(["/a/<x>/c", "/a/<path:p>"], "/a/b/d", "/a/<path:p>", id="MT-3-back-to-path"),
        pytest.param(["/<int:x>/a", "/<x>/b"], "/1/b", "/<x>/b", id="MT-3-back-to-a-sibling"),
        pytest.param(["/<int(max=5):x>", "/<x>"], "/9", "/<x>", id="CV-7-falls-through"),
        pytest.param(["/<path:p>/a", "/<path:p>"], "/x/b", "/<path:p>", id="path-back-to-path"),
        pytest.param(["/x/<path:p>/", "/x/<path:p>"], "/x/a/", "/x/<path:p>/", id="path-branch"),
        pytest.param(["/x/<path:p>/", "/x/<path:p>"], "/x/a", "/x/<path:p>", id="path-leaf"),
        pytest.param(["/x/<path:p>/"], "/x/a", "308", id="MT-9-path-lacks-slash"),
        pytest.param(["/<path:p>"], "/a/", "/<path:p>", id="path-keeps-its-slash"),
        pytest.param(["/<path:p>"], "/", "404", id="path-is-not-empty"),
        pytest.param(["/<x>"], "/", "404", id="string-is-not-empty"),
        pytest.param(["/<x>/b"], "//b", "404", id="B-009-string-is-no-empty-segment"),
    ],
)
def test_a_search_goes_back_where_it_fails(texts: list[str], path: str, rule: str) -> None:
    assert answer(url_map(texts), path) == rule
    assert answer(url_map(texts[::-1]), path) == rule


def test_mt7_another_branch_may_accept_the_method() -> None:
    routes = Map([
        Rule("/a", endpoint="a", methods=["GET"]),
        Rule("/<x>", endpoint="x", methods=["POST"]),
        Rule("/<path:x>", endpoint="p", methods=["PUT"]),
    ])  # fmt: skip
    assert routes.match("/a", "POST")[1] == {"x": "a"}
    assert routes.match("/a", "PUT")[0].endpoint == "p"
    with pytest.raises(MethodNotAllowed) as refused:
        routes.match("/a", "DELETE")
    assert refused.value.valid_methods == ["GET", "HEAD", "POST", "PUT"]


def test_a_slashed_path_rule_falls_back_on_the_method() -> None:
    routes = Map([
        Rule("/<path:p>/", endpoint="branch", methods=["POST"]),
        Rule("/<path:p>", endpoint="leaf", methods=["GET"]),
    ])  # fmt: skip
    assert routes.match("/a/", "GET")[1] == {"p": "a/"}
    assert routes.match("/a/", "POST")[1] == {"p": "a"}


def calls(routes: Map, path: str) -> int:
    """Count the calls of Python and C functions; unlike seconds, they are the same every time."""
    return count_calls(lambda: answer(routes, path))


def seconds(routes: Map, path: str) -> float:
    return min(timeit.repeat(lambda: answer(routes, path), number=1, repeat=5))


@pytest.mark.parametrize(
    "texts",
    [
        ["/a/b", "/<x>/<y>"],
        ["/<path:p>/edit", "/<path:p>/<int:n>/x", "/a/<path:q>/b"],
        ["/a/a/a/b", "/<x>/a/a/c", "/a/<x>/a/d", "/a/a/<path:p>/e", "/<path:p>/a/<path:q>/f"],
    ],
)
def test_b017_a_long_path_needs_linear_time(texts: list[str]) -> None:
    routes = url_map(texts)
    answer(routes, "/x/y/z")
    for end in ("", "/"):
        short, long = "/a" * 2000 + end, "/a" * 20000 + end
        assert calls(routes, long) <= 12 * calls(routes, short)
        # Quadratic time would be a hundredfold; the bound leaves room for a busy machine.
        assert seconds(routes, long) <= 40 * seconds(routes, short) + 0.001


@pytest.mark.parametrize(
    "path", ["/s1/about", "/s1/u/ann/p/7", "/s1/f/a/b", "/s1/n/x", "/nope", "/s1/u/ann/p", "/s1/t"]
)
def test_a_match_among_10000_rules_takes_the_same_steps_as_among_10(path: str) -> None:
    kinds = ("/about", "/u/<name>/p/<int:id>", "/f/<path:p>", "/n/<int:n>", "/t/")
    few, many = (url_map([f"/s{i}{kind}" for i in range(n) for kind in kinds]) for n in (2, 2000))
    assert answer(few, path) == answer(many, path)
    assert calls(many, path) == calls(few, path)


def test_segments_with_encoded_slashes_never_match_static_text() -> None:
    routes = url_map(["/a/b", "/<x>", "/f/<path:p>/edit", "/<letters:x>/z"])
    assert answer(routes, "/a/b") == "/a/b"
    for segments in (["a/b"], ["f", "x/edit"], ["f/x", "edit"], ["a/b", "z"]):
        with pytest.raises(HTTPException):
            routes.match(segments, "GET")
    assert routes.match(["f", "x/y", "edit"], "GET")[1] == {"p": "x/y"}
