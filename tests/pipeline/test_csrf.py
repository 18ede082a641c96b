"""Cross-site requests: what is checked, by the freeze, and who is let through: D-16, A-81."""

import functools
import logging
from collections.abc import Callable
from typing import Any

import pytest

from erlen import Blueprint, Erlen
from erlen.context import Context
from erlen.exceptions import Forbidden, FrozenError
from erlen.pipeline.csrf import (
    SAFE_METHODS,
    check_origin,
    csrf_exempt,
    guard_origin,
    needs_check,
)
from erlen.pipeline.registry import Declarations
from erlen.views import MethodView, View
from tests.hostile.harness import http_scope

HOST = (b"host", b"example.com")
COOKIE = (b"cookie", b"session=1")
ON = {"CSRF_PROTECTION": True}


def site(value: bytes) -> tuple[bytes, bytes]:
    return b"sec-fetch-site", value


def origin(value: bytes) -> tuple[bytes, bytes]:
    return b"origin", value


@pytest.fixture
def make() -> Callable[..., Context]:
    def context(*headers: tuple[bytes, bytes], trusted: Any = (), **scope: Any) -> Context:
        app = Erlen("shop")
        app.config["CSRF_TRUSTED_ORIGINS"] = trusted
        made = http_scope("/pay", [HOST, *headers], **{"method": "POST", **scope})
        return Context(app, None, made, path="/pay")

    return context


# --- who passes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="neither and no cookie"),
        pytest.param([site(b"same-origin"), COOKIE], id="same-origin"),
        pytest.param([site(b"none"), COOKIE], id="none: the person typed it"),
        pytest.param([site(b"same-origin"), origin(b"http://example.com")], id="both"),
        pytest.param([site(b"same-origin"), origin(b"null")], id="a page without a referrer"),
        pytest.param([origin(b"http://example.com"), COOKIE], id="the host's own"),
        pytest.param([origin(b"https://example.com"), COOKIE], id="behind a proxy that ends TLS"),
    ],
)
def test_d16_request_of_this_site_or_of_no_browser_passes(
    make: Callable[..., Context], headers: list[tuple[bytes, bytes]]
) -> None:
    check_origin(make(*headers))


REFUSED = [
    pytest.param([site(b"cross-site")], "its page is of 'another origin'", id="cross-site"),
    pytest.param([site(b"same-site"), COOKIE], "its page is of 'another origin'", id="same-site"),
    pytest.param(
        [site(b"cross-site"), origin(b"http://evil.example")],
        "its page is of 'http://evil.example'",
        id="cross-site with its origin",
    ),
    pytest.param(
        [site(b"cross-site"), origin(b"http://example.com")],
        "its page is of 'http://example.com'",
        id="cross-site beats an origin that looks right",
    ),
    pytest.param([origin(b"http://evil.example")], "is of 'http://evil.example'", id="other"),
    pytest.param([origin(b"http://example.com.evil")], "example.com.evil", id="suffix"),
    pytest.param([origin(b"http://example.com:81")], "example.com:81", id="port"),
    pytest.param([origin(b"null")], "its page is of 'null'", id="null"),
    pytest.param([COOKIE], "it has a Cookie but no Origin", id="neither but a cookie"),
    pytest.param([origin(b"")], "the Origin '' is malformed", id="empty"),
    pytest.param([origin(b"http://example.com/")], "/' is malformed", id="slash"),
    pytest.param([origin(b"HTTP://EXAMPLE.COM")], "is malformed", id="upper case"),
    pytest.param([origin(b"http://u@example.com")], "is malformed", id="account"),
    pytest.param([origin(b"http://example.com\x9b1m")], r"\\x9b1m' is malformed", id="terminal"),
    pytest.param([origin(b"http://" + b"a" * 500 + b"/")], "…' is malformed", id="long"),
    pytest.param([origin(b"http://a b"), site(b"same-origin")], "is malformed", id="with a site"),
    pytest.param([origin(b"http://example.com")] * 2, "is repeated", id="two origins"),
    pytest.param([site(b"same-origin")] * 2, "is repeated", id="two sites"),
    pytest.param([site(b"same-origin"), site(b"cross-site")], "is repeated", id="both sites"),
    pytest.param([site(b"")], "the Sec-Fetch-Site '' is unknown", id="empty site"),
    pytest.param([site(b"Same-Origin")], "'Same-Origin' is unknown", id="site in upper case"),
    pytest.param([site(b"same-origin, none")], "is unknown", id="list of sites"),
]


@pytest.mark.parametrize(("headers", "reason"), REFUSED)
def test_d16_request_of_another_site_is_refused_and_logged_once(
    make: Callable[..., Context],
    caplog: pytest.LogCaptureFixture,
    headers: list[tuple[bytes, bytes]],
    reason: str,
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(Forbidden) as caught:
        check_origin(make(*headers))
    (record,) = caplog.records
    text = record.getMessage()
    assert (record.name, record.levelname) == ("shop", "INFO")
    assert text.startswith("Refused POST /pay: ")
    assert reason in text
    assert text.isprintable()
    assert len(text) < 300
    to_a_program = "A program sends the Origin of this host" in str(caught.value.description)
    assert to_a_program == (reason == "it has a Cookie but no Origin")


@pytest.mark.parametrize("name", [b"x-requested-with", b"x-csrf-token", b"x-http-method-override"])
def test_a81_no_header_of_the_client_skips_the_check(
    make: Callable[..., Context], name: bytes
) -> None:
    with pytest.raises(Forbidden):
        check_origin(make((name, b"XMLHttpRequest"), site(b"cross-site"), COOKIE))


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("listed", ["https://partner.example", "https://Partner.example/"])
def test_trusted_origin_passes(make: Callable[..., Context], listed: str, scheme: str) -> None:
    partner = origin(b"https://partner.example")
    for headers in ([partner], [partner, site(b"cross-site"), COOKIE]):
        check_origin(make(*headers, trusted=[listed], scheme=scheme))


@pytest.mark.parametrize(
    "headers",
    [
        [origin(b"https://partner.example.evil")],
        [origin(b"https://sub.partner.example")],
        [origin(b"http://partner.example")],
        [origin(b"https://partner.example:444")],
        [origin(b"https://partner.example"), site(b"odd")],
        [site(b"cross-site")],
        [COOKIE],
    ],
)
def test_a49_only_the_trusted_origin_itself_passes(
    make: Callable[..., Context], headers: list[tuple[bytes, bytes]]
) -> None:
    with pytest.raises(Forbidden):
        check_origin(make(*headers, trusted=["https://partner.example"]))


def test_no_list_of_trusted_origins_is_an_empty_one(make: Callable[..., Context]) -> None:
    with pytest.raises(Forbidden):
        check_origin(make(origin(b"http://evil.example"), trusted=None))


def test_request_that_came_by_https_needs_a_page_that_did(make: Callable[..., Context]) -> None:
    check_origin(make(origin(b"https://example.com"), scheme="https"))
    with pytest.raises(Forbidden):
        check_origin(make(origin(b"http://example.com"), scheme="https"))


@pytest.mark.parametrize(
    ("scheme", "port"), [("http", b":80"), ("https", b":443"), ("http", b":8")]
)
def test_ports_are_compared_and_the_default_one_is_none(
    make: Callable[..., Context], scheme: str, port: bytes
) -> None:
    own = scheme.encode() + b"://example.com" + (port if port == b":8" else b"")
    context = make(origin(own), scheme=scheme)
    context.scope["headers"][0] = (b"Host", b"Example.com" + port)
    check_origin(context)


def test_request_without_a_host_has_no_own_origin(make: Callable[..., Context]) -> None:
    context = make(origin(b"http://example.com"))
    context.scope["headers"].pop(0)
    with pytest.raises(Forbidden):
        check_origin(context)


@pytest.mark.parametrize("method", sorted(SAFE_METHODS))
def test_guard_lets_safe_methods_pass(make: Callable[..., Context], method: str) -> None:
    guard_origin(make(site(b"cross-site"), COOKIE, method=method))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"])
def test_guard_checks_every_other_method(make: Callable[..., Context], method: str) -> None:
    with pytest.raises(Forbidden):
        guard_origin(make(site(b"cross-site"), method=method))


# --- what is checked --------------------------------------------------------------------------------


async def view() -> str:
    return ""


def marked() -> Callable[..., Any]:
    @csrf_exempt
    async def hook() -> str:
        return ""

    return hook


def exempt_scope() -> Declarations:
    blueprint = csrf_exempt(Blueprint("hooks", __name__))
    return blueprint.declared


@pytest.mark.parametrize(
    ("methods", "needed"),
    [
        (["GET", "HEAD", "OPTIONS"], False),
        (["TRACE"], False),
        (["GET", "POST"], True),
        (["DELETE"], True),
        ({"PROPFIND"}, True),
        ([], False),
        (None, True),
    ],
)
def test_rule_is_checked_when_a_method_of_it_is_unsafe(methods: Any, needed: bool) -> None:
    assert needs_check(view, methods, [], ON) is needed


def test_protection_can_be_switched_off() -> None:
    assert not needs_check(view, ["POST"], [], {"CSRF_PROTECTION": False})


def test_csrf_exempt_marks_and_returns_the_view() -> None:
    hook = marked()
    assert hook.csrf_exempt is True  # type: ignore[attr-defined]  # that is the mark
    assert not needs_check(hook, ["POST"], [Declarations()], ON)


def test_csrf_exempt_survives_a_decorator_with_wraps_and_a_partial() -> None:
    hook = marked()

    @functools.wraps(hook)
    async def wrapping() -> Any:
        return await hook()

    partial = functools.partial(functools.partial(hook))
    assert not needs_check(wrapping, ["POST"], [], ON)
    assert not needs_check(partial, ["POST"], [], ON)
    assert not needs_check(csrf_exempt(functools.partial(view)), ["POST"], [], ON)
    assert needs_check(functools.partial(view), ["POST"], [], ON)


def test_csrf_exempt_is_for_classes_of_views_too() -> None:
    @csrf_exempt
    class Marked(MethodView):
        async def post(self) -> str:
            return ""

    class Decorated(View):
        decorators = (csrf_exempt,)

    class Plain(View):
        pass

    assert not needs_check(Marked.as_view("a"), ["POST"], [], ON)
    assert not needs_check(Decorated.as_view("b"), ["POST"], [], ON)
    assert needs_check(Plain.as_view("c"), ["POST"], [], ON)


def test_csrf_exempt_of_a_blueprint_is_for_all_its_views() -> None:
    assert not needs_check(view, ["POST"], [Declarations(), exempt_scope()], ON)
    assert needs_check(view, ["POST"], [Declarations(), Declarations()], ON)


async def test_csrf_exempt_of_a_served_blueprint_is_too_late() -> None:
    app, blueprint = Erlen("shop"), Blueprint("hooks", __name__)
    app.register_blueprint(blueprint)
    await app.test_client().get("/")
    with pytest.raises(FrozenError, match="csrf_exempt"):
        csrf_exempt(blueprint)


def test_csrf_exempt_of_what_keeps_no_mark_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"type method\. Give a function, a class or a blueprint"):
        csrf_exempt(MethodView().dispatch_request)
