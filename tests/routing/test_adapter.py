"""A map seen from one server: matching, and URLs for endpoints."""

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import BuildError, MethodNotAllowed, NotFound, RequestRedirect
from erlen.routing.adapter import MapAdapter
from erlen.routing.converters import BaseConverter, ValidationError
from erlen.routing.map import Map
from erlen.routing.rule import Rule
from erlen.wire.multidict import MultiDict


def routes(**options: Any) -> Map:
    rules = [
        Rule("/", endpoint="index", methods=["GET"]),
        Rule("/u/<name>", endpoint="user", methods=["GET"]),
        Rule("/u/<name>/<int:page>", endpoint="user", methods=["GET"]),
        Rule("/u", endpoint="user", methods=["POST"]),
        Rule("/old", endpoint="index", alias=True),
        Rule("/t/", endpoint="tree", methods=["GET"]),
        Rule("/ws", endpoint="socket", websocket=True),
    ]
    return Map(rules, **options)


def adapter(**options: Any) -> MapAdapter:
    return routes().bind("example.com", **options)


def test_mt19_match_returns_the_endpoint_or_the_rule() -> None:
    bound = adapter(path_info="/u/ann")
    assert bound.match() == ("user", {"name": "ann"})
    assert bound.match("/u", "post") == ("user", {})
    rule, arguments = bound.match("/u/ann/3", return_rule=True)
    assert (rule.rule, arguments) == ("/u/<name>/<int:page>", {"name": "ann", "page": 3})


def test_mt19_the_kind_follows_the_scheme_unless_it_is_said() -> None:
    assert adapter(url_scheme="ws").match("/ws")[0] == "socket"
    assert adapter().match("/ws", websocket=True)[0] == "socket"


def test_mt19_test_tells_whether_there_is_an_answer() -> None:
    bound = adapter(path_info="/nope")
    assert not bound.test()
    assert bound.test("/t/")
    assert bound.test("/t")
    assert not bound.test("/t/", "PUT")


def test_mt19_allowed_methods() -> None:
    bound = adapter(path_info="/u")
    assert bound.allowed_methods() == ["POST"]
    assert bound.allowed_methods("/nope") == []
    assert bound.allowed_methods("*") == []


@pytest.mark.parametrize(
    ("bound", "given_query", "location"),
    [
        ("a=1&b", None, "/app/t/?a=1&b"),
        ({"a": "1 2"}, None, "/app/t/?a=1+2"),
        (None, {"c": 3}, "/app/t/?c=3"),
        ("a=1", "b=2", "/app/t/?b=2"),
        (None, None, "/app/t/"),
    ],
)
def test_mt11_a_redirect_keeps_the_query(bound: Any, given_query: Any, location: str) -> None:
    with pytest.raises(RequestRedirect) as error:
        adapter(script_name="/app", query_args=bound).match("/t", query_args=given_query)
    assert error.value.new_url == location


def test_errors_pass_through() -> None:
    with pytest.raises(NotFound):
        adapter().match("/nope")
    with pytest.raises(MethodNotAllowed):
        adapter().match("/t/", "PUT")


@pytest.mark.parametrize(
    ("endpoint", "values", "options", "url"),
    [
        pytest.param("index", None, {}, "/app/", id="URL-3-relative"),
        pytest.param("index", {"q": None, "r": 1}, {}, "/app/?r=1", id="URL-8-none-is-dropped"),
        pytest.param("user", {"name": "ann"}, {}, "/app/u/ann", id="URL-7"),
        pytest.param("user", {"name": "a", "page": 2}, {}, "/app/u/a/2", id="URL-7-most-arguments"),
        pytest.param("user", {"name": "a"}, {"method": "POST"}, "/app/u?name=a", id="URL-6-method"),
        pytest.param("user", {}, {}, "/app/u", id="URL-6-any-method"),
        pytest.param("user", {"name": "a", "x": 1}, {"append_unknown": False}, "/app/u/a",
                     id="URL-8-left-out"),
        pytest.param("index", {}, {"force_external": True}, "https://example.com/app/",
                     id="URL-3-external"),
        pytest.param("index", {}, {"force_external": True, "url_scheme": "http"},
                     "http://example.com/app/", id="URL-4-scheme"),
        pytest.param("socket", {}, {}, "wss://example.com/app/ws", id="URL-10-websocket"),
        pytest.param("socket", {}, {"url_scheme": "http"}, "ws://example.com/app/ws",
                     id="URL-10-insecure"),
        pytest.param("index", {}, {"force_external": True, "url_scheme": "wss"},
                     "https://example.com/app/", id="URL-10-http-from-a-websocket"),
        pytest.param("user", MultiDict([("name", "a"), ("q", 1), ("q", 2), ("z", None)]), {},
                     "/app/u/a?q=1&q=2", id="URL-8-multi-dict"),
    ],
)  # fmt: skip
def test_build(endpoint: str, values: Any, options: dict[str, Any], url: str) -> None:
    bound = adapter(script_name="/app", url_scheme="https")
    assert bound.build(endpoint, values, **options) == url


def test_url4_a_scheme_does_not_leak_into_later_urls() -> None:
    bound = adapter()
    urls = [bound.build("index", None, None, True, url_scheme=s) for s in ("https", None, "https")]
    assert urls == ["https://example.com/", "http://example.com/", "https://example.com/"]


@pytest.mark.parametrize(("scheme", "secure"), [("HTTPS", True), ("WSS", True), ("Http", False)])
def test_b240_case_of_a_scheme_does_not_count(scheme: str, secure: bool) -> None:
    expected = "https://example.com/" if secure else "http://example.com/"
    assert adapter().build("index", force_external=True, url_scheme=scheme) == expected
    assert adapter(url_scheme=scheme).build("index", force_external=True) == expected


def test_b240_scheme_is_checked_for_a_path_too() -> None:
    with pytest.raises(ValueError, match="The scheme 'javascript' is none of those"):
        adapter().build("index", url_scheme="javascript")


def test_a_rule_that_refuses_a_value_leaves_it_to_the_next() -> None:
    rules = [Rule("/<int:x>", endpoint="e"), Rule("/big/<x>", endpoint="e")]
    bound = Map(rules).bind("example.com")
    assert bound.build("e", {"x": 7}) == "/7"
    assert bound.build("e", {"x": 10**19}) == f"/big/{10**19}"


def test_url6_the_current_method_is_preferred() -> None:
    assert adapter(default_method="POST").build("user", {"name": "a"}) == "/u?name=a"


def test_url7_defaults_decide_between_rules() -> None:
    rules = [
        Rule("/d/<int:page>", endpoint="d"),
        Rule("/d/", endpoint="d", defaults={"page": 1}),
        Rule("/d/all", endpoint="d", build_only=True),
    ]
    bound = Map(rules).bind("example.com")
    assert bound.build("d", {"page": 1}) == "/d/"
    assert bound.build("d", {"page": 2}) == "/d/2"


def test_url11_another_subdomain_makes_an_absolute_url() -> None:
    rules = [Rule("/", endpoint="main"), Rule("/", endpoint="user", subdomain="<name>")]
    url_map = Map(rules, subdomain_matching=True)
    bound = url_map.bind("example.com", subdomain="ann")
    assert bound.build("user", {"name": "ann"}) == "/"
    assert bound.build("user", {"name": "bob"}) == "http://bob.example.com/"
    assert bound.build("main") == "http://example.com/"
    assert bound.get_host() == "ann.example.com"


def test_url7_the_rule_of_the_current_host_is_preferred() -> None:
    rules = [Rule("/a", endpoint="e", host="a"), Rule("/b", endpoint="e", host="B:5000")]
    rules.append(Rule("/c", endpoint="f"))
    url_map = Map(rules, host_matching=True)
    assert url_map.bind("b:5000").build("e") == "/b"
    assert url_map.bind("c").build("e") == "http://a/a"
    assert url_map.bind("c").build("f") == "/c"
    assert url_map.bind("c").get_host() == "c"


def test_a_subdomain_has_no_place_in_a_map_of_hosts() -> None:
    with pytest.raises(RuntimeError, match="was given to a map with host_matching"):
        Map(host_matching=True).bind("example.com", subdomain="www")


class Mute(BaseConverter):
    """Refuses everything and does not say why."""

    def to_url(self, value: object) -> str:
        raise ValidationError


@pytest.mark.parametrize(
    ("endpoint", "values", "method", "sentence", "suggested"),
    [
        pytest.param("users", {}, None, "Did you mean 'user' instead?", "user", id="near"),
        pytest.param("zzz", {}, None, "No rule has this endpoint.", None, id="unknown"),
        pytest.param("page", {"y": 1}, None, "Did you forget to specify values ['x']?", None,
                     id="missing"),
        pytest.param("page", {"x": 1}, "PUT", "Did you mean to use methods ['GET', 'HEAD']?", None,
                     id="method"),
        pytest.param("page", {"x": "a\0"}, None, "no request path may have", None, id="B-238"),
        pytest.param("page", {"x": ""}, None, "The value of 'x' is not one", None, id="empty"),
        pytest.param("mute", {"x": "a"}, None, "No rule accepts these values", None, id="mute"),
        pytest.param("one", {"x": 2}, None, "No rule accepts these values", None, id="default"),
        pytest.param(5, {}, None, "No rule has this endpoint.", None, id="no-name"),
    ],
)  # fmt: skip
def test_url13_a_build_error_says_what_to_do(
    endpoint: str, values: dict[str, Any], method: str, sentence: str, suggested: str | None
) -> None:
    url_map = routes()
    url_map.converters["mute"] = Mute
    url_map.add(Rule("/p/<x>", endpoint="page", methods=["GET"]))
    url_map.add(Rule("/m/<mute:x>", endpoint="mute"))
    url_map.add(Rule("/one", endpoint="one", defaults={"x": 1}))
    with pytest.raises(BuildError) as error:
        url_map.bind("example.com").build(endpoint, values, method)
    assert sentence in str(error.value)
    assert (error.value.endpoint, error.value.values) == (endpoint, values)
    assert error.value.suggested == suggested


CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/")
TEXT = st.text(CHARACTERS, min_size=1).filter(lambda text: text not in {".", ".."})
PATHS = st.lists(TEXT, min_size=1).map("/".join)
EVERYTHING = Map([
    Rule("/s/<s>", endpoint="s"),
    Rule("/<any(x, 'y z'):a>/a", endpoint="a"),
    Rule("/i/<int(signed=True):i>", endpoint="i"),
    Rule("/f/<float(signed=True):f>/", endpoint="f"),
    Rule("/u/<uuid:u>", endpoint="u"),
    Rule("/p/<path:p>", endpoint="p"),
    Rule("/p/<path:p>/edit/<s>", endpoint="edit"),
    Rule("/m/<int:n>-<s>.txt", endpoint="m"),
    Rule("/ü b/<s>/", endpoint="static text"),
])  # fmt: skip
REQUESTS = st.one_of(
    st.tuples(st.just("s"), st.fixed_dictionaries({"s": TEXT})),
    st.tuples(st.just("a"), st.fixed_dictionaries({"a": st.sampled_from(["x", "y z"])})),
    st.tuples(st.just("i"), st.fixed_dictionaries({"i": st.integers(-(2**63) + 1, 2**63 - 1)})),
    st.tuples(
        st.just("f"),
        st.fixed_dictionaries({"f": st.floats(allow_nan=False, allow_infinity=False)}),
    ),
    st.tuples(st.just("u"), st.fixed_dictionaries({"u": st.uuids()})),
    st.tuples(st.just("edit"), st.fixed_dictionaries({"p": TEXT, "s": TEXT})),
    st.tuples(st.just("m"), st.fixed_dictionaries({"n": st.integers(0, 2**63 - 1), "s": TEXT})),
    st.tuples(st.just("static text"), st.fixed_dictionaries({"s": TEXT})),
    st.tuples(
        st.just("p"),
        st.fixed_dictionaries({"p": PATHS}).filter(lambda values: "/edit/" not in values["p"]),
    ),
)


@given(REQUESTS, st.booleans())
def test_what_was_built_is_matched(request_: tuple[str, dict[str, Any]], as_list: bool) -> None:
    endpoint, values = request_
    url = EVERYTHING.bind("example.com").build(endpoint, values)
    segments = [unquote(each, errors="strict") for each in url.split("/")[1:]]
    path = segments if as_list else "/" + "/".join(segments)
    rule, arguments = EVERYTHING.match(path, "GET")
    assert (rule.endpoint, arguments) == (endpoint, values)


@given(st.sampled_from(["s", "p", "edit"]), st.text(), st.text())
def test_b238_whatever_is_built_is_matched_or_nothing(endpoint: str, p: str, s: str) -> None:
    known = {"s": {"s": s}, "p": {"p": p}, "edit": {"p": p, "s": s}}[endpoint]
    try:
        url = EVERYTHING.bind("example.com").build(endpoint, known)
        found = EVERYTHING.match([unquote(each) for each in url.split("/")[1:]], "GET")
    except (BuildError, NotFound):
        return
    except RequestRedirect:
        assert p[:1] in {"", "/"}
    else:
        # A slash in one segment is %2F there, and the rule of a path may answer such a URL.
        assert found[1] == known or (endpoint == "edit" and "/" in s)
        assert not {".", ".."} & set(url.split("/"))
