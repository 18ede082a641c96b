"""Declaring one rule, and the URLs that it builds."""

from typing import Any

import pytest

from erlen.routing.map import Map
from erlen.routing.rule import Rule

SETTINGS = ("host_matching", "subdomain_matching", "sort_parameters")


def bound(text: str, **options: Any) -> Rule:
    settings = {k: options.pop(k) for k in SETTINGS if k in options}
    rule = Rule(text, endpoint="e", **options)
    Map([rule], **settings)
    return rule


def test_rt12_a_rule_tells_what_it_was_given() -> None:
    rule = bound("/u/<int:id>/", methods=["post"], defaults={"page": 1}, origin="a.py:1 (a.f)")
    assert (rule.rule, rule.endpoint, rule.methods) == ("/u/<int:id>/", "e", frozenset({"POST"}))
    assert (rule.arguments, rule.defaults) == ({"id", "page"}, {"page": 1})
    assert (rule.subdomain, rule.host, rule.strict_slashes) == ("", None, True)
    assert (rule.websocket, rule.provide_automatic_options) == (False, None)
    assert (rule.is_leaf, rule.is_branch, rule.target) == (False, True, None)
    assert repr(rule) == "<Rule '/u/<int:id>/' (POST) for endpoint 'e', declared at a.py:1 (a.f)>"


def test_rt12_a_rule_is_equal_by_its_text_and_not_hashable() -> None:
    assert Rule("/<a>", endpoint="e") == Rule("/<a>", endpoint="f")
    assert Rule("/<a>", endpoint="e") != Rule("/<b>", endpoint="e")
    assert Rule("/<a>", endpoint="e") != "/<a>"
    with pytest.raises(TypeError):
        hash(Rule("/", endpoint="e"))


def test_rt5_get_implies_head_and_methods_are_upper_cased() -> None:
    assert Rule("/", endpoint="e", methods=["get"]).methods == frozenset({"GET", "HEAD"})
    assert Rule("/", endpoint="e").methods is None


def test_rt5_methods_as_one_string_are_a_type_error() -> None:
    with pytest.raises(TypeError, match="Allowed methods must be a list of strings"):
        Rule("/", endpoint="e", methods="GET")


def test_rt8_a_rule_starts_with_a_slash() -> None:
    with pytest.raises(ValueError, match=r"'x' must start with a slash\. Write it as '/x'\."):
        Rule("x", endpoint="e")


def test_rt8_an_unknown_converter_is_a_lookup_error_at_registration() -> None:
    with pytest.raises(LookupError, match="The converter 'nope' does not exist"):
        bound("/<nope:x>")


def test_rt8_wrong_converter_arguments_surface_at_registration() -> None:
    with pytest.raises(TypeError):
        bound("/<int(nope=1):x>")
    with pytest.raises(ValueError, match="Cannot parse"):
        bound("/<int(1 2):x>")


def test_rt10_a_websocket_rule_has_only_get_head_and_options() -> None:
    assert Rule("/", endpoint="e", methods=["GET", "OPTIONS"], websocket=True).websocket
    with pytest.raises(ValueError, match=r"has the methods \['POST'\]"):
        Rule("/", endpoint="e", methods=["GET", "POST"], websocket=True)


def test_a_rule_belongs_to_one_map() -> None:
    with pytest.raises(RuntimeError, match="bound to a map already"):
        Map([bound("/")])


def test_a_variable_of_the_host_is_not_one_of_the_path() -> None:
    with pytest.raises(ValueError, match="occurs in the host"):
        bound("/<a>", host="<a>.example.com", host_matching=True)


def test_a_redirect_uses_only_the_rules_own_variables() -> None:
    with pytest.raises(ValueError, match="uses 'b'"):
        Rule("/<a>", endpoint="e", redirect_to="x/<b>")


@pytest.mark.parametrize(
    ("text", "values", "url"),
    [
        pytest.param("/", {}, "/", id="static"),
        pytest.param("/a b/ü", {}, "/a%20b/%C3%BC", id="static-text-is-quoted"),
        pytest.param("/<a>/x/<int:b>/", {"a": "ü", "b": 3}, "/%C3%BC/x/3/", id="URL-9"),
        pytest.param("/<a>", {"a": "x", "q": "a b&c", "n": 1}, "/x?q=a+b%26c&n=1", id="URL-8"),
        pytest.param(
            "/", {"q": [1, 2], "r": (3,), "s": {4}}, "/?q=1&q=2&r=3&s=4", id="URL-8-lists"
        ),
        pytest.param("/", {"q": []}, "/", id="URL-8-empty-list"),
        pytest.param("/<path:p>", {"p": "/evil.com"}, "/%2Fevil.com", id="B-239"),
        pytest.param("/<path:p>", {"p": "\\evil.com"}, "/%5Cevil.com", id="B-239-backslash"),
        pytest.param("/<path:p>", {"p": "//evil.com"}, "/%2F/evil.com", id="B-239-two"),
        pytest.param("/<path:p>", {"p": "/../x"}, None, id="B-238-dots-behind-a-slash"),
        pytest.param("/<a>/evil.com", {"a": ""}, None, id="B-239-empty-value"),
        pytest.param("/<path:p>/evil.com", {"p": ""}, "/%2Fevil.com", id="B-239-empty-path"),
        pytest.param("/<a>", {"a": "/evil.com"}, "/%2Fevil.com", id="B-239-one-segment"),
        pytest.param("/.<a>", {"a": "."}, None, id="B-238-dots-of-two-sources"),
        pytest.param("/.<a>", {"a": "git"}, "/.git", id="B-238-hidden-file"),
        pytest.param("/a/../b", {}, "/a/../b", id="B-238-dots-of-the-developer"),
        pytest.param("/<a>", {"a": "x", "q": [None]}, "/x", id="URL-8-none-in-a-list"),
        pytest.param("/", {"q": "\ud800"}, None, id="B-238-query"),
        pytest.param("/x/<path:p>", {"p": ""}, "/x/", id="static-root"),
        pytest.param("/<a>", {}, None, id="missing"),
        pytest.param("/<a>", {"a": "a\0"}, None, id="B-238-refused"),
    ],
)
def test_a_rule_builds_its_path(text: str, values: dict[str, Any], url: str | None) -> None:
    assert bound(text).build(values) == (None if url is None else ("", url))


def test_unknown_values_can_be_left_out() -> None:
    assert bound("/").build({"q": 1}, append_unknown=False) == ("", "/")


def test_an_unbound_rule_keeps_the_order_of_its_query() -> None:
    assert Rule("/", endpoint="e").build({"b": 1, "a": 2}) == ("", "/?b=1&a=2")


def test_url8_a_query_can_be_sorted() -> None:
    assert bound("/", sort_parameters=True).build({"b": 1, "a": 2}) == ("", "/?a=2&b=1")


def test_a_default_fills_a_variable_of_the_path() -> None:
    rule = bound("/p/<int:page>", defaults={"page": 1})
    assert rule.build({}) == ("", "/p/1")
    assert rule.suits({"page": 2}, None)
    assert rule.build({"page": 2}) == ("", "/p/2")


@pytest.mark.parametrize(
    ("values", "method", "suits"),
    [
        ({"a": 1}, None, True),
        ({"a": 1, "page": 1}, "GET", True),
        ({"a": 1, "page": 2}, None, False),
        ({}, None, False),
        ({"a": 1}, "POST", False),
    ],
)
def test_url7_a_rule_suits_its_arguments_and_defaults(
    values: dict[str, Any], method: str | None, suits: bool
) -> None:
    rule = bound("/<a>", methods=["GET"], defaults={"page": 1})
    assert rule.suits(values, method) is suits


@pytest.mark.parametrize(
    ("host", "values", "domain"),
    [
        ("Example.com:5000", {}, "example.com:5000"),
        ("[::1]:5000", {}, "[::1]:5000"),
        ("<sub>.Example.com", {"sub": "foo"}, "foo.example.com"),
        ("<sub>.example.com:81", {"sub": "foo"}, "foo.example.com:81"),
        ("<sub>.example.com", {"sub": "evil.com/"}, None),
        ("<sub>.example.com", {"sub": "u@evil.com#"}, None),
        ("<sub>.example.com", {"sub": "evil.com:80"}, None),
        ("<sub>.example.com", {"sub": "Ann"}, "ann.example.com"),
        ("<sub>.example.com", {"sub": "a.b"}, None),
        ("<path:sub>.example.com", {"sub": "a.b"}, "a.b.example.com"),
        ("<path:sub>.example.com", {"sub": "a..b"}, None),
        ("<path:sub>.example.com", {"sub": ""}, None),
        ("<path:host>", {"host": "Example.com:81"}, "example.com:81"),
        ("<path:host>", {"host": "[::1]:81"}, None),
        ("<path:host>", {"host": "evil.com/"}, None),
        ("<path:host>", {"host": "a:99999"}, None),
        ("<sub>.example.com", {"sub": "a" * 255}, None),
    ],
)
def test_a_host_is_built_and_cannot_be_broken_out_of(
    host: str, values: dict[str, Any], domain: str | None
) -> None:
    rule = bound("/x", host=host, host_matching=True)
    assert rule.build(values) == (None if domain is None else (domain, "/x"))
    assert rule.suits(values, None)


@pytest.mark.parametrize(
    ("value", "domain"),
    [
        ("ann", "ann.api"),
        ("ann:80", None),
        ("[::1]", None),
        ("ann/", None),
        ("", None),
        ("é", None),
    ],
)
def test_b240_a_subdomain_is_built_and_is_followed_by_the_servers_name(
    value: str, domain: str | None
) -> None:
    built = bound("/x", subdomain="<path:sub>.api", subdomain_matching=True).build({"sub": value})
    assert built == (None if domain is None else (domain, "/x"))
    alone = bound("/x", subdomain="<path:sub>", subdomain_matching=True)
    assert (alone.build({"sub": value}) is None) is (domain is None)
