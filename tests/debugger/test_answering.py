"""A failure is answered whatever happens."""

import logging
from typing import Any

import pytest

from erlen.debugger import answering, desk
from erlen.protocols import Message
from tests.debugger.browsing import HTML, LOCAL, browsing, failing, new_app, wrapped
from tests.exchange.wire import scope_of


async def test_b274_where_the_page_fails_there_is_text(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("in the page")

    monkeypatch.setattr(desk, "failure_page", broken)
    async with browsing(new_app()) as browser:
        answer = await browser.http.get("/0", headers=HTML)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "ZeroDivisionError" in answer.text
    assert caplog.messages == ["Exception on GET /0", "The page of a failure failed."]


async def test_b274_where_the_text_fails_there_is_a_fixed_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any, **__: Any) -> bytes:
        raise RuntimeError("in the page")

    monkeypatch.setattr(desk, "as_text", broken)
    monkeypatch.setattr(answering, "as_text", broken)
    async with browsing(new_app()) as browser:
        answer = await browser.http.get("/0")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")


async def test_a_client_that_leaves_during_the_answer_is_an_error_of_the_server() -> None:
    async def send(_message: Message) -> None:
        raise OSError("gone")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(OSError, match="gone"):
        await wrapped(failing(ValueError()))(
            scope_of(headers=[(b"host", b"localhost")], client=LOCAL), receive, send
        )


def test_the_package_logs_by_its_name() -> None:
    assert answering.logger() is logging.getLogger("erlen.debugger")
