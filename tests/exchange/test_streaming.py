"""Streams: sent chunk by chunk, stopped when the client leaves, always closed, never wrapped."""

import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen.exceptions import ClientDisconnected
from erlen.exchange import streaming
from erlen.exchange.streaming import Chunk, LiveChunks, encode_chunk, send_chunks
from erlen.protocols import Message
from erlen.shutdown import ShuttingDown
from tests.exchange.wire import Wire


class Log(list[str]):
    """What happened to a generator, in order."""


async def numbers(log: Log, count: int = 3) -> AsyncIterator[str]:
    try:
        for number in range(count):
            yield str(number)
    finally:
        log.append("closing")
        await checkpoint()
        log.append("closed")


def sync_numbers(log: Log, count: int = 3) -> Iterator[str]:
    try:
        for number in range(count):
            log.append(f"thread {threading.get_ident() != threading.main_thread().ident}")
            yield str(number)
    finally:
        log.append("closed")


BOTH = pytest.mark.parametrize("make", [numbers, sync_numbers], ids=["async", "sync"])
Make = Callable[[Log, int], Any]


class SendTo(Wire):
    """A wire that does something of the test's with each message."""

    def __init__(self, react: Callable[["SendTo", Message], Any]) -> None:
        super().__init__()
        self._react = react

    async def send(self, message: Message) -> None:
        await super().send(message)
        await self._react(self, message)


START: Message = {"type": "http.response.start", "status": 200, "headers": []}


async def stream(chunks: Any, wire: Wire, declared_length: int | None) -> None:
    """Stream a body whose start was sent."""
    wire.started = True
    await send_chunks(START, chunks, wire, declared_length)


# --- the start ------------------------------------------------------------------------------------


async def test_the_start_goes_out_with_the_first_chunk() -> None:
    wire, seen = Wire(), []

    async def chunks() -> AsyncIterator[str]:
        seen.append(len(wire.sent))
        yield "a"
        seen.append(len(wire.sent))

    await send_chunks(START, chunks(), wire, None)
    assert seen == [0, 2]
    assert wire.started


async def test_an_empty_first_chunk_sends_the_start_alone() -> None:
    wire, seen = Wire(), []

    async def chunks() -> AsyncIterator[str]:
        yield ""
        seen.extend(wire.sent)

    await send_chunks(START, chunks(), wire, None)
    assert seen == [START]


async def test_a_stream_without_chunks_is_started_and_ended() -> None:
    wire = Wire()
    await send_chunks(START, iter(()), wire, None)
    assert [message["type"] for message in wire.sent] == [
        "http.response.start",
        "http.response.body",
    ]


async def test_what_fails_before_the_first_chunk_has_sent_nothing() -> None:
    wire = Wire()

    async def failing() -> AsyncIterator[str]:
        raise LookupError
        yield ""

    with pytest.raises(LookupError):
        await send_chunks(START, failing(), wire, None)
    assert (wire.sent, wire.started) == ([], False)


# --- complete -------------------------------------------------------------------------------------


@BOTH
async def test_every_chunk_is_a_message_and_the_end_another(make: Make) -> None:
    wire, log = Wire(), Log()
    await stream(make(log, 3), wire, None)
    assert [message["body"] for message in wire.sent] == [b"0", b"1", b"2", b""]
    assert [message["more_body"] for message in wire.sent] == [True, True, True, False]
    assert log[-1] == "closed"


async def test_st4_a_synchronous_iterator_runs_in_a_thread() -> None:
    log = Log()
    await stream(sync_numbers(log), Wire(), None)
    assert log == ["thread True"] * 3 + ["closed"]


async def test_an_iterator_without_aclose_needs_no_closing() -> None:
    class Once:
        chunks: tuple[str, ...] = ("a",)

        def __aiter__(self) -> "Once":
            return self

        async def __anext__(self) -> str:
            if not self.chunks:
                raise StopAsyncIteration
            self.chunks = ()
            return "a"

    wire = Wire()
    await stream(Once(), wire, None)
    assert [message["body"] for message in wire.sent] == [b"a", b""]


async def test_an_empty_chunk_is_not_sent_because_it_looks_like_the_end() -> None:
    wire = Wire()
    await stream(["a", "", b""], wire, None)
    assert [message["body"] for message in wire.sent] == [b"a", b""]


class Rows:
    """Not an iterator, but something that makes one and must be closed itself."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def __iter__(self) -> Iterator[str]:
        return sync_numbers(self.log)

    def close(self) -> None:
        self.log.append("rows closed")


class AsyncRows(Rows):
    def __aiter__(self) -> AsyncIterator[str]:
        return numbers(self.log)

    async def aclose(self) -> None:
        self.log.append("rows closed")


@pytest.mark.parametrize("rows", [Rows, AsyncRows])
async def test_an_iterable_and_the_iterator_it_made_are_both_closed(rows: type[Rows]) -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        raise OSError

    log = Log()
    with pytest.raises(ClientDisconnected):
        await stream(rows(log), SendTo(leave), None)
    assert log[-2:] == ["closed", "rows closed"]


# --- failures -------------------------------------------------------------------------------------


class Outcome(BaseException):
    """As test runners have it: no Exception, and no cancellation either."""


@pytest.mark.parametrize("kind", [LookupError, ExceptionGroup, KeyboardInterrupt, Outcome])
async def test_what_the_iterator_raises_comes_out_as_it_is(kind: type[BaseException]) -> None:
    failure = ExceptionGroup("", [LookupError()]) if kind is ExceptionGroup else kind()

    async def failing() -> AsyncIterator[str]:
        yield "a"
        raise failure

    wire = Wire()
    with pytest.raises(kind) as caught:
        await stream(failing(), wire, None)
    assert caught.value is failure
    assert not wire.is_complete


class Failing:
    """An iterator that is no generator, so that nothing closes it but who iterates it."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self.is_closed = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raise self._error

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("error", [Outcome(), BaseExceptionGroup("", [Outcome()])], ids=repr)
async def test_an_iterator_is_closed_whatever_it_raises(error: BaseException) -> None:
    rows = Failing(error)
    with pytest.raises((Outcome, BaseExceptionGroup)):
        await stream(rows, Wire(), None)
    assert rows.is_closed


async def test_a_task_that_ends_unfinished_awaits_nothing_more() -> None:
    rows = Failing(GeneratorExit())
    with pytest.raises(BaseExceptionGroup):
        await stream(rows, Wire(), None)
    assert not rows.is_closed


async def test_what_a_synchronous_iterator_raises_comes_out_as_it_is() -> None:
    failure = LookupError()

    def failing() -> Iterator[str]:
        yield "a"
        raise failure

    with pytest.raises(LookupError) as caught:
        await stream(failing(), Wire(), None)
    assert caught.value is failure


@BOTH
@pytest.mark.parametrize("declared", [2, 4])
async def test_b150_a_stream_that_differs_from_its_length_breaks(make: Make, declared: int) -> None:
    wire, log = Wire(), Log()
    with pytest.raises(RuntimeError, match=f"{declared} bytes .* Declare the right length"):
        await stream(make(log, 3), wire, declared)
    assert sum(len(message["body"]) for message in wire.sent) <= declared
    assert wire.sent[-1]["more_body"]
    assert log[-1] == "closed"


async def test_a_chunk_of_another_kind_breaks_the_stream_and_closes_it() -> None:
    log = Log()

    async def wrong() -> AsyncIterator[Any]:
        try:
            yield 5
        finally:
            log.append("closed")

    with pytest.raises(TypeError, match="gave 5 of type int"):
        await stream(wrong(), Wire(), None)
    assert log == ["closed"]


async def test_what_closing_raises_is_logged_and_the_body_stays_complete(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Unclosable(list[str]):
        def close(self) -> None:
            raise LookupError

    wire = Wire()
    await stream(Unclosable("ab"), wire, None)
    assert wire.is_complete
    assert len(caplog.records) == 1


async def test_b326_a_receive_that_raises_ends_the_stream_with_its_error() -> None:
    failure = LookupError()

    class Broken(Wire):
        async def wait_disconnected(self) -> None:
            raise failure

    with pytest.raises(LookupError) as caught:
        await stream(forever(Log()), Broken(), None)
    assert caught.value is failure


# --- the client leaves ----------------------------------------------------------------------------


async def forever(log: Log) -> AsyncIterator[str]:
    try:
        yield "a"
        await anyio.sleep_forever()
    finally:
        log.append("closed")


async def test_st5_a_generator_that_waits_is_cancelled_when_the_client_leaves() -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        wire.gone.set()

    wire, log = SendTo(leave), Log()
    with anyio.fail_after(1), pytest.raises(ClientDisconnected):
        await stream(forever(log), wire, None)
    assert (log, wire.is_complete) == (["closed"], False)


@BOTH
async def test_st5_between_two_chunks_the_generator_is_closed_and_may_await(make: Make) -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        wire.gone.set()
        await anyio.wait_all_tasks_blocked()

    wire, log = SendTo(leave), Log()
    with pytest.raises(ClientDisconnected):
        await stream(make(log, 10**9), wire, None)
    assert (len(wire.sent), log[-1]) == (1, "closed")


@BOTH
async def test_b327_a_send_that_raises_oserror_closes_the_generator(make: Make) -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        raise BrokenPipeError

    log = Log()
    with pytest.raises(ClientDisconnected):
        await stream(make(log, 3), SendTo(leave), None)
    assert log[-1] == "closed"


async def test_b327_a_send_that_never_returns_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "SEND_SECONDS", 0.01)

    async def block(wire: SendTo, message: Message) -> None:
        wire.gone.set()
        await anyio.sleep_forever()

    log = Log()
    with anyio.fail_after(1), pytest.raises(ClientDisconnected):
        await stream(numbers(log), SendTo(block), None)
    assert log == ["closing", "closed"]


async def test_a_generator_may_keep_a_task_group_open_over_its_yields() -> None:
    log = Log()

    async def with_tasks() -> AsyncIterator[str]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            try:
                while True:
                    yield "a"
            finally:
                tasks.cancel_scope.cancel()
                log.append("closed")

    async def leave(wire: SendTo, message: Message) -> None:
        raise OSError

    with pytest.raises(ClientDisconnected):
        await stream(with_tasks(), SendTo(leave), None)
    assert log == ["closed"]


async def test_a_generator_may_keep_a_deadline_open_over_its_yields() -> None:
    log = Log()

    async def with_deadline() -> AsyncIterator[str]:
        with anyio.fail_after(60):
            try:
                while True:
                    yield "a"
            finally:
                await checkpoint()
                log.append("closed")

    async def leave(wire: SendTo, message: Message) -> None:
        raise OSError

    with pytest.raises(ClientDisconnected):
        await stream(with_deadline(), SendTo(leave), None)
    assert log == ["closed"]


async def test_what_else_a_closing_group_holds_is_not_hidden() -> None:
    async def interrupted() -> AsyncIterator[str]:
        try:
            yield "a"
        finally:
            raise BaseExceptionGroup("", [KeyboardInterrupt()])

    async def leave(wire: SendTo, message: Message) -> None:
        raise OSError

    with pytest.raises(BaseExceptionGroup) as caught:
        await stream(interrupted(), SendTo(leave), None)
    assert caught.value.split(KeyboardInterrupt)[1] is None


async def test_a_client_that_leaves_after_the_last_byte_has_got_everything() -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        if not message["more_body"]:
            wire.gone.set()
            await anyio.wait_all_tasks_blocked()

    wire = SendTo(leave)
    await stream(numbers(Log()), wire, None)
    assert wire.is_complete


async def test_the_memory_of_a_failure_ends_with_it() -> None:
    import gc
    import weakref

    class Failure(Exception):
        pass

    async def failing() -> AsyncIterator[str]:
        raise Failure
        yield ""

    gc.collect()
    gc.disable()
    try:
        try:
            await stream(failing(), Wire(), None)
        except Failure as error:
            seen = weakref.ref(error)
        assert seen() is None
    finally:
        gc.enable()


# --- cancellation from outside --------------------------------------------------------------------


@pytest.mark.parametrize("blocked", [True, False], ids=["in-send", "in-the-generator"])
async def test_a_cancelled_exchange_closes_its_generator(blocked: bool) -> None:
    async def block(wire: SendTo, message: Message) -> None:
        if blocked:
            await anyio.sleep_forever()

    log = Log()
    with anyio.move_on_after(0.01) as scope:
        await stream(numbers(log) if blocked else forever(log), SendTo(block), None)
    assert scope.cancelled_caught
    assert log[-1] == "closed"


async def with_tasks(log: Log) -> AsyncIterator[str]:
    async with anyio.create_task_group():
        try:
            yield "a"
        finally:
            await checkpoint()
            log.append("closed")


async def with_deadline(log: Log) -> AsyncIterator[str]:
    with anyio.fail_after(60):
        try:
            yield "a"
        finally:
            await checkpoint()
            log.append("closed")


@pytest.mark.parametrize("make", [with_tasks, with_deadline])
async def test_scopes_that_are_open_over_a_yield_are_left_in_order_when_it_is_cancelled(
    make: Callable[[Log], AsyncIterator[str]],
) -> None:
    async def block(wire: SendTo, message: Message) -> None:
        await anyio.sleep_forever()

    log = Log()
    with anyio.move_on_after(0.01) as scope:
        await stream(make(log), SendTo(block), None)
    assert scope.cancelled_caught
    assert log == ["closed"]


async def test_closing_does_not_hold_a_cancelled_exchange_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "CLOSE_SECONDS", 0.01)

    async def stubborn() -> AsyncIterator[str]:
        try:
            yield "a"
        finally:
            await anyio.sleep_forever()

    async def block(wire: SendTo, message: Message) -> None:
        await anyio.sleep_forever()

    with anyio.fail_after(1), anyio.move_on_after(0.01) as scope:
        await stream(stubborn(), SendTo(block), None)
    assert scope.cancelled_caught


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
    await send_chunks(START, Live(slow(), 0.01), wire, None)
    assert (wire.sent[0], bodies(wire)) == (START, [b"?", b"a", b""])


async def test_p55_silence_counts_from_the_last_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "monotonic", lambda: 0.0)  # it was just now, again and again

    async def two() -> AsyncIterator[str]:
        yield "a"
        await anyio.sleep(0.03)
        yield "b"

    wire = Wire()
    await stream(Live(two(), 0.01), wire, None)
    assert bodies(wire) == [b"a", b"b", b""]


async def test_p55_a_stream_is_opened_when_its_first_chunk_is_late() -> None:
    opened = anyio.Event()

    async def note(wire: SendTo, message: Message) -> None:
        opened.set()

    async def late() -> AsyncIterator[str]:
        await opened.wait()
        yield "a"

    wire = SendTo(note)
    await send_chunks(START, Live(late()), wire, None)
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
    await stream(Live(waiting(), 0.001), wire, None)
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

    await stream(Live(quick(), 0.01), SendTo(slowly), None)
    assert log == (["?", ""] if ending else ["?", "a", ""])


async def test_p55_no_sign_is_sent_while_a_chunk_is() -> None:
    async def slowly(wire: SendTo, message: Message) -> None:
        if message["body"] == b"a":
            await anyio.sleep(0.03)

    async def one() -> AsyncIterator[str]:
        yield "a"

    wire = SendTo(slowly)
    await stream(Live(one(), 0.01), wire, None)
    assert bodies(wire) == [b"a", b""]


async def test_p55_no_sign_is_sent_after_the_end() -> None:
    class SlowToClose(Live):
        async def aclose(self) -> None:
            await anyio.sleep(0.03)

    async def nothing() -> AsyncIterator[str]:
        return
        yield ""

    wire = Wire()
    await stream(SlowToClose(nothing(), 0.01), wire, None)
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
        await stream(Live(waiting(), 0.01), wire, None)
    assert log == ["closed"]


async def test_st5_a_client_that_leaves_while_a_sign_is_sent_ends_the_stream_at_once() -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        if message["body"] == b"?":
            wire.gone.set()
            await anyio.wait_all_tasks_blocked()

    log = Log()
    with anyio.fail_after(0.5), pytest.raises(ClientDisconnected):
        await stream(Live(forever(log), 0.01), SendTo(leave), None)
    assert log == ["closed"]


# --- live streams: the shutdown -------------------------------------------------------------------


async def end_at_first_chunk(live: Live, wire: SendTo, message: Message) -> None:
    if message.get("body") == b"a":
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
        await send_chunks(START, live, wire, None)
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
        await stream(live, wire, None)
    assert (log, bodies(wire)) == (["closed"], [b"a", b"bye", b""])


async def test_p5_without_last_words_the_stream_just_ends() -> None:
    live, wire = Live(forever(Log())), Wire()
    live.last = b""
    live.end.set()
    with anyio.fail_after(0.5):
        await stream(live, wire, None)
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
        await stream(live, wire, None)
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
        await stream(live, wire, None)
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
        await stream(live, wire, None)
    assert caught.value is failure
    assert not wire.is_complete


@pytest.mark.parametrize("blocked", [b"a", b"bye"])
async def test_p5_a_client_that_does_not_read_does_not_hold_the_shutdown(
    monkeypatch: pytest.MonkeyPatch, blocked: bytes
) -> None:
    monkeypatch.setattr(streaming, "SEND_SECONDS", 0.01)

    async def block(wire: SendTo, message: Message) -> None:
        live.end.set()
        if message["body"] == blocked:
            await anyio.sleep_forever()

    async def one() -> AsyncIterator[str]:
        yield "a"
        await anyio.sleep_forever()

    live, wire = Live(one()), SendTo(block)
    with anyio.fail_after(0.5), pytest.raises(ClientDisconnected):
        await stream(live, wire, None)
    assert not wire.is_complete


async def test_p5_a_client_that_left_is_not_answered_at_shutdown() -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        wire.gone.set()
        live.end.set()
        await anyio.wait_all_tasks_blocked()

    live, wire = Live(numbers(Log())), SendTo(leave)
    with anyio.fail_after(0.5), pytest.raises(ClientDisconnected):
        await stream(live, wire, None)
    assert bodies(wire) == [b"0"]


# --- chunks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunk", "data"),
    [("é", b"\xc3\xa9"), (b"a", b"a"), (bytearray(b"a"), b"a"), (memoryview(b"a"), b"a")],
)
def test_a_chunk_is_text_or_bytes(chunk: Any, data: bytes) -> None:
    encoded = encode_chunk(chunk)
    assert (encoded, type(encoded)) == (data, bytes)


async def test_b328_a_long_stream_keeps_nothing() -> None:
    class Counting(Wire):
        count = 0

        async def send(self, message: Message) -> None:
            self.count += 1

    wire = Counting()
    await stream(numbers(Log(), 10_000), wire, None)
    assert wire.count == 10_001
