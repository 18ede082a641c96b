"""The signals of an exchange's life: SG-1 to SG-4 and their place in surface section 16."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from blinker import Signal

from erlen import Erlen, g, request, websocket
from erlen.pipeline.announce import REQUEST, WEBSOCKET, heard
from erlen.signals import (
    appcontext_popped,
    appcontext_pushed,
    appcontext_tearing_down,
    got_request_exception,
    got_websocket_exception,
    request_finished,
    request_started,
    request_tearing_down,
)
from erlen.testing import WebSocketRejected

EVERY = (
    appcontext_pushed,
    *REQUEST,
    *WEBSOCKET,
    appcontext_tearing_down,
    appcontext_popped,
)


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.before_request(lambda: g.setdefault("before", None))
    app.add_url_rule("/", "index", lambda: "page")
    app.add_url_rule("/fails", "fails", lambda: 1 / 0)
    app.add_websocket("/talk", "talk", lambda: None)
    return app


@pytest.fixture
def told(app: Erlen) -> Iterator[list[Any]]:
    """What was sent, in order: names, and with the values in brackets where there are some."""
    log: list[Any] = []
    with ExitStack() as stack:
        for signal in EVERY:

            def note(_sender: Erlen, _name: str = signal.name, **values: Any) -> None:
                log.append((_name, values) if any(values.values()) else _name)

            stack.enter_context(signal.connected_to(note, app))
        yield log


async def test_sg4_signals_of_a_request_stand_around_its_hooks(app: Erlen, told: list[Any]) -> None:
    app.before_request(lambda: told.append("before"))
    app.teardown_request(lambda _: told.append("teardown"))
    await app.test_client().get("/")
    finished = told.pop(3)
    assert finished[0] == "request-finished"
    assert finished[1]["response"].status_code == 200
    assert told == [
        "appcontext-pushed", "request-started", "before", "teardown",
        "request-tearing-down", "appcontext-tearing-down", "appcontext-popped",
    ]  # fmt: skip


async def test_pl6_signals_of_a_websocket_have_names_of_their_own(
    app: Erlen, told: list[Any]
) -> None:
    @app.websocket("/echo")
    async def echo() -> None:
        await websocket.send(await websocket.receive())

    async with app.test_client().websocket("/echo") as socket:
        await socket.send("hello")
        await socket.receive()
    assert [name for name in told if "websocket" in name] == [
        "websocket-started", "websocket-finished", "websocket-tearing-down",
    ]  # fmt: skip


async def test_er5_an_error_without_handler_is_told_once(app: Erlen, told: list[Any]) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    await app.test_client().get("/fails")
    failed = [values for name, values in filter(_has_values, told) if "got" in name]
    assert [type(values["exception"]) for values in failed] == [ZeroDivisionError]


async def test_the_error_is_told_to_the_signals_of_the_end(app: Erlen, told: list[Any]) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    await app.test_client().get("/fails")
    ends = {name: values for name, values in filter(_has_values, told) if "tearing" in name}
    assert {type(values["exc"]) for values in ends.values()} == {ZeroDivisionError}
    assert set(ends) == {"request-tearing-down", "appcontext-tearing-down"}


def _has_values(entry: Any) -> bool:
    return isinstance(entry, tuple)


async def test_def_receivers_run_in_the_thread_of_the_def_view(app: Erlen) -> None:
    threads = set()

    @app.get("/thread")
    def thread() -> str:
        threads.add(threading.get_ident())
        return ""

    def receive(_sender: Erlen, **_values: Any) -> None:
        threads.add(threading.get_ident())
        assert request.path == "/thread"

    with request_started.connected_to(receive, app), request_finished.connected_to(receive, app):
        await app.test_client().get("/thread")
    assert len(threads - {threading.get_ident()}) == len(threads) == 1


async def test_async_receivers_are_awaited(app: Erlen) -> None:
    seen = []

    async def receive(sender: Erlen, response: Any) -> None:
        seen.append((sender, response.status_code, request.path))

    with request_finished.connected_to(receive, app):
        await app.test_client().get("/")
    assert seen == [(app, 200, "/")]


async def test_sg4_an_error_of_a_receiver_is_answered_like_a_hooks(app: Erlen) -> None:
    async def fail(_sender: Erlen, **_values: Any) -> None:
        raise LookupError("receiver")

    app.register_error_handler(LookupError, lambda error: (str(error), 418))
    with request_started.connected_to(fail, app):
        response = await app.test_client().get("/")
    assert (response.status_code, response.text) == (418, "receiver")


async def test_an_error_at_the_end_keeps_nothing_from_being_given_back(app: Erlen) -> None:
    async def fail(_sender: Erlen, **_values: Any) -> None:
        raise LookupError("receiver")

    app.testing = True
    with request_tearing_down.connected_to(fail, app), pytest.raises(LookupError):
        await app.test_client().get("/")
    assert len(app.threads._idle) == 1


async def test_a_websocket_that_fails_tells_its_own_signal(app: Erlen) -> None:
    app.add_websocket("/fails", "breaks", lambda: 1 / 0)
    seen = []
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def note(_sender: Erlen, exception: Exception) -> None:
        seen.append(exception)

    with got_websocket_exception.connected_to(note, app), pytest.raises(WebSocketRejected):
        async with app.test_client().websocket("/fails"):
            pass
    assert [type(error) for error in seen] == [ZeroDivisionError]


async def test_nobody_listens_any_more(app: Erlen) -> None:
    with got_request_exception.connected_to(print, app):
        assert got_request_exception in heard
    await app.test_client().get("/")
    assert got_request_exception not in heard


def test_cx4_an_application_context_is_told_when_entered_and_left(
    app: Erlen, told: list[Any]
) -> None:
    context = app.app_context()
    with context, context:
        assert told == ["appcontext-pushed"]
    assert told[1:] == ["appcontext-tearing-down", "appcontext-popped"]


async def test_an_application_context_of_async_with_is_told_too(
    app: Erlen, told: list[Any]
) -> None:
    async with app.app_context():
        assert told == ["appcontext-pushed"]
    assert told[1:] == ["appcontext-tearing-down", "appcontext-popped"]


async def _coroutine_receiver(_sender: Erlen) -> None: ...


def test_with_cannot_tell_coroutine_receivers(app: Erlen) -> None:
    with (
        appcontext_pushed.connected_to(_coroutine_receiver, app),
        pytest.raises(RuntimeError, match="'async with'"),
        app.app_context(),
    ):
        pass
    assert not app.app_context()._tokens


async def test_a_receiver_that_fails_leaves_no_context_behind(app: Erlen) -> None:
    def fail(_sender: Erlen) -> None:
        raise LookupError

    with appcontext_pushed.connected_to(fail, app), pytest.raises(LookupError):
        async with app.app_context():
            pass
    assert not bool(g)


class Racing:
    """A signal to which another thread connects a receiver between two looks at it."""

    def __init__(self, connect_another: bool) -> None:
        self._connect_another = connect_another
        self._looks = 0

    @property
    def receivers(self) -> bool:
        self._looks += 1
        if self._looks == 1 and self._connect_another:
            heard.add(Signal())
        return self._looks > 1


@pytest.mark.parametrize("connect_another", [False, True])
async def test_a_receiver_that_a_thread_connects_meanwhile_is_heard(
    app: Erlen, connect_another: bool
) -> None:
    racing: Any = Racing(connect_another)
    heard.add(racing)
    try:
        assert (await app.test_client().get("/")).status_code == 200
        assert racing in heard
    finally:
        heard.clear()
