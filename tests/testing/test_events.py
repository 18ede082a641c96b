"""``response.events()``: the server-sent events of a response, as a browser takes them out."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from erlen import Erlen
from erlen.events import EventStream, ServerSentEvent
from erlen.protocols import Receive, Scope, Send
from erlen.sync import test_client as blocking_client
from erlen.testing import Client
from erlen.testing.events import parse_events


async def parsed(*chunks: bytes) -> list[ServerSentEvent]:
    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [event async for event in parse_events(arriving())]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("data: a\n\n", {"data": "a"}),
        ("data:a\n\n", {"data": "a"}),
        ("data:  a\n\n", {"data": " a"}),
        ("data\n\n", {"data": ""}),
        ("data\ndata\n\n", {"data": "\n"}),
        ("\ufeffdata: a\n\n", {"data": "a"}),
        (
            "id: 1\nevent: e\ndata: a\nretry: 5\n\n",
            {"data": "a", "event": "e", "id": "1", "retry": 5},
        ),
        ("id: 1\0\nretry: 5s\nretry: ٣\nother: x\n: c\ndata: a\n\n", {"data": "a"}),
        ("event: lost\n\ndata: a\n\n", {"data": "a"}),
    ],
)
async def test_st6_an_event_is_what_its_fields_say(text: str, fields: dict[str, Any]) -> None:
    assert await parsed(text.encode()) == [ServerSentEvent(**fields)]


@pytest.mark.parametrize("text", ["", "\n\n", ": c\n\n", "data: a", "data: a\n", "event: e\n\n"])
async def test_st6_what_has_no_data_or_no_end_is_no_event(text: str) -> None:
    assert await parsed(text.encode()) == []


async def test_st6_a_mark_of_the_byte_order_stands_at_the_beginning_only() -> None:
    assert await parsed("\n\ufeffdata: a\n\n".encode()) == []


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_st6_lines_end_in_three_ways_wherever_they_are_cut(end: bytes, size: int) -> None:
    text = b"data: a" + end + b"data: b" + end + end + b"data: c" + end + end
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    assert await parsed(*chunks) == [ServerSentEvent("a\nb"), ServerSentEvent("c")]


async def ticking(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})
    while True:
        await send({"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True})


async def test_a_loop_over_events_may_be_left_by_break() -> None:
    async with Client(ticking).stream("GET", "/") as response:
        async for event in response.events():
            assert event == ServerSentEvent("tick")
            break


def test_the_blocking_client_has_the_same() -> None:
    app = Erlen("news")
    app.add_url_rule("/", view_func=lambda: EventStream(iter(["tick"])))
    with blocking_client(app) as client, client.stream("GET", "/") as response:
        assert list(response.events()) == [ServerSentEvent("tick")]
