"""A response: what it is made of, and what of it reaches the wire."""

import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import ClientDisconnected
from erlen.exchange.response import Response, _learn_length
from erlen.protocols import Message
from tests.exchange.sources import AsyncStream, SyncStream
from tests.exchange.wire import Wire


async def sent(response: Response, method: str = "GET") -> Wire:
    wire = Wire(method)
    await response.send(wire)
    assert wire.is_complete
    return wire


# --- RS-1: bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (None, b""), ("é", b"\xc3\xa9"), (b"\xff", b"\xff"), (bytearray(b"a"), b"a"),
        (memoryview(b"a"), b"a"), (["a", b"b"], b"ab"), (("a", bytearray(b"b")), b"ab"), ([], b""),
    ],
)  # fmt: skip
async def test_rs1_a_known_body_has_its_length(value: Any, body: bytes) -> None:
    response = Response(value)
    assert (response.data, response.content_length) == (body, len(body))
    assert (response.is_streamed, response.is_sequence, response.response) == (False, True, [body])
    wire = await sent(response)
    assert (wire.body, dict(wire.headers)[b"content-length"]) == (body, b"%d" % len(body))


@pytest.mark.parametrize("source", [SyncStream, AsyncStream])
async def test_rs1_an_iterable_is_streamed_without_a_length(source: Any) -> None:
    chunks = source("é", b"b", "", bytearray(b"c"), memoryview(b"d"))
    response = Response(chunks)
    assert (response.is_streamed, response.is_sequence, response.response) == (True, False, chunks)
    assert response.content_length is None
    wire = await sent(response)
    assert (wire.body, chunks.closed) == ("é".encode() + b"bcd", 1)
    assert b"content-length" not in dict(wire.headers)


@pytest.mark.parametrize("value", [5, object(), {"a": 1}])
def test_a_body_of_another_kind_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be made of"):
        Response(value)


def test_a_list_of_what_is_no_chunk_is_refused() -> None:
    with pytest.raises(TypeError, match="Give str or bytes"):
        Response([5])  # type: ignore[list-item]  # the wrong type is the case


def test_rs5_the_body_can_be_replaced() -> None:
    response = Response("a")
    response.set_data("b")
    assert response.get_data(as_text=True) == "b"
    response.data = b"c"
    assert response.get_data() == b"c"
    response.response = SyncStream("d")
    assert response.is_streamed
    response.response = "e"
    assert (response.is_streamed, response.data) == (False, b"e")


def test_rs5_a_stream_has_no_data_until_it_is_frozen() -> None:
    with pytest.raises(RuntimeError, match=r"await response\.freeze\(\)"):
        Response(SyncStream("a")).get_data()


@pytest.mark.parametrize("source", [SyncStream, AsyncStream])
async def test_rs5_freezing_collects_and_closes_a_stream(source: Any) -> None:
    chunks = source("a", b"b")
    response = Response(chunks)
    await response.freeze()
    await response.freeze()
    assert (response.data, response.is_streamed, chunks.closed) == (b"ab", False, 1)


@pytest.mark.parametrize("make", [SyncStream, AsyncStream, lambda *chunks: list(chunks)])
async def test_rs5_a_body_is_iterated_as_bytes(make: Any) -> None:
    response = Response(make("é", b"b"))
    assert b"".join([chunk async for chunk in response.iter_encoded()]) == "éb".encode()


async def test_a_stream_that_fails_while_it_is_frozen_is_closed() -> None:
    closed = []

    async def stream() -> AsyncIterator[str]:
        try:
            yield "a"
            raise LookupError
        finally:
            closed.append(True)

    with pytest.raises(LookupError):
        await Response(stream()).freeze()
    assert closed == [True]


@pytest.mark.parametrize(
    ("body", "kind", "options", "value"),
    [
        ("[1]", "application/json", {}, [1]),
        ("[1]", "application/vnd.api+json", {}, [1]),
        ("[1]", "text/plain", {}, None),
        ("[1]", "text/plain", {"force": True}, [1]),
        ("[", "application/json", {"silent": True}, None),
    ],
)
def test_rs5_json_is_read_back(body: str, kind: str, options: Any, value: Any) -> None:
    assert Response(body, mimetype=kind).get_json(**options) == value


def test_rs5_malformed_json_is_an_error_unless_silent() -> None:
    response = Response("[", mimetype="application/json")
    with pytest.raises(ValueError, match="Expecting"):
        _ = response.json


# --- RS-2: media types ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "content_type"),
    [
        ({}, "text/html; charset=utf-8"),
        ({"mimetype": "text/plain"}, "text/plain; charset=utf-8"),
        ({"mimetype": "image/svg+xml"}, "image/svg+xml; charset=utf-8"),
        ({"mimetype": "application/sql"}, "application/sql; charset=utf-8"),
        ({"mimetype": "application/json"}, "application/json"),
        ({"mimetype": "text/html; charset=latin-1"}, "text/html; charset=latin-1"),
        ({"content_type": "text/plain"}, "text/plain"),
        ({"content_type": "a/b", "mimetype": "c/d"}, "a/b"),
        ({"headers": {"Content-Type": "x/y"}}, "x/y"),
        ({"headers": {"content-type": "x/y"}, "mimetype": "c/d"}, "c/d"),
        ({"headers": {"X-A": "1"}}, "text/html; charset=utf-8"),
    ],
)
async def test_rs2_the_content_type_is_chosen(arguments: Any, content_type: str) -> None:
    response = Response("a", **arguments)
    assert response.content_type == content_type
    wire = await sent(Response("a", **arguments))
    assert [value for name, value in wire.headers if name == b"content-type"] == [
        content_type.encode()
    ]


def test_a_subclass_has_its_own_defaults() -> None:
    class Created(Response):
        default_status = 201
        default_mimetype = "text/plain"

    response = Created("a")
    assert (response.status_code, response.mimetype) == (201, "text/plain")


@pytest.mark.parametrize("kind", ["text/plain\r\nX-A: 1", "€"])
def test_b147_a_content_type_that_cannot_be_sent_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="Content-Type"):
        Response("a", content_type=kind)


# --- RS-3: status ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_status", "code", "text"),
    [
        (None, 200, "200 OK"),
        (404, 404, "404 Not Found"),
        (HTTPStatus.CREATED, 201, "201 Created"),
        ("404", 404, "404 Not Found"),
        ("404 Gone Fishing", 404, "404 Gone Fishing"),
        (599, 599, "599 Unknown"),
    ],
)
def test_rs3_every_kind_of_status(given_status: Any, code: int, text: str) -> None:
    response = Response(status=given_status)
    assert (response.status_code, response.status) == (code, text)


BAD_STATUS = [99, 100, 101, 199, 600, 1000, True, "", "Foo", "20", "٢٠٠", 200.0, -1, None]


@pytest.mark.parametrize("value", [each for each in BAD_STATUS if each is not None], ids=repr)
def test_b150_a_status_that_no_response_has_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="Give three digits from 200 to 599"):
        Response(status=value)


@pytest.mark.parametrize("value", BAD_STATUS, ids=repr)
def test_b150_the_code_is_checked_where_it_is_assigned(value: Any) -> None:
    response = Response(status="404 Gone Fishing")
    with pytest.raises(ValueError, match="is not the status"):
        response.status_code = value
    response.status_code = 500
    assert response.status == "500 Internal Server Error"


# --- headers --------------------------------------------------------------------------------------


async def test_rs4_headers_are_sent_as_changed() -> None:
    response = Response("a", headers=[("X-A", "1"), ("X-A", "2")])
    response.headers["X-B"] = "3"
    assert (await sent(response)).headers == [
        (b"x-a", b"1"), (b"x-a", b"2"), (b"content-type", b"text/html; charset=utf-8"),
        (b"x-b", b"3"), (b"content-length", b"1"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["X A", "X:A", "X\r\nA", "", "é"])
def test_b147_a_header_name_that_cannot_be_sent_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="token"):
        Response(headers={name: "1"})


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "a\0b", "a\x0bb", "a\x7fb", "€"])
def test_b147_b148_a_header_value_that_cannot_be_sent_is_refused(value: str) -> None:
    response = Response()
    with pytest.raises(ValueError, match="X-A"):
        response.headers["X-A"] = value


async def test_rs4_location_becomes_a_uri_and_stays_relative() -> None:
    response = Response(status=303)
    response.location = "/é"
    assert (b"location", b"/%C3%A9") in (await sent(response)).headers


def test_b149_cookies_are_checked_by_dump_cookie() -> None:
    response = Response()
    response.set_cookie("a", "1", timedelta(minutes=1), httponly=True, samesite="Lax")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("a=1; Expires=")
    assert cookie.endswith(" GMT; Max-Age=60; HttpOnly; Path=/; SameSite=Lax")
    with pytest.raises(ValueError, match="cookie"):
        response.set_cookie("a;b", "1")
    with pytest.raises(ValueError, match="4093"):
        response.set_cookie("a", "x" * 5000)


def test_rs10_the_limit_of_cookies_is_the_classes() -> None:
    class Wide(Response):
        max_cookie_size = 0

    response = Wide()
    response.set_cookie("a", "x" * 5000)
    assert len(response.headers["Set-Cookie"]) > 5000


def test_rs6_a_deleted_cookie_has_expired() -> None:
    response = Response()
    response.delete_cookie("a", path="/x", secure=True)
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0")
    assert "Path=/x" in cookie


# --- RS-8, B-150: the wire never disagrees with the body ------------------------------------------


@pytest.mark.parametrize("wrong", ["1", "99", "-5", "x", "٣", "9" * 5000])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_b150_a_wrong_content_length_is_recomputed(wrong: str, method: str) -> None:
    response = Response("abc")
    if wrong == "٣":
        response.headers._list.append(("Content-Length", "\xb3"))
    else:
        response.headers.add("Content-Length", wrong)
        response.headers.add("Content-Length", "2")
    wire = await sent(response, method)
    assert [value for name, value in wire.headers if name == b"content-length"] == [b"3"]


@pytest.mark.parametrize("name", ["Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade"])
async def test_b150_the_framing_is_not_the_views(name: str) -> None:
    response = Response("abc", headers={name: "x", "Date": "now"})
    names = dict((await sent(response)).headers)
    assert name.lower().encode() not in names
    assert names[b"date"] == b"now"


@pytest.mark.parametrize("body", ["", "abc"])
@pytest.mark.parametrize(
    ("status", "framing"),
    [(204, []), (205, [(b"content-length", b"0")]), (304, [])],
)
async def test_rs8_a_status_without_a_body_has_none(status: int, framing: Any, body: str) -> None:
    response = Response(body, status=status, headers={"ETag": '"a"', "Content-Length": "3"})
    wire = await sent(response)
    assert wire.body == b""
    assert wire.headers == [(b"etag", b'"a"'), *framing]
    assert (await sent(Response(body, status=status))).headers == framing


async def test_rs8_a_304_keeps_its_validators_only() -> None:
    fields = {
        "Allow": "GET", "Content-Encoding": "br", "Content-Language": "de", "Content-MD5": "x",
        "Content-Range": "bytes 0-1/2", "Last-Modified": "x", "Content-Location": "/a",
        "Expires": "x", "ETag": '"a"', "Cache-Control": "no-cache", "Vary": "Accept",
        "Set-Cookie": "a=1",
    }  # fmt: skip
    wire = await sent(Response("abc", 304, fields))
    kept = [b"content-location", b"expires", b"etag", b"cache-control", b"vary", b"set-cookie"]
    assert [name for name, _ in wire.headers] == kept


@pytest.mark.parametrize(("status", "warnings"), [(204, 1), (205, 1), (304, 0)])
@pytest.mark.parametrize("body", ["abc", SyncStream("a")], ids=["known", "streamed"])
async def test_b150_a_body_that_is_dropped_is_warned_of(
    status: int, warnings: int, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await sent(Response(body, status=status))
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * warnings


async def test_b035_head_has_the_headers_of_get_and_no_body() -> None:
    assert (await sent(Response("abc"), "HEAD")).headers == (await sent(Response("abc"))).headers
    assert (await sent(Response("abc"), "HEAD")).body == b""


async def test_b035_a_head_view_may_declare_the_length_of_what_it_did_not_make() -> None:
    response = Response("", headers={"Content-Length": "7"})
    assert dict((await sent(response, "HEAD")).headers)[b"content-length"] == b"7"
    assert dict((await sent(Response(""), "HEAD")).headers)[b"content-length"] == b"0"


@pytest.mark.parametrize("source", [SyncStream, AsyncStream])
@pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (204, "GET"), (304, "GET")])
async def test_b035_a_stream_that_is_not_sent_is_closed_unread(
    source: Any, status: int, method: str
) -> None:
    chunks = source("a")
    response = Response(chunks, status=status)
    wire = await sent(response, method)
    assert (wire.body, chunks.given, chunks.closed) == (b"", 0, 1)
    assert b"content-length" not in dict(wire.headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_stream_may_declare_its_length(method: str) -> None:
    response = Response(AsyncStream("ab", "c"))
    response.content_length = 3
    assert response.content_length == 3
    wire = await sent(response, method)
    assert dict(wire.headers)[b"content-length"] == b"3"
    assert wire.body == (b"abc" if method == "GET" else b"")


def test_a_declared_length_can_be_taken_back() -> None:
    response = Response(AsyncStream("ab"))
    response.content_length = 3
    response.content_length = None
    assert response.content_length is None


@given(
    st.binary(max_size=20),
    st.sampled_from([200, 204, 205, 206, 304, 404, 500]),
    st.sampled_from(["GET", "HEAD", "POST"]),
    st.one_of(st.none(), st.text("0123456789-", max_size=4)),
)
def test_b150_length_and_body_agree_for_every_response(
    body: bytes, status: int, method: str, declared: str | None
) -> None:
    response = Response(body, status=status)
    if declared is not None:
        response.headers["Content-Length"] = declared
    wire = Wire(method)
    anyio.run(response.send, wire)
    lengths = [int(value) for name, value in wire.headers if name == b"content-length"]
    if method == "HEAD" or status in {204, 304}:
        assert wire.body == b""
    else:
        assert lengths == [len(wire.body)]


async def test_the_fast_path_makes_no_headers_object() -> None:
    response = Response("abc")
    await sent(response)
    assert response._headers is None


# --- the end --------------------------------------------------------------------------------------


def closing(response: Response, calls: list[str]) -> None:
    @response.call_on_close
    def plain() -> None:
        calls.append("plain")

    @response.call_on_close
    def failing() -> None:
        calls.append("failing")
        raise LookupError

    @response.call_on_close
    async def later() -> None:
        calls.append("later")

    response.call_on_close(lambda: [later()][0])


@pytest.mark.parametrize("body", ["a", AsyncStream("a")], ids=["known", "streamed"])
async def test_rs5_what_waits_for_the_close_runs_after_the_last_byte(
    body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []
    response = Response(body)
    closing(response, calls)
    await sent(response)
    assert calls == ["plain", "failing", "later", "later"]
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_a_response_that_is_given_up_is_closed_too() -> None:
    calls: list[str] = []
    chunks = AsyncStream("a")
    response = Response(chunks)
    response.call_on_close(lambda: calls.append("closed"))
    wire = Wire()
    await response.give_up(wire)
    assert (wire.sent, chunks.closed, calls) == ([], 1, ["closed"])


@pytest.mark.parametrize("error", [OSError, BrokenPipeError])
@pytest.mark.parametrize("failing", [1, 2])
@pytest.mark.parametrize(
    "make", [lambda: "abc", lambda: AsyncStream("a")], ids=["known", "streamed"]
)
async def test_b327_a_send_that_finds_nobody_says_that_the_client_left(
    error: type[OSError], failing: int, make: Callable[[], Any]
) -> None:
    calls = 0

    class Broken(Wire):
        async def send(self, message: Message) -> None:
            nonlocal calls
            calls += 1
            if calls == failing:
                raise error

    body = make()
    with pytest.raises(ClientDisconnected):
        await Response(body).send(Broken())
    assert calls == failing
    assert getattr(body, "closed", 1) == 1


async def test_an_oserror_of_the_users_stream_is_the_users() -> None:
    failure = FileNotFoundError("gone")

    async def stream() -> AsyncIterator[str]:
        yield "a"
        raise failure

    with pytest.raises(FileNotFoundError) as caught:
        await Response(stream()).send(Wire())
    assert caught.value is failure


async def test_another_error_of_send_is_the_servers() -> None:
    class Broken(Wire):
        async def send(self, message: Message) -> None:
            raise LookupError

    with pytest.raises(LookupError):
        await Response("a").send(Broken())


class Own(Response):
    """A response class of an application."""


class Derived(Own):
    """And one of that."""


@pytest.mark.parametrize(("given", "becomes"), [(Response, Own), (Own, Own), (Derived, Derived)])
def test_rs11_a_response_is_made_one_of_another_class(given: Any, becomes: Any) -> None:
    response = given("a")
    assert Own.force_type(response) is response
    assert type(response) is becomes


@pytest.mark.parametrize("value", [None, "a", {}])
def test_rs11_what_is_no_response_becomes_none(value: Any) -> None:
    with pytest.raises(TypeError, match="is no response"):
        Own.force_type(value)


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (Response("abc"), "<Response 3 bytes [200 OK]>"),
        (Response(SyncStream(), 404), "<Response streamed [404 Not Found]>"),
    ],
)
def test_the_repr_says_size_and_status(response: Response, text: str) -> None:
    assert repr(response) == text


def test_rs1_direct_passthrough_is_taken_and_changes_nothing() -> None:
    response = Response(b"a", 206, mimetype="video/mp4", direct_passthrough=True)
    assert (response.data, response.status_code) == (b"a", 206)


def test_lengths_are_kept_for_so_many_sizes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[int, Any] = {}
    monkeypatch.setattr("erlen.exchange.response._LENGTHS", kept)
    monkeypatch.setattr("erlen.exchange.response._LENGTHS_KEPT", 2)
    assert [_learn_length(size)[1] for size in (1, 2, 3)] == [b"1", b"2", b"3"]
    assert sorted(kept) == [1, 2]
