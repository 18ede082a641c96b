"""Live streams: kept alive in silence, complete at shutdown."""

import math
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen.exceptions import ClientDisconnected, SendTimeout
from erlen.exchange import live_streaming, outgoing
from erlen.exchange.chunks import Chunk
from erlen.exchange.live_streaming import LiveChunks, LiveStream
from erlen.protocols import Message
from erlen.shutdown import ShuttingDown
from tests.exchange.wire import SendTo, Wire

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


class Log(list[str]):
    """What happened to a generator, in order."""


async def numbers() -> AsyncIterator[str]:
    for number in range(3):
        yield str(number)


async def forever(log: Log) -> AsyncIterator[str]:
    try:
        yield "a"
        await anyio.sleep_forever()
    finally:
        log.append("closed")


@pytest.fixture(autouse=True)
def _watched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "PATIENCE", 0)


async def stream(chunks: Any, wire: Wire) -> None:
    """Stream a body from its start."""
    await LiveStream(START, chunks, wire, None).send_all()


async def stream_on(chunks: Any, wire: Wire) -> None:
    """Stream a body whose start was sent."""
    wire.started = True
    await stream(chunks, wire)


# --- live streams: signs of life ------------------------------------------------------------------


class Live(LiveChunks):
    """Chunks of a generator, with everything beside them."""

    sign = b"?"
    last = b"bye"

    def __init__(self, chunks: AsyncIterator[Chunk], keep_alive: float = math.inf) -> None:
        self.keep_alive = keep_alive
        self.end = ShuttingDown()
        self._chunks = chunks

    @property
    def shutting_down(self) -> ShuttingDown:
        return self.end

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self._chunks


def bodies(wire: Wire) -> list[bytes]:
    return [message["body"] for message in wire.sent if "body" in message]


async def test_p55_a_sign_goes_out_after_silence_with_the_start_if_need_be() -> None:
    signed = anyio.Event()

    async def note(wire: SendTo, message: Message) -> None:
        if message.get("body") == b"?":
            signed.set()

    async def slow() -> AsyncIterator[str]:
        await signed.wait()
        yield "a"

    wire = SendTo(note)
    await stream(Live(slow(), 0.01), wire)
    assert (wire.sent[0], bodies(wire)) == (START, [b"?", b"a", b""])


async def test_p55_silence_counts_from_the_last_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        live_streaming, "monotonic", lambda: 0.0
    )  # it was just now, again and again

    async def two() -> AsyncIterator[str]:
        yield "a"
        await anyio.sleep(0.03)
        yield "b"

    wire = Wire()
    await stream_on(Live(two(), 0.01), wire)
    assert bodies(wire) == [b"a", b"b", b""]


async def test_p55_a_stream_is_opened_when_its_first_chunk_is_late() -> None:
    opened = anyio.Event()

    async def note(wire: SendTo, message: Message) -> None:
        opened.set()

    async def late() -> AsyncIterator[str]:
        await opened.wait()
        yield "a"

    wire = SendTo(note)
    await stream(Live(late()), wire)
    assert (wire.sent[0], bodies(wire)) == (START, [b"?", b"a", b""])


async def test_p55_a_sign_never_disturbs_what_the_generator_waits_for() -> None:
    signs = 0
    enough = anyio.Event()

    async def count(wire: SendTo, message: Message) -> None:
        nonlocal signs
        signs += message["body"] == b"?"
        if signs == 3:
            enough.set()

    async def waiting() -> AsyncIterator[str]:
        with anyio.CancelScope(shield=True):
            await enough.wait()
        yield "a"

    wire = SendTo(count)
    await stream_on(Live(waiting(), 0.001), wire)
    assert bodies(wire)[:3] == [b"?"] * 3
    assert wire.is_complete


@pytest.mark.parametrize("ending", [True, False], ids=["the-end", "a-chunk"])
async def test_p55_what_comes_while_a_sign_is_sent_waits_for_it(ending: bool) -> None:
    begun, log = anyio.Event(), Log()

    async def slowly(wire: SendTo, message: Message) -> None:
        if message["body"] == b"?":
            begun.set()
            await anyio.wait_all_tasks_blocked()
        log.append(message["body"].decode())

    async def quick() -> AsyncIterator[str]:
        await begun.wait()
        if not ending:
            yield "a"

    await stream_on(Live(quick(), 0.01), SendTo(slowly))
    assert log == (["?", ""] if ending else ["?", "a", ""])


async def test_p55_no_sign_is_sent_while_a_chunk_is() -> None:
    async def slowly(wire: SendTo, message: Message) -> None:
        if message["body"] == b"a":
            await anyio.sleep(0.03)

    async def one() -> AsyncIterator[str]:
        yield "a"

    wire = SendTo(slowly)
    await stream_on(Live(one(), 0.01), wire)
    assert bodies(wire) == [b"a", b""]


async def test_p55_no_sign_is_sent_after_the_end() -> None:
    class SlowToClose(Live):
        async def aclose(self) -> None:
            await anyio.sleep(0.03)

    async def nothing() -> AsyncIterator[str]:
        return
        yield ""

    wire = Wire()
    await stream_on(SlowToClose(nothing(), 0.01), wire)
    assert bodies(wire) == [b""]


async def test_p55_a_sign_shows_that_the_client_has_left() -> None:
    async def fail(wire: SendTo, message: Message) -> None:
        raise BrokenPipeError

    log = Log()
    wire = SendTo(fail)

    async def waiting() -> AsyncIterator[str]:
        try:
            await anyio.sleep_forever()
            yield ""
        finally:
            log.append("closed")

    with anyio.fail_after(0.5), pytest.raises(ClientDisconnected):
        await stream_on(Live(waiting(), 0.01), wire)
    assert log == ["closed"]


async def test_st5_a_client_that_leaves_while_a_sign_is_sent_ends_the_stream_at_once() -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        if message["body"] == b"?":
            await wire.leave()

    log = Log()
    with anyio.fail_after(0.5), pytest.raises(ClientDisconnected):
        await stream_on(Live(forever(log), 0.01), SendTo(leave))
    assert log == ["closed"]


# --- live streams: the shutdown -------------------------------------------------------------------


async def end_at_first_chunk(live: Live, wire: SendTo, message: Message) -> None:
    if message.get("body") == b"a":
        await wire.watched.wait()
        live.end.set()
        await anyio.wait_all_tasks_blocked()


def ending(chunks: AsyncIterator[str]) -> tuple[Live, SendTo]:
    """Return chunks that are ended while the first is sent, and where they are sent."""
    live = Live(chunks)
    return live, SendTo(lambda wire, message: end_at_first_chunk(live, wire, message))


async def test_p5_a_generator_that_waits_is_closed_in_its_task_and_the_stream_completed() -> None:
    seen: list[int] = []

    async def waiting() -> AsyncIterator[str]:
        seen.append(anyio.get_current_task().id)
        try:
            await anyio.sleep_forever()
            yield ""
        finally:
            seen.append(anyio.get_current_task().id)

    live, wire = Live(waiting()), Wire()
    live.end.set()
    with anyio.fail_after(0.5):
        await stream(live, wire)
    assert seen == [anyio.get_current_task().id] * 2
    assert (bodies(wire), wire.is_complete) == ([b"bye", b""], True)


async def test_p5_between_two_chunks_the_generator_is_closed_and_may_await() -> None:
    log = Log()

    async def chunks() -> AsyncIterator[str]:
        try:
            while True:
                yield "a"
        finally:
            await checkpoint()
            log.append("closed")

    live, wire = ending(chunks())
    with anyio.fail_after(0.5):
        await stream_on(live, wire)
    assert (log, bodies(wire)) == (["closed"], [b"a", b"bye", b""])


async def test_p5_without_last_words_the_stream_just_ends() -> None:
    live, wire = Live(forever(Log())), Wire()
    live.last = b""
    live.end.set()
    with anyio.fail_after(0.5):
        await stream_on(live, wire)
    assert bodies(wire)[-1] == b""
    assert wire.is_complete


async def test_p5_a_chunk_that_is_made_at_that_moment_is_not_lost() -> None:
    live: Live

    async def shielded() -> AsyncIterator[str]:
        with anyio.CancelScope(shield=True):
            await live.end.wait()
            await anyio.wait_all_tasks_blocked()
        yield "late"

    live, wire = Live(shielded()), Wire()
    live.end.set()
    with anyio.fail_after(0.5):
        await stream_on(live, wire)
    assert b"".join(bodies(wire)) == b"latebye"


async def test_p5_a_generator_that_ends_at_that_moment_is_complete() -> None:
    live: Live

    async def shielded() -> AsyncIterator[str]:
        with anyio.CancelScope(shield=True):
            await live.end.wait()
            await anyio.wait_all_tasks_blocked()
        return
        yield ""

    live, wire = Live(shielded()), Wire()
    live.end.set()
    with anyio.fail_after(0.5):
        await stream_on(live, wire)
    assert bodies(wire) == [b"bye", b""]


async def test_p5_what_a_cleanup_raises_breaks_the_stream() -> None:
    failure = LookupError()

    async def failing() -> AsyncIterator[str]:
        try:
            await anyio.sleep_forever()
            yield ""
        finally:
            raise failure

    live, wire = Live(failing()), Wire()
    live.end.set()
    with anyio.fail_after(0.5), pytest.raises(LookupError) as caught:
        await stream_on(live, wire)
    assert caught.value is failure
    assert not wire.is_complete


@pytest.mark.parametrize("blocked", [b"a", b"bye"])
async def test_p5_a_client_that_does_not_read_does_not_hold_the_shutdown(
    monkeypatch: pytest.MonkeyPatch, blocked: bytes
) -> None:
    monkeypatch.setattr(outgoing, "SEND_SECONDS", 0.01)

    async def block(wire: SendTo, message: Message) -> None:
        live.end.set()
        if message["body"] == blocked:
            await anyio.sleep_forever()

    async def one() -> AsyncIterator[str]:
        yield "a"
        await anyio.sleep_forever()

    live, wire = Live(one()), SendTo(block)
    with anyio.fail_after(0.5), pytest.raises(ClientDisconnected):
        await stream_on(live, wire)
    assert not wire.is_complete


async def test_p5_a_client_that_left_is_not_answered_at_shutdown() -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        live.end.set()
        await wire.leave()

    live, wire = Live(numbers()), SendTo(leave)
    with anyio.fail_after(0.5), pytest.raises(ClientDisconnected):
        await stream_on(live, wire)
    assert bodies(wire) == [b"0"]


async def test_p5_a_client_that_leaves_while_the_stream_is_completed_has_left() -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        if message["body"] == b"bye":
            raise BrokenPipeError

    live, wire = Live(forever(Log())), SendTo(leave)
    live.end.set()
    with anyio.fail_after(0.5), pytest.raises(ClientDisconnected):
        await stream_on(live, wire)


async def test_p9_a_cleanup_may_await_at_shutdown() -> None:
    log = Log()

    async def waiting() -> AsyncIterator[str]:
        try:
            await anyio.sleep_forever()
            yield ""
        finally:
            await anyio.sleep(0.001)
            log.append("closed")

    live, wire = Live(waiting()), Wire()
    live.end.set()
    with anyio.fail_after(0.5):
        await stream(live, wire)
    assert (log, wire.is_complete) == (["closed"], True)


async def test_a_client_that_takes_no_sign_is_broken_off() -> None:
    async def block(wire: SendTo, message: Message) -> None:
        await anyio.sleep_forever()

    wire, log = SendTo(block), Log()
    wire.send_timeout = 0.02

    async def waiting() -> AsyncIterator[str]:
        try:
            await anyio.sleep_forever()
            yield ""
        finally:
            log.append("closed")

    with anyio.fail_after(1), pytest.raises(SendTimeout):
        await stream_on(Live(waiting(), 0.001), wire)
    assert log == ["closed"]
