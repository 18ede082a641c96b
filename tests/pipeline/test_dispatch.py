"""The life of an exchange: the order of everything, and what is answered when something fails."""

import contextvars
import gc
import logging
import sqlite3
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen import (
    Blueprint,
    Erlen,
    Request,
    Response,
    abort,
    after_this_request,
    g,
    request,
    websocket,
)
from erlen.exceptions import (
    ClientDisconnected,
    Forbidden,
    HTTPException,
    InternalServerError,
    NotFound,
    WebSocketDisconnect,
)
from erlen.protocols import Message
from erlen.testing import WebSocketRejected
from erlen.testing.binding import httpx
from tests.hostile.harness import HOST, LEFT, http_scope


def noted(log: list[Any], entry: Any, value: Any) -> Any:
    """Append *entry* to *log* and return *value*: what a lambda cannot say otherwise."""
    log.append(entry)
    return value


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


async def get(app: Erlen, path: str = "/", method: str = "GET", **options: Any) -> Any:
    return await app.test_client().request(method, path, **options)


# --- the order of everything: surface 16, HK-1, HK-3, BP-9 -----------------------------------------

HOOKS = ("before_request", "after_request", "teardown_request")


def declare_two(scope: Erlen | Blueprint, name: str, log: list[str]) -> None:
    """Declare two functions for each hook, one ``def`` and one ``async def``."""

    def make(text: str, is_async: bool) -> Callable[..., Any]:
        def plain(*given: Any) -> Any:
            log.append(text)
            return given[0] if given and isinstance(given[0], Response) else None

        async def coroutine(*given: Any) -> Any:
            return plain(*given)

        return coroutine if is_async else plain

    for hook in HOOKS:
        for number in (1, 2):
            getattr(scope, hook)(make(f"{hook} {name}{number}", is_async=number == 2))
    scope.url_value_preprocessor(lambda *_: log.append(f"url_value_preprocessor {name}"))


@pytest.fixture
def nested(app: Erlen) -> tuple[Erlen, list[str]]:
    """An application ``app`` with the blueprint ``p`` and in it ``c``; two of each hook."""
    log: list[str] = []
    parent, child = Blueprint("p", __name__, url_prefix="/p"), Blueprint("c", __name__)
    for scope, name in ((app, "app"), (parent, "p"), (child, "c")):
        declare_two(scope, name, log)

    @child.get("/view")
    async def view() -> str:
        after_this_request(lambda response: noted(log, "after_this_request", response))
        log.append("view")
        return "body"

    parent.register_blueprint(child)
    app.register_blueprint(parent)
    app.teardown_appcontext(lambda _: log.append("teardown_appcontext 1"))
    app.teardown_appcontext(lambda _: log.append("teardown_appcontext 2"))
    return app, log


AFTER_APP = """
after_request app2
after_request app1
teardown_request app2
teardown_request app1
teardown_appcontext 2
teardown_appcontext 1
"""
BEFORE_APP = """
url_value_preprocessor app
before_request app1
before_request app2
"""
EVERYTHING = """
url_value_preprocessor app
url_value_preprocessor p
url_value_preprocessor c
before_request app1
before_request app2
before_request p1
before_request p2
before_request c1
before_request c2
view
after_this_request
after_request c2
after_request c1
after_request p2
after_request p1
after_request app2
after_request app1
teardown_request c2
teardown_request c1
teardown_request p2
teardown_request p1
teardown_request app2
teardown_request app1
teardown_appcontext 2
teardown_appcontext 1
"""


async def test_pl_everything_runs_in_the_order_of_flask(nested: tuple[Erlen, list[str]]) -> None:
    app, log = nested
    await get(app, "/p/view")
    print("\n".join(log))  # noqa: T201  # the order, for whoever runs this with -s
    assert log == EVERYTHING.split("\n")[1:-1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/nope", 404, id="PL-1-404"),
        pytest.param("GET", "/p/nope", 404, id="ER-8-404-below-a-blueprint"),
        pytest.param("POST", "/p/view", 405, id="405"),
        pytest.param("GET", "//p//view", 308, id="redirect"),
    ],
)
async def test_pl1_without_a_rule_the_applications_hooks_run(
    nested: tuple[Erlen, list[str]], method: str, path: str, status: int
) -> None:
    app, log = nested
    assert (await get(app, path, method)).status_code == status
    assert log == [line for line in (BEFORE_APP + AFTER_APP).split("\n") if line]


async def test_automatic_options_runs_the_hooks_and_not_the_view(
    nested: tuple[Erlen, list[str]],
) -> None:
    app, log = nested
    response = await get(app, "/p/view", "OPTIONS")
    assert (response.status_code, response.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert "before_request c2" in log
    assert "view" not in log


@pytest.mark.parametrize(
    "target",
    [
        pytest.param({"path": "/%ff"}, id="path-is-no-utf8"),
        pytest.param({"path": "/", "headers": {"host": "a b"}}, id="bad-host"),
    ],
)
async def test_malformed_request_reaches_no_hook_that_counts_on_another(
    nested: tuple[Erlen, list[str]], target: Any
) -> None:
    app, log = nested
    assert (await get(app, **target)).status_code == 400
    assert log == ["teardown_appcontext 2", "teardown_appcontext 1"]


# --- before hooks: B-313 ----------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["app", "bp"])
async def test_b313_what_a_before_hook_returns_is_the_response(app: Erlen, scope: str) -> None:
    bp = Blueprint("bp", __name__)
    ran: list[Any] = []
    bp.get("/")(lambda: noted(ran, "view", "view"))
    target = app if scope == "app" else bp
    target.before_request(lambda: ({"login": "first"}, 401))
    target.before_request(lambda: ran.append("second hook"))
    target.after_request(lambda response: noted(ran, "after", response))
    app.register_blueprint(bp)
    response = await get(app)
    assert (response.status_code, response.json()) == (401, {"login": "first"})
    assert ran == ["after"]


async def test_b313_error_of_a_before_hook_is_handled_and_skips_the_view(app: Erlen) -> None:
    ran: list[Any] = []

    @app.before_request
    async def refuse() -> None:
        raise Forbidden

    app.errorhandler(403)(lambda error: "sorry")
    app.get("/")(lambda: noted(ran, "view", ""))
    app.teardown_request(ran.append)
    assert (await get(app)).text == "sorry"
    assert ran == [None]


async def test_a_falsy_answer_of_a_before_hook_is_an_answer(app: Erlen) -> None:
    app.before_request(lambda: "")
    app.get("/")(lambda: "view")
    assert (await get(app)).text == ""


async def test_preprocessor_changes_the_values_that_the_view_gets(app: Erlen) -> None:
    """PL, RT: the usual ``g.lang = values.pop("lang")``; surface 42.8: in WebSockets too."""

    @app.url_value_preprocessor
    def take_language(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if values is not None:
            g.lang = values.pop("lang")

    app.get("/<lang>/page")(lambda: g.lang)

    @app.websocket("/<lang>/socket")
    async def socket() -> None:
        await websocket.send(g.lang)

    assert (await get(app, "/de/page")).text == "de"
    assert (await get(app, "/nope")).status_code == 404
    async with app.test_client().websocket("/fr/socket") as session:
        assert await session.receive() == "fr"


# --- after hooks: B-314, CX-7, pains 54 -------------------------------------------------------------


async def test_after_hook_may_replace_the_response(app: Erlen) -> None:
    app.get("/")(lambda: "view")
    app.after_request(lambda response: Response("other", status=418))
    response = await get(app)
    assert (response.status_code, response.text) == (418, "other")


@pytest.mark.parametrize("path", ["/", "/nope", "/error", "/abort"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_every_answer_passes_the_after_hooks(app: Erlen, path: str, method: str) -> None:
    """Pains 54: 404, 405, 413 and 500 bear the headers that the hooks set."""
    app.get("/")(lambda: "view")
    app.get("/error", endpoint="error")(lambda: 1 / 0)

    @app.get("/abort")
    async def abort_413() -> None:
        raise HTTPException(response=Response(status=413))

    @app.after_request
    async def allow(response: Response) -> Response:
        response.headers["access-control-allow-origin"] = "*"
        return response

    assert (await get(app, path, method)).headers["access-control-allow-origin"] == "*"


async def test_cx7_function_of_this_request_may_be_a_coroutine(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        @after_this_request
        async def tag(response: Response) -> Response:
            response.headers["x-tag"] = "1"
            return response

        return ""

    assert (await get(app)).headers["x-tag"] == "1"


def failing_hook(calls: list[str]) -> Callable[..., Any]:
    def hook(response: Response) -> Response:
        calls.append("failing")
        raise ValueError("no")

    return hook


async def test_b314_failing_after_hook_is_a_500_and_ends_the_hooks(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []
    app.get("/")(lambda: "view")
    app.after_request(lambda response: noted(calls, "outer", response))
    app.after_request(failing_hook(calls))
    app.after_request(lambda response: noted(calls, "inner", response))
    app.teardown_request(lambda error: calls.append(repr(error)))
    app.errorhandler(500)(lambda error: f"handled {error.original_exception}")
    assert (await get(app)).text == "handled no"
    assert calls == ["inner", "failing", "ValueError('no')"]
    assert len(caplog.records) == 1


async def test_b314_after_hook_that_returns_none_is_named(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    @app.after_request
    def forgetful(response: Response) -> None:
        pass

    app.get("/")(lambda: "view")
    assert (await get(app)).status_code == 500
    assert "forgetful' returned None" in str(caplog.records[0].exc_info)


async def test_b314_after_hook_without_a_name_that_returns_none_is_named(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    class Hook:
        async def __call__(self, response: Response) -> None:
            pass

    app.get("/")(lambda: "view")
    app.after_request(Hook())
    assert (await get(app)).status_code == 500
    assert "returned None" in str(caplog.records[0].exc_info)


async def test_abort_in_an_after_hook_is_that_answer(app: Erlen) -> None:
    @app.after_request
    async def refuse(response: Response) -> Response:
        raise NotFound("hidden")

    app.get("/")(lambda: "view")
    response = await get(app)
    assert (response.status_code, "hidden" in response.text) == (404, True)


# --- teardown: PL-3, PL-4, PL-5, B-315 --------------------------------------------------------------


async def test_pl3_teardown_gets_the_error_that_nothing_handled(app: Erlen) -> None:
    error = ValueError("view")
    seen: list[BaseException | None] = []
    app.teardown_request(seen.append)
    app.teardown_appcontext(seen.append)

    @app.get("/")
    async def view() -> str:
        raise error

    assert (await get(app)).status_code == 500
    assert seen == [error, error]
    assert seen[0] is error


@pytest.mark.parametrize("handled", [ValueError, Exception])
async def test_pl3_teardown_gets_none_when_a_handler_dealt_with_it(
    app: Erlen, handled: type[Exception]
) -> None:
    seen: list[BaseException | None] = []
    app.teardown_request(seen.append)
    app.errorhandler(handled)(lambda error: "handled")

    @app.get("/")
    async def view() -> str:
        raise ValueError

    assert (await get(app)).text == "handled"
    assert seen == [None]


async def test_pl4_b315_every_teardown_runs_and_each_failure_is_logged(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    @app.teardown_request
    def last(error: BaseException | None) -> None:
        ran.append("last")

    for number in (1, 2):

        @app.teardown_request
        async def failing(error: BaseException | None, number: int = number) -> None:
            raise ValueError(number)

    app.get("/")(lambda: "view")
    assert (await get(app)).text == "view"
    assert ran == ["last"]
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["2", "1"]


async def test_pl5_teardown_runs_shielded_when_the_request_is_cancelled(app: Erlen) -> None:
    seen: list[str] = []

    @app.teardown_request
    async def slow(error: BaseException | None) -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(type(error).__name__)

    @app.get("/")
    async def view() -> str:
        scope.cancel()
        await anyio.sleep_forever()
        return ""

    with anyio.CancelScope() as scope:
        await get(app)
    assert seen in (["CancelledError"], ["Cancelled"])


async def test_pl5_thread_is_given_back_when_a_teardown_stops_everything(app: Erlen) -> None:
    app.config["WORKER_THREADS"] = 1
    app.get("/")(lambda: "")

    @app.teardown_request
    async def stop(error: BaseException | None) -> None:
        raise SystemExit

    for _ in range(2):
        with pytest.raises(SystemExit), anyio.fail_after(1):
            await get(app)


async def test_pl5_base_exception_is_no_matter_of_handlers(app: Erlen) -> None:
    class Stop(BaseException):
        pass

    seen: list[BaseException | None] = []
    app.errorhandler(Exception)(lambda error: "handled")
    app.teardown_request(seen.append)

    @app.get("/")
    async def view() -> str:
        raise Stop

    with pytest.raises(Stop):
        await get(app)
    assert [type(error) for error in seen] == [Stop]


async def test_teardown_runs_once_after_the_last_byte(app: Erlen) -> None:
    log: list[str] = []
    app.teardown_request(lambda error: log.append(f"teardown {g.name}"))

    @app.get("/")
    async def view() -> AsyncIterator[str]:
        g.name = "g"
        for chunk in ("a", "b"):
            log.append(f"{chunk} {request.path}")
            yield chunk

    assert (await get(app)).text == "ab"
    assert log == ["a /", "b /", "teardown g"]


async def test_teardown_sees_that_the_client_left(app: Erlen) -> None:
    seen: list[BaseException | None] = []
    app.teardown_request(seen.append)
    app.errorhandler(Exception)(lambda error: "handled")

    @app.post("/")
    async def view() -> str:
        await request.get_data()
        return ""

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    headers = [(b"host", b"localhost"), (b"content-length", b"3")]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    await app(scope, receive, send)
    assert [type(error) for error in seen] == [ClientDisconnected]


async def test_client_that_leaves_while_an_after_hook_reads_is_no_error(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    @app.after_request
    async def read(response: Response) -> Response:
        raise ClientDisconnected

    seen: list[BaseException | None] = []
    app.teardown_request(seen.append)
    app.get("/")(lambda: "")
    with pytest.raises(ClientDisconnected):
        await _call_bare(app)
    assert [type(error) for error in seen] == [ClientDisconnected]
    assert caplog.records == []


@pytest.mark.parametrize("kind", [ClientDisconnected, LookupError, Forbidden])
async def test_p8_an_exchange_that_failed_is_gone_without_a_collection(
    app: Erlen, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error holds the frames that it has left, so nothing in them may hold the error."""
    alive: weakref.WeakSet[Any] = weakref.WeakSet()

    @app.get("/")
    async def view() -> Response:
        generator = break_off(kind)
        alive.add(generator)
        return Response(generator)

    monkeypatch.setattr(app, "log_exception", type)  # the log of a test keeps what it is given
    gc.collect()
    gc.disable()
    try:
        with suppress(ClientDisconnected):
            await _call_bare(app)
        await checkpoint()  # trio keeps what a task was last given
        assert len(alive) == 0
    finally:
        gc.enable()


async def break_off(kind: type[Exception]) -> AsyncIterator[str]:
    raise kind
    yield ""


async def _call_bare(app: Erlen) -> None:
    """Call the application without a client; raise that nothing was sent."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    await app(scope, receive, send)
    if not sent:
        raise ClientDisconnected


# --- def functions: SY-2, SY-4, CX-12, CX-13, pains 11 and 18 ---------------------------------------


@pytest.fixture
def in_threads(app: Erlen) -> list[int]:
    """Declare ``def`` functions of every kind that share a connection; the list has their threads.

    SQLite's connections are bound to the thread that made them.
    """
    idents: list[int] = []

    def database() -> sqlite3.Connection:
        idents.append(threading.get_ident())
        return g.setdefault("db", None) or sqlite3.connect(":memory:")

    @app.before_request
    def connect() -> None:
        g.db = database()

    @app.before_request
    async def between() -> None:
        await anyio.lowlevel.checkpoint()

    @app.get("/")
    def view() -> str:
        raise LookupError(*database().execute("select 'row'").fetchone())

    @app.errorhandler(LookupError)
    def handler(error: LookupError) -> str:
        return str(database().execute("select ?", error.args).fetchone()[0])

    app.after_request(lambda response: noted([], database(), response))
    app.teardown_request(lambda error: database().close())
    return idents


async def test_sy2_all_def_functions_of_an_exchange_share_one_thread(
    app: Erlen, in_threads: list[int]
) -> None:
    assert (await get(app)).text == "row"
    assert len(in_threads) == 5
    assert len(set(in_threads)) == 1
    assert in_threads[0] != threading.get_ident()


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def test_cx13_variable_set_in_a_def_hook_is_seen_in_an_async_view(app: Erlen) -> None:
    @app.before_request
    def hook() -> None:
        variable.set("hook")

    @app.get("/")
    async def view() -> str:
        return variable.get()

    assert (await get(app)).text == "hook"


async def test_cx13_variable_set_in_an_async_view_is_seen_in_a_def_hook(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        variable.set("view")
        return ""

    @app.after_request
    def hook(response: Response) -> Response:
        response.headers["x-variable"] = variable.get()
        return response

    assert (await get(app)).headers["x-variable"] == "view"


async def test_pains11_variable_set_in_the_view_is_seen_in_middleware(app: Erlen) -> None:
    seen: list[str] = []

    def middleware(inner: Any) -> Any:
        async def call(scope: Any, receive: Any, send: Any) -> None:
            await inner(scope, receive, send)
            seen.append(variable.get())

        return call

    @app.get("/")
    async def view() -> str:
        variable.set("view")
        return ""

    app.add_middleware(middleware)
    await get(app)
    assert seen == ["view"]


async def test_cx12_concurrent_requests_see_their_own_context(app: Erlen) -> None:
    answers: dict[int, str] = {}

    @app.get("/<int:number>/async")
    async def coroutine(number: int) -> str:
        g.number = number
        await anyio.lowlevel.checkpoint()
        return f"{request.path} {g.number}"

    @app.get("/<int:number>/def")
    def plain(number: int) -> str:
        g.number = number
        return f"{request.path} {g.number}"

    async def fetch(number: int) -> None:
        path = f"/{number}/{'async' if number % 2 else 'def'}"
        answers[number] = (await get(app, path)).text

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(fetch, number)
    assert all(answers[number].endswith(f" {number}") for number in range(20))


async def test_sy_def_view_may_run_an_event_loop_of_its_own(app: Erlen) -> None:
    async def work() -> str:
        await anyio.lowlevel.checkpoint()
        return "done"

    app.get("/")(lambda: anyio.run(work))
    assert (await get(app)).text == "done"


# --- errors that leave: pains 13, ER-5 --------------------------------------------------------------


@pytest.mark.parametrize("key", ["TESTING", "DEBUG", "PROPAGATE_EXCEPTIONS"])
async def test_pains13_the_very_exception_reaches_the_client(app: Erlen, key: str) -> None:
    error = ValueError("view")
    app.config[key] = True
    seen: list[BaseException | None] = []
    app.teardown_request(seen.append)

    @app.get("/")
    async def view() -> str:
        raise error

    with pytest.raises(ValueError, match="view") as caught:
        await get(app)
    assert caught.value is error
    assert seen == [error]


@pytest.mark.parametrize("key", ["TESTING", "DEBUG"])
async def test_er5_propagate_exceptions_false_answers_even_in_tests(app: Erlen, key: str) -> None:
    app.config.update({key: True, "PROPAGATE_EXCEPTIONS": False})
    app.get("/")(lambda: 1 / 0)
    assert (await get(app)).status_code == 500


async def test_er5_unhandled_error_is_logged_once_and_the_page_says_nothing(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    error = ValueError("secret")

    @app.get("/<name>")
    async def view(name: str) -> str:
        raise error

    response = await get(app, "/a?b=c")
    assert response.status_code == 500
    assert "secret" not in response.text
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "Exception on GET /a")
    assert record.exc_info
    assert record.exc_info[1] is error


# --- WebSockets: PL-6, WS-8, surface 42.7 -----------------------------------------------------------


async def test_pl6_ws8_hooks_of_a_websocket_run_in_order(app: Erlen) -> None:
    log: list[str] = []
    bp = Blueprint("bp", __name__)
    for scope, name in ((app, "app"), (bp, "bp")):
        for hook in ("before_websocket", "after_websocket", "teardown_websocket"):
            getattr(scope, hook)(lambda *given, text=f"{hook} {name}": log.append(text))

    @bp.websocket("/")
    async def view() -> None:
        await websocket.send("hello")
        log.append("view")

    app.before_request(lambda: log.append("not this"))
    app.register_blueprint(bp)
    async with app.test_client().websocket("/") as session:
        assert await session.receive() == "hello"
    assert log == [
        "before_websocket app", "before_websocket bp", "view",
        "after_websocket bp", "after_websocket app",
        "teardown_websocket bp", "teardown_websocket app",
    ]  # fmt: skip


async def test_ws8_before_hook_refuses_the_handshake(app: Erlen) -> None:
    ran: list[Any] = []
    app.before_websocket(lambda: ("no entry", 401))
    app.websocket("/")(lambda: ran.append("view"))
    with pytest.raises(WebSocketRejected) as caught:
        async with app.test_client().websocket("/"):
            pass
    assert (caught.value.response.status_code, caught.value.response.text) == (401, "no entry")
    assert ran == []


async def test_failing_after_hook_of_an_open_websocket_closes_it_with_1011(app: Erlen) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.accept()

    @app.after_websocket
    async def fail(response: Response | None) -> Response | None:
        raise ValueError

    async with app.test_client().websocket("/") as session:
        with pytest.raises(WebSocketDisconnect) as caught:
            await session.receive()
    assert caught.value.code == 1011


# --- class names of errors --------------------------------------------------------------------------


async def test_internal_server_error_has_no_original_after_abort(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        raise InternalServerError

    app.errorhandler(500)(lambda error: repr(error.original_exception))
    assert (await get(app)).text == "None"


# --- streams that fail: ST-1, law 7 -----------------------------------------------------------------

STREAMS = ("async-generator", "def-generator", "iterator")


def streaming(kind: str, error: Exception, *chunks: str) -> Callable[[], Any]:
    """Return a view whose stream gives *chunks* and then raises *error*."""

    def plain() -> Iterator[str]:
        yield from chunks
        raise error

    async def asynchronous() -> AsyncIterator[str]:
        for chunk in chunks:
            yield chunk
        raise error

    async def returned() -> Iterator[str]:
        return plain()

    return {"async-generator": asynchronous, "def-generator": plain, "iterator": returned}[kind]


FAILURES = pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(NotFound("lost"), 404, id="abort"),
        pytest.param(ValueError("lost"), 500, id="exception"),
        pytest.param(HTTPException(response=Response("gone", 410)), 410, id="response"),
    ],
)


@FAILURES
@pytest.mark.parametrize("kind", STREAMS)
async def test_stream_that_fails_before_its_first_chunk_is_answered_with_a_page(
    app: Erlen, kind: str, error: Exception, status: int
) -> None:
    seen: list[BaseException | None] = []
    app.get("/")(streaming(kind, error))
    app.teardown_request(seen.append)
    assert (await get(app)).status_code == status
    assert seen == [error if status == 500 else None]


@FAILURES
@pytest.mark.parametrize("kind", STREAMS)
async def test_stream_that_fails_before_its_first_chunk_meets_the_error_handlers(
    app: Erlen, kind: str, error: Exception, status: int
) -> None:
    app.get("/")(streaming(kind, error))
    app.errorhandler(404)(lambda error: ("handled 404", 404))
    app.errorhandler(ValueError)(lambda error: ("handled value", 500))
    response = await get(app)
    expected = {404: "handled 404", 500: "handled value", 410: "gone"}
    assert (response.status_code, response.text) == (status, expected[status])
    assert response.headers["content-length"] == str(len(response.content))


async def test_stream_that_fails_before_its_first_chunk_raises_in_tests(app: Erlen) -> None:
    error = ValueError("lost")
    app.testing = True
    app.get("/")(streaming("async-generator", error))
    with pytest.raises(ValueError, match="lost") as caught:
        await get(app)
    assert caught.value is error


@FAILURES
@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("first", ["a", ""])
async def test_stream_that_fails_after_its_first_chunk_breaks_the_connection(
    app: Erlen, kind: str, first: str, error: Exception, status: int
) -> None:
    """An empty chunk is a chunk: it has sent the start."""
    seen: list[BaseException | None] = []
    app.get("/")(streaming(kind, error, first))
    app.errorhandler(Exception)(lambda error: "handled")
    app.teardown_request(seen.append)
    with pytest.raises(type(error)) as caught:
        await app.test_client(raise_app_exceptions=True).get("/")
    assert caught.value is error
    assert seen == [error]


async def test_st1_broken_stream_does_not_look_whole(app: Erlen) -> None:
    app.get("/")(streaming("async-generator", ValueError("lost"), "a"))
    with pytest.raises(httpx.RemoteProtocolError, match="1 bytes"):
        await get(app)


async def test_empty_first_chunk_sends_the_start_alone(app: Erlen) -> None:
    sent: list[str] = []
    seen: list[list[str]] = []

    @app.get("/")
    async def view() -> AsyncIterator[str]:
        yield ""
        seen.append([*sent])
        yield "a"

    await exchange_with(app, sent)
    assert seen == [["http.response.start"]]
    assert sent == ["http.response.start", "http.response.body", "http.response.body"]


async def exchange_with(app: Erlen, sent: list[str]) -> None:
    """Serve one request as a bare server does; *sent* gets the types of the messages."""

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> dict[str, Any]:
        if "received" in state:
            await anyio.sleep_forever()
        state.add("received")
        return {"type": "http.request"}

    state: set[str] = set()
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    await app(scope, receive, send)


# --- what hooks return and take: B-313, B-314 -------------------------------------------------------


def text_of(record: logging.LogRecord) -> str:
    """Return the text of the exception that was logged."""
    assert record.exc_info
    return str(record.exc_info[1])


@pytest.mark.parametrize("garbage", [object(), 5, ("a", "b", "c", "d")])
async def test_b313_before_hook_that_returns_garbage_is_named(
    app: Erlen, caplog: pytest.LogCaptureFixture, garbage: Any
) -> None:
    app.before_request(lambda: garbage)
    app.get("/")(lambda: "view")
    assert (await get(app)).status_code == 500
    assert text_of(caplog.records[0]).startswith("A before hook returned")


GARBAGE = pytest.mark.parametrize("garbage", ["text", 5, None])


@GARBAGE
async def test_b314_after_hook_that_returns_no_response_is_named(
    app: Erlen, caplog: pytest.LogCaptureFixture, garbage: Any
) -> None:
    @app.after_request
    def careless(response: Response) -> Any:
        return garbage

    app.get("/")(lambda: "view")
    assert (await get(app)).status_code == 500
    assert f"careless' returned {garbage!r}. Return the resp" in text_of(caplog.records[0])


@GARBAGE
async def test_b314_function_of_this_request_that_returns_no_response_is_named(
    app: Erlen, caplog: pytest.LogCaptureFixture, garbage: Any
) -> None:
    @app.get("/")
    async def view() -> str:
        @after_this_request
        def careless(response: Response) -> Any:
            return garbage

        return "view"

    assert (await get(app)).status_code == 500
    assert f"careless' returned {garbage!r}. Return the resp" in text_of(caplog.records[0])


async def test_preprocessor_may_be_a_coroutine_function(app: Erlen) -> None:
    @app.url_value_preprocessor
    async def double(endpoint: str | None, values: dict[str, Any] | None) -> None:
        await anyio.lowlevel.checkpoint()
        if values:
            values["number"] *= 2

    app.get("/<int:number>")(str_of)
    assert (await get(app, "/21")).text == "42"


def str_of(number: int) -> str:
    return str(number)


# --- requests that are refused: law 11 --------------------------------------------------------------

REFUSED = pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param({"path": "/%ff"}, 400, id="bad-path"),
        pytest.param({"headers": {"host": "a b"}}, 400, id="bad-host"),
        pytest.param({"path": "/" + "a" * 20_000}, 414, id="long-path"),
        pytest.param({"path": "/?" + "a" * 20_000}, 414, id="long-query"),
    ],
)


def declare_every_hook(app: Erlen, log: list[str]) -> None:
    for kind in ("request", "websocket"):
        for hook in (f"before_{kind}", f"after_{kind}", f"teardown_{kind}"):
            getattr(app, hook)(lambda *given, name=hook: log.append(name))
    app.url_value_preprocessor(lambda *_: log.append("url_value_preprocessor"))
    app.teardown_appcontext(lambda _: log.append("teardown_appcontext"))


@REFUSED
async def test_refused_request_meets_its_error_handler_and_no_hook(
    app: Erlen, target: dict[str, Any], status: int
) -> None:
    log: list[str] = []
    declare_every_hook(app, log)
    app.get("/")(lambda: noted(log, "view", ""))
    app.errorhandler(status)(lambda error: (f"handled {error.code}", status))
    response = await get(app, **target)
    assert (response.status_code, response.text) == (status, f"handled {status}")
    assert log == ["teardown_appcontext"]


async def test_refused_websocket_meets_its_error_handler_and_no_hook(app: Erlen) -> None:
    log: list[str] = []
    declare_every_hook(app, log)
    app.websocket("/")(lambda: log.append("view"))
    app.errorhandler(403)(lambda error: ("no foreigners", 403))
    with pytest.raises(WebSocketRejected) as caught:
        async with app.test_client().websocket("/", headers={"origin": "https://evil.example"}):
            pass
    assert (caught.value.response.status_code, caught.value.response.text) == (403, "no foreigners")
    assert log == ["teardown_appcontext"]


async def test_pains54_answer_to_a_stream_that_failed_first_passes_the_after_hooks() -> None:
    app = Erlen("shop")

    @app.after_request
    async def allow(response: Response) -> Response:
        response.headers["X-CORS"] = "yes"
        return response

    @app.get("/")
    async def view() -> AsyncIterator[str]:
        abort(404)
        yield ""

    response = await app.test_client().get("/")
    assert (response.status_code, response.headers["x-cors"]) == (404, "yes")


async def test_pains24_error_of_a_websocket_is_logged_once_with_route_and_peer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Erlen("shop")

    @app.websocket("/till")
    async def view() -> None:
        await websocket.accept()
        raise LookupError

    async with app.test_client().websocket("/till") as ws:
        with pytest.raises(WebSocketDisconnect):
            await ws.receive()
    assert [each.getMessage() for each in caplog.records] == [
        "Exception on WebSocket /till of 127.0.0.1"
    ]
    assert ws.close_code == 1011


async def test_a_large_body_and_its_value_are_given_up_with_the_exchange() -> None:
    app, kept = Erlen("shop"), list[Request]()
    app.config["TESTING"] = True

    @app.post("/")
    async def view() -> dict[str, int]:
        kept.append(request._get_current_object())
        return {"size": len(await request.get_json())}

    assert (await app.test_client().post("/", json="x" * 100_000)).json() == {"size": 100_000}
    with pytest.raises(RuntimeError, match="its large body was given up"):
        await kept[0].get_json()


async def test_a_client_that_leaves_before_the_answer_to_a_broken_response_is_no_error(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/")
    async def broken() -> Any:
        return (1 // each for each in [0])

    async def receive() -> Message:
        return LEFT

    async def send(_message: Message) -> None:
        raise OSError("gone")

    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
    await app(http_scope("/", [HOST]), receive, send)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [
        ZeroDivisionError
    ]
