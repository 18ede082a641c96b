"""Limits of one view: its deadline, and the client who waits for it: pains 3."""

import logging
import threading
from typing import Any

import anyio
import pytest

from erlen import Blueprint, Erlen, Response, request
from erlen.exceptions import ServiceUnavailable
from erlen.pipeline.limits import Limits
from tests.exchange.wire import scope_of


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


async def never() -> str:
    await anyio.sleep_forever()
    return ""


# --- timeout= ---------------------------------------------------------------------------------------


async def test_a_view_over_its_time_is_cancelled_and_answered_by_503(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    torn: list[Any] = []
    app.teardown_request(torn.append)
    app.get("/slow", timeout=0.01)(never)
    response = await app.test_client().get("/slow")
    assert (response.status_code, torn) == (503, [None])
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.WARNING, "shop")
    assert record.getMessage().startswith("GET /slow took longer than its timeout of 0.01 s")


async def test_a_view_in_its_time_is_answered(app: Erlen) -> None:
    app.get("/", timeout=5)(lambda: "in time")
    assert (await app.test_client().get("/")).text == "in time"


async def test_the_answer_to_a_timeout_is_an_error_like_any_other(app: Erlen) -> None:
    app.register_error_handler(ServiceUnavailable, lambda _: ("later", 503))
    app.after_request(lambda response: response.headers.add("X-After", "1") or response)
    app.get("/", timeout=0.01)(never)
    response = await app.test_client().get("/")
    assert (response.text, response.headers["x-after"]) == ("later", "1")


async def test_a_timeout_of_the_views_own_is_not_taken_for_the_deadline(app: Erlen) -> None:
    async def fail() -> None:
        raise TimeoutError("of a library")

    app.register_error_handler(TimeoutError, lambda error: (str(error), 504))
    app.get("/", timeout=5)(fail)
    assert (await app.test_client().get("/")).status_code == 504


async def test_a_blueprints_route_has_limits_too(app: Erlen) -> None:
    bp = Blueprint("bp", "shop")
    bp.get("/slow", timeout=0.01)(never)
    app.register_blueprint(bp)
    assert (await app.test_client().get("/slow")).status_code == 503


@pytest.mark.parametrize("timeout", [0, -1, "5"])
def test_a_timeout_is_a_time(app: Erlen, timeout: Any) -> None:
    with pytest.raises(ValueError, match=r"is no time. Give seconds above 0"):
        app.get("/", timeout=timeout)(never)


@pytest.mark.parametrize("options", [{"timeout": 1}, {"cancel_on_disconnect": True}])
def test_a_websocket_has_no_limits_of_this_kind(app: Erlen, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"A WebSocket has no timeout="):
        app.websocket("/", **options)(never)


def test_a_view_without_limits_is_not_wrapped() -> None:
    assert Limits().applied_to(never, cancels_by_default=False) is never


# --- cancel_on_disconnect= --------------------------------------------------------------------------


class Leaving:
    """A server whose client leaves as soon as the view runs."""

    def __init__(self) -> None:
        self.runs = anyio.Event()
        self.left = threading.Event()
        self.sent: list[Any] = []
        self.took_body = False

    async def receive(self) -> dict[str, Any]:
        if not self.took_body:
            self.took_body = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.runs.wait()
        self.left.set()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)


async def serve(app: Erlen, server: Leaving) -> None:
    with anyio.fail_after(5):
        await app(scope_of(), server.receive, server.send)


def declare(app: Erlen, server: Leaving, ended: list[str], **options: Any) -> None:
    """Serve ``/`` with a view that waits and notes how it ended."""

    @app.get("/", **options)
    async def view() -> str:
        server.runs.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")
        return ""


@pytest.mark.parametrize("by", ["route", "configuration"])
async def test_pains3_a_view_is_cancelled_when_its_client_leaves(app: Erlen, by: str) -> None:
    server, ended, torn = Leaving(), list[str](), list[Any]()
    app.teardown_request(lambda error: torn.append(type(error).__name__))
    app.config["CANCEL_ON_DISCONNECT"] = by == "configuration"
    declare(app, server, ended, **({"cancel_on_disconnect": True} if by == "route" else {}))
    before = anyio.current_time()
    await serve(app, server)
    assert (ended, torn, server.sent) == (["cancelled"], ["ClientDisconnected"], [])
    assert anyio.current_time() - before < 0.1 + 0.4  # 100 ms, and a machine that is at work


async def test_pains9_what_a_cancelled_view_awaits_at_its_end_is_not_cancelled_again(
    app: Erlen,
) -> None:
    server, ended = Leaving(), list[str]()

    @app.get("/", cancel_on_disconnect=True)
    async def view() -> None:
        server.runs.set()
        try:
            await anyio.sleep_forever()
        finally:
            await anyio.sleep(0.001)
            ended.append("cleaned up")

    await serve(app, server)
    assert (ended, server.sent) == (["cleaned up"], [])


async def test_pains3_a_cancelled_view_does_not_go_on_after_its_task_group(app: Erlen) -> None:
    server, ended = Leaving(), list[str]()

    @app.get("/", cancel_on_disconnect=True)
    async def view() -> str:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            server.runs.set()
        ended.append("as if the tasks were done")
        return ""

    await serve(app, server)
    assert (ended, server.sent) == ([], [])


async def test_a_route_may_refuse_what_the_configuration_says(app: Erlen) -> None:
    app.config["CANCEL_ON_DISCONNECT"] = True
    server = Leaving()

    @app.get("/", cancel_on_disconnect=False)
    async def view() -> str:
        server.runs.set()
        return "done"

    await serve(app, server)
    assert (server.sent[0]["status"], server.left.is_set()) == (200, False)


async def test_a_fast_view_is_answered(app: Erlen) -> None:
    app.get("/", cancel_on_disconnect=True)(lambda: "fast")
    assert (await app.test_client().get("/")).text == "fast"


async def test_a_slow_view_whose_client_stays_is_answered(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erlen.pipeline.limits.PATIENCE", 0)

    @app.post("/", cancel_on_disconnect=True)
    async def view() -> Response:
        await anyio.wait_all_tasks_blocked()  # by now somebody looks for the client
        return Response(await request.get_data())

    assert (await app.test_client().post("/", content=b"body")).content == b"body"


async def test_a_def_view_ends_before_its_request_does(app: Erlen) -> None:
    server, threads = Leaving(), list[int]()

    @app.get("/", cancel_on_disconnect=True)
    def view() -> str:
        server.left.wait(5)
        threads.append(threading.get_ident())
        return "too late"

    server.runs.set()
    await serve(app, server)
    assert (len(threads), server.sent) == (1, [])
