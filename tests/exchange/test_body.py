"""The body: every way of reading it, its limits, and what a client may do to it."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import (
    BadRequest,
    ClientDisconnected,
    RequestEntityTooLarge,
    RequestTimeout,
)
from erlen.exchange.body import LARGE, Body
from erlen.protocols import Message
from tests.exchange.wire import LEFT, Feed, feed, part, parts


async def chunks_of(body: Body) -> list[bytes]:
    return [chunk async for chunk in body]


# --- whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [(b"",), (b"ab",), (b"a", b"b"), (b"a", b"", b"b", b"")])
async def test_the_whole_body_is_what_was_sent(chunks: tuple[bytes, ...]) -> None:
    body = Body(feed(*parts(*chunks)))
    assert await body == b"".join(chunks)
    assert await body.read() == b"".join(chunks)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
async def test_a_server_may_give_bytes_of_another_kind(kind: Callable[[bytes], Any]) -> None:
    body = Body(feed({"type": "http.request", "body": kind(b"ab")}))
    assert type(await body) is bytes
    assert await body == b"ab"


@given(st.lists(st.integers(0, 3000), max_size=9))
async def test_chunks_of_any_size_are_put_together_in_their_order(sizes: list[int]) -> None:
    chunks = [bytes([number]) * size for number, size in enumerate([*sizes, 1])]
    assert await Body(feed(*parts(*chunks))) == b"".join(chunks)


async def test_b068_a_kept_body_is_read_again_in_chunks_too() -> None:
    body = Body(feed(*parts(b"a", b"b")))
    assert await body.read() == b"ab"
    assert await chunks_of(body) == [b"ab"]
    assert await chunks_of(body) == [b"ab"]


async def test_two_loops_over_a_kept_body_do_not_disturb_one_another() -> None:
    body = Body(feed(part(b"ab")))
    await body.read()
    first, second = aiter(body), aiter(body)
    assert await anext(first) == await anext(second) == b"ab"
    assert aiter(first) is first


async def test_an_empty_kept_body_has_no_chunk() -> None:
    body = Body(feed(part()))
    assert await body.read() == b""
    assert await chunks_of(body) == []


async def test_chunks_arrive_as_they_were_sent_without_the_empty_ones() -> None:
    assert await chunks_of(Body(feed(*parts(b"a", b"", b"b", b"")))) == [b"a", b"b"]


async def test_a_loop_that_ended_stays_ended() -> None:
    body = Body(feed(part(b"a")))
    loop = aiter(body)
    assert await anext(loop) == b"a"
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(loop)


@pytest.mark.parametrize(
    "message",
    [{"type": "http.request"}, part(None), {"type": "http.request", "body": memoryview(b"")}],
    ids=["b325-bare", "b325-none", "b325-memoryview"],
)
async def test_b325_a_message_without_keys_is_an_empty_end(message: Message) -> None:
    assert await Body(feed(message)) == b""


# --- consumed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [Body.read, chunks_of], ids=["read", "iterate"])
async def test_b068_a_body_consumed_in_chunks_is_not_read_again(again: Callable[..., Any]) -> None:
    body = Body(feed(*parts(b"a", b"b")))
    assert await anext(aiter(body)) == b"a"
    with pytest.raises(RuntimeError, match=r"already read in chunks.*get_data"):
        await again(body)


async def test_a_body_that_was_not_kept_is_consumed() -> None:
    body = Body(feed(part(b"a")))
    assert await body.read(cache=False) == b"a"
    with pytest.raises(RuntimeError, match="already read"):
        await body.read()


async def test_b068_a_second_reader_at_the_same_time_gets_an_error_at_once() -> None:
    body = Body(feed(part(b"a", more=True)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(body.read)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="another task"):
            await body.read()
        tasks.cancel_scope.cancel()


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [Body.read, chunks_of], ids=["read", "iterate"])
@pytest.mark.parametrize(
    ("declared", "chunks", "error"),
    [
        pytest.param(3, (b"ab", b"c"), None, id="b064-at-the-limit"),
        pytest.param(4, (b"abcd",), RequestEntityTooLarge, id="b064-declared-over"),
        pytest.param(None, (b"ab", b"cd"), RequestEntityTooLarge, id="b064-chunked-over"),
        pytest.param(2, (b"ab", b"c"), BadRequest, id="b061-more-than-declared"),
        pytest.param(3, (b"ab",), BadRequest, id="b062-less-than-declared"),
        pytest.param(0, (b"",), None, id="nothing-declared-nothing-sent"),
    ],
)
async def test_every_way_of_reading_obeys_length_and_limit(
    read: Callable[..., Any], declared: int | None, chunks: tuple[bytes, ...], error: Any
) -> None:
    body = Body(feed(*parts(*chunks)), declared, 3)
    if error is None:
        assert b"".join(await read(body) or [b""] if read is chunks_of else [await read(body)]) == (
            b"".join(chunks)
        )
    else:
        with pytest.raises(error):
            await read(body)


async def test_b064_what_is_declared_too_large_is_refused_before_a_byte_is_taken() -> None:
    receive = Feed([part(b"abcd")])
    with pytest.raises(RequestEntityTooLarge):
        await Body(receive, 4, 3).read()
    assert receive.calls == 0


async def test_b067_the_limit_may_be_raised_before_the_first_byte() -> None:
    body = Body(feed(part(b"abcd")), 4, 3)
    with pytest.raises(RequestEntityTooLarge):
        await body.read()
    body.max_length = 4
    assert await body.read() == b"abcd"


async def test_b061_no_more_is_taken_than_the_message_that_passed_the_length() -> None:
    receive = Feed(part(b"x" * 1024, more=True) for _ in range(20_480))
    with pytest.raises(BadRequest):
        await Body(receive, 5).read()
    assert receive.calls == 1


async def test_the_failure_of_a_read_is_the_failure_of_the_next() -> None:
    body = Body(feed(part(b"abcd", more=True)), None, 3)
    for _ in range(2):
        with pytest.raises(RequestEntityTooLarge):
            await body.read()


@given(st.lists(st.binary(max_size=5), min_size=1), st.integers(0, 20))
def test_no_chunking_passes_the_limit(chunks: list[bytes], limit: int) -> None:
    async def read() -> bytes | None:
        try:
            return await Body(feed(*parts(*chunks)), None, limit).read()
        except RequestEntityTooLarge:
            return None

    whole = b"".join(chunks)
    assert anyio.run(read) == (whole if len(whole) <= limit else None)


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [Body.read, chunks_of], ids=["read", "iterate"])
@pytest.mark.parametrize("sent", [(), (part(b"a", more=True),)], ids=["nothing", "a-part"])
async def test_b070_a_client_that_stops_sending_is_408(
    read: Callable[..., Any], sent: tuple[Message, ...]
) -> None:
    body = Body(feed(*sent), timeout=0.01)
    with pytest.raises(RequestTimeout):
        await read(body)
    with pytest.raises(RequestTimeout):
        await read(body)


@pytest.mark.parametrize("read", [Body.read, chunks_of], ids=["read", "iterate"])
async def test_b071_messages_without_bytes_do_not_keep_a_reader(read: Callable[..., Any]) -> None:
    calls = 0

    async def receive() -> Message:
        nonlocal calls
        calls += 1
        return part(b"", more=True)

    with pytest.raises(RequestTimeout):
        await read(Body(receive, timeout=0.05))
    assert calls <= 60


async def test_b070_bytes_put_the_deadline_off() -> None:
    async def receive() -> Message:
        await anyio.sleep(0.02)
        return next(messages)

    messages = iter(parts(*[b"a"] * 30))
    assert await Body(receive, timeout=0.5).read() == b"a" * 30


async def test_b066_tiny_messages_that_are_all_there_leave_turns_to_other_tasks() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    messages = [part(b"x", more=True)] * 10_000

    async def receive() -> Message:
        return messages.pop() if messages else part(b"")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        assert await Body(receive, timeout=60).read() == b"x" * 10_000
        tasks.cancel_scope.cancel()
    assert turns >= 10


# --- the client leaves ----------------------------------------------------------------------------


@pytest.mark.parametrize("read", [Body.read, chunks_of], ids=["read", "iterate"])
async def test_b062_a_short_body_is_never_returned_as_a_whole_one(read: Callable[..., Any]) -> None:
    body = Body(feed(part(b"x" * 10, more=True), LEFT), 100)
    for _ in range(2):
        with pytest.raises(ClientDisconnected):
            await read(body)


async def test_waiting_for_the_end_of_the_client_returns_when_it_left() -> None:
    body = Body(feed(LEFT))
    await body.wait_disconnected()
    await body.wait_disconnected()
    with pytest.raises(ClientDisconnected):
        await body.read()


async def test_a_body_that_nobody_reads_does_not_hide_that_the_client_left() -> None:
    body = Body(feed(part(b"all"), LEFT))
    await body.wait_disconnected()
    assert await body.read() == b"all"


@pytest.mark.parametrize("end", [[part(b"")], []], ids=["complete", "broken off"])
async def test_p4_parts_of_a_body_that_nobody_reads_do_not_hide_that_the_client_left(
    end: list[Message],
) -> None:
    """A server may give a small body in several messages, or its client leave before the last."""
    body = Body(feed(part(b"a", more=True), part(b"b", more=True), *end, LEFT))
    with anyio.fail_after(1):
        await body.wait_disconnected()
    if end:
        assert await body.read() == b"ab"
    else:
        with pytest.raises(ClientDisconnected):
            await body.read()


@pytest.mark.parametrize(("size", "most"), [(LARGE, 1), (LARGE // 2, 2), (1, 16), (0, 16)])
async def test_the_watcher_takes_so_much_and_leaves_the_rest_with_the_server(
    size: int, most: int
) -> None:
    receive = Feed([*[part(b"x" * size, more=True)] * 20, part(b""), LEFT])
    body = Body(receive)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(body.wait_disconnected)
        await anyio.wait_all_tasks_blocked()
        assert receive.calls == most
        assert await body.read() == b"x" * size * 20


async def test_reader_and_watcher_share_one_receive() -> None:
    to_server, from_client = anyio.create_memory_object_stream[Message](10)
    body = Body(from_client.receive)
    read: list[bytes] = []

    async def reader() -> None:
        read.append(await body.read())

    with to_server, from_client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(body.wait_disconnected)
            tasks.start_soon(body.wait_disconnected)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(reader)
            for message in [*parts(b"a", b"b"), LEFT]:
                await anyio.wait_all_tasks_blocked()
                await to_server.send(message)
    assert read == [b"ab"]


async def test_b070_a_reader_beside_a_watcher_waits_no_longer() -> None:
    body = Body(feed(), timeout=0.01)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(body.wait_disconnected)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RequestTimeout):
            await body.read()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("declared", "kept", "known"), [(None, False, False), (3, False, True), (None, True, True)]
)
async def test_how_long_a_body_is_at_most(declared: int | None, kept: bool, known: bool) -> None:
    body = Body(feed(part(b"abc")), declared)
    if kept:
        await body.read()
    assert (body.is_at_most(3), body.is_at_most(2)) == (known, False)


async def test_a_watcher_that_is_cancelled_leaves_the_reader_its_turn() -> None:
    to_server, from_client = anyio.create_memory_object_stream[Message](1)
    body = Body(from_client.receive)

    async def let_the_watcher_end(scope: anyio.CancelScope) -> None:
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await to_server.send(part(b"a"))

    async def watch(scope: anyio.CancelScope) -> None:
        with scope:
            await body.wait_disconnected()

    with to_server, from_client:
        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()
            tasks.start_soon(watch, scope)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(let_the_watcher_end, scope)
            assert await body.read() == b"a"


async def test_a_server_that_repeats_the_end_does_not_keep_the_watcher_busy() -> None:
    calls = 0

    async def receive() -> Message:
        nonlocal calls
        calls += 1
        return part()

    with anyio.move_on_after(0.01) as scope:
        await Body(receive).wait_disconnected()
    assert scope.cancelled_caught
    assert calls == 2


async def test_b325_an_unknown_message_is_not_the_end_of_the_client() -> None:
    await Body(feed({"type": "http.unknown"}, LEFT)).wait_disconnected()


# --- after the exchange ---------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "is_kept"), [(LARGE, True), (LARGE + 1, False)])
async def test_a_large_body_is_not_kept_beyond_its_exchange(size: int, is_kept: bool) -> None:
    body = Body(feed(part(bytes(size))))
    await body.read()
    assert body.forget_large() is not is_kept
    if is_kept:
        assert len(await body.read()) == size
    else:
        with pytest.raises(RuntimeError, match="its large body was given up"):
            await body.read()
