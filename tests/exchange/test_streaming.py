"""Streams: sent chunk by chunk, stopped when the client leaves, always closed, never wrapped."""

import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen.exceptions import ClientDisconnected, SendTimeout
from erlen.exchange import closing, outgoing
from erlen.exchange.streaming import Stream
from erlen.protocols import Message
from tests.exchange.wire import SendTo, Wire


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


@pytest.fixture(autouse=True)
def _watched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "PATIENCE", 0)


START: Message = {"type": "http.response.start", "status": 200, "headers": []}


async def stream(chunks: Any, wire: Wire, declared_length: int | None) -> None:
    """Stream a body whose start was sent."""
    wire.started = True
    await Stream(START, chunks, wire, declared_length).send_all()


# --- the start ------------------------------------------------------------------------------------


async def test_the_start_goes_out_with_the_first_chunk() -> None:
    wire, seen = Wire(), []

    async def chunks() -> AsyncIterator[str]:
        seen.append(len(wire.sent))
        yield "a"
        seen.append(len(wire.sent))

    await Stream(START, chunks(), wire, None).send_all()
    assert seen == [0, 2]
    assert wire.started


async def test_an_empty_first_chunk_sends_the_start_alone() -> None:
    wire, seen = Wire(), []

    async def chunks() -> AsyncIterator[str]:
        yield ""
        seen.extend(wire.sent)

    await Stream(START, chunks(), wire, None).send_all()
    assert seen == [START]


async def test_a_stream_without_chunks_is_started_and_ended() -> None:
    wire = Wire()
    await Stream(START, iter(()), wire, None).send_all()
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
        await Stream(START, failing(), wire, None).send_all()
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


@pytest.mark.parametrize("kind", [LookupError, OSError, ExceptionGroup, KeyboardInterrupt, Outcome])
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
    with pytest.raises(GeneratorExit):
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


async def go(wire: SendTo, message: Message) -> None:
    """Leave while the generator waits for something, after the message."""
    wire.gone.set()


async def test_p9_what_waits_inside_is_cancelled_once_so_that_its_cleanup_may_await() -> None:
    """Pains 9: ``finally: await asyncio.sleep(0)`` runs to the end, however often it awaits."""
    log = Log()

    async def waiting() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            for step in range(3):
                await anyio.sleep(0.002)
                log.append(f"cleanup {step}")

    with anyio.fail_after(1), pytest.raises(ClientDisconnected):
        await stream(waiting(), SendTo(go), None)
    assert log == ["cleanup 0", "cleanup 1", "cleanup 2"]


async def test_b320_a_cleanup_that_takes_too_long_is_cut_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.01)

    async def slow() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            await anyio.sleep(10)

    with anyio.fail_after(1), pytest.raises(ClientDisconnected):
        await stream(slow(), SendTo(go), None)
    (record,) = caplog.records
    assert record.getMessage().startswith("GET / did not end within 0.01 seconds")


@pytest.mark.parametrize("waits", [True, False], ids=["waiting", "between-chunks"])
async def test_b320_a_cleanup_that_raises_is_logged(
    caplog: pytest.LogCaptureFixture, waits: bool
) -> None:
    failure = LookupError()

    async def failing() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            raise failure

    async def leave(wire: SendTo, message: Message) -> None:
        if not waits:
            await wire.leave()
        wire.gone.set()

    with anyio.fail_after(1), pytest.raises(ClientDisconnected):
        await stream(failing(), SendTo(leave), None)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is failure


@pytest.mark.parametrize("waits", [True, False], ids=["waiting", "between-chunks"])
async def test_b320_a_cleanup_that_yields_is_logged_as_such(
    caplog: pytest.LogCaptureFixture, waits: bool
) -> None:
    async def yielding() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            yield "b"

    async def leave(wire: SendTo, message: Message) -> None:
        if not waits:
            await wire.leave()
        wire.gone.set()

    wire = SendTo(leave)
    with anyio.fail_after(1), pytest.raises(ClientDisconnected):
        await stream(yielding(), wire, None)
    assert [message["body"] for message in wire.sent] == [b"a"]
    assert "o not yield in 'finally'." in caplog.records[0].getMessage()


async def test_a_generator_that_swallows_its_cancellation_ends_with_its_next_chunk() -> None:
    log = Log()

    async def stubborn() -> AsyncIterator[str]:
        try:
            yield "a"
            with suppress(anyio.get_cancelled_exc_class()):
                await anyio.sleep_forever()
            await checkpoint()
            yield "b"
        finally:
            log.append("closed")

    wire = SendTo(go)
    with anyio.fail_after(1), pytest.raises(ClientDisconnected):
        await stream(stubborn(), wire, None)
    assert (len(wire.sent), log) == (1, ["closed"])


async def test_a_group_of_a_generator_is_taken_apart_when_the_client_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The cancellation in it is ours, the other error is logged."""
    failure = LookupError()

    async def failing() -> AsyncIterator[str]:
        yield "a"
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class() as cancelled:
            raise BaseExceptionGroup("", [cancelled, failure]) from None

    with anyio.fail_after(1), pytest.raises(ClientDisconnected):
        await stream(failing(), SendTo(go), None)
    (record,) = caplog.records
    assert record.getMessage() == "GET / failed while it ended, after its client had left."
    assert record.exc_info is not None
    assert isinstance(group := record.exc_info[1], ExceptionGroup)
    assert group.exceptions == (failure,)


async def test_a_synchronous_iterator_that_ends_after_its_client_sends_nothing_more() -> None:
    wire = Wire()
    may_go = threading.Event()

    def slow() -> Iterator[str]:
        may_go.wait(5)
        yield "a"

    async def leave() -> None:
        await wire.leave()
        may_go.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
        with pytest.raises(ClientDisconnected):
            await stream(slow(), wire, None)
    assert wire.sent == []


async def test_a_generator_that_ends_when_its_client_leaves_sends_nothing_more() -> None:
    async def ending() -> AsyncIterator[str]:
        yield "a"
        with suppress(anyio.get_cancelled_exc_class()):
            await anyio.sleep_forever()

    wire = SendTo(go)
    with pytest.raises(ClientDisconnected):
        await stream(ending(), wire, None)
    assert [message["body"] for message in wire.sent] == [b"a"]


async def test_errors_before_the_client_left_win_over_a_closing_that_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.01)

    class Rows:
        def __aiter__(self) -> AsyncIterator[str]:
            return numbers(Log())

        async def aclose(self) -> None:
            await anyio.sleep_forever()

    wire = Wire()
    with anyio.fail_after(1), pytest.raises(RuntimeError, match="Declare the right length"):
        await stream(Rows(), wire, 2)


@BOTH
async def test_st5_between_two_chunks_the_generator_is_closed_and_may_await(make: Make) -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        await wire.leave()

    wire, log = SendTo(leave), Log()
    with pytest.raises(ClientDisconnected):
        await stream(make(log, 10**9), wire, None)
    assert (len(wire.sent), log[-1]) == (1, "closed")


@BOTH
@pytest.mark.parametrize("taken", [1, 2, 3])
async def test_b327_a_send_that_raises_oserror_closes_the_generator(make: Make, taken: int) -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        if len(wire.sent) == taken:
            raise BrokenPipeError

    log = Log()
    with pytest.raises(ClientDisconnected):
        await stream(make(log, 3), SendTo(leave), None)
    assert log[-1] == "closed"


async def test_a_client_that_leaves_while_the_start_is_sent_gets_no_chunk() -> None:
    wire, log = SendTo(lambda wire, _: wire.leave()), Log()
    with pytest.raises(ClientDisconnected):
        await Stream(START, numbers(log), wire, None).send_all()
    assert (wire.sent, log) == ([START], ["closing", "closed"])


async def test_b327_a_send_that_never_returns_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "SEND_SECONDS", 0.01)

    async def block(wire: SendTo, message: Message) -> None:
        wire.gone.set()
        await anyio.sleep_forever()

    log = Log()
    with anyio.fail_after(1), pytest.raises(ClientDisconnected):
        await stream(numbers(log), SendTo(block), None)
    assert log == ["closing", "closed"]


async def test_a_generator_that_is_told_between_chunks_is_not_cancelled_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outgoing, "SEND_SECONDS", 0.01)
    log = Log()

    async def slow_to_close() -> AsyncIterator[str]:
        try:
            yield "a"
        finally:
            await anyio.sleep(0.03)
            log.append("closed")

    with pytest.raises(ClientDisconnected):
        await stream(slow_to_close(), SendTo(lambda wire, _: wire.leave()), None)
    assert log == ["closed"]


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
            await wire.leave()

    wire = SendTo(leave)
    await stream(numbers(Log()), wire, None)
    assert wire.is_complete


async def test_the_memory_of_a_failure_ends_with_it() -> None:
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


# --- a client that does not read -------------------------------------------------------------------


async def stuck(wire: SendTo, message: Message) -> None:
    await anyio.sleep_forever()


async def test_a_client_that_takes_nothing_is_broken_off_and_the_generator_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wire, log = SendTo(stuck), Log()
    wire.send_timeout = 0.02
    with anyio.fail_after(1), pytest.raises(SendTimeout, match="has taken nothing"):
        await stream(numbers(log), wire, None)
    assert (log, wire.is_complete) == (["closing", "closed"], False)
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.WARNING, "erlen")
    assert "GET / is broken off: its client has taken nothing for 0.02 s" in record.getMessage()


async def test_a_client_that_takes_the_start_alone_is_broken_off() -> None:
    async def block(wire: SendTo, message: Message) -> None:
        await (checkpoint() if message is START else anyio.sleep_forever())

    wire, log = SendTo(block), Log()
    wire.send_timeout = 0.02
    with anyio.fail_after(1), pytest.raises(SendTimeout, match="has taken nothing"):
        await Stream(START, numbers(log), wire, None).send_all()
    assert log == ["closing", "closed"]


async def test_only_silence_counts_for_the_time_of_a_client() -> None:
    async def slowly(wire: SendTo, message: Message) -> None:
        await anyio.sleep(0.05)

    wire = SendTo(slowly)
    wire.send_timeout = 0.3
    await stream(numbers(Log(), 8), wire, None)
    assert wire.is_complete


async def test_a_generator_may_take_its_time_when_its_client_has_none() -> None:
    async def slow() -> AsyncIterator[str]:
        yield "a"
        await anyio.sleep(0.06)

    wire = Wire()
    wire.send_timeout = 0.01
    await stream(slow(), wire, None)
    assert wire.is_complete


async def test_a_look_that_comes_too_late_does_nothing() -> None:
    body = Stream(START, numbers(Log()), Wire(), None)
    body._look(0.01)
    body._attend_now()
    assert body._beside == []


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
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.01)

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


async def test_b328_a_long_stream_keeps_nothing() -> None:
    class Counting(Wire):
        count = 0

        async def send(self, message: Message) -> None:
            self.count += 1

    wire = Counting()
    await stream(numbers(Log(), 10_000), wire, None)
    assert wire.count == 10_001


async def test_p8_abandoned_streams_leave_no_generator_behind() -> None:
    """Pains 8: 200 clients leave, half of them while the generator waits."""
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    log = Log()
    gc.collect()
    gc.disable()
    try:
        for number in range(200):
            waits = number % 2
            generator = forever(log) if waits else numbers(log, 10**9)
            alive.add(generator)
            wire = SendTo(go if waits else lambda wire, _: wire.leave())
            with pytest.raises(ClientDisconnected):
                await stream(generator, wire, None)
            del generator
        await checkpoint()  # trio keeps what a task was last given
        assert (log.count("closed"), len(alive)) == (200, 0)
    finally:
        gc.enable()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_asyncio_cancels_closes_its_generator_and_is_cancelled() -> None:
    import asyncio  # noqa: TID251  # its own cancellation is no scope's

    log, wire = Log(), Wire()

    async def waiting() -> AsyncIterator[str]:
        try:
            await anyio.sleep_forever()
            yield ""
        finally:
            await checkpoint()
            log.append("closed")

    task = asyncio.ensure_future(Stream(START, waiting(), wire, None).send_all())
    await wire.watched.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["closed"]


@pytest.mark.parametrize("chunk", ["a", ""])
async def test_an_endless_body_lets_the_server_know_that_the_client_left(chunk: str) -> None:
    wire = Wire()
    limit = monotonic() + 5

    async def chunks() -> AsyncIterator[str]:
        while monotonic() < limit:
            yield chunk

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wire.leave)
        with pytest.raises(ClientDisconnected):
            await stream(chunks(), wire, None)
    assert not wire.is_complete
