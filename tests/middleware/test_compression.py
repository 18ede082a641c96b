"""Responses that are text travel compressed."""

import gzip
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]  # it has no types
import pytest
import zstandard

from erlen import Erlen, EventStream, Response, send_file
from erlen.exceptions import SetupError
from erlen.middleware import Compression
from erlen.middleware.compression import THREAD_THRESHOLD
from tests.middleware.exchanges import Answer, exchange, passes_lifespan

TEXT = [(b"content-type", b"text/html; charset=utf-8")]
LONG = b"All work and no play makes Jack a dull boy. " * 100


def unzstd(data: bytes) -> bytes:
    return bytes(zstandard.ZstdDecompressor().decompressobj().decompress(data))


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress, "br": brotli.decompress, "zstd": unzstd,
}  # fmt: skip


async def compress(
    *chunks: bytes, accept: str = "gzip, deflate, br, zstd", more: Any = TEXT, **options: Any
) -> Answer:
    request = [(b"accept-encoding", accept.encode())]
    return await exchange(
        Compression, *(chunks or (LONG,)), request=request, response=more, **options
    )


@pytest.mark.parametrize("coding", DECODERS)
async def test_a_page_travels_in_the_coding_that_the_client_takes(coding: str) -> None:
    answer = await compress(accept=coding, more=[*TEXT, (b"content-length", b"%d" % len(LONG))])
    assert DECODERS[coding](answer.body) == LONG
    assert len(answer.body) < len(LONG) / 10
    assert answer.field("content-encoding") == coding
    assert (answer.field("content-length"), answer.field("vary")) == (None, "accept-encoding")


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, br, zstd", "zstd"),
        ("gzip, br;q=0.9, zstd;q=0.8", "gzip"),
        ("zstd;q=0, *", "br"),
        ("gzip;q=0", None),
        ("identity", None),
        ("", None),
        ("deflate", None),
    ],
)
async def test_the_client_decides_and_then_the_order(accept: str, coding: str | None) -> None:
    assert (await compress(accept=accept)).field("content-encoding") == coding


async def test_other_codings_can_be_left_out() -> None:
    assert (await compress(codings=["gzip"])).field("content-encoding") == "gzip"


async def test_a_coding_that_is_not_installed_is_left_out(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    assert (await compress()).field("content-encoding") == "gzip"


def test_an_unknown_coding_is_refused() -> None:
    with pytest.raises(SetupError, match="deflate"):
        Compression(None, codings=["deflate"])  # type: ignore[arg-type]  # never called


@pytest.mark.parametrize(
    "more",
    [
        [(b"content-type", b"image/png")],
        [(b"content-type", b"text/event-stream")],
        [*TEXT, (b"content-encoding", b"br")],
        [*TEXT, (b"content-range", b"bytes 0-9/10")],
        [*TEXT, (b"cache-control", b"no-transform, private")],
        [],
    ],
    ids=str,
)
async def test_some_responses_are_left_as_they_are(more: Any) -> None:
    answer = await compress(more=more)
    assert (answer.body, answer.field("vary")) == (LONG, None)


@pytest.mark.parametrize("status", [204, 205, 206, 304])
async def test_some_statuses_are_left_as_they_are(status: int) -> None:
    assert (await compress(answering=status)).body == LONG


async def test_what_is_small_is_sent_as_it_is_but_varies() -> None:
    answer = await compress(b"small", more=[*TEXT, (b"content-length", b"5")])
    assert (answer.body, answer.field("content-length")) == (b"small", "5")
    assert answer.field("vary") == "accept-encoding"


async def test_the_answer_to_head_varies_and_keeps_its_length() -> None:
    more = [*TEXT, (b"content-length", b"4400")]
    answer = await compress(b"", more=more, scope={"method": "HEAD"})
    assert (answer.body, answer.field("content-length")) == (b"", "4400")
    assert answer.field("vary") == "accept-encoding"


async def test_pains_56_each_chunk_of_a_stream_can_be_read_at_once() -> None:
    answer = await compress(b"one ", b"two ", b"three", accept="gzip")
    decoder = zlib.decompressobj(31)
    seen = [decoder.decompress(message["body"]) for message in answer.sent[1:]]
    assert seen == [b"one ", b"two ", b"three"]


async def test_an_empty_chunk_sends_nothing() -> None:
    answer = await compress(b"one", b"", b"two", accept="gzip")
    assert len(answer.sent) == 3
    assert gzip.decompress(answer.body) == b"onetwo"


@pytest.mark.parametrize(("sent", "told"), [(b'"x"', 'W/"x"'), (b'W/"x"', 'W/"x"')])
async def test_the_validator_of_other_bytes_is_weak(sent: bytes, told: str) -> None:
    answer = await compress(more=[*TEXT, (b"etag", sent), (b"accept-ranges", b"bytes")])
    assert (answer.field("etag"), answer.field("accept-ranges")) == (told, None)


async def test_a_large_chunk_is_compressed_beside_the_loop() -> None:
    large = bytes(THREAD_THRESHOLD + 1)
    assert gzip.decompress((await compress(large, accept="gzip")).body) == large


async def test_a_start_that_is_followed_by_something_else_is_not_kept() -> None:
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": TEXT})
        await send({"type": "http.response.pathsend", "path": "x"})

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await Compression(app)({"type": "http", "method": "GET", "headers": []}, None, send)  # type: ignore[arg-type]  # not used
    assert sent == ["http.response.start", "http.response.pathsend"]


async def test_other_scopes_pass() -> None:
    assert await passes_lifespan(Compression)


# --- an application -------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    app = Erlen("compressed")
    app.config["TESTING"] = True
    app.add_middleware(Compression)
    (tmp_path / "long.txt").write_bytes(LONG)

    @app.get("/file")
    async def file() -> Response:
        return await send_file(tmp_path / "long.txt")

    @app.get("/events")
    async def events() -> EventStream:
        async def tick() -> AsyncIterator[str]:
            yield "x" * 2000

        return EventStream(tick())

    return app


async def test_a_file_travels_compressed_and_is_revalidated(app: Erlen) -> None:
    async with app.test_client() as client:
        whole = await client.get("/file", headers={"Accept-Encoding": "gzip"})
        again = {"If-None-Match": whole.headers["etag"], "Accept-Encoding": "gzip"}
        assert (whole.content, whole.headers["content-encoding"]) == (LONG, "gzip")
        assert (await client.get("/file", headers=again)).status_code == 304


async def test_a_range_of_a_file_is_of_the_file_itself(app: Erlen) -> None:
    async with app.test_client() as client:
        part = await client.get("/file", headers={"Range": "bytes=0-7", "Accept-Encoding": "gzip"})
    assert (part.status_code, part.content) == (206, LONG[:8])


async def test_pains_56_events_are_never_compressed(app: Erlen) -> None:
    async with app.test_client() as client:
        answer = await client.get("/events", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
