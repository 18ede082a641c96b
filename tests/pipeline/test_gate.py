"""An application whose server has no lifespan, is still starting, or has ended: B-309, B-310, B-330."""

import asyncio  # noqa: TID251  # as a server on it does
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from erlen import Erlen, websocket
from erlen.pipeline import gate
from erlen.pipeline.readiness import Phase
from tests.hostile.harness import HOST, captured, http_scope, run
from tests.pipeline.test_lifespan import Server


def careful(log: list[str], name: str) -> Any:
    """Return a lifespan function that ends whatever happens."""

    async def function() -> AsyncIterator[None]:
        log.append(f"{name} starts")
        try:
            yield
        finally:
            log.append(f"{name} ends")

    return function


class Shop(Erlen):
    """An application that notes what runs around serving.

    Attributes:
        log: What ran, in order.
        failing: What the startup raises, one after another.
        may_start: Whether the startup goes on.
    """

    def __init__(self) -> None:
        super().__init__("shop")
        self.log: list[str] = []
        self.failing: list[BaseException] = []
        self.may_start: anyio.Event | None = None

    async def connect(self) -> None:
        """Be a function before serving."""
        self.log.append("before")
        if self.may_start is not None:
            await self.may_start.wait()
        if self.failing:
            raise self.failing.pop()


@pytest.fixture
def app() -> Shop:
    app = Shop()
    app.lifespan(careful(app.log, "lifespan"))
    app.before_serving(app.connect)

    @app.after_serving
    async def after() -> None:
        await anyio.lowlevel.checkpoint()
        app.log.append("after")

    @app.get("/")
    async def index() -> str:
        return "served"

    @app.websocket("/ws")
    async def socket() -> None:
        await websocket.send("served")

    return app


STARTED = ["lifespan starts", "before"]
ENDED = ["after", "lifespan ends"]


async def get(app: Erlen, path: str = "/", **scope: Any) -> tuple[int, bytes]:
    """Return status and body of a request that no lifespan came before."""
    sent, _ = await run(app, http_scope(path, (HOST,), **scope), [])
    return sent[0]["status"], sent[1]["body"]


async def end(app: Shop) -> None:
    """Shut down what a request has started, and wait for that."""
    app.begin_shutdown()
    with anyio.fail_after(5):
        while app.log[-1] != "lifespan ends":  # another task decides
            await anyio.lowlevel.checkpoint()


# --- servers without a lifespan: B-309 --------------------------------------------------------------


async def test_b309_the_first_request_starts_the_application(app: Shop) -> None:
    assert await get(app) == (200, b"served")
    assert await get(app) == (200, b"served")
    assert app.log == STARTED
    await end(app)
    assert app.log == STARTED + ENDED


async def test_b309_the_gate_stands_aside_while_the_application_serves(app: Shop) -> None:
    await get(app)
    assert not isinstance(app.asgi_app, gate.Gate)
    await end(app)
    assert isinstance(app.asgi_app, gate.Gate)


async def test_an_application_with_nothing_around_serving_has_no_gate() -> None:
    app = Erlen("bare")
    assert (await get(app))[0] == 404
    assert not isinstance(app.asgi_app, gate.Gate)


async def test_b309_many_first_requests_wait_for_one_startup(app: Shop) -> None:
    app.may_start = anyio.Event()
    answers: list[tuple[int, bytes]] = []

    async def ask() -> None:
        answers.append(await get(app))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert answers == []
        app.may_start.set()
    assert (answers, app.log) == (20 * [(200, b"served")], STARTED)
    await end(app)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no")])
async def test_b309_a_failing_startup_is_500_logged_once_and_tried_again(
    app: Shop, error: BaseException
) -> None:
    app.failing = [error]
    with captured() as log:
        assert await get(app) == (500, b"500 Internal Server Error\n")
    assert [record.exc_info[1] for record in log.records if record.exc_info] == [error]
    app.log.clear()
    assert await get(app) == (200, b"served")
    await end(app)
    assert app.log == STARTED + ENDED


async def test_b309_all_that_wait_for_a_failing_startup_get_500(app: Shop) -> None:
    app.may_start, app.failing = anyio.Event(), [ValueError("no")]
    answers: list[int] = []

    async def ask() -> None:
        answers.append((await get(app))[0])

    with captured() as log:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            app.may_start.set()
    assert (answers, len(log.records)) == (5 * [500], 1)


async def test_b309_a_client_that_leaves_does_not_stop_the_startup(app: Shop) -> None:
    app.may_start = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(get, app)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    app.may_start.set()
    assert await get(app) == (200, b"served")
    assert app.log == STARTED
    await end(app)


async def test_b309_a_websocket_may_be_first(app: Shop) -> None:
    scope = http_scope("/ws", (HOST,), type="websocket", scheme="ws")
    sent, _ = await run(app, scope, [{"type": "websocket.connect"}])
    assert [message["type"] for message in sent] == [
        "websocket.accept", "websocket.send", "websocket.close"
    ]  # fmt: skip
    await end(app)


async def test_b309_middleware_sees_the_lifespan(app: Shop) -> None:
    def noting(inner: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            app.log.append(scope["type"])
            await inner(scope, receive, send)

        return middleware

    app.add_middleware(noting)
    await get(app)
    assert app.log == ["lifespan", *STARTED, "http"]
    await end(app)


async def test_b309_middleware_that_keeps_the_lifespan_is_named(app: Shop) -> None:
    def deaf(inner: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await inner(scope, receive, send)

        return middleware

    app.add_middleware(deaf)
    with captured() as log:
        assert (await get(app))[0] == 500
    assert "middleware of the application 'shop'" in str(log.records[0].exc_info)


async def test_b309_a_wrapped_application_is_started_as_well(app: Shop) -> None:
    inner = app.asgi_app

    async def wrapper(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    app.asgi_app = wrapper
    assert await get(app) == (200, b"served")
    assert await get(app) == (200, b"served")
    assert (app.log, app.asgi_app) == (STARTED, wrapper)
    await end(app)


async def test_b309_a_failing_end_is_logged(app: Shop) -> None:
    app.after_serving(lambda: 1 / 0)
    await get(app)
    with captured() as log:
        await end(app)
        await anyio.wait_all_tasks_blocked()
    assert isinstance(log.records[0].exc_info[1], ZeroDivisionError)  # type: ignore[index]  # it has one


def test_b309_the_end_of_the_loop_ends_what_was_started(
    app: Shop, anyio_backend: tuple[str, dict[str, Any]]
) -> None:
    assert anyio.run(get, app, backend=anyio_backend[0]) == (200, b"served")
    assert app.log == STARTED + ENDED
    assert anyio.run(get, app, backend=anyio_backend[0]) == (200, b"served")
    assert app.log == 2 * (STARTED + ENDED)


def test_b309_an_end_that_hangs_does_not_hold_up_the_loop(
    app: Shop, anyio_backend: tuple[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "LAST_SECONDS", 0.01)
    app.after_serving(anyio.sleep_forever)
    anyio.run(get, app, backend=anyio_backend[0])
    assert app.log == [*STARTED, "after", "lifespan ends"]


def test_b309_a_loop_that_ends_during_the_startup_ends_it(
    app: Shop, anyio_backend: tuple[str, dict[str, Any]]
) -> None:
    async def ask_and_leave() -> None:
        app.may_start = anyio.Event()
        with anyio.move_on_after(0.01):
            await get(app)

    anyio.run(ask_and_leave, backend=anyio_backend[0])
    assert app.log == [*STARTED, "lifespan ends"]


def test_b309_a_loop_that_was_only_closed_is_forgotten(app: Shop) -> None:
    async def start() -> None:
        app.may_start = anyio.Event()
        task = asyncio.ensure_future(get(app))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])

    loop = asyncio.new_event_loop()
    loop.run_until_complete(start())
    left = asyncio.all_tasks(loop)
    loop.close()
    app.may_start = None
    assert asyncio.run(get(app)) == (200, b"served")
    assert app.log[-6:] == [*STARTED, *STARTED, *ENDED]
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # the test has lost it


# --- while it starts, and afterwards: B-310 ---------------------------------------------------------


async def test_b310_a_request_waits_for_the_servers_startup(app: Shop) -> None:
    app.may_start = anyio.Event()
    answers: list[tuple[int, bytes]] = []
    server = Server("lifespan.startup", cancels=anyio.CancelScope())

    async def ask() -> None:
        answers.append(await get(app))

    async with anyio.create_task_group() as tasks:
        server.cancels = tasks.cancel_scope
        tasks.start_soon(server.run, app)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert (answers, app.log) == ([], STARTED)
        with anyio.CancelScope(shield=True):
            app.may_start.set()
            while not answers:  # another task decides
                await anyio.lowlevel.checkpoint()
    assert app.log[:2] == STARTED


async def test_b310_a_request_after_the_end_is_503(app: Shop) -> None:
    @app.before_request
    async def hook() -> None:
        raise AssertionError

    await Server().run(app)
    sent, _ = await run(app, http_scope("/", (HOST,)), [])
    headers = dict(sent[0]["headers"])
    assert (sent[0]["status"], sent[1]["body"]) == (503, b"503 Service Unavailable\n")
    assert (headers[b"retry-after"], headers[b"connection"]) == (b"5", b"close")


async def test_b310_http_2_knows_no_connection_field(app: Shop) -> None:
    await Server().run(app)
    sent, _ = await run(app, http_scope("/", (HOST,), http_version="2"), [])
    assert b"connection" not in dict(sent[0]["headers"])


async def test_b310_a_head_request_after_the_end_has_no_body(app: Shop) -> None:
    await Server().run(app)
    assert await get(app, method="HEAD") == (503, b"")


@pytest.mark.parametrize("denial", [True, False])
async def test_b310_a_websocket_after_the_end_is_refused(app: Shop, denial: bool) -> None:
    await Server().run(app)
    extensions: dict[str, Any] = {"websocket.http.response": {}} if denial else {}
    scope = http_scope("/ws", (HOST,), type="websocket", extensions=extensions)
    sent, _ = await run(app, scope, [])
    assert sent[0].get("status", sent[0].get("code")) == (503 if denial else 1013)


async def test_b310_while_the_end_goes_on_requests_are_503(app: Shop) -> None:
    answers: list[tuple[int, bytes]] = []

    @app.after_serving
    async def ask() -> None:
        answers.append(await get(app))

    await Server().run(app)
    assert [status for status, _ in answers] == [503]


async def test_what_ended_by_itself_is_not_started_again_by_a_request(app: Shop) -> None:
    async def fail() -> None:
        raise ValueError("task")

    @app.while_serving
    async def broken() -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail)
            yield

    with pytest.raises(ExceptionGroup):
        await Server("lifespan.startup", cancels=anyio.CancelScope()).run(app)
    assert (await get(app))[0] == 503


async def test_an_application_that_has_ended_can_be_started_again(app: Shop) -> None:
    await Server().run(app)
    async with app.test_client() as client:
        assert (await client.get("/")).text == "served"


async def test_unknown_scopes_pass_the_gate(app: Shop) -> None:
    with pytest.raises(ValueError, match="carrier-pigeon"):
        await run(app, {"type": "carrier-pigeon"}, [])


# --- several servers --------------------------------------------------------------------------------


async def test_a_second_server_of_the_same_loop_shares_what_was_started(app: Shop) -> None:
    @app.lifespan
    async def database() -> AsyncIterator[dict[str, str]]:
        yield {"pool": "pool"}

    async with app.test_client() as one, app.test_client() as other:
        assert app.log == STARTED
        assert one.state == other.state == {"pool": "pool"}
        assert (await other.get("/")).text == "served"
    assert app.log == STARTED + ENDED


async def test_a_second_server_is_told_that_the_first_one_failed(app: Shop) -> None:
    app.may_start, app.failing = anyio.Event(), [ValueError("no")]
    first, second = Server(), Server()

    async def expect_failure(server: Server, error: type[Exception]) -> None:
        with pytest.raises(error):
            await server.run(app)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(expect_failure, first, ValueError)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(expect_failure, second, RuntimeError)
        await anyio.wait_all_tasks_blocked()
        app.may_start.set()
    assert first.types == second.types == ["startup.failed"]


def in_other_loop(call: Callable[..., Any], *args: Any) -> Any:
    """Run a coroutine function in a loop of its own, in this thread's stead."""
    return anyio.run(call, *args)


async def test_b330_a_second_event_loop_is_refused_at_its_start(app: Shop) -> None:
    second = Server()
    async with app.test_client():
        with pytest.raises(RuntimeError, match="'shop' was started in one event loop"):
            await anyio.to_thread.run_sync(in_other_loop, second.run, app)
        assert app.lifespan_declarations.readiness.phase is Phase.SERVING
    assert second.types == ["startup.failed"]
    assert app.log == STARTED + ENDED


async def test_b330_a_request_of_another_loop_does_not_wait_for_the_startup(app: Shop) -> None:
    app.may_start = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(get, app)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="is used in another"):
            await anyio.to_thread.run_sync(in_other_loop, get, app)
        app.may_start.set()
    await end(app)
