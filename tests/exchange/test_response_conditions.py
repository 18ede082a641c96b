"""Validators, conditions and ranges, of a body that is known and of a source."""

from typing import Any

import pytest

from erlen.exceptions import RequestedRangeNotSatisfiable
from erlen.exchange.connection import Connection
from erlen.exchange.response import Response
from tests.exchange.sources import THIRTEEN, AsyncStream, KnownSource, SyncStream
from tests.exchange.wire import Wire, scope_of, settings

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"
EITHER = pytest.mark.parametrize("make", [lambda: THIRTEEN, KnownSource], ids=["bytes", "source"])


def asking(fields: dict[str, str], method: str = "GET") -> Connection:
    """Return a request with these fields."""
    pairs = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    return Connection(scope_of(headers=pairs, method=method), settings())


def conditional(
    fields: dict[str, str], method: str = "GET", status: int = 200, body: Any = THIRTEEN
) -> Response:
    """Return the answer of thirteen bytes that have a tag and a date."""
    response = Response(body, status, {"ETag": '"x"', "Last-Modified": DATE})
    return response.make_conditional(asking(fields, method), accept_ranges=True)


async def sent(response: Response, method: str = "GET") -> Wire:
    wire = Wire(method)
    await response.send(wire)
    assert wire.is_complete
    if method == "GET" and response.status_code != 304:
        assert dict(wire.headers)[b"content-length"] == b"%d" % len(wire.body)
    return wire


# --- validators -----------------------------------------------------------------------------------


def test_rs6_an_etag_is_quoted_and_unquoted() -> None:
    response = Response("a")
    assert response.get_etag() == (None, None)
    response.set_etag("x", weak=True)
    assert (response.headers["ETag"], response.get_etag()) == ('W/"x"', ("x", True))


def test_rs6_an_etag_is_made_of_the_body_unless_there_is_one() -> None:
    first, second = Response("a"), Response("b")
    first.add_etag()
    second.add_etag()
    assert first.headers["ETag"] != second.headers["ETag"]
    first.set_etag("x")
    first.add_etag()
    assert first.get_etag() == ("x", False)
    first.add_etag(overwrite=True)
    assert first.get_etag() != ("x", False)


# --- conditions -----------------------------------------------------------------------------------


@EITHER
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({}, 200, id="none"),
        pytest.param({"If-None-Match": '"x"'}, 304, id="sf7-match"),
        pytest.param({"If-None-Match": 'W/"x"'}, 304, id="sf7-weak"),
        pytest.param({"If-None-Match": "*"}, 304, id="b138-star"),
        pytest.param({"If-None-Match": '"y"', "If-Modified-Since": DATE}, 200, id="b140"),
        pytest.param({"If-Modified-Since": DATE}, 304, id="sf7-date"),
        pytest.param({"If-Match": '"y"'}, 412, id="b141-mismatch"),
        pytest.param({"If-Match": "*"}, 200, id="b141-star"),
        pytest.param({"If-None-Match": '"x"', "Range": "bytes=0-4"}, 304, id="before-the-range"),
        pytest.param({"If-Match": '"y"', "Range": "bytes=99-"}, 412, id="before-the-416"),
    ],
)
async def test_conditions_decide_the_status(
    fields: dict[str, str], status: int, method: str, make: Any
) -> None:
    body = make()
    response = conditional(fields, method, body=body)
    wire = await sent(response, method)
    assert wire.status == status
    assert wire.body == (THIRTEEN if (method, status) == ("GET", 200) else b"")
    assert getattr(body, "closed", 1) == 1
    length = dict(wire.headers).get(b"content-length")
    assert length == {200: b"13", 304: None, 412: b"0"}[status]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({"If-None-Match": '"x"'}, 412, id="b139"),
        pytest.param({"If-None-Match": "*"}, 412, id="b139-star"),
        pytest.param({"If-None-Match": '"y"'}, 200, id="b139-other"),
        pytest.param({"If-Match": '"y"'}, 412, id="b141-mismatch"),
        pytest.param({"If-Match": '"x"'}, 200, id="b141-match"),
        pytest.param({"If-Unmodified-Since": DATE}, 200, id="b141-date"),
        pytest.param({"If-Modified-Since": DATE}, 200, id="only-for-get"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_is_refused_by_412(fields: dict[str, str], status: int, method: str) -> None:
    response = conditional(fields, method)
    assert (response.status_code, response.accept_ranges) == (status, None)


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT"])
def test_a_method_that_selects_nothing_has_no_conditions(method: str) -> None:
    assert conditional({"If-None-Match": "*"}, method).status_code == 200


@pytest.mark.parametrize("status", [201, 206, 404, 500])
def test_only_a_200_is_conditional(status: int) -> None:
    assert conditional({"If-None-Match": '"x"'}, status=status).status_code == status


async def test_b143_a_412_declares_no_length_of_the_body_that_it_has_not() -> None:
    response = Response("abc", headers={"ETag": '"x"', "Content-Length": "3"})
    response.make_conditional(asking({"If-Match": '"y"'}, "HEAD"))
    assert dict((await sent(response, "HEAD")).headers)[b"content-length"] == b"0"


@pytest.mark.parametrize("make", [SyncStream, AsyncStream])
async def test_a_stream_that_a_412_does_not_send_is_closed(make: Any) -> None:
    chunks = make("a")
    response = Response(chunks, headers={"ETag": '"x"'})
    response.make_conditional(asking({"If-Match": '"y"'}))
    wire = await sent(response)
    assert (wire.status, wire.body, chunks.given, chunks.closed) == (412, b"", 0, 1)


async def test_a_stream_that_a_412_does_not_send_may_have_nothing_to_close() -> None:
    response = Response(iter(["a"]), headers={"ETag": '"x"'})
    response.make_conditional(asking({"If-Match": '"y"'}))
    assert (await sent(response)).body == b""


# --- ranges ---------------------------------------------------------------------------------------


@EITHER
@pytest.mark.parametrize(
    ("asked", "span"),
    [
        pytest.param("bytes=0-4", (0, 5), id="b121"),
        pytest.param("bytes=5-2", None, id="b122"),
        pytest.param("bytes=-99999", (0, 13), id="b124"),
        pytest.param("bytes=-5", (8, 13), id="sf8-suffix"),
        pytest.param("bytes=10-", (10, 13), id="sf8-open"),
        pytest.param("bytes=a-b", None, id="b125"),
        pytest.param("items=0-5", None, id="b126"),
        pytest.param("BYTES=0-1", (0, 2), id="b127"),
        pytest.param("bytes=" + ",".join(["0-0"] * 17), None, id="b129"),
        pytest.param("bytes=0-,0-,0-", (0, 13), id="b130"),
        pytest.param("bytes=0-3,2-5", (0, 6), id="b130-overlap"),
        pytest.param("bytes=0-1,99-", (0, 2), id="b128-one-is-left"),
        pytest.param("bytes=0-9223372036854775808", (0, 13), id="b132"),
    ],
)
async def test_one_range_is_served_or_ignored(asked: str, span: Any, make: Any) -> None:
    response = conditional({"Range": asked}, body=make())
    start, stop = span or (0, 13)
    assert response.accept_ranges == "bytes"
    assert response.content_length == stop - start
    wire = await sent(response)
    assert (wire.status, wire.body) == (206 if span else 200, THIRTEEN[start:stop])
    content_range = dict(wire.headers).get(b"content-range")
    assert content_range == (b"bytes %d-%d/13" % (start, stop - 1) if span else None)


@EITHER
async def test_b128_several_ranges_are_a_multipart_body(make: Any) -> None:
    body = make()
    response = conditional({"Range": "bytes=8-,0-1,4-4"}, body=body)
    wire = await sent(response)
    boundary = response.mimetype_params["boundary"].encode()
    assert (wire.status, response.mimetype) == (206, "multipart/byteranges")
    assert "Content-Range" not in response.headers
    parts = wire.body.split(b"\r\n--" + boundary)
    assert parts == [
        b"--%b\r\nContent-Type: text/html; charset=utf-8\r\n"
        b"Content-Range: bytes 8-12/13\r\n\r\n89abc" % boundary,
        b"\r\nContent-Type: text/html; charset=utf-8\r\nContent-Range: bytes 0-1/13\r\n\r\n01",
        b"\r\nContent-Type: text/html; charset=utf-8\r\nContent-Range: bytes 4-4/13\r\n\r\n4",
        b"--\r\n",
    ]
    assert getattr(body, "closed", 1) == 1


async def test_b145_a_part_that_is_too_short_breaks_the_connection() -> None:
    source, wire = KnownSource(given=THIRTEEN[:9]), Wire()
    with pytest.raises(RuntimeError, match="fewer or more bytes"):
        await conditional({"Range": "bytes=8-,0-1"}, body=source).send(wire)
    assert not wire.is_complete
    assert source.closed == 1


@EITHER
@pytest.mark.parametrize("asked", ["bytes=999-", "bytes=-0"], ids=["b123", "b133"])
async def test_a_range_of_nothing_is_416(asked: str, make: Any) -> None:
    response = Response(make())
    with pytest.raises(RequestedRangeNotSatisfiable) as caught:
        response.make_conditional(asking({"Range": asked}), accept_ranges=True)
    assert caught.value.get_headers() == [("Content-Range", "bytes */13")]
    await response.close()


@pytest.mark.parametrize("asked", ["bytes=0-0", "bytes=-1"])
@pytest.mark.parametrize("body", [b"", KnownSource(b"")], ids=["bytes", "source"])
def test_b136_an_empty_body_has_no_range(asked: str, body: Any) -> None:
    with pytest.raises(RequestedRangeNotSatisfiable) as caught:
        conditional({"Range": asked}, body=body)
    assert caught.value.get_headers() == [("Content-Range", "bytes */0")]


@EITHER
@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_b134_a_range_is_for_get_alone(method: str, make: Any) -> None:
    response = conditional({"Range": "bytes=0-4"}, method, body=make())
    assert response.status_code == 200
    assert response.accept_ranges == ("bytes" if method == "HEAD" else None)


def test_b134_a_stream_has_no_ranges() -> None:
    response = conditional({"Range": "bytes=0-4"}, body=iter([b"a"]))
    assert (response.status_code, response.accept_ranges) == (200, None)


@EITHER
def test_b135_an_encoded_body_has_no_ranges(make: Any) -> None:
    response = Response(make(), headers={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
    response.make_conditional(asking({"Range": "bytes=0-4"}), accept_ranges=True)
    assert (response.status_code, response.accept_ranges) == (200, None)
    assert response.headers["Vary"] == "Accept-Encoding"


def test_ranges_are_served_when_they_are_accepted() -> None:
    response = Response(THIRTEEN).make_conditional(asking({"Range": "bytes=0-4"}))
    assert (response.status_code, response.accept_ranges) == (200, None)


def test_the_body_itself_tells_its_length() -> None:
    response = Response(THIRTEEN)
    response.make_conditional(asking({"Range": "bytes=9-"}), True, complete_length=99)
    assert response.headers["Content-Range"] == "bytes 9-12/13"


@EITHER
@pytest.mark.parametrize(
    ("condition", "status"),
    [('"x"', 206), ('"y"', 200), ('W/"x"', 200), (DATE, 206), (LATER, 200), ("junk", 200)],
)
def test_b137_if_range_must_match_strongly(condition: str, status: int, make: Any) -> None:
    response = conditional({"Range": "bytes=0-4", "If-Range": condition}, body=make())
    assert response.status_code == status
