"""Catalogue 2.10: headers, cookies and lengths that the application sets."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest

from erlen import abort, request
from erlen.exchange.response import Response
from erlen.wire.params import dump_options_header, parse_options_header
from tests.hostile.application import Hostile, make_app
from tests.hostile.harness import HOST, Answer, Bare


async def answer_of(make: Callable[[], Any], method: str = "GET") -> Answer:
    """Return what a client gets of a view that returns what *make* returns."""
    app = make_app()

    @app.view("/made")
    async def made() -> Any:
        return make()

    return await Bare(app, app.ran).http("/made", method=method)


def with_header(name: str, value: str) -> Callable[[], Response]:
    def make() -> Response:
        response = Response("body")
        response.headers[name] = value
        return response

    return make


def with_cookie(*args: Any, **options: Any) -> Callable[[], Response]:
    def make() -> Response:
        response = Response("body")
        response.set_cookie(*args, **options)
        return response

    return make


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(with_header("X-A", "a\r\nX-B: 1"), id="b147-crlf"),
        pytest.param(with_header("X-A", "a\nb"), id="b147-lf"),
        pytest.param(with_header("X-A", "a\rb"), id="b147-cr"),
        pytest.param(with_header("X-A", "a\0b"), id="b147-nul"),
        pytest.param(with_header("X-A", "a\x1b[1m"), id="b147-escape"),
        pytest.param(with_header("X-A", "a\x0bb"), id="b147-vertical-tab"),
        pytest.param(with_header("X-A", "a\x7fb"), id="b147-delete"),
        pytest.param(with_header("X A", "a"), id="b147-name-space"),
        pytest.param(with_header("X:A", "a"), id="b147-name-colon"),
        pytest.param(with_header("X\r\nA", "a"), id="b147-name-crlf"),
        pytest.param(with_header("", "a"), id="b147-name-empty"),
        pytest.param(with_header("X-é", "a"), id="b147-name-not-ascii"),
        pytest.param(with_header("X-A", "€"), id="b148-euro"),
        pytest.param(with_header("X-A", "\U0001f600"), id="b148-emoji"),
        pytest.param(lambda: ("a", 200, {"X-A": "a\nb"}), id="b147-in-a-tuple"),
        pytest.param(with_cookie("a;b", "1"), id="b149-name-semicolon"),
        pytest.param(with_cookie("a=b", "1"), id="b149-name-equals"),
        pytest.param(with_cookie("a b", "1"), id="b149-name-space"),
        pytest.param(with_cookie("a\r\nb", "1"), id="b149-name-crlf"),
        pytest.param(with_cookie("", "1"), id="b149-name-empty"),
        pytest.param(with_cookie("__Host-a", "1"), id="b149-host-not-secure"),
        pytest.param(with_cookie("__Host-a", "1", domain="a.com", secure=True), id="b149-host-domain"),
        pytest.param(with_cookie("__Secure-a", "1"), id="b149-secure-prefix"),
        pytest.param(with_cookie("a", "1", samesite="None"), id="b149-samesite-none"),
        pytest.param(with_cookie("a", "a\x01b"), id="b149-control"),
        pytest.param(with_cookie("a", "x" * 5000), id="b149-5000"),
        pytest.param(with_cookie("a", "1", domain="a.com; HttpOnly"), id="b149-domain"),
        pytest.param(with_cookie("a", "1", path="/;Secure"), id="b149-path"),
        pytest.param(with_cookie("a", "1", max_age="1; x"), id="b149-max-age"),
        pytest.param(with_cookie("a", "1", max_age=float("nan")), id="b149-max-age-nan"),
        pytest.param(with_cookie("a", "1", max_age=float("inf")), id="b149-max-age-inf"),
        pytest.param(with_cookie("a", "1", expires=10.0**12), id="b149-expires"),
        pytest.param(with_cookie("a", "1", expires="1 Jan 10000 00:00:00 GMT"), id="b149-year-10000"),
        pytest.param(with_cookie("a", "1", expires="x; Secure"), id="b149-expires-text"),
        pytest.param(with_cookie("a\0", "1"), id="b149-name-nul"),
        pytest.param(with_cookie("é", "1"), id="b149-name-not-ascii"),
        pytest.param(with_cookie("a", "1\r\nX-B: 1"), id="b149-crlf"),
        pytest.param(with_cookie("a", "\ud800"), id="b149-surrogate"),
        pytest.param(with_cookie("a", "1", samesite="Lax; Secure"), id="b149-samesite"),
        pytest.param(with_cookie("a", "1", domain="a.com\r\nX-B: 1"), id="b149-domain-crlf"),
        pytest.param(with_cookie("a", "1", path="/\r\nX-B: 1"), id="b149-path-crlf"),
        pytest.param(with_cookie("__HOST-a", "1", secure=True, path="/b"), id="b149-host-path"),
        pytest.param(with_cookie("a", "1", samesite="none", domain="a.com"), id="b149-none-insecure"),
        *[
            pytest.param(lambda status=status: ("a", status), id=f"b150-status-{status}")
            for status in (99, 100, 101, 103, 1000, -1, True, "Foo", "20", 200.5)
        ],
    ],
)  # fmt: skip
async def test_what_cannot_be_sent_is_one_complete_500(make: Callable[[], Any]) -> None:
    answer = await answer_of(make)
    assert (answer.status, len(answer.log)) == (500, 1)
    assert answer.log[0].exc_info
    assert answer.log[0].exc_info[0] in {ValueError, TypeError}
    assert b"set-cookie" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("length", ["1", "99", "-4", "x"])
async def test_b150_a_wrong_length_is_recomputed(method: str, length: str) -> None:
    def make() -> Response:
        response = Response("body")
        response.headers.add("Content-Length", length)
        response.headers.add("Content-Length", "2")
        return response

    answer = await answer_of(make, method)
    assert answer.headers[b"content-length"] == b"4"
    assert answer.body == (b"body" if method == "GET" else b"")


@pytest.mark.parametrize("name", ["Transfer-Encoding", "Connection"])
async def test_b150_framing_of_the_view_is_not_sent(name: str) -> None:
    assert name.lower().encode() not in (await answer_of(with_header(name, "close"))).headers


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_b150_a_status_without_a_body_has_none(status: int) -> None:
    answer = await answer_of(lambda: ("body", status))
    assert (answer.status, answer.body) == (status, b"")
    assert len(answer.log) == (status != 304)


async def test_b150_a_date_of_the_view_is_sent() -> None:
    assert (await answer_of(with_header("Date", "x"))).headers[b"date"] == b"x"


async def test_b148_latin_1_is_sent_as_it_is() -> None:
    assert (await answer_of(with_header("X-A", "é"))).headers[b"x-a"] == b"\xe9"


@pytest.mark.parametrize(
    ("options", "text"),
    [({"max_age": -1}, b"Max-Age=-1"), ({"expires": 0}, b"Expires=Thu, 01 Jan 1970 00:00:00 GMT")],
)
async def test_b149_a_cookie_may_expire_at_once(options: Any, text: bytes) -> None:
    assert text in (await answer_of(with_cookie("a", "1", **options))).headers[b"set-cookie"]


async def test_b150_a_status_with_its_phrase_is_that_status() -> None:
    assert (await answer_of(lambda: ("a", "201 Made"))).status == 201


async def test_b149_a_sound_cookie_has_all_its_attributes() -> None:
    make = with_cookie(
        "__Host-a", "1", max_age=60, expires=0, secure=True, httponly=True, samesite="strict",
        partitioned=True,
    )  # fmt: skip
    assert (await answer_of(make)).headers[b"set-cookie"] == (
        b"__Host-a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60; Secure; HttpOnly; Path=/; "
        b"SameSite=Strict; Partitioned"
    )


async def test_b149_a_partitioned_cookie_is_secure() -> None:
    sent = (await answer_of(with_cookie("a", "1", partitioned=True))).headers[b"set-cookie"]
    assert sent == b"a=1; Secure; Path=/; Partitioned"


@pytest.mark.parametrize("value", ["a;b", 'a"b', "a,b", "é"])
async def test_b149_a_cookie_value_that_needs_it_is_quoted(value: str) -> None:
    sent = (await answer_of(with_cookie("a", value))).headers[b"set-cookie"]
    assert sent.count(b";") == 1
    assert sent.endswith(b"; Path=/")


@pytest.mark.parametrize("name", ["résumé.pdf", 'a"b.txt', "a\\b;c.txt", "😀.png"])
async def test_b148_a_parameter_of_a_header_has_a_form_for_any_text(name: str) -> None:
    """RFC 8187: what latin-1 cannot carry is percent-encoded UTF-8."""
    header = dump_options_header("attachment", {"filename": name})
    sent = (await answer_of(with_header("Content-Disposition", header))).headers
    assert sent[b"content-disposition"].isascii()
    assert parse_options_header(header)[1] == {"filename": name}


# --- errors for clients that prefer JSON: RFC 9457 --------------------------------------------------

PREFERS_JSON = [HOST, (b"accept", b"application/json")]


def failing() -> Hostile:
    app = make_app()

    @app.view("/fails/<what>", methods=["GET", "POST"])
    async def fails(what: str) -> Any:
        if what == "abort":
            abort(409, "Taken by “x”.")
        if what == "raise":
            raise LookupError
        if what == "header":
            return with_header("X-A", "\n")()
        return await request.get_json(force=True) if what == "bad-json" else None

    @app.view("/ws/fails/<what>", websocket=True)
    async def ws_fails(what: str) -> Any:
        if what == "raise":
            raise LookupError
        abort(401)

    return app


@pytest.mark.parametrize(
    ("path", "scope", "status"),
    [
        ("/nowhere", {}, 404),
        ("/ok", {"method": "POST"}, 405),
        ("/x/%00", {}, 400),
        ("/ok", {"headers": [*PREFERS_JSON, HOST]}, 400),
        ("/ok", {"headers": [*PREFERS_JSON, (b"x", b"a" * 70_000)]}, 431),
        ("/ok", {"query_string": b"a" * 20_000}, 414),
        (
            "/data",
            {"method": "POST", "headers": [*PREFERS_JSON, (b"content-length", b"99999999")]},
            413,
        ),
        ("/json", {"method": "POST"}, 415),
        ("/fails/bad-json", {"method": "POST", "body": b"{"}, 400),
        ("/fails/abort", {}, 409),
        ("/fails/raise", {}, 500),
        ("/fails/nothing", {}, 500),
        ("/fails/header", {}, 500),
    ],
)
async def test_an_error_of_any_kind_is_problem_details(
    path: str, scope: dict[str, Any], status: int
) -> None:
    app = failing()
    scope = {"headers": PREFERS_JSON, **scope}
    answer = await Bare(app, app.ran).http(unquote(path), raw_path=path.encode(), **scope)
    check_problem(answer, status)


@pytest.mark.parametrize(
    ("path", "more", "status"),
    [
        ("/ws/nowhere", [], 404),
        ("/ws/abort/403", [], 403),
        ("/ws/fails/abort", [], 401),
        ("/ws/fails/raise", [], 500),
        ("/ws/accepting", [(b"origin", b"http://evil.example")], 403),
        ("/ws/accepting", [HOST], 400),
    ],
)
async def test_a_denial_of_a_websocket_is_problem_details(
    path: str, more: list[tuple[bytes, bytes]], status: int
) -> None:
    app = failing()
    answer = await Bare(app, app.ran).websocket(path, headers=[*PREFERS_JSON, *more])
    assert answer.kinds[0] == "http.response.start"
    check_problem(answer, status)


def check_problem(answer: Answer, status: int) -> None:
    problem = json.loads(answer.body)
    assert (answer.status, problem["status"], problem["type"]) == (status, status, "about:blank")
    assert problem["title"]
    assert answer.headers[b"content-type"] == b"application/problem+json"
    assert int(answer.headers[b"content-length"]) == len(answer.body)
