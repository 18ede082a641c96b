"""What a scope says: addresses, routing facts, query."""

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import NotFound, WireError
from erlen.exchange.connection import Connection
from erlen.routing.rule import Rule
from tests.exchange.wire import scope_of, settings


def connection(path: str = "/", **scope: Any) -> Connection:
    return Connection(scope_of(path, **scope), settings())


def with_host(host: bytes, **scope: Any) -> Connection:
    return connection(headers=[(b"host", host)], **scope)


# --- RQ-1 -----------------------------------------------------------------------------------------


def test_rq1_plain_facts_are_the_scopes() -> None:
    seen = connection("/a b", method="get", query_string=b"q=1", http_version="2", scheme="https")
    assert (seen.method, seen.http_version, seen.scheme, seen.is_secure) == (
        "get",
        "2",
        "https",
        True,
    )
    assert (seen.path, seen.full_path, seen.query_string) == ("/a b", "/a b?q=1", b"q=1")
    assert (seen.remote_addr, seen.access_route) == ("203.0.113.9", ["203.0.113.9"])
    assert seen.server == ("127.0.0.1", 8000)


def test_rq1_the_full_path_always_has_its_question_mark() -> None:
    assert connection("/a").full_path == "/a?"


def test_the_path_is_the_one_that_the_router_saw() -> None:
    assert Connection(scope_of("/mnt/a"), settings(), path="/a").path == "/a"


@pytest.mark.parametrize(
    ("kind", "scheme"), [("http", "http"), ("websocket", "ws")], ids=["http", "websocket"]
)
def test_missing_keys_have_the_defaults_of_the_protocol(kind: str, scheme: str) -> None:
    seen = Connection({"type": kind, "path": "/", "headers": []}, settings())
    assert (seen.method, seen.scheme, seen.http_version) == ("GET", scheme, "1.1")
    assert (seen.query_string, seen.root_path, seen.host) == (b"", "", "")
    assert (seen.server, seen.remote_addr, seen.access_route) == (None, None, [])


@pytest.mark.parametrize(
    ("client", "address"),
    [
        pytest.param(None, None, id="b323-none"),
        pytest.param(("", 0), "", id="b323-unix"),
        pytest.param((None, None), None, id="b323-empty-pair"),
        pytest.param(["::1%eth0", "0"], "::1%eth0", id="b323-scope-id-and-text-port"),
    ],
)
def test_b323_every_kind_of_peer_is_text_or_none(client: Any, address: str | None) -> None:
    assert connection(client=client).remote_addr == address


# --- RQ-2 and RQ-3 --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "scheme", "host"),
    [
        pytest.param(b"example.com", "http", "example.com", id="plain"),
        pytest.param(b"EXAMPLE.com", "http", "example.com", id="upper-case"),
        pytest.param(b"example.com:80", "http", "example.com", id="default-port"),
        pytest.param(b"EXAMPLE.COM:443", "https", "example.com", id="upper-case-default-port"),
        pytest.param(b"example.com:80", "https", "example.com:80", id="port-of-another-scheme"),
        pytest.param(b"example.com:443", "wss", "example.com", id="websocket-default-port"),
        pytest.param(b"example.com:8080", "http", "example.com:8080", id="port"),
        pytest.param(b"[::1]:8080", "http", "[::1]:8080", id="ipv6"),
        pytest.param(b"a b", "http", "", id="rq3-malformed"),
        pytest.param(b"caf\xc3\xa9", "http", "", id="rq3-not-ascii"),
    ],
)
def test_rq3_host_is_lower_case_without_the_default_port(
    sent: bytes, scheme: str, host: str
) -> None:
    assert with_host(sent, scheme=scheme).host == host


def test_b040_a_host_under_a_name_in_upper_case_is_the_host() -> None:
    assert connection(headers=[(b"Host", b"Example.com")]).host == "example.com"


@pytest.mark.parametrize(
    ("server", "host"),
    [
        pytest.param(("127.0.0.1", 8000), "127.0.0.1:8000", id="address"),
        pytest.param(("127.0.0.1", 80), "127.0.0.1", id="default-port"),
        pytest.param(("::1", 8000), "[::1]:8000", id="ipv6"),
        pytest.param(["localhost", "8000"], "localhost:8000", id="text-port"),
        pytest.param(("/run/erlen.sock", None), "", id="unix-socket"),
        pytest.param(("127.0.0.1", 0), "", id="b323-port-0"),
        pytest.param(("fe80::1%eth0", 8000), "", id="b323-scope-id"),
        pytest.param(None, "", id="unknown"),
    ],
)
def test_rq3_without_a_host_header_the_server_is_the_host(server: Any, host: str) -> None:
    assert connection(headers=[], server=server).host == host


def test_rq2_urls_are_made_of_the_same_parts() -> None:
    seen = Connection(
        scope_of("/mnt/a/é", query_string=b"q=%C3%A9", root_path="/mnt/"), settings(), path="/a/é"
    )
    assert (seen.root_path, seen.script_root) == ("/mnt", "/mnt")
    assert seen.url == "http://example.com/mnt/a/é?q=é"
    assert seen.base_url == "http://example.com/mnt/a/é"
    assert seen.url_root == seen.root_url == "http://example.com/mnt/"
    assert seen.host_url == "http://example.com/"


@pytest.mark.parametrize("root", ["", "/", None])
def test_b025_a_root_path_of_nothing_is_none(root: str | None) -> None:
    assert connection(root_path=root).root_path == ""


@pytest.mark.parametrize("root", ["/mnt", "mnt", "/mnt/", "//mnt//"])
def test_b025_a_root_path_has_one_leading_slash_and_no_trailing_one(root: str) -> None:
    assert connection(root_path=root).root_path == "/mnt"


PATHS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="?#%\\ /;é\u202e"),
    max_size=20,
).map(lambda text: f"/{text}")


@given(PATHS, st.binary(max_size=20), st.sampled_from(["example.com", "[::1]:8080"]))
def test_b021_a_url_parses_back_to_the_same_parts(path: str, query: bytes, host: str) -> None:
    url = with_host(host.encode(), path=path, query_string=query).url
    parsed = urlsplit(url)
    assert (parsed.netloc, parsed.scheme) == (host, "http")
    assert unquote(parsed.path, errors="strict") == path
    assert not parsed.fragment


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_b021_a_query_parses_back_to_the_same_pairs(text: str) -> None:
    query = b"q=" + "".join(f"%{byte:02x}" for byte in text.encode()).encode()
    seen = connection(query_string=query)
    again = connection(query_string=urlsplit(seen.url).query.encode())
    assert seen.args["q"] == again.args["q"] == text


# --- RQ-4 and RQ-8 --------------------------------------------------------------------------------


def test_rq4_args_keep_blank_values_and_their_order() -> None:
    args = connection(query_string=b"a=1&b=&a=2&c").args
    assert args.to_dict(flat=False) == {"a": ["1", "2"], "b": [""], "c": [""]}


def test_b028_too_many_args_are_the_peers_fault() -> None:
    seen = connection(query_string=b"&".join([b"a=1"] * 1001))
    with pytest.raises(WireError):
        _ = seen.args


@pytest.mark.parametrize(
    ("endpoint", "blueprint", "blueprints"),
    [
        ("index", None, []),
        ("admin.index", "admin", ["admin"]),
        ("admin.users.index", "admin.users", ["admin.users", "admin"]),
    ],
)
def test_rq8_the_rule_tells_endpoint_and_blueprints(
    endpoint: str, blueprint: str | None, blueprints: list[str]
) -> None:
    rule = Rule("/", endpoint=endpoint)
    seen = Connection(scope_of(), settings(), url_rule=rule, view_args={"a": 1})
    assert (seen.endpoint, seen.blueprint, seen.blueprints) == (endpoint, blueprint, blueprints)
    assert (seen.url_rule, seen.view_args, seen.routing_exception) == (rule, {"a": 1}, None)


def test_rq8_nothing_is_known_where_nothing_matched() -> None:
    error = NotFound()
    seen = Connection(scope_of(), settings(), routing_exception=error)
    assert (seen.endpoint, seen.blueprint, seen.blueprints, seen.url_rule) == (None, None, [], None)
    assert (seen.view_args, seen.routing_exception) == (None, error)


def test_rq12_the_repr_names_url_and_method() -> None:
    assert repr(connection("/a")) == "<Connection 'http://example.com/a' [GET]>"
