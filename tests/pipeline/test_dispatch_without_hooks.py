"""A view without hooks takes a short way, on which nobody may see a difference."""

import logging
from typing import Any

import pytest

from erlen import Erlen, Response, after_this_request, session
from erlen.exchange.patience import SLICE
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
