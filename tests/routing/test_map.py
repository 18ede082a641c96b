"""Requests to rules: the decision table, redirects, hosts, duplicates."""

from typing import Any

import pytest

from erlen.exceptions import (
    DuplicateRuleError,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestRedirect,
    WebsocketMismatch,
)
from erlen.routing.map import Map
from erlen.routing.rule import Rule

GET: dict[str, Any] = {"methods": ["GET", "OPTIONS"]}


def outcome(
    routes: Map, path: str | list[str], method: str = "GET", **options: Any
) -> tuple[Any, ...]:
    """Return endpoint and arguments, or status with ``Allow`` or ``Location``."""
    try:
        rule, arguments = routes.match(path, method, **options)
    except RequestRedirect as error:
        return 308, error.new_url
    except MethodNotAllowed as error:
        return 405, error.valid_methods
    except HTTPException as error:
        return (error.code,)
    return (rule.endpoint, arguments) if arguments else (rule.endpoint,)


ALLOW = ["GET", "HEAD", "OPTIONS"]


def leaf(**options: Any) -> list[Rule]:
    return [Rule("/leaf", **{"endpoint": "leaf", **GET, **options})]


def tree(**options: Any) -> list[Rule]:
    return [Rule("/tree/", **{"endpoint": "tree", **GET, **options})]


def both() -> list[Rule]:
    return [Rule("/s", endpoint="http", **GET), Rule("/s", endpoint="ws", websocket=True, **GET)]


def page() -> list[Rule]:
    return [
        Rule("/d/", endpoint="d", defaults={"page": 1}, **GET),
        Rule("/d/<int:page>", endpoint="d", **GET),
    ]


DECISIONS = [
    pytest.param(leaf(), "GET", "/leaf", ("leaf",), id="leaf-get"),
    pytest.param(leaf(), "HEAD", "/leaf", ("leaf",), id="MT-16-leaf-head"),
    pytest.param(leaf(), "OPTIONS", "/leaf", ("leaf",), id="MT-17-leaf-options"),
    pytest.param(
        leaf(methods=["GET"]), "OPTIONS", "/leaf", (405, ["GET", "HEAD"]), id="no-automatic-options"
    ),
    pytest.param(leaf(), "POST", "/leaf", (405, ALLOW), id="MT-18-leaf-post"),
    pytest.param(leaf(), "GET", "/leaf/", (404,), id="MT-9-leaf-with-slash"),
    pytest.param(tree(), "GET", "/tree", (308, "/tree/?a=1"), id="MT-9-tree-without-slash"),
    pytest.param(tree(), "POST", "/tree", (405, ALLOW), id="MT-9-tree-post"),
    pytest.param(tree(), "POST", "/tree/", (405, ALLOW), id="MT-12-tree-post"),
    pytest.param(tree(strict_slashes=False), "GET", "/tree", ("tree",), id="MT-9-loose-tree"),
    pytest.param(tree(strict_slashes=False), "GET", "/tree/", ("tree",), id="MT-9-loose-tree-2"),
    pytest.param(leaf(strict_slashes=False), "GET", "/leaf/", ("leaf",), id="MT-9-loose-leaf"),
    pytest.param(leaf(strict_slashes=False), "GET", "/leaf", ("leaf",), id="MT-9-loose-leaf-2"),
    pytest.param(
        leaf(strict_slashes=False), "POST", "/leaf/", (405, ALLOW), id="MT-9-loose-leaf-post"
    ),
    pytest.param(
        [Rule("/a/b", endpoint="e", **GET)], "GET", "/a//b", (308, "/a/b?a=1"), id="MT-10-inner"
    ),
    pytest.param(
        [Rule("/a/b", endpoint="e", **GET)], "POST", "/a//b", (405, ALLOW), id="MT-10-inner-post"
    ),
    pytest.param(
        [Rule("/a//b", endpoint="e", **GET)], "GET", "/a/b", ("e",), id="MT-10-rule-is-merged-too"
    ),
    pytest.param(tree(), "GET", "//tree/", (308, "/tree/?a=1"), id="MT-1-leading"),
    pytest.param(tree(), "GET", "//tree", (308, "/tree/?a=1"), id="B-180-one-redirect-for-both"),
    pytest.param(tree(), "GET", "/tree//", (308, "/tree/?a=1"), id="MT-10-trailing"),
    pytest.param(leaf(), "GET", "/leaf//", (404,), id="MT-10-trailing-leaf"),
    pytest.param(
        leaf(merge_slashes=False), "GET", "//leaf", (404,), id="MT-10-rule-does-not-merge"
    ),
    pytest.param(
        [Rule("/a//b", endpoint="e", merge_slashes=False, **GET)], "GET", "/a//b", ("e",),
        id="MT-10-rule-with-slashes",
    ),
    pytest.param(
        [Rule("/p/<path:x>", endpoint="p", **GET)], "GET", "/p/a//b", ("p", {"x": "a//b"}),
        id="MT-10-path",
    ),
    pytest.param(
        [Rule("/<path:x>", endpoint="p", **GET)], "GET", "//evil.com", (308, "/evil.com?a=1"),
        id="B-009-never-to-another-host",
    ),
    pytest.param(
        [Rule("/<path:x>/", endpoint="p", **GET)], "GET", "/\\evil.com/\r\n",
        (308, "/%5Cevil.com/%0D%0A/?a=1"), id="B-011-location-is-encoded",
    ),
    pytest.param([Rule("/", endpoint="e")], "GET", "///", (308, "/?a=1"), id="B-009-only-slashes"),
    pytest.param([Rule("/", endpoint="e")], "GET", "", ("e",), id="B-014-empty"),
    pytest.param([Rule("/<path:x>", endpoint="e")], "OPTIONS", "*", (404,), id="B-012-asterisk"),
    pytest.param([Rule("/<path:x>", endpoint="e")], "GET", "foo", (404,), id="B-015-no-slash"),
    pytest.param(
        [Rule("/x/c", endpoint="e"), Rule("/f/<path:p>", endpoint="f")], "GET", "/x/../c", (404,),
        id="B-008-dots-are-not-resolved",
    ),
    pytest.param(
        [Rule("/f/<path:p>", endpoint="f")], "GET", "/f/../c", ("f", {"p": "../c"}),
        id="B-008-dots-are-data",
    ),
    pytest.param([Rule("/x/c", endpoint="e")], "GET", "/x\\c", (404,), id="B-011-backslash"),
    pytest.param(
        [Rule("/s", endpoint="ws", websocket=True, **GET)], "GET", "/s", (400,), id="MT-8-http-on-ws"
    ),
    pytest.param(
        [Rule("/s", endpoint="ws", websocket=True, **GET)], "POST", "/s", (400,),
        id="MT-12-post-on-ws",
    ),
    pytest.param(both(), "GET", "/s", ("http",), id="RT-10-http-beside-ws"),
    pytest.param(both(), "POST", "/s", (405, ALLOW), id="MT-12-method-before-kind"),
    pytest.param(page(), "GET", "/d/1", (308, "/d/?a=1"), id="MT-13-default"),
    pytest.param(page(), "GET", "/d/2", ("d", {"page": 2}), id="MT-13-other-value"),
    pytest.param(page(), "GET", "/d/", ("d", {"page": 1}), id="CV-8-default"),
    pytest.param(
        [Rule("/<x>", endpoint="e", defaults={"y": 1})], "GET", "/a", ("e", {"x": "a", "y": 1}),
        id="CV-8-beside-a-variable",
    ),
    pytest.param([Rule("/b", endpoint="b", build_only=True)], "GET", "/b", (404,), id="MT-15"),
    pytest.param([Rule("/m", endpoint="m")], "PURGE", "/m", ("m",), id="all-methods"),
    pytest.param([], "GET", "/", (404,), id="no-rules"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "method", "path", "expected"), DECISIONS)
def test_the_decision_table(
    rules: list[Rule], method: str, path: str, expected: tuple[Any, ...]
) -> None:
    assert outcome(Map(rules), path, method, query_string="a=1") == expected


def test_mt8_a_websocket_finds_its_rule_and_only_its_rule() -> None:
    routes = Map(both() + leaf())
    assert outcome(routes, "/s", websocket=True) == ("ws",)
    with pytest.raises(WebsocketMismatch):
        routes.match("/leaf", "GET", websocket=True)
    with pytest.raises(NotFound):
        routes.match("/nope", "GET", websocket=True)


def test_arguments_are_a_new_dict_each_time() -> None:
    routes = Map(page())
    routes.match("/d/", "GET")[1]["page"] = 7
    assert routes.match("/d/", "GET")[1] == {"page": 1}


def test_a_rule_can_be_added_after_a_match() -> None:
    routes = Map(leaf())
    assert outcome(routes, "/x") == (404,)
    routes.add(Rule("/x", endpoint="x"))
    assert outcome(routes, "/x") == ("x",)


@pytest.mark.parametrize(
    ("script_name", "location"),
    [("", "/a/"), ("/app", "/app/a/"), ("/ä/", "/%C3%A4/a/"), ("//evil.com", "/evil.com/a/")],
)
def test_b025_a_redirect_bears_the_script_root_once(script_name: str, location: str) -> None:
    routes = Map([Rule("/a/", endpoint="a")])
    assert outcome(routes, "/a", script_name=script_name) == (308, location)


def test_b010_a_redirect_keeps_encoded_slashes_encoded() -> None:
    routes = Map([Rule("/f/<path:p>/", endpoint="f")])
    assert outcome(routes, ["f", "a/b", "100%00"]) == (308, "/f/a%2Fb/100%2500/")
    assert outcome(routes, ["", "f", "a/b", ""]) == (308, "/f/a%2Fb/")
    assert outcome(routes, ["f", "a/b", ""]) == ("f", {"p": "a/b"})


def test_an_empty_list_of_segments_is_the_root() -> None:
    assert outcome(Map([Rule("/", endpoint="root")]), []) == ("root",)


def test_mt11_a_query_is_kept_and_cannot_break_the_header() -> None:
    routes = Map([Rule("/a/", endpoint="a")])
    assert outcome(routes, "/a", query_string="x=%20%zz&y=[é]\r\n") == (
        308,
        "/a/?x=%20%zz&y=[%C3%A9]%0D%0A",
    )


# --- redirects to other rules ---------------------------------------------------------------------


def test_mt14_an_alias_redirects_to_the_canonical_rule() -> None:
    routes = Map([
        Rule("/old/<x>", endpoint="e", alias=True),
        Rule("/new/<x>", endpoint="e"),
        Rule("/only", endpoint="f", alias=True),
    ])  # fmt: skip
    assert outcome(routes, "/old/a b", query_string="q=1") == (308, "/new/a%20b?q=1")
    assert outcome(routes, "/only") == ("f",)


def test_mt14_an_alias_serves_itself_when_the_canonical_rule_cannot() -> None:
    routes = Map([
        Rule("/old", endpoint="e", alias=True),
        Rule("/new/<x>", endpoint="e"),
        Rule("/put", endpoint="e", methods=["PUT"]),
        Rule("/ws", endpoint="e", websocket=True),
        Rule("/hidden", endpoint="e", build_only=True),
    ])  # fmt: skip
    assert outcome(routes, "/old") == ("e",)


def test_mt13_defaults_redirect_only_when_the_map_says_so() -> None:
    assert outcome(Map(page(), redirect_defaults=False), "/d/1") == ("d", {"page": 1})


def test_mt13_a_redirect_never_leads_to_another_host() -> None:
    rules = [
        Rule("/d/", endpoint="d", defaults={"page": 1}, host="b"),
        Rule("/d/<int:page>", endpoint="d", host="a"),
    ]
    assert outcome(Map(rules, host_matching=True), "/d/1", domain="a") == ("d", {"page": 1})


@pytest.mark.parametrize(
    ("redirect_to", "path", "location"),
    [
        ("new/<x>", "/old/a b", "/app/new/a%20b?q=1"),
        ("new/<x>?y=<x>", "/old/ü", "/app/new/%C3%BC?y=%C3%BC"),
        ("/new/<x>", "/old/a", "/new/a?q=1"),
        ("https://example.com/<x>", "/old/a", "https://example.com/a"),
        ("<x>", "/old/http://evil.com", "/app/http://evil.com?q=1"),
        ("<n>", "/old/a", "/app/7?q=1"),
        (lambda adapter, x, n: f"to/{x}/{n}", "/old/a b", "/app/to/a%20b/7?q=1"),
        (lambda adapter, **_: adapter.build("e", {"x": "1"}), "/old/a", "/app/old/1?q=1"),
        (lambda adapter, **_: "https://example.com/ü", "/old/a", "https://example.com/%C3%BC"),
        (lambda adapter, **_: "//evil.com", "/old/a", "/evil.com?q=1"),
    ],
)
def test_mt14_redirect_to(redirect_to: Any, path: str, location: str) -> None:
    rule = Rule("/old/<path:x>", endpoint="e", defaults={"n": 7}, redirect_to=redirect_to)
    assert outcome(Map([rule]), path, script_name="/app", query_string="q=1") == (308, location)


# --- methods --------------------------------------------------------------------------------------


def test_mt17_allowed_methods_come_from_all_rules_for_the_path() -> None:
    routes = Map([
        Rule("/a", endpoint="g", methods=["GET", "OPTIONS"]),
        Rule("/a", endpoint="p", methods=["POST", "OPTIONS"]),
        Rule("/<x>", endpoint="d", methods=["DELETE"]),
        Rule("/a", endpoint="w", websocket=True),
        Rule("/any", endpoint="any"),
    ])  # fmt: skip
    allowed = ["DELETE", "GET", "HEAD", "OPTIONS", "POST"]
    assert routes.allowed_methods("/a") == allowed
    assert routes.allowed_methods("//a") == allowed
    assert routes.allowed_methods("/any") == ["DELETE"]
    assert routes.allowed_methods("/nope/x") == []
    assert outcome(routes, "/a", "PUT") == (405, allowed)


# --- hosts ----------------------------------------------------------------------------------------


def hosts() -> Map:
    rules = [
        Rule("/", endpoint="none"),
        Rule("/", endpoint="www", host="www.example.com"),
        Rule("/", endpoint="sub", host="<sub>.Example.com"),
        Rule("/x", endpoint="x", host="<sub>.example.com"),
        Rule("/x", endpoint="deep", host="<path:sub>.example.com"),
        Rule("/only", endpoint="port", host="<sub>.ex.com:5000"),
    ]
    return Map(rules, host_matching=True)


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        pytest.param("www.example.com", "/", ("www",), id="MW-5-static-first"),
        pytest.param("WWW.example.com", "/", ("www",), id="MW-5-case"),
        pytest.param("foo.example.com", "/", ("sub", {"sub": "foo"}), id="MW-5-placeholder"),
        pytest.param("www.example.com", "/x", ("x", {"sub": "www"}), id="MW-5-back-to-a-pattern"),
        pytest.param("a.b.example.com", "/x", ("deep", {"sub": "a.b"}), id="MW-5-over-dots"),
        pytest.param("a.b.example.com", "/", (404,), id="MW-5-dots-count"),
        pytest.param("other", "/", (404,), id="MW-5-no-host-matches-none"),
        pytest.param("", "/", ("none",), id="MW-5-empty"),
        pytest.param("foo.ex.com", "/only", (404,), id="MW-5-port-is-part"),
        pytest.param("foo.ex.com:5000", "/only", ("port", {"sub": "foo"}), id="MW-5-port"),
        pytest.param(f"{'a' * 300}.example.com", "/", (404,), id="too-long"),
    ],
)
def test_hosts(host: str, path: str, expected: tuple[Any, ...]) -> None:
    assert outcome(hosts(), path, domain=host) == expected


def subdomains(**options: Any) -> Map:
    rules = [
        Rule("/", endpoint="main"),
        Rule("/", endpoint="api", subdomain="api"),
        Rule("/", endpoint="user", subdomain="<user>"),
    ]
    return Map(rules, **options)


def test_mw6_subdomains_are_matched_on_demand() -> None:
    routes = subdomains(subdomain_matching=True, default_subdomain="www")
    assert outcome(routes, "/", domain="www") == ("main",)
    assert outcome(routes, "/", domain="api") == ("api",)
    assert outcome(routes, "/", domain="ann") == ("user", {"user": "ann"})
    assert outcome(routes, "/", domain="<invalid>.x") == (404,)


def test_mw6_without_it_everything_is_the_default_subdomain() -> None:
    assert outcome(subdomains(), "/", domain="api") == ("main",)
    assert outcome(subdomains(default_subdomain="www"), "/") == ("main",)


# --- duplicates -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"rule": "/a"}, {"rule": "/a"}, id="RT-9-text"),
        pytest.param({"rule": "/a/<x>"}, {"rule": "/a/<string:y>"}, id="RT-9-names"),
        pytest.param({"rule": "/<int(min=1):x>"}, {"rule": "/<int( min = 1 ):y>"}, id="RT-9-args"),
        pytest.param({"rule": "/<path:p>/e/"}, {"rule": "/<path:q>/e/"}, id="RT-9-path"),
        pytest.param({"rule": "/a//b"}, {"rule": "/a/b"}, id="RT-9-merged"),
        pytest.param({"rule": "/", "methods": ["HEAD"]}, {"rule": "/", "methods": ["HEAD"]},
                     id="RT-9-equal-sets"),
        pytest.param({"rule": "/", "methods": ["GET", "PUT"]}, {"rule": "/", "methods": ["PUT"]},
                     id="RT-9-overlap"),
        pytest.param({"rule": "/", "methods": None}, {"rule": "/", "methods": ["PUT"]},
                     id="RT-9-all-methods"),
        pytest.param({"rule": "/", "websocket": True}, {"rule": "/", "websocket": True},
                     id="RT-9-websocket"),
    ],
)  # fmt: skip
def test_rt9_a_duplicate_is_an_error_at_registration(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    routes = Map([Rule(**{"endpoint": "one", **GET, "origin": "a.py:1", **first})])
    duplicate = Rule(**{"endpoint": "two", **GET, "origin": "b.py:2", **second})
    with pytest.raises(DuplicateRuleError) as error:
        routes.add(duplicate)
    for word in (repr(first["rule"]), "'one'", "a.py:1", repr(second["rule"]), "'two'", "b.py:2"):
        assert word in str(error.value)
    assert len(list(routes.iter_rules())) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"rule": "/a"}, {"rule": "/a/"}, id="slash"),
        pytest.param({"rule": "/<int:x>"}, {"rule": "/<x>"}, id="converter"),
        pytest.param({"rule": "/<int(max=5):x>"}, {"rule": "/<int:x>"}, id="CV-7-arguments"),
        pytest.param({"rule": "/"}, {"rule": "/", "methods": ["POST", "OPTIONS"]}, id="methods"),
        pytest.param({"rule": "/"}, {"rule": "/", "methods": ["HEAD"]}, id="only-head"),
        pytest.param({"rule": "/"}, {"rule": "/", "websocket": True}, id="RT-10-websocket"),
        pytest.param({"rule": "/"}, {"rule": "/", "host": "b"}, id="host"),
        pytest.param({"rule": "/"}, {"rule": "/", "build_only": True}, id="build-only"),
    ],
)
def test_rt9_rules_that_differ_are_none(first: dict[str, Any], second: dict[str, Any]) -> None:
    routes = Map(host_matching=True)
    routes.add(Rule(**{"endpoint": "one", "host": "a", **GET, **first}))
    routes.add(Rule(**{"endpoint": "two", "host": "a", **GET, **second}))
    assert [rule.endpoint for rule in routes.iter_rules()] == ["one", "two"]


def test_rt11_rules_of_an_endpoint() -> None:
    routes = Map([Rule("/<a>", endpoint="e"), Rule("/x", endpoint="f", defaults={"b": 1})])
    assert [rule.rule for rule in routes.iter_rules("e")] == ["/<a>"]
    assert list(routes.iter_rules("nope")) == []
    assert routes.is_endpoint_expecting("e", "a")
    assert routes.is_endpoint_expecting("f", "b")
    assert not routes.is_endpoint_expecting("e", "a", "b")
    assert not routes.is_endpoint_expecting("nope", "a")
