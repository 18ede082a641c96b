"""The outermost middleware in debug mode: what fails is kept, shown, and logged once."""

import traceback
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from erlen import Erlen, Response, render_template_string, request, session, websocket
from erlen.debugger import Debugger
from erlen.protocols import ASGIApp, Message, Receive, Scope, Send
from erlen.sessions import SecureCookieSessionInterface
from tests.debugger.browsing import (
    HTML,
    LOCAL,
    Browser,
    Page,
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


async def test_without_debug_a_failing_background_task_is_not_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = new_app()
    app.debug = False

    async def send_mail() -> None:
        raise RuntimeError("no server")

    debugger = wrapped(app)
    async with app.app_context():
        app.add_background_task(send_mail)
    await anyio.wait_all_tasks_blocked()
    assert len(caplog.records) == 1
    assert len(debugger.failures) == 0


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
    # By the application; the server is told not to do it again.
    assert [record.getMessage() for record in caplog.records] == ["Exception on GET /stream"]


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


async def test_a_failing_child_is_kept_with_where_it_was_started() -> None:
    app = new_app()

    async def fetch() -> None:
        raise RuntimeError("in a child")

    @app.get("/child")
    async def child() -> str:
        request.start_soon(fetch)
        return "never sent"

    async with browsing(app) as browser:
        page = await browser.open("/child")
        assert kinds(browser.debugger) == [("request", "GET /child")]
    assert page.response.status_code == 500
    assert "request.start_soon(fetch)" in page.text.partition("In a task of its own")[2]


async def test_every_failure_has_a_page_of_its_own() -> None:
    app = new_app()

    async def send_mail() -> None:
        raise RuntimeError("no server")

    @app.get("/mail")
    async def mail() -> str:
        app.add_background_task(send_mail)
        return "sent"

    async with browsing(app) as browser:
        await browser.open("/mail")
        await anyio.wait_all_tasks_blocked()
        await browser.unlock(await browser.open("/_erlen/"))
        listed = (await browser.open("/_erlen/")).text
        (failure,) = browser.debugger.failures
        assert f'href="/_erlen/{failure.id}"' in listed
        page = await browser.open(f"/_erlen/{failure.id}")
        assert "app.add_background_task(send_mail)" in page.text.partition("In a task")[2]
        assert (await browser.type(page, 0, "current_app.name"))["value"] == "'shop'"


async def test_a_hook_at_the_end_that_fails_breaks_the_connection() -> None:
    app = new_app()

    @app.teardown_request
    async def fail(_error: BaseException | None) -> None:
        raise RuntimeError("at the end")

    debugger = wrapped(app)
    _, error = await exchange(debugger, local_scope(path="/2"))
    assert str(error) == "at the end"
    assert kinds(debugger) == [("request", "GET /2")]


# --- what a console needs later -------------------------------------------------------------------


def reading_app() -> Erlen:
    app = new_app()
    app.secret_key = "a key that is long enough"

    @app.post("/fail")
    async def fail() -> str:
        raise ValueError(request.method)

    @app.post("/read")
    async def read() -> str:
        await request.get_data()
        raise ValueError(request.method)

    return app


async def failing_post(browser: Browser, path: str = "/fail", **options: Any) -> Page:
    page = Page(await browser.http.post(path, headers=HTML, **options))
    await browser.unlock(page)
    return page


@pytest.mark.parametrize("path", ["/fail", "/read"])
async def test_the_body_can_be_read_later(path: str) -> None:
    async with browsing(reading_app()) as browser:
        page = await failing_post(browser, path, data={"a": "1", "password": "hunter2"})
        read = await browser.type(page, 0, "await request.get_data()")
        form = await browser.type(page, 0, "(await request.form)['a']")
    assert (read["value"], form["value"]) == ("b'a=1&password=hunter2'", "'1'")


async def test_the_page_shows_the_form_without_reading_it() -> None:
    async with browsing(reading_app()) as browser:
        page = await failing_post(browser, data={"amount": "twelve", "password": "hunter2"})
    assert "<h3>Form</h3>" in page.text
    assert "<dd>twelve</dd>" in page.text
    assert "hunter2" not in page.text


async def test_a_session_that_cannot_be_opened_hinders_nothing() -> None:
    class Broken(SecureCookieSessionInterface):
        def open_session(self, app: Any, request: Any) -> Any:
            raise OSError("no store")

    app = reading_app()
    app.session_interface = Broken()
    async with browsing(app) as browser:
        page = await failing_post(browser)
        assert "POST" in page.text
        assert "The exchange has ended" in (await browser.type(page, 0, "session['a']"))["error"]


async def test_a_session_that_was_opened_stays_as_it_was() -> None:
    app = reading_app()

    @app.get("/in")
    async def enter() -> str:
        session["user"] = "ada"
        raise ValueError

    async with browsing(app) as browser:
        page = await browser.open("/in")
        await browser.unlock(page)
        assert (await browser.type(page, 0, "session['user']"))["value"] == "'ada'"


# --- secrets --------------------------------------------------------------------------------------


async def test_b338_a_secret_key_is_masked_wherever_it_appears() -> None:
    app = new_app()
    key = app.secret_key = "a key that is long enough"

    @app.get("/leak")
    async def leak() -> str:
        plain = key
        error = ValueError(f"the key is {plain}")
        error.add_note(plain)
        raise error

    async with browsing(app) as browser:
        for accept in ("text/html", "application/json", "*/*"):
            text = (await browser.http.get("/leak", headers={"accept": accept})).text
            assert "the key is ***" in text
            assert key not in text


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


async def test_a_failed_startup_refuses_websockets() -> None:
    debugger = wrapped(unable(new_app()))
    await exchange(debugger, {"type": "lifespan"}, *LIFESPAN)
    sent, error = await exchange(debugger, {**local_scope(), "type": "websocket"})
    assert (sent, error) == ([{"type": "websocket.close", "code": 1011}], None)


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
    assert set(timing) == {"match", "hooks", "view", "template", "send", "total"}
    assert timing["view"] >= 20 > timing["match"]
    assert timing["total"] >= timing["view"] >= timing["template"] > 0


async def test_hooks_are_timed_apart_from_the_view() -> None:
    app = new_app()

    @app.before_request
    async def before() -> None:
        await anyio.sleep(0.03)

    @app.after_request
    async def after(response: Response) -> Response:
        await anyio.sleep(0.03)
        return response

    app.get("/page")(lambda: "")
    timing = await timing_of(app, "/page")
    assert timing["hooks"] >= 60 > timing["view"]


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/0", {"match", "hooks", "view", "page", "total"}),
        ("/nowhere", {"match", "hooks", "send", "total"}),
    ],
)
async def test_failing_ones_do_too(path: str, parts: set[str]) -> None:
    assert set(await timing_of(new_app(), path)) == parts


async def test_a_view_is_wrapped_by_others_too() -> None:
    app, called = new_app(), []

    def around(view: Any) -> Any:
        async def wrapping(**values: Any) -> Any:
            called.append(values)
            return await view(**values)

        return wrapping

    app.around_view = around
    assert "view" in await timing_of(app, "/2")
    assert called == [{"number": 2}]


async def test_without_debug_no_view_is_wrapped() -> None:
    app = new_app()
    app.debug = False
    app.get("/who")(lambda: "".join(frame.name for frame in traceback.extract_stack()))
    async with browsing(app) as browser:
        assert "timed" not in (await browser.open("/who")).text


async def test_other_frameworks_tell_the_total() -> None:
    assert set(await timing_of(failing(ValueError()), "/")) == {"total"}


async def test_signals_outside_of_exchanges_are_nobodys() -> None:
    app = new_app()
    app.get("/page")(lambda: "")
    debugger = wrapped(app)
    async with app.test_client() as client:  # beside the debugger
        assert (await client.get("/page")).status_code == 200
        with pytest.raises(ZeroDivisionError):
            await client.get("/0")
    async with app.app_context():
        assert await render_template_string("{{ 1 }}") == "1"
    assert len(debugger.failures) == 1
