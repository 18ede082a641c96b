"""Admission: what a scope must be before anything of the user's runs."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from erlen.config import DEFAULTS
from erlen.exceptions import (
    BadHost,
    BadRequest,
    Forbidden,
    HTTPException,
    NotFound,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
    SecurityError,
    WireError,
)
from erlen.pipeline.admission import _FRIENDS_KEPT, Admission
from erlen.protocols import Scope

Pairs = Iterable[tuple[bytes, bytes]]


def scope_of(path: str = "/", headers: Pairs = ((b"host", b"example.com"),), **more: Any) -> Scope:
    return {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": list(headers), **more,
    }  # fmt: skip


def admission(
    host: bool = False, subdomain: bool = False, **config: Any
) -> Callable[[Scope], tuple[str, list[str] | None, str]]:
    """Return what tells path, segments and domain of a scope, in the order of an exchange."""
    checks = Admission({**DEFAULTS, **config}, host_matching=host, subdomain_matching=subdomain)

    def admit(scope: Scope) -> tuple[str, list[str] | None, str]:
        name = checks.check_section(scope)
        return *checks.split_target(scope, name), checks.domain(scope, name)

    return admit


def hosted(host: bytes, **more: Any) -> Scope:
    return scope_of(headers=[(b"host", host)], **more)


def handshake(*origins: bytes, host: bytes = b"example.com", **more: Any) -> Scope:
    headers = [(b"host", host), *((b"origin", origin) for origin in origins)]
    return scope_of(headers=headers, **{"type": "websocket", "scheme": "ws", **more})


def test_a_sound_scope_gives_path_segments_and_domain() -> None:
    assert admission()(scope_of("/a/b")) == ("/a/b", None, "")


def test_b010_an_encoded_slash_is_told_by_the_segments() -> None:
    scope = scope_of("/a/b/c", raw_path=b"/a%2Fb/c")
    assert admission()(scope) == ("/a/b/c", ["a/b", "c"], "")


def test_b025_the_path_is_below_the_root_path() -> None:
    assert admission()(scope_of("/mnt/a", root_path="/mnt")) == ("/a", None, "")


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        pytest.param(scope_of("/a", raw_path=b"/%00"), BadRequest, id="b001"),
        pytest.param(scope_of("/" + "a" * 16384), RequestURITooLarge, id="b016"),
        pytest.param(scope_of("/a", root_path="/b"), NotFound, id="b025"),
        pytest.param(
            scope_of("/a", query_string=b"x" * 16384), RequestURITooLarge, id="b016-query"
        ),
        pytest.param(
            scope_of(headers=[(b"x", b"")] * 201), RequestHeaderFieldsTooLarge, id="b042"
        ),
        pytest.param(scope_of(headers=[(b"a b", b"")]), BadRequest, id="b040"),
        pytest.param(hosted(b"a b"), BadRequest, id="b153"),
        pytest.param(hosted(b""), BadRequest, id="b151-empty"),
        pytest.param(scope_of(headers=[]), BadHost, id="b151-missing"),
        pytest.param(scope_of(headers=[], http_version="1.10"), BadHost, id="b324"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_a_4xx(scope: Scope, error: type[HTTPException]) -> None:
    with pytest.raises(error) as caught:
        admission()(scope)
    assert isinstance(caught.value.__cause__, WireError) or error is BadHost


@pytest.mark.parametrize("version", ["0.9", "1.0"])
def test_b324_http_1_0_needs_no_host(version: str) -> None:
    assert admission()(scope_of(headers=[], http_version=version)) == ("/", None, "")


@pytest.mark.parametrize("make", [list, tuple, iter], ids=["list", "tuple", "iterator"])
def test_b322_headers_may_be_any_iterable_and_are_there_afterwards(make: Any) -> None:
    scope = scope_of()
    scope["headers"] = make(((b"Host", b"example.com"),))
    assert admission()(scope) == ("/", None, "")
    assert scope["headers"] == [(b"Host", b"example.com")]


def test_b322_headers_of_text_are_the_servers_fault() -> None:
    with pytest.raises(TypeError, match="server"):
        admission()(scope_of(headers=[("host", "example.com")]))  # type: ignore[list-item]  # the wrong type is the case


def test_b024_a_raw_path_of_text_is_the_servers_fault() -> None:
    with pytest.raises(TypeError, match="report this to the makers of the server"):
        admission()(scope_of("/a", raw_path="/a"))


@pytest.mark.parametrize(
    ("target", "host", "ok"),
    [
        (b"http://example.com/a", b"example.com", True),
        (b"http://EXAMPLE.com:80/a", b"example.com", True),
        (b"http://example.com/a", b"example.com:80", True),
        (b"http://evil.com/a", b"example.com", False),
        (b"http://example.com:81/a", b"example.com", False),
    ],
)
def test_b013_the_authority_of_an_absolute_target_must_be_the_host(
    target: bytes, host: bytes, ok: bool
) -> None:
    scope = hosted(host, path="/a", raw_path=target)
    if ok:
        assert admission()(scope)[0] == "/a"
    else:
        with pytest.raises(BadRequest):
            admission()(scope)


# --- trusted hosts --------------------------------------------------------------------------------

TRUSTED = ["example.com", ".svc.example"]


@pytest.mark.parametrize(
    ("host", "ok"),
    [
        pytest.param(b"EXAMPLE.com.", True, id="b156-dot"),
        pytest.param(b"EXAMPLE.COM:443", True, id="b156-port"),
        pytest.param(b"exampleXcom", False, id="b157-no-dot"),
        pytest.param(b"example.com.evil.com", False, id="b157-suffix"),
        pytest.param(b"evil-example.com", False, id="b157-prefix"),
        pytest.param(b"a.b.svc.example", True, id="b157-below"),
        pytest.param(b"svc.example", True, id="b157-itself"),
        pytest.param(b"[::1]:80", False, id="b158-ipv6"),
        pytest.param(b"2130706433", False, id="b158-number"),
        pytest.param(b"xn--e1afmkfd.xn--p1ai", False, id="b159"),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_only_trusted_hosts_are_admitted(host: bytes, ok: bool, kind: str) -> None:
    admit = admission(TRUSTED_HOSTS=TRUSTED)
    if ok:
        assert admit(hosted(host, type=kind)) == ("/", None, "")
    else:
        with pytest.raises(SecurityError):
            admit(hosted(host, type=kind))


def test_hosts_that_a_client_invents_do_not_fill_the_memory() -> None:
    config = {**DEFAULTS, "TRUSTED_HOSTS": [".example.com"]}
    admit = Admission(config, host_matching=False, subdomain_matching=False)
    for number in range(_FRIENDS_KEPT + 2):
        assert admit.trusts(f"h{number}.example.com")
    assert len(admit._friends) <= _FRIENDS_KEPT


def test_a_request_without_a_host_is_not_trusted() -> None:
    with pytest.raises(SecurityError):
        admission(TRUSTED_HOSTS=TRUSTED)(scope_of(headers=[], http_version="1.0"))


@pytest.mark.parametrize(
    ("host", "ok"),
    [
        (b"localhost:5000", True), (b"a.localhost", True), (b"127.0.0.1", True), (b"[::1]:80", True),
        (b"example.com", False), (b"127.0.0.2", False), (b"localhost.evil.com", False),
    ],
)  # fmt: skip
def test_b160_debug_mode_trusts_loopback_only(host: bytes, ok: bool) -> None:
    if ok:
        assert admission(DEBUG=True)(hosted(host))[0] == "/"
    else:
        with pytest.raises(SecurityError):
            admission(DEBUG=True)(hosted(host))
    assert admission()(hosted(host))[0] == "/"


def test_debug_mode_trusts_the_configured_server_too() -> None:
    admit = admission(DEBUG=True, SERVER_NAME="Dev.example:5000")
    for host in (b"dev.example:5000", b"api.dev.example", b"localhost"):
        assert admit(hosted(host))[0] == "/"


def test_a_list_of_trusted_hosts_wins_over_debug_mode() -> None:
    with pytest.raises(SecurityError):
        admission(DEBUG=True, TRUSTED_HOSTS=TRUSTED)(hosted(b"localhost"))


# --- hosts of rules -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "scheme", "domain"),
    [
        (b"Api.Example.com", "http", "api.example.com"),
        (b"example.com:80", "http", "example.com"),
        (b"example.com:8080", "http", "example.com:8080"),
        (b"example.com:443", "wss", "example.com"),
    ],
)
def test_with_host_matching_the_domain_is_the_host(host: bytes, scheme: str, domain: str) -> None:
    assert admission(host=True)(hosted(host, scheme=scheme))[2] == domain


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        (b"example.com", ""),
        (b"example.com:5000", ""),
        (b"EXAMPLE.com.", ""),
        (b"api.example.com:5000", "api"),
        (b"a.b.example.com", "a.b"),
        (b"evilexample.com", "<invalid>"),
        (b"evil.com", "<invalid>"),
        (b"[::1]:5000", "<invalid>"),
        (b"[::1]", "<invalid>"),
    ],
)
def test_with_subdomain_matching_the_domain_is_what_is_before_the_name(
    host: bytes, domain: str
) -> None:
    admit = admission(subdomain=True, SERVER_NAME="Example.com:5000")
    assert admit(hosted(host))[2] == domain


def test_subdomains_need_a_server_name() -> None:
    assert admission(subdomain=True)(hosted(b"api.example.com"))[2] == ""


def test_trust_and_subdomains_may_be_combined() -> None:
    admit = admission(subdomain=True, SERVER_NAME="example.com", TRUSTED_HOSTS=[".example.com"])
    assert admit(hosted(b"api.example.com"))[2] == "api"
    assert admission(TRUSTED_HOSTS=TRUSTED)(hosted(b"example.com"))[2] == ""


# --- origins of handshakes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "ok"),
    [
        pytest.param(handshake(), True, id="b182-none"),
        pytest.param(handshake(b"http://example.com"), True, id="b183-same"),
        pytest.param(handshake(b"https://example.com", scheme="wss"), True, id="b183-same-wss"),
        pytest.param(handshake(b"https://example.com", scheme="https"), True, id="scheme-https"),
        pytest.param(handshake(b"http://example.com:81", host=b"Example.com:81"), True, id="port"),
        pytest.param(handshake(b"http://example.com", host=b"example.com:80"), True, id="port-80"),
        pytest.param(handshake(b"http://evil.example"), False, id="b181"),
        pytest.param(handshake(b"null"), False, id="b183-null"),
        pytest.param(handshake(b""), False, id="b183-empty"),
        pytest.param(handshake(*[b"http://example.com"] * 2), False, id="b183-two"),
        pytest.param(handshake(b"http://example.com", scheme="wss"), False, id="b183-scheme"),
        pytest.param(handshake(b"https://example.com"), False, id="b183-scheme-https"),
        pytest.param(handshake(b"http://example.com:81"), False, id="b183-port"),
        pytest.param(handshake(b"HTTP://EXAMPLE.COM"), False, id="b183-upper-case"),
        pytest.param(handshake(b"http://example.com/"), False, id="b183-slash"),
        pytest.param(handshake(b"http://u@example.com"), False, id="b183-userinfo"),
        pytest.param(handshake(b"http://example.com\xff"), False, id="b183-bytes"),
        pytest.param(handshake(b"https://trusted.com"), True, id="b184-listed"),
        pytest.param(handshake(b"https://trusted.com.evil"), False, id="b184-suffix"),
        pytest.param(handshake(b"https://trustedXcom"), False, id="b184-no-dot"),
        pytest.param(handshake(b"https://trusted.com:444"), False, id="b184-port"),
        pytest.param(
            scope_of(headers=[(b"host", b"a"), (b"origin", b"http://b")]), True, id="http"
        ),
    ],
)
@pytest.mark.parametrize("listed", ["https://Trusted.com", "https://trusted.com/"])
def test_a_handshake_of_a_foreign_page_is_refused(scope: Scope, ok: bool, listed: str) -> None:
    admit = admission(WEBSOCKET_ORIGINS=[listed])
    if ok:
        admit(scope)
    else:
        with pytest.raises(Forbidden):
            admit(scope)


def test_no_list_of_origins_is_an_empty_one() -> None:
    with pytest.raises(Forbidden):
        admission(WEBSOCKET_ORIGINS=None)(handshake(b"http://evil.example"))
