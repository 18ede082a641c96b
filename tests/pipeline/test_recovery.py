"""Errors and their handlers: which one answers, and what happens when it fails."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from erlen import Blueprint, Erlen, Response, abort, request, websocket
from erlen.exceptions import (
    BadRequest,
    ClientDisconnected,
    Forbidden,
    Gone,
    HTTPException,
    NotFound,
    WebSocketDisconnect,
    WireError,
)
from erlen.testing import WebSocketRejected


def noted(log: list[Any], entry: Any, value: Any) -> Any:
    """Append *entry* to *log* and return *value*: what a lambda cannot say otherwise."""
    log.append(entry)
    return value


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


async def get(app: Erlen, path: str = "/", **options: Any) -> Any:
    return await app.test_client().get(path, **options)


def raising(error: BaseException) -> Callable[..., Any]:
    """Return a view, hook or handler that raises *error*."""

    async def view(*_: object) -> str:
        raise error

    return view


# --- which handler: ER-2, ER-6 ----------------------------------------------------------------------


class Teapot(HTTPException):
    code = 418


class Kettle(Teapot):
    pass


async def named(error: Exception) -> str:
    return type(error).__name__


async def test_er2_code_handler_of_the_app_beats_class_handler_of_the_blueprint(app: Erlen) -> None:
    bp = Blueprint("bp", __name__)
    bp.errorhandler(HTTPException)(lambda error: "blueprint")
    bp.get("/")(raising(NotFound()))
    app.errorhandler(404)(lambda error: "app")
    app.register_blueprint(bp)
    assert (await get(app)).text == "app"


async def test_er2_inner_blueprint_beats_outer_and_app(app: Erlen) -> None:
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    inner.get("/")(raising(ValueError()))
    for scope, name in ((app, "app"), (outer, "outer"), (inner, "inner")):
        scope.register_error_handler(ValueError, lambda error, name=name: name)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    assert (await get(app)).text == "inner"


@pytest.mark.parametrize("path", ["/bp/nope", "/nope"])
async def test_er8_handlers_of_a_blueprint_do_not_answer_unknown_paths(
    app: Erlen, path: str
) -> None:
    bp = Blueprint("bp", __name__, url_prefix="/bp")
    bp.errorhandler(404)(lambda error: "blueprint")
    bp.get("/")(lambda: "")
    app.register_blueprint(bp)
    assert "<title>404 Not Found</title>" in (await get(app, path)).text


async def test_er6_exception_handler_gets_http_and_other_errors_as_they_are(app: Erlen) -> None:
    app.get("/value")(raising(ValueError()))
    app.get("/gone", endpoint="gone")(raising(Gone()))
    app.errorhandler(Exception)(named)
    assert (await get(app, "/value")).text == "ValueError"
    assert (await get(app, "/gone")).text == "Gone"
    assert (await get(app, "/nope")).text == "NotFound"


@pytest.mark.parametrize("key", [500, HTTPException], ids=["500", "HTTPException"])
async def test_er5_er6_500_handler_gets_the_original_exception(app: Erlen, key: Any) -> None:
    error = ValueError("original")
    seen: list[Any] = []
    app.get("/")(raising(error))
    app.register_error_handler(key, lambda wrapped: noted(seen, wrapped, ("sorry", 500)))
    response = await get(app)
    assert (response.status_code, response.text) == (500, "sorry")
    assert seen[0].original_exception is error


async def test_er7_handler_may_return_any_view_value(app: Erlen) -> None:
    app.get("/")(raising(Forbidden()))
    app.errorhandler(403)(lambda error: ({"why": error.description}, 418, {"x-a": "b"}))
    response = await get(app)
    assert (response.status_code, response.headers["x-a"]) == (418, "b")
    assert "why" in response.json()


async def test_er7_handler_runs_with_the_request(app: Erlen) -> None:
    app.errorhandler(404)(lambda error: f"no {request.path}")
    assert (await get(app, "/x")).text == "no /x"


async def test_er1_later_handler_for_the_same_key_replaces(app: Erlen) -> None:
    app.errorhandler(404)(lambda error: "first")
    app.errorhandler(NotFound)(lambda error: "second")
    assert (await get(app)).text == "second"


# --- no handler: ER-4, EX-1, EX-2 -------------------------------------------------------------------


async def test_ex2_http_exception_without_a_handler_is_its_page(app: Erlen) -> None:
    app.get("/")(raising(Forbidden("<not> you")))
    response = await get(app)
    assert response.status_code == 403
    assert "&lt;not&gt; you" in response.text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/problem+json"),
        ("application/*", "application/problem+json"),
        ("text/html;q=0.1,application/json", "application/problem+json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("text/html, application/json;q=0.5", "text/html; charset=utf-8"),
    ],
)
async def test_page_is_of_the_kind_that_the_client_prefers(
    app: Erlen, accept: str, kind: str
) -> None:
    response = await get(app, headers={"accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (404, kind)


async def test_ex1_er4_aborted_response_is_sent_unchanged_and_shown_to_no_handler(
    app: Erlen,
) -> None:
    @app.get("/")
    async def view() -> None:
        abort(Response("ready", status=409))

    app.errorhandler(HTTPException)(lambda error: "handled")
    app.errorhandler(Exception)(lambda error: "handled")
    response = await get(app)
    assert (response.status_code, response.text) == (409, "ready")


async def test_er4_redirect_of_the_router_is_shown_to_no_handler(app: Erlen) -> None:
    app.get("/a/")(lambda: "")
    app.errorhandler(Exception)(lambda error: "handled")
    app.config["TRAP_HTTP_EXCEPTIONS"] = True
    response = await get(app, "/a")
    assert (response.status_code, response.headers["location"]) == (308, "/a/")


async def test_http_exception_with_neither_code_nor_response_is_a_failure(app: Erlen) -> None:
    app.get("/")(raising(HTTPException("what is this?")))
    assert (await get(app)).status_code == 500


async def test_bad_bytes_of_the_peer_are_a_4xx_with_their_reason_as_cause(app: Erlen) -> None:
    app.get("/")(raising(WireError("too much", 413)))
    causes: list[Any] = []
    app.errorhandler(413)(lambda error: noted(causes, error.__cause__, ("big", 413)))
    app.errorhandler(ValueError)(lambda error: "never")
    assert (await get(app)).status_code == 413
    assert isinstance(causes[0], WireError)


# --- traps: ER-3 and the configuration keys ---------------------------------------------------------

TRAPS = [
    ({"TRAP_HTTP_EXCEPTIONS": True}, Forbidden, True),
    ({"TRAP_BAD_REQUEST_ERRORS": True}, BadRequest, True),
    ({"TRAP_BAD_REQUEST_ERRORS": True}, Forbidden, False),
    ({"TRAP_BAD_REQUEST_ERRORS": False, "DEBUG": True}, KeyError, False),
    ({"DEBUG": True}, KeyError, True),
    ({"DEBUG": True}, BadRequest, False),
    ({}, KeyError, False),
]


@pytest.mark.parametrize(("config", "error", "is_trapped"), TRAPS)
async def test_er3_trapped_http_exception_counts_as_a_failure(
    app: Erlen, config: dict[str, Any], error: Any, is_trapped: bool
) -> None:
    app.config.update(config, PROPAGATE_EXCEPTIONS=False)

    @app.get("/")
    async def view() -> str:
        return request.args["missing"] if error is KeyError else raise_(error())

    expected = 500 if is_trapped else getattr(error, "code", 400)
    assert (await get(app)).status_code == expected


def raise_(error: Exception) -> str:
    raise error


async def test_er3_trapped_http_exception_still_finds_its_handler(app: Erlen) -> None:
    app.config["TRAP_HTTP_EXCEPTIONS"] = True
    app.get("/")(raising(Forbidden()))
    app.errorhandler(Forbidden)(lambda error: "handled")
    assert (await get(app)).text == "handled"


async def test_er3_trapped_http_exception_leaves_in_tests(app: Erlen) -> None:
    error = Forbidden()
    app.config.update(TRAP_HTTP_EXCEPTIONS=True, TESTING=True)
    app.get("/")(raising(error))
    with pytest.raises(Forbidden) as caught:
        await get(app)
    assert caught.value is error


@pytest.mark.parametrize(("debug", "is_told"), [(True, True), (False, False)])
async def test_er3_missing_key_is_told_in_debug_mode_only(
    app: Erlen, debug: bool, is_told: bool
) -> None:
    app.config.update(DEBUG=debug, TRAP_BAD_REQUEST_ERRORS=False)

    @app.get("/")
    async def view() -> str:
        return request.args["needle"]

    response = await get(app)
    assert (response.status_code, "needle" in response.text) == (400, is_told)


# --- handlers that fail: B-316, ER-7 ----------------------------------------------------------------


async def test_b316_failing_handler_is_a_500_and_both_errors_are_in_the_log(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    app.get("/")(raising(LookupError("view")))
    app.errorhandler(LookupError)(raising(ValueError("handler")))
    assert (await get(app)).status_code == 500
    (record,) = caplog.records
    assert record.exc_info
    assert repr(record.exc_info[1]) == "ValueError('handler')"
    assert repr(record.exc_info[1].__context__) == "LookupError('view')"  # type: ignore[union-attr]  # it has one


async def test_b316_failing_handler_of_500_is_a_fixed_page(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    app.get("/")(raising(LookupError("view")))
    app.errorhandler(500)(raising(ValueError("secret")))
    response = await get(app)
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    assert len(caplog.records) == 2


async def test_b316_handler_that_aborts_is_answered_by_that_page_not_by_a_handler(
    app: Erlen,
) -> None:
    app.get("/")(raising(NotFound()))
    app.errorhandler(404)(raising(Forbidden("no")))
    app.errorhandler(403)(raising(NotFound()))
    assert (await get(app)).status_code == 403


@pytest.mark.parametrize("garbage", [None, object(), ("a", 200, {}, "d")])
async def test_b316_handler_that_returns_garbage_is_a_500(app: Erlen, garbage: Any) -> None:
    app.get("/")(raising(NotFound()))
    app.errorhandler(404)(lambda error: garbage)
    assert (await get(app)).status_code == 500


async def test_b316_handler_that_returns_none_is_named(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    @app.errorhandler(ValueError)
    async def forgetful(error: ValueError) -> None:
        pass

    app.get("/")(raising(ValueError()))
    assert (await get(app)).status_code == 500
    exc_info = caplog.records[0].exc_info
    assert exc_info
    assert "forgetful' returned None, or ended without a return" in str(exc_info[1])


async def test_b316_handler_of_500_that_returns_garbage_is_a_fixed_page(app: Erlen) -> None:
    app.get("/")(raising(ValueError()))
    app.errorhandler(500)(lambda error: None)
    assert (await get(app)).text == "Internal Server Error"


async def test_er7_error_of_a_handler_reaches_the_teardown_and_the_tests(app: Erlen) -> None:
    error = ValueError("handler")
    app.config["TESTING"] = True
    seen: list[Any] = []
    app.teardown_request(seen.append)
    app.errorhandler(404)(raising(error))
    with pytest.raises(ValueError, match=r"^handler$"):
        await get(app)
    assert seen == [error]


async def test_client_that_leaves_while_a_handler_reads_is_no_error(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    app.teardown_request(seen.append)
    app.errorhandler(404)(raising(ClientDisconnected()))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    await app(scope, receive, send)
    assert (sent, caplog.records) == ([], [])
    assert [type(error) for error in seen] == [ClientDisconnected]


# --- groups: ER-10, DESIGN law 9 --------------------------------------------------------------------


def group(*errors: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("tasks", errors)


async def test_er10_group_of_one_kind_is_handled_by_the_handler_of_its_leaf(app: Erlen) -> None:
    first = LookupError("first")
    seen: list[Any] = []
    app.get("/")(raising(group(first, group(LookupError("second")))))
    app.errorhandler(LookupError)(lambda error: noted(seen, error, "handled"))
    assert (await get(app)).text == "handled"
    assert seen[0] is first


async def test_er10_group_that_a_task_group_made_is_unwrapped(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(raising(NotFound("in a task")))
        return ""

    response = await get(app)
    assert (response.status_code, "in a task" in response.text) == (404, True)


@pytest.mark.parametrize(
    "errors",
    [
        pytest.param((LookupError(), ValueError()), id="mixed"),
        pytest.param((LookupError(), KeyError()), id="subclass-is-another-kind"),
        pytest.param((OSError(),), id="leaf-without-a-handler"),
    ],
)
async def test_er10_other_group_is_unhandled_and_leaves_as_it_was_raised(
    app: Erlen, errors: tuple[Exception, ...]
) -> None:
    error = group(*errors)
    app.config["TESTING"] = True
    app.get("/")(raising(error))
    app.errorhandler(LookupError)(lambda error: "handled")
    app.errorhandler(ValueError)(lambda error: "handled")
    with pytest.raises(ExceptionGroup) as caught:
        await get(app)
    assert caught.value is error


async def test_er10_mixed_group_may_have_a_handler_of_its_own(app: Erlen) -> None:
    app.get("/")(raising(group(LookupError(), ValueError())))
    app.errorhandler(ExceptionGroup)(lambda error: error.message)
    assert (await get(app)).text == "tasks"


@pytest.mark.parametrize(
    "errors",
    [
        pytest.param((OSError(), OSError()), id="one-kind"),
        pytest.param((OSError(), LookupError()), id="mixed"),
        pytest.param((NotFound(), NotFound()), id="http"),
        pytest.param((group(OSError()), ValueError()), id="nested"),
    ],
)
async def test_er10_group_whose_leaves_have_no_handler_is_given_to_its_own(
    app: Erlen, errors: tuple[Exception, ...]
) -> None:
    error = group(*errors)
    seen: list[Exception] = []
    app.get("/")(raising(error))
    app.errorhandler(ExceptionGroup)(lambda error: noted(seen, error, "handled"))
    assert (await get(app)).text == "handled"
    assert seen == [error]


async def test_er10_handler_of_the_leaf_beats_that_of_the_group(app: Erlen) -> None:
    app.get("/")(raising(group(OSError())))
    app.errorhandler(ExceptionGroup)(lambda error: "group")
    app.errorhandler(OSError)(lambda error: "leaf")
    assert (await get(app)).text == "leaf"


async def test_er10_group_of_bad_bytes_is_their_4xx(app: Erlen) -> None:
    app.get("/")(raising(group(WireError("a", 431), WireError("b", 400))))
    assert (await get(app)).status_code == 431


async def test_tasks_of_a_websocket_that_end_by_the_disconnect_are_no_error(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    app.teardown_websocket(seen.append)

    @app.websocket("/")
    async def view() -> None:
        await websocket.accept()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(websocket.receive)

    async with app.test_client().websocket("/"):
        pass
    assert [type(error) for error in seen] == [WebSocketDisconnect]
    assert caplog.records == []


# --- WebSockets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(ValueError(), 1011, id="unhandled"),
        pytest.param(Forbidden(), 1008, id="403"),
        pytest.param(group(Forbidden()), 1008, id="403-of-a-task"),
        pytest.param(WireError("args"), 1008, id="bad-bytes"),
    ],
)
async def test_error_closes_an_open_websocket_with_its_code(
    app: Erlen, error: Exception, code: int
) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.accept()
        raise error

    async with app.test_client().websocket("/") as session:
        with pytest.raises(WebSocketDisconnect) as caught:
            await session.receive()
    assert caught.value.code == code


async def test_error_before_the_accept_refuses_with_the_handlers_answer(app: Erlen) -> None:
    app.websocket("/")(raising(ValueError()))
    app.errorhandler(ValueError)(lambda error: ("no", 409))
    with pytest.raises(WebSocketRejected) as caught:
        async with app.test_client().websocket("/"):
            pass
    assert (caught.value.response.status_code, caught.value.response.text) == (409, "no")


async def test_handler_may_close_the_websocket_itself_and_return_nothing(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.accept()
        raise LookupError

    @app.errorhandler(LookupError)
    async def close(error: LookupError) -> None:
        await websocket.close(4004, "not found")

    async with app.test_client().websocket("/") as session:
        with pytest.raises(WebSocketDisconnect) as caught:
            await session.receive()
    assert (caught.value.code, caught.value.reason, caplog.records) == (4004, "not found", [])


@pytest.mark.parametrize("is_handled", [True, False])
async def test_message_of_the_wrong_kind_closes_with_its_code_and_is_not_logged(
    app: Erlen, caplog: pytest.LogCaptureFixture, is_handled: bool
) -> None:
    seen: list[Any] = []
    if is_handled:
        app.errorhandler(ValueError)(seen.append)

    @app.websocket("/")
    async def view() -> None:
        await websocket.receive_json()

    async with app.test_client().websocket("/") as session:
        await session.send("{")
        with pytest.raises(WebSocketDisconnect) as caught:
            await session.receive()
    assert (caught.value.code, len(seen), caplog.records) == (1007, is_handled, [])
