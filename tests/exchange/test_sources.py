"""A source as the body of a response: sent with its length, complete or visibly not, and closed."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from erlen.exceptions import ClientDisconnected
from erlen.exchange.byteranges import Piece, Selection
from erlen.exchange.response import Response
from erlen.exchange.sources import SourceStream, is_source
from erlen.protocols import Message
from tests.exchange.sources import THIRTEEN, KnownSource
from tests.exchange.wire import Wire

PATHSEND: dict[str, Any] = {"extensions": {"http.response.pathsend": {}}}


@pytest.fixture
def source() -> KnownSource:
    return KnownSource()


@pytest.mark.parametrize("value", ["a", b"a", [], iter([]), object(), None])
def test_what_has_no_spans_is_no_source(value: Any) -> None:
    assert not is_source(value)


async def test_a_source_is_streamed_with_its_length(source: KnownSource) -> None:
    assert is_source(source)
    response = Response(source)
    assert (response.is_streamed, response.content_length) == (True, 13)
    wire = Wire()
    await response.send(wire)
    assert (wire.body, dict(wire.headers)[b"content-length"]) == (THIRTEEN, b"13")
    assert wire.is_complete
    assert (source.spans, source.closed) == ([(0, 13)], 1)


@pytest.mark.parametrize("declared", ["1", "99", "x"])
async def test_b150_the_length_is_the_sources(source: KnownSource, declared: str) -> None:
    wire = Wire()
    await Response(source, headers={"Content-Length": declared}).send(wire)
    assert [value for name, value in wire.headers if name == b"content-length"] == [b"13"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_empty_source_is_never_read(method: str) -> None:
    source = KnownSource(b"")
    wire = Wire(method)
    await Response(source, headers={"Content-Length": "7"}).send(wire)
    assert (wire.body, wire.is_complete, source.spans, source.closed) == (b"", True, [], 1)
    assert dict(wire.headers)[b"content-length"] == b"0"


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("HEAD", 200, b"13"), ("GET", 204, None), ("GET", 205, b"0"), ("GET", 304, None)],
)
async def test_b143_a_source_that_is_not_sent_is_closed_unread(
    source: KnownSource, method: str, status: int, length: bytes | None
) -> None:
    wire = Wire(method)
    await Response(source, status).send(wire)
    assert (wire.body, wire.is_complete, source.spans, source.closed) == (b"", True, [], 1)
    assert dict(wire.headers).get(b"content-length") == length


@pytest.mark.parametrize("size", [0, 1, 4, 12])
async def test_b145_a_source_that_gives_too_little_breaks_the_connection(size: int) -> None:
    source = KnownSource(given=THIRTEEN[:size])
    wire = Wire()
    with pytest.raises(RuntimeError, match="fewer or more bytes"):
        await Response(source).send(wire)
    assert not wire.is_complete
    assert (source.closed, wire.body) == (1, THIRTEEN[:size])


async def test_b145_a_source_that_gives_too_much_sends_none_of_it() -> None:
    source = KnownSource(given=THIRTEEN + b"!")
    wire = Wire()
    with pytest.raises(RuntimeError, match="fewer or more bytes"):
        await Response(source).send(wire)
    assert not wire.is_complete
    assert (source.closed, wire.body) == (1, THIRTEEN[:12])


async def test_a_source_that_fails_at_once_can_still_be_answered() -> None:
    class Failing(KnownSource):
        async def span(self, start: int, stop: int) -> AsyncIterator[bytes]:
            raise FileNotFoundError(start, stop)
            yield b""

    source, wire = Failing(), Wire()
    with pytest.raises(FileNotFoundError):
        await Response(source).send(wire)
    assert (wire.started, wire.sent, source.closed) == (False, [], 1)


async def test_a_span_may_be_any_iterator() -> None:
    class Plain:
        done = False

        def __aiter__(self) -> "Plain":
            return self

        async def __anext__(self) -> bytes:
            if self.done:
                raise StopAsyncIteration
            self.done = True
            return THIRTEEN

    class Simple(KnownSource):
        def span(self, start: int, stop: int) -> AsyncIterator[bytes]:
            return Plain()

    wire = Wire()
    await Response(Simple()).send(wire)
    assert wire.body == THIRTEEN


async def test_a_client_that_leaves_closes_the_span_and_the_source(source: KnownSource) -> None:
    class Leaving(Wire):
        async def send(self, message: Message) -> None:
            await super().send(message)
            if len(self.sent) == 2:
                await self.leave()

    wire = Leaving()
    with pytest.raises(ClientDisconnected):
        await Response(source).send(wire)
    assert not wire.is_complete
    assert (source.open_spans, source.closed) == (0, 1)


async def test_a_cancelled_response_closes_the_span_and_the_source(source: KnownSource) -> None:
    class Stuck(Wire):
        async def send(self, message: Message) -> None:
            await super().send(message)
            scope.cancel()
            await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await Response(source).send(Stuck())
    assert scope.cancelled_caught
    assert (source.open_spans, source.closed) == (0, 1)


@pytest.mark.parametrize("failing", [1, 2, 3])
@pytest.mark.parametrize("scope", [{}, PATHSEND], ids=["spans", "path"])
async def test_b327_a_send_that_finds_nobody_closes_the_source(
    failing: int, scope: dict[str, Any]
) -> None:
    class Broken(Wire):
        async def send(self, message: Message) -> None:
            await super().send(message)
            if len(self.sent) == failing:
                raise BrokenPipeError

    source = KnownSource(path="/srv/a" if failing < 3 else None)
    with pytest.raises(ClientDisconnected):
        await Response(source).send(Broken(**scope))
    assert source.closed == 1


# --- closing what is not sent ---------------------------------------------------------------------


@pytest.mark.parametrize("close", [Response.close, lambda response: response.give_up(Wire())])
async def test_a_response_that_is_dropped_is_closed_by_hand(
    source: KnownSource, close: Any
) -> None:
    response = Response(source)
    await close(response)
    await close(response)
    assert (source.spans, source.closed) == ([], 1)


async def test_a_frozen_source_is_known_and_closed(source: KnownSource) -> None:
    response = Response(source)
    await response.freeze()
    assert (response.data, response.is_streamed, source.closed) == (THIRTEEN, False, 1)


@pytest.mark.parametrize("make", [bytes, KnownSource], ids=["bytes", "source"])
async def test_a_source_that_is_replaced_is_closed_with_the_response(
    source: KnownSource, make: Any
) -> None:
    response = Response(source)
    response.response = make(b"other")
    assert source.closed == 0
    wire = Wire()
    await response.send(wire)
    assert (wire.body, source.spans, source.closed) == (b"other", [], 1)


async def test_a_source_that_is_wrapped_is_closed_after_the_last_byte(source: KnownSource) -> None:
    async def upper(chunks: Any) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk.upper()

    response = Response(source)
    response.response = upper(response.response)
    wire = Wire()
    await response.send(wire)
    assert (wire.body, source.closed) == (THIRTEEN.upper(), 1)
    assert b"content-length" not in dict(wire.headers)


# --- ASGI extension Path Send ---------------------------------------------------------------------


async def test_the_server_may_open_the_file_by_itself() -> None:
    source = KnownSource(path="/srv/a.txt")
    wire = Wire(**PATHSEND)
    await Response(source, mimetype="text/plain").send(wire)
    assert dict(wire.headers)[b"content-length"] == b"13"
    assert wire.sent[1:] == [{"type": "http.response.pathsend", "path": "/srv/a.txt"}]
    assert (wire.started, source.spans, source.closed) == (True, [], 1)


@pytest.mark.parametrize(
    ("scope", "status", "path"),
    [
        pytest.param({}, 200, "/srv/a", id="no-extension"),
        pytest.param({"extensions": None}, 200, "/srv/a", id="no-extensions"),
        pytest.param(PATHSEND, 200, None, id="no-path"),
        pytest.param(PATHSEND, 404, "/srv/a", id="another-status"),
        pytest.param({**PATHSEND, "type": "websocket"}, 200, "/srv/a", id="denial"),
    ],
)
async def test_else_it_gets_the_bytes(scope: Any, status: int, path: str | None) -> None:
    source = KnownSource(path=path)
    wire = Wire(**scope)
    await Response(source, status).send(wire)
    assert (wire.body, source.closed) == (THIRTEEN, 1)


async def test_a_part_of_a_file_is_not_sent_by_its_path() -> None:
    selection = Selection([Piece(2, 4)])
    stream = SourceStream(KnownSource(path="/srv/a"), selection)
    assert stream.path_for(Wire(**PATHSEND).scope) is None
    assert [chunk async for chunk in stream] == [b"23"]


async def test_a_head_request_sends_no_path() -> None:
    source = KnownSource(path="/srv/a.txt")
    wire = Wire("HEAD", **PATHSEND)
    await Response(source).send(wire)
    assert [message["type"] for message in wire.sent[1:]] == ["http.response.body"]
    assert source.closed == 1
