"""A view without hooks takes a short way, on which nobody may see a difference."""

import gc
import logging
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from anyio.lowlevel import checkpoint

from erlen import Erlen, Response, after_this_request, g, session
from erlen.exceptions import ClientDisconnected
from erlen.exchange.patience import SLICE
from erlen.pipeline.announce import heard as heard_signals
from erlen.protocols import Message
from erlen.signals import request_finished
from tests.hostile.harness import HOST, http_scope

VALUES: dict[str, Any] = {
    "text": "é",
    "no text": "",
    "dict": {"a": "é"},
    "list": [1, None],
    "bytes": b"\xff",
    "long text": "é" * SLICE,
    "status": ("made", 201),
    "response": Response("made", headers={"X-Own": "1"}),
    "nothing": None,
    "half a pair": "\ud800",
    "no JSON": {"a": object()},
    "exception": LookupError("of the view"),
}


class Own(Response):
    default_mimetype = "text/plain"


@pytest.fixture(autouse=True)
def nobody_listens() -> None:
    """Forget the receivers that other tests had: they would lead to the long way."""
    heard_signals.clear()


def app_of(value: Any) -> Erlen:
    app = Erlen("shop")

    @app.route("/", methods=["GET", "POST"])
    async def view() -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    return app


async def sent_by(app: Erlen, method: str = "GET") -> list[Message]:
    """Return what the application sends."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        raise AssertionError("Nobody has asked for the body.")

    await app(http_scope("/", [HOST], method=method), receive, send)
    return messages


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
async def test_the_messages_are_those_of_a_view_with_hooks(value: Any, method: str) -> None:
    hooked = app_of(value)
    hooked.after_request(lambda response: response)
    expected = await sent_by(hooked, method)
    assert await sent_by(app_of(value), method) == expected


async def test_a_response_class_of_the_application_is_used() -> None:
    app = app_of("text")
    app.response_class = Own
    start, _ = await sent_by(app)
    assert (b"content-type", b"text/plain; charset=utf-8") in start["headers"]


async def test_a_function_of_this_request_gets_the_response() -> None:
    app = Erlen("shop")

    @app.get("/")
    async def view() -> str:
        after_this_request(lambda _response: Response("another"))
        return "text"

    _, body = await sent_by(app)
    assert body["body"] == b"another"


async def test_a_session_that_the_view_opens_is_saved() -> None:
    app = Erlen("shop")
    app.secret_key = "k" * 32

    @app.get("/")
    async def view() -> str:
        session["user"] = "ann"
        return "text"

    start, _ = await sent_by(app)
    assert b"set-cookie" in dict(start["headers"])


class Greeting:
    """What is in the language of the session, whenever it becomes text."""

    def __html__(self) -> str:
        return str(session.get("greeting", "hello"))


async def test_a_session_that_is_read_while_json_is_made_is_named_in_vary() -> None:
    app = app_of({"text": Greeting()})
    app.secret_key = "k" * 32
    start, body = await sent_by(app)
    assert dict(start["headers"])[b"vary"] == b"Cookie"
    assert dict(start["headers"])[b"content-type"] == b"application/json"
    assert body["body"] == b'{"text":"hello"}'


async def test_a_function_of_this_request_that_comes_while_json_is_made_is_called() -> None:
    class Late:
        def __html__(self) -> str:
            after_this_request(lambda response: Response(response.data, 201))
            return "late"

    start, body = await sent_by(app_of([Late()]))
    assert (start["status"], body["body"]) == (201, b'["late"]')


async def test_who_begins_to_listen_in_the_view_hears_of_its_end() -> None:
    app, heard = Erlen("shop"), []

    def note(sender: Any, response: Response) -> None:
        heard.append(response.data)

    @app.get("/")
    async def view() -> str:
        request_finished.connect(note)
        return "text"

    try:
        await sent_by(app)
    finally:
        request_finished.disconnect(note)
    assert heard == [b"text"]


async def test_a_client_that_is_gone_before_the_answer_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors: list[Any] = []
    app = app_of("text")
    app.teardown_request(errors.append)

    async def send(_message: Message) -> None:
        raise OSError("The client is gone.")

    with caplog.at_level(logging.DEBUG):
        await app(http_scope("/", [HOST]), None, send)
    assert [type(error).__name__ for error in errors] == ["ClientDisconnected"]
    assert not caplog.records


class Price:
    """Something that JSON writes by way of what the request has."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self.ask = ask


def app_with_prices(ask: Callable[[], Any]) -> Erlen:
    """Return an application whose JSON asks when it comes to a price."""
    app = app_of({"price": Price(ask)})
    app.secret_key = "k" * 32
    app.json.default = lambda price: price.ask()  # type: ignore[attr-defined]  # the default one
    return app


async def test_a_session_that_only_json_has_opened_is_saved_and_told_to_caches() -> None:
    start, body = await sent_by(app_with_prices(lambda: session.setdefault("currency", "EUR")))
    assert body["body"] == b'{"price":"EUR"}'
    assert {b"set-cookie", b"vary"} <= dict(start["headers"]).keys()
    assert (b"content-type", b"application/json") in start["headers"]


async def test_a_function_of_this_request_that_json_declares_gets_the_response() -> None:
    def ask() -> int:
        after_this_request(lambda response: Response(response.data, 201))
        return 1

    start, body = await sent_by(app_with_prices(ask))
    assert (start["status"], body["body"]) == (201, b'{"price":1}')


async def test_who_begins_to_listen_in_json_hears_of_the_response() -> None:
    heard: list[Response] = []

    def note(sender: Any, response: Response) -> None:
        heard.append(response)

    def ask() -> int:
        request_finished.connect(note)
        return 1

    try:
        await sent_by(app_with_prices(ask))
    finally:
        request_finished.disconnect(note)
    assert [response.get_json() for response in heard] == [{"price": 1}]


async def test_what_no_handler_has_taken_after_the_view_is_not_answered_a_second_time() -> None:
    app, calls = app_of("text"), list[str]()
    app.testing = True

    @app.after_request
    def fail(_response: Response) -> Response:
        calls.append("hook")
        raise LookupError("of the hook")

    @app.errorhandler(LookupError)
    def fail_again(_error: LookupError) -> str:
        calls.append("handler")
        raise ArithmeticError("of the handler")

    app.errorhandler(ArithmeticError)(lambda _: "of another failure")
    with pytest.raises(ArithmeticError):
        await sent_by(app)
    assert calls == ["hook", "handler"]


async def test_a_default_status_of_all_responses_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Response, "default_status", 203)
    start, _ = await sent_by(app_of("text"))
    assert start["status"] == 203


def leaving() -> str:
    raise ClientDisconnected("The client left.")


def failing() -> str:
    raise LookupError("of the view")


@pytest.mark.parametrize("view", [leaving, failing, lambda: "text"])
async def test_nothing_of_an_exchange_waits_for_the_collector(
    view: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, kept = Erlen("shop"), list[weakref.ref[Any]]()

    @app.get("/")
    async def watched() -> str:
        g.page = Price(view)
        kept.append(weakref.ref(g.page))
        return view()

    monkeypatch.setattr(app.logger, "disabled", True)  # a record that is kept would keep all of it

    @app.errorhandler(LookupError)
    async def fail_again(_error: LookupError) -> str:
        raise ArithmeticError("of the handler")

    gc.disable()
    try:
        with suppress(AssertionError):  # nothing is sent to who has left
            await sent_by(app)
        await checkpoint()
        assert kept[0]() is None
    finally:
        gc.enable()
