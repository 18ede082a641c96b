"""Server-sent events: what one is on the wire, and the response that sends them: ST-6, P-55, P-56."""

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from typing import Any, cast

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from erlen import Erlen, Response, g, request
from erlen.events import EventStream, ServerSentEvent
from erlen.json import DefaultJSONProvider
from erlen.testing.events import parse_events

Item = Any
Event = ServerSentEvent


# --- one event ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Event("a"), "data: a\n\n"),
        (Event(""), "data: \n\n"),
        (Event(" a"), "data:  a\n\n"),
        (Event("a\nb\rc\r\nd"), "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (Event("a\n"), "data: a\ndata: \n\n"),
        (Event("a\u2028b\x0bc\x85d"), "data: a\u2028b\x0bc\x85d\n\n"),
        (Event("é".encode()), "data: é\n\n"),
        (Event(bytearray(b"a")), "data: a\n\n"),
        (Event(memoryview(b"a")), "data: a\n\n"),
        (Event({"a": [1, "é"]}), 'data: {"a":[1,"é"]}\n\n'),
        (Event(False), "data: false\n\n"),
        (Event(date(2026, 5, 1)), 'data: "2026-05-01"\n\n'),
        (Event("a", event="tick"), "event: tick\ndata: a\n\n"),
        (Event(event="tick"), "event: tick\ndata\n\n"),
        (Event(id="7"), "id: 7\n\n"),
        (Event(id=7), "id: 7\n\n"),
        (Event(id=""), "id: \n\n"),
        (Event(retry=0), "retry: 0\n\n"),
        (Event(comment=""), ": \n\n"),
        (Event(comment="a\nb"), ": a\n: b\n\n"),
        (Event("a", "e", "i", 5, "c"), ": c\nevent: e\ndata: a\nid: i\nretry: 5\n\n"),
    ],
)
def test_st6_an_event_is_lines_of_fields(event: ServerSentEvent, text: str) -> None:
    assert event.encode() == text.encode()


@pytest.mark.parametrize("name", ["event", "id"])
@pytest.mark.parametrize("sign", ["\n", "\r", "\r\n", "\0"])
def test_st6_a_line_break_in_a_name_is_no_way_to_inject_fields(name: str, sign: str) -> None:
    with pytest.raises(ValueError, match=rf"The {name} of an event is 'a.*line break or NUL"):
        ServerSentEvent("x", **cast("Any", {name: f"a{sign}data: injected"}))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, ValueError),
        ({"retry": -1}, ValueError),
        ({"retry": 1.5}, ValueError),
        ({"retry": "5"}, ValueError),
        ({"event": b"tick"}, TypeError),
        ({"id": 1.5}, TypeError),
        ({"comment": 5}, TypeError),
    ],
)
def test_what_cannot_be_an_event_is_refused_where_it_is_made(
    fields: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"\. Give "):
        ServerSentEvent(**fields)


@pytest.mark.parametrize(
    ("data", "error"), [(b"\xff", ValueError), ("\ud800", ValueError), ({1, 2}, TypeError)]
)
def test_data_that_is_no_text_is_refused(data: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ServerSentEvent(data).encode()


LINE = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
TEXT = st.text(st.sampled_from("a:\r\n \ufeff\u2028\0é"))
EVENTS = st.builds(
    ServerSentEvent,
    TEXT,
    event=st.none() | LINE.filter(bool),
    id=st.none() | LINE,
    retry=st.none() | st.integers(0, 2**40),
    comment=st.none() | TEXT,
)


@given(st.lists(EVENTS), st.lists(st.integers(1, 9), min_size=1))
def test_st6_what_is_encoded_is_read_the_same(
    events: list[ServerSentEvent], sizes: list[int]
) -> None:
    sent = b"".join(event.encode() for event in events)

    async def chunks() -> AsyncIterator[bytes]:
        start = count = 0
        while start < len(sent):
            yield sent[start : start + sizes[count % len(sizes)]]
            start, count = start + sizes[count % len(sizes)], count + 1

    async def read() -> list[ServerSentEvent]:
        return [event async for event in parse_events(chunks())]

    assert anyio.run(read) == [as_read(event) for event in events]


def as_read(event: ServerSentEvent) -> ServerSentEvent:
    data = event.data.replace("\r\n", "\n").replace("\r", "\n")
    return ServerSentEvent(data, event.event, event.id, event.retry)


# --- a stream of them -----------------------------------------------------------------------------


async def three() -> AsyncIterator[Item]:
    yield "a"
    yield {"b": 1}
    yield ServerSentEvent("c", id="3")


def three_in_a_thread() -> Iterator[Item]:
    yield "a"
    yield {"b": 1}
    yield ServerSentEvent("c", id="3")


def serving(make: Callable[[], EventStream]) -> Erlen:
    """Return an application whose only view streams events."""
    app = Erlen("news", static_folder=None)
    app.testing = True

    @app.get("/")
    async def news() -> EventStream:
        return make()

    return app


async def get(app: Erlen, **options: Any) -> Any:
    return await app.test_client().get("/", **options)


@pytest.mark.parametrize(
    "make", [three, three_in_a_thread, lambda: list(three_in_a_thread())], ids=["a", "s", "list"]
)
async def test_st6_a_view_streams_the_events_of_an_iterator(make: Callable[[], Any]) -> None:
    response = await get(serving(lambda: EventStream(make())))
    assert response.text == 'data: a\n\ndata: {"b":1}\n\ndata: c\nid: 3\n\n'
    assert dict(response.headers) == {
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
    }


async def test_headers_may_be_added_and_replaced_but_not_the_media_type() -> None:
    headers = {"Cache-Control": "no-store", "X-More": "1", "Content-Type": "text/plain"}
    response = await get(serving(lambda: EventStream(three(), status=203, headers=headers)))
    assert (response.status_code, response.content_type) == (203, "text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-more"] == "1"


async def test_events_are_made_in_the_context_of_their_exchange() -> None:
    async def events() -> AsyncIterator[Item]:
        yield request.path
        g.seen = {"thread": threading.get_ident()}
        yield g.seen

    response = await get(serving(lambda: EventStream(events())))
    assert response.text.startswith("data: /\n\ndata: {")


async def unsorted_keys() -> AsyncIterator[Item]:
    yield {"b": 1, "a": 2}


@pytest.mark.parametrize("make", [unsorted_keys, lambda: iter([{"b": 1, "a": 2}])], ids=["a", "s"])
async def test_values_become_json_by_the_provider_of_the_application(
    make: Callable[[], Any],
) -> None:
    app = serving(lambda: EventStream(make()))
    app.json = DefaultJSONProvider(app)
    app.json.sort_keys = True
    assert (await get(app)).text == 'data: {"a":2,"b":1}\n\n'


async def test_after_hooks_see_a_response_like_any_other() -> None:
    app = serving(lambda: EventStream(three()))

    @app.after_request
    async def mark(response: Response) -> Response:
        response.set_cookie("seen", "1")
        response.headers["X-Streamed"] = str(response.is_streamed)
        return response

    response = await get(app)
    assert response.headers["x-streamed"] == "True"
    assert response.headers["set-cookie"] == "seen=1; Path=/"


async def test_head_closes_the_events_and_sends_none() -> None:
    log = []

    class Rows:
        def __aiter__(self) -> AsyncIterator[str]:
            return three()

        async def aclose(self) -> None:
            log.append("closed")

    response = await serving(lambda: EventStream(Rows())).test_client().head("/")
    assert (response.content, response.content_type) == (b"", "text/event-stream")
    assert log == ["closed"]


async def test_a_frozen_stream_is_the_text_of_its_events() -> None:
    stream = EventStream(three_in_a_thread())
    await stream.freeze()
    assert stream.get_data() == b'data: a\n\ndata: {"b":1}\n\ndata: c\nid: 3\n\n'


async def test_an_iterable_in_a_thread_is_closed_with_its_iterator() -> None:
    log = []

    class Rows:
        def __iter__(self) -> Iterator[str]:
            try:
                yield "a"
                yield "b"
            finally:
                log.append("iterator")

        def close(self) -> None:
            log.append("iterable")

    app = serving(lambda: EventStream(Rows()))
    async with app.test_client() as client, client.stream("GET", "/") as response:
        assert await anext(response.events()) == ServerSentEvent("a")
    assert log == ["iterator", "iterable"]


@pytest.mark.parametrize("events", [three, "abc", b"abc", {"a": 1}, None, 5])
def test_what_gives_no_events_is_refused(events: Any) -> None:
    with pytest.raises(TypeError, match=r"Events cannot be taken from .*Call a generator"):
        EventStream(events)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_keep_alive_of_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=f"keep_alive is {seconds!r}"):
        EventStream([], keep_alive=seconds)


async def test_none_is_no_event() -> None:
    app = serving(lambda: EventStream(iter([None])))
    with pytest.raises(TypeError, match="gave None, which says nothing"):
        await get(app)


# --- while it goes on -----------------------------------------------------------------------------


class Feed:
    """Events that a test hands out one by one."""

    def __init__(self) -> None:
        self.sender, self.receiver = anyio.create_memory_object_stream[Item](10)
        self.closed = anyio.Event()

    async def __call__(self) -> AsyncIterator[Item]:
        try:
            async for item in self.receiver:
                yield item
        finally:
            self.sender.close()
            self.receiver.close()
            self.closed.set()


async def test_st6_each_event_arrives_when_it_is_made() -> None:
    feed = Feed()
    app = serving(lambda: EventStream(feed()))
    async with app.test_client() as client, client.stream("GET", "/") as response:
        events = response.events()
        for number in range(3):
            await feed.sender.send(ServerSentEvent(number, id=number))
            assert await anext(events) == ServerSentEvent(str(number), id=str(number))


async def test_st5_a_client_that_leaves_ends_the_generator_within_100_ms() -> None:
    feed = Feed()
    app = serving(lambda: EventStream(feed()))
    async with app.test_client() as client, client.stream("GET", "/") as response:
        await feed.sender.send("a")
        await anext(response.events())
        with anyio.fail_after(0.1):
            await response.disconnect()
            await feed.closed.wait()


async def test_p55_silence_is_broken_by_comments() -> None:
    feed = Feed()
    app = serving(lambda: EventStream(feed(), keep_alive=0.01))
    async with app.test_client() as client, client.stream("GET", "/") as response:
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(6)] == [":", ""] * 3
        await feed.sender.send("a")
        while (line := await anext(lines)) in {":", ""}:
            pass
        assert line == "data: a"


async def test_p55_without_keep_alive_a_comment_only_opens_the_stream() -> None:
    feed = Feed()
    app = serving(lambda: EventStream(feed(), keep_alive=None))
    async with app.test_client() as client, client.stream("GET", "/") as response:
        lines = response.aiter_lines()
        assert [await anext(lines), await anext(lines)] == [":", ""]
        await feed.sender.send("a")
        assert await anext(lines) == "data: a"


async def test_p5_at_shutdown_the_stream_ends_with_its_last_words() -> None:
    feed = Feed()
    last = ServerSentEvent(event="shutdown", retry=500)
    app = serving(lambda: EventStream(feed(), last=last))
    async with app.test_client() as client, client.stream("GET", "/") as response:
        await feed.sender.send("a")
        events = response.events()
        assert await anext(events) == ServerSentEvent("a")
        app.begin_shutdown()
        with anyio.fail_after(0.5):
            assert [event async for event in events] == [ServerSentEvent("", "shutdown", retry=500)]
    assert feed.closed.is_set()


async def test_p5_other_streams_go_on_at_shutdown() -> None:
    app = Erlen("news")

    @app.get("/")
    async def numbers() -> AsyncIterator[str]:
        yield "a"
        await app.shutting_down.wait()
        await checkpoint()
        yield "b"

    async with app.test_client() as client, client.stream("GET", "/") as response:
        chunks = response.aiter_text()
        assert await anext(chunks) == "a"
        app.begin_shutdown()
        assert await anext(chunks) == "b"


async def test_st6_a_client_that_comes_back_gets_what_it_has_missed() -> None:
    app = Erlen("news")

    @app.get("/")
    async def news() -> EventStream:
        missed = range(int(request.last_event_id or 0) + 1, 4)
        return EventStream(ServerSentEvent({"n": number}, id=number) for number in missed)

    response = await get(app, headers={"Last-Event-ID": "1"})
    events = [event async for event in response.events()]
    assert [event.id for event in events] == ["2", "3"]
    assert [json.loads(event.data) for event in events] == [{"n": 2}, {"n": 3}]
