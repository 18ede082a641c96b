"""Catalogue 2.9: ranges and conditions, on thirteen bytes that are known or come from a source."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from erlen import Response, abort, request
from erlen.exchange.connection import Connection
from erlen.wire.dates import http_date
from tests.exchange.sources import THIRTEEN, KnownSource
from tests.exchange.wire import scope_of, settings
from tests.hostile.application import Hostile
from tests.hostile.harness import HOST, Answer, Bare

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"
EVERY = ["GET", "HEAD", "POST", "PUT"]

Ask = Callable[..., Any]


@pytest.fixture(params=["known", "source"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Ask for the thirteen bytes; the source is closed once, whatever the answer."""
    app = Hostile()
    sources: list[KnownSource] = []

    def body(data: bytes = THIRTEEN) -> Any:
        if request.param == "known":
            return data
        sources.append(KnownSource(data))
        return sources[-1]

    add_views(app, body)
    server = Bare(app, app.ran)

    async def ask(
        fields: dict[str, str] | None = None, path: str = "/file", **scope: Any
    ) -> Answer:
        pairs = [(name.lower().encode(), value.encode()) for name, value in (fields or {}).items()]
        return await server.http(path, headers=(HOST, *pairs), **scope)

    yield ask
    assert all(source.closed == 1 for source in sources)


def add_views(app: Hostile, body: Callable[..., Any]) -> None:
    @app.view("/ok")
    async def ok() -> str:
        return "ok"

    @app.view("/file", methods=EVERY)
    async def file() -> Response:
        response = Response(body(), mimetype="text/plain", headers={"ETag": '"x"'})
        response.last_modified = DATE
        response.vary.add("Cookie")
        response.cache_control.max_age = 60
        response.set_cookie("a", "1")
        return await obey(response)

    @app.view("/empty")
    async def empty() -> Response:
        return await obey(Response(body(b"")))

    @app.view("/encoded")
    async def encoded() -> Response:
        headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return await obey(Response(body(), headers=headers))

    @app.view("/missing")
    async def missing() -> Response:
        return await obey(Response(body(), 404))

    @app.view("/failed")
    async def failed() -> None:
        abort(500)

    @app.view("/stream")
    async def chunks() -> Response:
        async def numbers() -> AsyncIterator[bytes]:
            yield THIRTEEN

        return await obey(Response(numbers()))


async def obey(response: Response) -> Response:
    try:
        return response.make_conditional(request, accept_ranges=True)
    except BaseException:
        await response.close()
        raise


def span_of(got: Answer) -> tuple[int, bytes | None, bytes]:
    """Return status, Content-Range and body; the length must be that of the body."""
    assert got.headers[b"content-length"] == b"%d" % len(got.body)
    return got.status, got.headers.get(b"content-range"), got.body


# --- ranges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        pytest.param("bytes=0-4", 0, 5, id="b121"),
        pytest.param("bytes=-99999", 0, 13, id="b124"),
        pytest.param("BYTES=0-1", 0, 2, id="b127"),
        pytest.param("bytes=0-,0-,0-", 0, 13, id="b130"),
        pytest.param("bytes=2-5,4-9,0-3", 0, 10, id="b130-overlapping"),
        pytest.param("bytes=0-9223372036854775808", 0, 13, id="b132"),
        pytest.param("bytes= 0-4 ", 0, 5, id="b125-blanks"),
    ],
)
async def test_one_range_is_a_206(ask: Ask, asked: str, start: int, stop: int) -> None:
    content_range = b"bytes %d-%d/13" % (start, stop - 1)
    assert span_of(await ask({"Range": asked})) == (206, content_range, THIRTEEN[start:stop])


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param("bytes=5-2", id="b122"),
        pytest.param("bytes=--5", id="b125-two-dashes"),
        pytest.param("bytes=", id="b125-nothing"),
        pytest.param("bytes=-", id="b125-dash"),
        pytest.param("bytes=a-b", id="b125-letters"),
        pytest.param("bytes 0-1", id="b125-no-equals"),
        pytest.param("bytes=0-1,", id="b125-comma"),
        pytest.param("items=0-5", id="b126"),
        pytest.param("bytes=" + ",".join(["0-0"] * 17), id="b129-17"),
        pytest.param("bytes=" + ",".join(["0-0"] * 5000), id="b129-5000"),
        pytest.param("bytes=" + ",".join(["0-"] * 20000), id="b129-20000"),
        pytest.param("bytes=\u0660-\u0664", id="b131-arabic"),
        pytest.param("bytes=0-²", id="b131-superscript"),
        pytest.param("bytes=1_0-12", id="b131-underscore"),
        pytest.param("bytes=+0-1", id="b131-plus"),
        pytest.param("bytes=0-" + "9" * 5000, id="b131-5000-digits"),
    ],
)
async def test_what_is_no_range_is_ignored(ask: Ask, asked: str) -> None:
    assert span_of(await ask({"Range": asked})) == (200, None, THIRTEEN)


@pytest.mark.parametrize(
    ("asked", "path", "length"),
    [
        pytest.param("bytes=999-", "/file", 13, id="b123"),
        pytest.param("bytes=13-", "/file", 13, id="b123-the-end"),
        pytest.param("bytes=-0", "/file", 13, id="b133"),
        pytest.param("bytes=0-0", "/empty", 0, id="b136"),
        pytest.param("bytes=-1", "/empty", 0, id="b136-suffix"),
    ],
)
async def test_a_range_of_nothing_is_a_416(ask: Ask, asked: str, path: str, length: int) -> None:
    got = await ask({"Range": asked}, path)
    assert (got.status, got.headers[b"content-range"]) == (416, b"bytes */%d" % length)
    assert THIRTEEN not in got.body


async def test_b128_two_ranges_are_a_multipart_body(ask: Ask) -> None:
    got = await ask({"Range": "bytes=0-1,3-4"})
    kind, _, boundary = got.headers[b"content-type"].partition(b"; boundary=")
    head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes "
    body = b"--%b\r\n%b0-1/13\r\n\r\n01\r\n--%b\r\n%b3-4/13\r\n\r\n34\r\n--%b--\r\n" % (
        boundary, head, boundary, head, boundary,
    )  # fmt: skip
    assert kind == b"multipart/byteranges"
    assert span_of(got) == (206, None, body)


async def test_b130_no_body_is_larger_than_the_whole_and_its_framing(ask: Ask) -> None:
    asked = ",".join(f"{n}-{n}" for n in range(0, 13, 2)) + ",0-0,2-3,-1"
    got = await ask({"Range": f"bytes={asked}"})
    assert got.status == 206
    assert len(got.body) < 13 + 7 * 130
    assert got.body.count(b"Content-Range") == 6


@pytest.mark.parametrize(
    ("path", "scope", "status"),
    [
        pytest.param("/file", {"method": "POST"}, 200, id="b134-post"),
        pytest.param("/file", {"method": "PUT"}, 200, id="b134-put"),
        pytest.param("/missing", {}, 404, id="b134-404"),
        pytest.param("/nowhere", {}, 404, id="b134-no-rule"),
        pytest.param("/stream", {}, 200, id="b134-stream"),
    ],
)
async def test_a_range_is_ignored(ask: Ask, path: str, scope: Any, status: int) -> None:
    got = await ask({"Range": "bytes=0-4"}, path, **scope)
    assert (got.status, b"content-range" in got.headers) == (status, False)


async def test_b134_a_range_of_a_500_is_ignored(ask: Ask) -> None:
    got = await ask({"Range": "bytes=0-4"}, "/failed")
    assert (got.status, b"content-range" in got.headers) == (500, False)


async def test_b135_an_encoded_body_is_sent_whole(ask: Ask) -> None:
    got = await ask({"Range": "bytes=0-4"}, "/encoded")
    assert span_of(got) == (200, None, THIRTEEN)
    assert got.headers[b"vary"] == b"Accept-Encoding"
    assert b"accept-ranges" not in got.headers


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        pytest.param('"x"', 206, id="b137-strong"),
        pytest.param('"y"', 200, id="b137-other"),
        pytest.param('W/"x"', 200, id="b137-weak"),
        pytest.param(DATE, 206, id="b137-date"),
        pytest.param(LATER, 200, id="b137-later"),
        pytest.param("junk", 200, id="b137-junk"),
        pytest.param("*", 200, id="b137-star"),
        pytest.param('"x', 200, id="b137-unterminated"),
        pytest.param('"x", "x"', 200, id="b137-list"),
    ],
)
async def test_a_range_needs_the_representation_that_it_is_of(
    ask: Ask, condition: str, status: int
) -> None:
    got = await ask({"Range": "bytes=0-4", "If-Range": condition})
    assert (got.status, got.body) == (status, THIRTEEN[:5] if status == 206 else THIRTEEN)


# --- conditions -----------------------------------------------------------------------------------


MANY = ",".join(f'"{n % 256:02x}"' for n in range(10_000))


@pytest.mark.parametrize(
    ("field", "status"),
    [
        pytest.param("*", 304, id="b138-star"),
        pytest.param('"y", W/"x"', 304, id="b138-weak-in-a-list"),
        pytest.param("x", 200, id="b138-unquoted"),
        pytest.param(MANY, 200, id="b138-10000"),
        pytest.param(MANY + ', "x"', 304, id="b138-last-of-10000"),
        pytest.param('"a,x,b"', 200, id="b138-comma"),
        pytest.param('"a,b", "x"', 304, id="b138-comma-in-a-tag"),
        pytest.param('"x', 200, id="b138-unterminated"),
        pytest.param('"y", "x', 200, id="b138-unterminated-in-a-list"),
        pytest.param(",,,", 200, id="b138-commas"),
    ],
)
async def test_the_tags_that_a_client_has_decide(ask: Ask, field: str, status: int) -> None:
    assert (await ask({"If-None-Match": field})).status == status


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(("field", "status"), [('"x"', 412), ("*", 412), ('"y"', 200)])
async def test_b139_a_write_that_must_not_overwrite_is_412(
    ask: Ask, field: str, status: int, method: str
) -> None:
    got = await ask({"If-None-Match": field}, method=method)
    assert (got.status, got.body) == (status, b"" if status == 412 else THIRTEEN)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({"If-None-Match": '"y"', "If-Modified-Since": DATE}, 200, id="b140"),
        pytest.param({"If-None-Match": '"x"', "If-Modified-Since": DATE}, 304, id="b140-both"),
        pytest.param({"If-Match": '"y"'}, 412, id="b141-mismatch"),
        pytest.param({"If-Match": 'W/"x"'}, 412, id="b141-weak"),
        pytest.param({"If-Match": "*"}, 200, id="b141-star"),
        pytest.param({"If-Match": '"y", "x"'}, 200, id="b141-list"),
        pytest.param({"If-Unmodified-Since": DATE}, 200, id="b141-date"),
        pytest.param(
            {"If-Unmodified-Since": "Sat, 05 Nov 1994 08:49:37 GMT"}, 412, id="b141-earlier"
        ),
        pytest.param({"If-Modified-Since": DATE}, 304, id="b142-valid"),
        pytest.param({"If-Modified-Since": LATER}, 304, id="b142-later"),
        pytest.param({"If-Modified-Since": http_date(time.time() + 9e8)}, 304, id="b142-future"),
    ],
)
async def test_the_conditions_decide_in_their_order(
    ask: Ask, fields: dict[str, str], status: int
) -> None:
    assert (await ask(fields)).status == status


@pytest.mark.parametrize(
    "date",
    [
        pytest.param("junk", id="b142-junk"),
        pytest.param("Sun, 06 Nov 99999999999 08:49:37 GMT", id="b142-year"),
        pytest.param("Sun, 06 Nov 2094 99:49:37 GMT", id="b142-hour"),
        pytest.param("Sun, 06 Nov 2094 08:49:37 +9999999999999999", id="b142-zone"),
        pytest.param("Sun, ٠٦ Nov 2094 08:49:37 GMT", id="b142-arabic"),
        pytest.param("", id="b142-empty"),
        pytest.param("Sun, " * 13_000, id="b142-64-kib"),
        pytest.param("Sun, 31 Feb 2094 08:49:37 GMT", id="b142-no-such-day"),
    ],
)
@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since", "If-Range"])
async def test_b142_a_date_that_is_none_is_ignored(ask: Ask, name: str, date: str) -> None:
    assert (await ask({name: date})).status == 200


@pytest.mark.parametrize("date", ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
async def test_b142_a_date_in_an_old_form_counts(ask: Ask, date: str) -> None:
    assert (await ask({"If-Modified-Since": date})).status == 304


async def test_b143_a_304_keeps_what_caches_need(ask: Ask) -> None:
    got = await ask({"If-None-Match": '"x"'})
    assert (got.status, got.body) == (304, b"")
    assert {b"etag", b"vary", b"cache-control", b"set-cookie"} <= set(got.headers)
    assert not {b"content-length", b"content-type", b"last-modified"} & set(got.headers)


async def test_b143_a_head_has_the_length_and_no_body(ask: Ask) -> None:
    got, whole = await ask(method="HEAD"), await ask()
    assert (got.status, got.body, got.headers) == (200, b"", whole.headers)
    assert (await ask({"If-None-Match": '"x"'}, method="HEAD")).status == 304


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        pytest.param({"Range": "bytes=" + ",".join(["0-"] * 20_000)}, 0.005, id="b129"),
        pytest.param({"If-None-Match": MANY}, 0.05, id="b138"),
        pytest.param({"If-None-Match": '"' * 60_000}, 0.05, id="b138-quotes"),
        pytest.param({"If-Modified-Since": "Sun, " * 12_000}, 0.05, id="b142"),
    ],
)
def test_a_long_field_costs_little(fields: dict[str, str], seconds: float) -> None:
    pairs = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    best = 1.0
    for _ in range(5):
        asked = Connection(scope_of(headers=pairs), settings())
        started = time.perf_counter()
        response = Response(THIRTEEN, headers={"ETag": '"x"', "Last-Modified": DATE})
        response.make_conditional(asked, accept_ranges=True)
        best = min(best, time.perf_counter() - started)
    assert (response.status_code, best < seconds) == (200, True), best
