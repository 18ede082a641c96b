"""The outermost middleware in debug mode: what fails is kept, shown, and logged once."""

import logging
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from erlen import Erlen, render_template_string, websocket
from erlen.debugger import Debugger, desk, middleware
from erlen.protocols import ASGIApp, Message, Receive, Scope, Send
from tests.debugger.browsing import (
    HTML,
    LOCAL,
    Browser,
    browsing,
    exchange,
    failing,
    new_app,
    wrapped,
)
from tests.exchange.wire import scope_of

LIFESPAN: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]


def local_scope(**changes: Any) -> Scope:
    return scope_of(headers=[(b"host", b"localhost")], client=LOCAL, **changes)


def kinds(debugger: Debugger) -> list[tuple[str, str]]:
    return [(failure.facts.kind, failure.facts.title) for failure in debugger.failures]


# --- logged once ----------------------------------------------------------------------------------


async def test_a_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with browsing(new_app()) as browser:
        page = await browser.open("/0")
    assert page.response.status_code == 500
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("shop", "Exception on GET /0")
    assert record.exc_info is not None


async def test_any_asgi_application_is_served(caplog: pytest.LogCaptureFixture) -> None:
    async with browsing(failing(ValueError("of another framework"))) as browser:
        page = await browser.open("/a")
    assert (page.response.status_code, "of another framework" in page.text) == (500, True)
    assert [record.getMessage() for record in caplog.records] == ["Exception on GET /a"]


async def test_a_failing_log_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Own(Erlen):
        def log_exception(self, error: BaseException) -> None:
            raise RuntimeError("no log")

    app = Own("shop")
    app.debug = True
    app.get("/")(lambda: 1 / 0)
    async with browsing(app) as browser:
        assert (await browser.open("/")).response.status_code == 500
    assert [record.getMessage() for record in caplog.records] == ["log_exception() failed."]


async def test_what_the_application_answers_itself_is_kept_too() -> None:
    app = new_app()
    app.config["PROPAGATE_EXCEPTIONS"] = False
    async with browsing(app) as browser:
        page = await browser.open("/0")
        assert "ZeroDivisionError" not in page.text
        assert kinds(browser.debugger) == [("request", "GET /0")]


# --- what cannot be answered ----------------------------------------------------------------------


async def test_b275_after_the_start_the_connection_breaks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = new_app()

    @app.get("/stream")
    async def stream() -> AsyncGenerator[str, None]:
        yield "a"
        raise RuntimeError("in the middle")

    debugger = wrapped(app)
    sent, error = await exchange(debugger, local_scope(path="/stream"))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert str(error) == "in the middle"
    assert kinds(debugger) == [("request", "GET /stream")]
    assert caplog.records == []  # the server logs


async def test_a_failing_websocket_is_kept() -> None:
    app = new_app()

    @app.websocket("/ws")
    async def talk() -> None:
        await websocket.accept()
        raise RuntimeError("in a socket")

    debugger = wrapped(app)
    scope = {**local_scope(path="/ws"), "type": "websocket", "subprotocols": []}
    sent, error = await exchange(debugger, scope, {"type": "websocket.connect"})
    assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 1011)
    assert str(error) == "in a socket"
    assert kinds(debugger) == [("websocket", "WebSocket /ws")]


async def test_a_failing_background_task_is_kept() -> None:
    app = new_app()

    async def send_mail() -> None:
        raise RuntimeError("no server")

    @app.get("/mail")
    async def mail() -> str:
        app.add_background_task(send_mail)
        return "sent"

    async with browsing(app) as browser:
        assert (await browser.open("/mail")).text == "sent"
        await anyio.wait_all_tasks_blocked()
        ((kind, title),) = kinds(browser.debugger)
    assert kind == "background task"
    assert title.endswith("send_mail', started by GET /mail")


async def test_a_hook_at_the_end_that_fails_breaks_the_connection() -> None:
    app = new_app()

    @app.teardown_request
    async def fail(_error: BaseException | None) -> None:
        raise RuntimeError("at the end")

    debugger = wrapped(app)
    _, error = await exchange(debugger, local_scope(path="/2"))
    assert str(error) == "at the end"
    assert kinds(debugger) == [("request", "GET /2")]


# --- the last resorts -----------------------------------------------------------------------------


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
    monkeypatch.setattr(middleware, "as_text", broken)
    async with browsing(new_app()) as browser:
        answer = await browser.http.get("/0")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")


async def test_a_client_that_leaves_during_the_answer_is_an_error_of_the_server() -> None:
    async def send(_message: Message) -> None:
        raise OSError("gone")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(OSError, match="gone"):
        await wrapped(failing(ValueError()))(local_scope(), receive, send)


# --- the lifespan ---------------------------------------------------------------------------------


async def test_a_lifespan_passes() -> None:
    sent, error = await exchange(wrapped(new_app()), {"type": "lifespan"}, *LIFESPAN)
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert error is None


def unable(app: Erlen) -> Erlen:
    @app.before_serving
    async def connect() -> None:
        raise RuntimeError("no database")

    return app


async def test_a_failed_startup_answers_every_request(caplog: pytest.LogCaptureFixture) -> None:
    debugger = wrapped(unable(new_app()))
    sent, error = await exchange(debugger, {"type": "lifespan"}, *LIFESPAN)
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert error is None
    async with Browser(debugger).http as http:
        for path in ("/", "/2"):
            answer = await http.get(path)
            assert (answer.status_code, "no database" in answer.text) == (500, True)
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert [kind for kind, _ in kinds(debugger)] == ["lifespan"]


async def test_a_failed_startup_ends_a_websocket() -> None:
    debugger = wrapped(unable(new_app()))
    await exchange(debugger, {"type": "lifespan"}, *LIFESPAN)
    _, error = await exchange(debugger, {**local_scope(), "type": "websocket"})
    assert str(error) == "The application could not start."
    assert str(error.__cause__) == "no database"  # type: ignore[union-attr]  # as above


async def test_a_later_startup_may_do_better() -> None:
    app, debugger = new_app(), None
    failures = iter([True])

    @app.before_serving
    async def connect() -> None:
        if next(failures, False):
            raise RuntimeError("no database")

    debugger = wrapped(app)
    for _ in range(2):
        await exchange(debugger, {"type": "lifespan"}, *LIFESPAN)
    assert debugger._startup is None


async def test_a_failed_startup_may_end_the_server() -> None:
    debugger = wrapped(unable(new_app()), serve_failed_startup=False)
    sent, error = await exchange(debugger, {"type": "lifespan"}, *LIFESPAN)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert str(error) == "no database"


async def test_a_startup_may_fail_by_message_alone() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.failed", "message": "No database."})

    debugger = wrapped(app)
    sent, _ = await exchange(debugger, {"type": "lifespan"}, *LIFESPAN)
    assert sent[0]["type"] == "lifespan.startup.complete"
    (failure,) = debugger.failures
    assert (str(failure.error), failure.facts.title) == ("No database.", "Startup")


async def test_a_failed_freeze_is_a_failed_startup() -> None:
    app = new_app()
    app.add_url_rule("/nobody", "nobody")
    debugger = wrapped(app)
    await exchange(debugger, {"type": "lifespan"}, *LIFESPAN)
    assert kinds(debugger) == [("startup", "Startup")]


async def test_a_failed_shutdown_is_raised() -> None:
    app = new_app()

    @app.after_serving
    async def disconnect() -> None:
        raise RuntimeError("at the end")

    debugger = wrapped(app)
    sent, error = await exchange(debugger, {"type": "lifespan"}, *LIFESPAN)
    assert (sent[-1]["type"], str(error)) == ("lifespan.shutdown.failed", "at the end")
    assert len(debugger.failures) == 1


async def test_a_server_without_lifespans_learns_that() -> None:
    debugger = wrapped(failing(ValueError("no lifespan")))
    sent, error = await exchange(debugger, {"type": "lifespan"}, *LIFESPAN)
    assert (sent, str(error)) == ([], "no lifespan")


# --- how long it took -----------------------------------------------------------------------------


async def timing_of(app: ASGIApp, path: str) -> dict[str, float]:
    async with browsing(app) as browser:
        value = (await browser.http.get(path)).headers["server-timing"]
    parts = [part.split(";") for part in value.split(", ")]
    return {part[0]: float(part[-1].removeprefix("dur=")) for part in parts}


async def test_responses_tell_how_long_their_parts_took() -> None:
    app = new_app()

    @app.get("/page")
    async def page() -> str:
        await anyio.sleep(0.02)
        return await render_template_string("{{ 1 + 1 }}")

    timing = await timing_of(app, "/page")
    assert set(timing) == {"match", "app", "template", "total"}
    assert timing["app"] >= 20 > timing["match"]
    assert timing["total"] >= timing["app"] >= timing["template"] > 0


@pytest.mark.parametrize("path", ["/0", "/nowhere"])
async def test_failing_ones_do_too(path: str) -> None:
    assert set(await timing_of(new_app(), path)) == {"match", "app", "total"}


async def test_other_frameworks_tell_the_total() -> None:
    assert set(await timing_of(failing(ValueError()), "/")) == {"total"}


async def test_signals_outside_of_exchanges_are_nobodys() -> None:
    app = new_app()
    app.get("/page")(lambda: "")
    debugger = wrapped(app)
    async with app.test_client() as client:  # beside the debugger
        assert (await client.get("/page")).status_code == 200
    async with app.app_context():
        assert await render_template_string("{{ 1 }}") == "1"
    assert len(debugger.failures) == 0


def test_the_package_logs_by_its_name() -> None:
    assert middleware._logger() is logging.getLogger("erlen.debugger")
