"""The short cut for plain rules: what it finds is what the tree finds; RT-1 to RT-8."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import DuplicateRuleError, HTTPException
from erlen.routing.map import Map
from erlen.routing.rule import Rule

PARTS = ["a", "b", "<x>", "<int:x>", "<path:x>", "<float:x>", "a-<x>", "<string(length=2):x>"]
SEGMENTS = [
    "a",
    "b",
    "7",
    "a-b",
    "ab",
    "1.5",
    "",
    "9" * 18,
    str(2**63 - 1),
    "9" * 19,
    "0" * 20,
    "~x",
]


def made(*texts: str, **options: Any) -> Map:
    rules = [Rule(text, endpoint=text, methods=["GET"], **options) for text in texts]
    url_map = Map(rules)
    url_map.compile()
    return url_map


def find(url_map: Map, path: str, method: str = "GET") -> tuple[str, dict[str, Any]] | None:
    assert url_map.shapes is not None
    found = url_map.shapes.find(path, method)
    return found and (found[0].rule, found[1])


def named(parts: list[str]) -> str:
    """Give every placeholder a name of its own."""
    return "/" + "/".join(part.replace("x>", f"x{i}>") for i, part in enumerate(parts))


RULES = st.lists(
    st.tuples(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map(named), st.booleans()),
    max_size=6,
)
PATHS = st.lists(st.sampled_from(SEGMENTS), max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(RULES, PATHS, st.sampled_from(["GET", "HEAD", "POST"]), st.booleans())
def test_what_is_found_is_what_the_tree_finds(
    rules: list[tuple[str, bool]], path: str, method: str, strict: bool
) -> None:
    url_map = Map(strict_slashes=strict)
    for text, is_branch in rules:
        rule = Rule(text + "/" * is_branch, endpoint=text, methods=["GET"])
        try:
            url_map.add(rule)
        except DuplicateRuleError:
            continue
    url_map.compile()
    assert url_map.shapes is not None
    found = url_map.shapes.find(path, method)
    if found is not None:
        assert found == url_map.match(path, method)


@pytest.mark.parametrize(
    ("rule", "path", "arguments"),
    [
        ("/users/<int:id>/posts/<slug>", "/users/7/posts/a-b", {"id": 7, "slug": "a-b"}),
        ("/users/<name>/", "/users/ann/", {"name": "ann"}),
        ("/static/<path:name>", "/static/css/a.css", {"name": "css/a.css"}),
        ("/<page>", "/about", {"page": "about"}),
        ("/<path:rest>", "/a/b", {"rest": "a/b"}),
        ("/n.m/<x>", "/n.m/1", {"x": "1"}),
    ],
)
def test_plain_rules_are_found(rule: str, path: str, arguments: dict[str, Any]) -> None:
    assert find(made(rule), path) == (rule, arguments)


@pytest.mark.parametrize(
    "path",
    [
        "/users/x",
        "/users/",
        "/users/7/",
        "/users/9223372036854775808",
        "/users/%37",
        "/users/é",
        "*",
    ],
)
def test_what_does_not_fit_is_left_to_the_tree(path: str) -> None:
    assert find(made("/users/<int:id>"), path) is None


def test_another_method_is_left_to_the_tree() -> None:
    assert find(made("/users/<int:id>"), "/users/7", "POST") is None


@pytest.mark.parametrize(
    "texts",
    [
        ("/a/<float:x>",),
        ("/a/<string(length=2):x>",),
        ("/a/x-<x>",),
        ("/a/<x>", "/a/<int:x>/"),
        ("/a/<path:x>", "/a/<x>/b"),
        tuple(f"/a/b{number}/<x>" for number in range(9)),
    ],
    ids=["converter", "arguments", "mixed", "slash", "rest", "many"],
)
def test_where_the_order_is_not_plain_the_tree_decides(texts: tuple[str, ...]) -> None:
    assert find(made(*texts), "/a/b1/c") is find(made(*texts), "/a/b") is None


def test_rules_that_redirect_or_add_values_are_the_trees() -> None:
    assert find(made("/a/<x>", redirect_to="/b/<x>"), "/a/1") is None
    assert find(made("/a/<x>", defaults={"y": 1}), "/a/1") is None
    assert find(made("/a/<x>", strict_slashes=False), "/a/1") is None


def test_sockets_are_the_trees() -> None:
    url_map = Map([Rule("/a/<x>", endpoint="a", websocket=True)])
    url_map.compile()
    assert find(url_map, "/a/1") is None


def test_a_map_with_domains_has_no_shapes() -> None:
    url_map = Map([Rule("/a/<x>", endpoint="a", host="h")], host_matching=True)
    url_map.compile()
    assert url_map.shapes is None


def test_the_more_specific_rule_is_found_whatever_the_order() -> None:
    for texts in (("/a/<x>", "/a/<int:x>"), ("/a/<int:x>", "/a/<x>")):
        assert find(made(*texts), "/a/7") == ("/a/<int:x>", {"x": 7})
        assert find(made(*texts), "/a/b") == ("/a/<x>", {"x": "b"})


@pytest.mark.parametrize("digits", ["1" + "0" * 18, str(2**63 - 1), "0" * 18 + "7", str(2**63)])
def test_an_integer_of_nineteen_digits_is_not_taken_for_text(digits: str) -> None:
    url_map = made("/a/<int:x>", "/a/<y>")
    rule, arguments = url_map.match(f"/a/{digits}", "GET")
    assert find(url_map, f"/a/{digits}") in (None, (rule.rule, arguments))


@pytest.mark.parametrize("first", ["100%", "é", "a\tb"])
def test_a_rule_whose_text_is_not_sent_as_it_is_is_left_to_the_tree(first: str) -> None:
    assert find(made(f"/{first}/<x>"), f"/{first}/7") is None


def test_too_great_an_integer_is_refused_as_the_tree_refuses_it() -> None:
    url_map = made("/a/<int:x>")
    with pytest.raises(HTTPException):
        url_map.match("/a/" + "9" * 19, "GET")
    assert find(url_map, "/a/" + "9" * 19) is None
