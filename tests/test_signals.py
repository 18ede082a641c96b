"""Signals: their names, and how receivers of every kind are called."""

import functools
import gc
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from blinker import NamedSignal, Namespace

from erlen import signals
from erlen.signals import emit, emit_now

SENDER = object()

NAMES = [
    "request_started", "request_finished", "request_tearing_down", "got_request_exception",
    "websocket_started", "websocket_finished", "websocket_tearing_down", "websocket_received",
    "websocket_sent", "got_websocket_exception", "appcontext_pushed", "appcontext_popped",
    "appcontext_tearing_down", "got_background_exception", "got_serving_exception",
    "message_flashed", "before_render_template", "template_rendered",
]  # fmt: skip


@pytest.fixture
def signal() -> NamedSignal:
    return Namespace().signal("made")


@pytest.mark.parametrize("name", NAMES)
def test_sg1_signal_has_the_name_that_users_of_flask_and_quart_know(name: str) -> None:
    gc.collect()  # receivers are held weakly; those of other tests may wait for a collection
    assert getattr(signals, name).name == name.replace("_", "-")
    assert not getattr(signals, name).receivers


def test_sg1_signals_are_there() -> None:
    assert signals.signals_available is True


# --- receivers of every kind: SG-2, SG-3 ----------------------------------------------------------


class Receiver:
    """Receives in every way that Python has, and notes what it got."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def plain(self, sender: object, **values: Any) -> None:
        self.got.append((sender, values))

    async def coroutine(self, sender: object, **values: Any) -> None:
        self.got.append((sender, values))

    def wrapped(self, sender: object, **values: Any) -> Awaitable[None]:
        return self.coroutine(sender, **values)

    async def __call__(self, sender: object, **values: Any) -> None:
        self.got.append((sender, values))


KINDS: dict[str, Callable[[Receiver], Callable[..., Any]]] = {
    "def": lambda receiver: receiver.plain,
    "async def": lambda receiver: receiver.coroutine,
    "def that returns a coroutine": lambda receiver: receiver.wrapped,
    "object": lambda receiver: receiver,
    "partial": lambda receiver: functools.partial(receiver.coroutine, more=2),
    "partial of a partial of an object": lambda receiver: functools.partial(
        functools.partial(receiver), more=2
    ),
}


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Callable[[Receiver], Callable[..., Any]]:
    found: Callable[[Receiver], Callable[..., Any]] = request.param
    return found


async def test_sg3_receiver_of_any_kind_is_called_and_awaited(
    signal: NamedSignal, kind: Callable[[Receiver], Callable[..., Any]]
) -> None:
    receiver = Receiver()
    with signal.connected_to(function := kind(receiver)):
        await emit(signal, SENDER, value=1)
    more = {"more": 2} if isinstance(function, functools.partial) else {}
    assert receiver.got == [(SENDER, {"value": 1, **more})]


async def test_sg3_emit_now_gives_back_what_is_to_be_awaited(
    signal: NamedSignal, kind: Callable[[Receiver], Callable[..., Any]]
) -> None:
    receiver = Receiver()
    with signal.connected_to(kind(receiver)):
        for waiting in emit_now(signal, SENDER, value=1):
            assert not receiver.got
            await waiting
    assert [sender for sender, _ in receiver.got] == [SENDER]


async def test_receiver_written_with_def_runs_where_it_is_told(signal: NamedSignal) -> None:
    ran: list[Callable[[], Any]] = []

    async def run_sync(function: Callable[[], Any]) -> Any:
        ran.append(function)
        return function()

    receiver = Receiver()
    partial = functools.partial(receiver.coroutine)
    for function in (receiver.plain, receiver.coroutine, receiver.wrapped, receiver, partial):
        with signal.connected_to(function):
            await emit(signal, SENDER, run_sync=run_sync)
    assert len(receiver.got) == 5
    assert len(ran) == 2


async def test_receiver_written_with_def_runs_here_when_nothing_is_told(
    signal: NamedSignal,
) -> None:
    threads: list[object] = []
    with signal.connected_to(lambda _: threads.append(threading.current_thread())):
        await emit(signal, SENDER)
    assert threads == [threading.current_thread()]


async def test_sg2_receiver_of_another_sender_is_not_called(signal: NamedSignal) -> None:
    receiver = Receiver()
    signal.connect(receiver.plain, sender=SENDER)
    await emit(signal, object())
    assert emit_now(signal, object()) == []
    assert receiver.got == []
    await emit(signal, SENDER)
    assert receiver.got == [(SENDER, {})]


async def test_sg3_receivers_that_are_gone_are_forgotten(signal: NamedSignal) -> None:
    receiver = Receiver()
    signal.connect(receiver.plain)
    got = receiver.got
    del receiver
    await emit(signal, SENDER)
    assert got == []


async def test_sg2_muted_signal_calls_nobody(signal: NamedSignal) -> None:
    receiver = Receiver()
    with signal.connected_to(receiver.plain), signal.muted():
        await emit(signal, SENDER)
        assert emit_now(signal, SENDER) == []
    assert receiver.got == []


async def test_signal_without_receivers_calls_nobody(signal: NamedSignal) -> None:
    await emit(signal, SENDER)
    assert emit_now(signal, SENDER) == []


# --- errors: SG-4 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("in_a_coroutine", [False, True])
async def test_sg4_error_of_a_receiver_is_raised_itself(
    signal: NamedSignal, in_a_coroutine: bool
) -> None:
    def fail(_: object) -> None:
        raise KeyError("plain")

    async def fail_later(_: object) -> None:
        raise KeyError("coroutine")

    with signal.connected_to(fail_later if in_a_coroutine else fail), pytest.raises(KeyError):
        await emit(signal, SENDER)


class Never:
    """Awaitable, but no coroutine."""

    def __await__(self) -> Any:
        raise NotImplementedError


def test_sg4_emit_now_leaves_no_coroutine_behind_an_error(signal: NamedSignal) -> None:
    results = iter([Receiver().coroutine(SENDER), Never()])

    def give(_: object, **_values: Any) -> Any:
        return next(results)

    receivers = [functools.partial(give, number=number) for number in range(3)]
    for receiver in receivers:
        signal.connect(receiver)
    with pytest.raises(StopIteration):
        emit_now(signal, SENDER)
    gc.collect()  # a coroutine that was left would be warned of here
