"""Startup and shutdown: LS-1 to LS-6, B-307, B-308, B-311."""

import asyncio  # noqa: TID251  # as a server on it does
import threading
import types
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from erlen import Erlen, current_app, g
from erlen.exceptions import SetupError


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


@pytest.fixture
def log() -> list[str]:
    return []


class Server:
    """The server's side of one lifespan: what it sends, and what it was sent."""

    def __init__(self, *events: str, cancels: anyio.CancelScope | None = None) -> None:
        """Send *events*; with *cancels* wait for ever after them, having cancelled it."""
        self.events = list(events or ("lifespan.startup", "lifespan.shutdown"))
        self.cancels = cancels
        self.sent: list[dict[str, Any]] = []
        self.scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}

    async def receive(self) -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        if self.cancels is not None and not self.events:
            self.cancels.cancel()
            await anyio.sleep_forever()
        return {"type": self.events.pop(0)}

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))

    @property
    def types(self) -> list[str]:
        return [message["type"].removeprefix("lifespan.") for message in self.sent]

    async def run(self, app: Erlen) -> None:
        await app(self.scope, self.receive, self.send)


def around(log: list[str], name: str) -> Any:
    async def function() -> AsyncIterator[None]:
        log.append(f"{name} starts")
        yield
        log.append(f"{name} ends")

    return function


def declare_all(app: Erlen, log: list[str]) -> None:
    app.after_serving(lambda: log.append("after 1"))
    app.while_serving(around(log, "while 1"))
    app.before_serving(lambda: log.append("before 1"))
    app.lifespan(around(log, "lifespan 1"))
    app.lifespan(around(log, "lifespan 2"))
    app.before_serving(lambda: log.append("before 2"))
    app.while_serving(around(log, "while 2"))
    app.after_serving(lambda: log.append("after 2"))


STARTUP = ["lifespan 1 starts", "lifespan 2 starts", "before 1", "before 2", "while 1 starts", "while 2 starts"]  # fmt: skip
SHUTDOWN = ["while 2 ends", "while 1 ends", "after 1", "after 2", "lifespan 2 ends", "lifespan 1 ends"]  # fmt: skip


async def test_ls1_everything_runs_in_order(app: Erlen, log: list[str]) -> None:
    declare_all(app, log)
    async with app.test_client():
        assert log == STARTUP
    assert log == STARTUP + SHUTDOWN


async def test_ls6_an_application_can_be_started_twice(app: Erlen, log: list[str]) -> None:
    declare_all(app, log)
    for _ in range(2):
        server = Server()
        await server.run(app)
        assert server.types == ["startup.complete", "shutdown.complete"]
    assert log == 2 * (STARTUP + SHUTDOWN)


# --- state: LS-4 ------------------------------------------------------------------------------------


async def test_ls4_what_a_lifespan_yields_is_state(app: Erlen) -> None:
    @app.lifespan
    async def database() -> AsyncIterator[dict[str, str]]:
        yield {"pool": "pool"}

    app.get("/")(lambda: current_app.state.pool)
    server = Server()
    await server.run(app)
    assert (app.state.pool, server.scope["state"]) == ("pool", {"pool": "pool"})
    async with app.test_client() as client:
        assert (await client.get("/")).text == "pool"


async def test_server_without_state_is_served(app: Erlen) -> None:
    @app.lifespan
    async def database() -> AsyncIterator[dict[str, str]]:
        yield {"pool": "pool"}

    server = Server()
    del server.scope["state"]
    await server.run(app)
    assert app.state.pool == "pool"


def test_missing_state_says_where_it_comes_from(app: Erlen) -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'pool'. Yield \{'pool': ...\} from"):
        _ = app.state.pool


# --- kinds of functions: HK-4 -----------------------------------------------------------------------


async def test_lifespan_function_may_take_the_application(app: Erlen, log: list[str]) -> None:
    @app.lifespan
    async def with_app(given: Erlen) -> AsyncIterator[None]:
        log.append(repr(given is app))
        yield

    await Server().run(app)
    assert log == ["True"]


async def test_lifespan_function_may_be_a_context_manager_already(
    app: Erlen, log: list[str]
) -> None:
    @app.lifespan
    @asynccontextmanager
    async def manager() -> AsyncGenerator[None, None]:
        log.append("in")
        yield
        log.append("out")

    await Server().run(app)
    assert log == ["in", "out"]


async def test_hk4_def_functions_run_in_a_thread_and_have_the_context(app: Erlen) -> None:
    threads = []

    @app.before_serving
    def before() -> None:
        threads.append(threading.current_thread())
        g.name = current_app.name

    @app.before_serving
    async def same_context() -> None:
        assert g.name == "shop"

    await Server().run(app)
    assert threads[0] is not threading.main_thread()
    assert not threads[0].is_alive()


@pytest.mark.parametrize("kind", ["lifespan", "while_serving"])
async def test_function_without_a_yield_is_named(app: Erlen, kind: str) -> None:
    async def forgetful() -> None:
        pass

    getattr(app, kind)(forgetful)
    server = Server()
    with pytest.raises(SetupError, match=r"forgetful' was declared.*Write it as 'async def'"):
        await server.run(app)
    assert server.types == ["startup.failed"]


async def test_def_generator_is_no_lifespan(app: Erlen) -> None:
    @app.lifespan
    def plain() -> Any:
        yield

    with pytest.raises(SetupError, match="plain' was declared"):
        await Server().run(app)


async def test_ls1_second_yield_is_an_error(app: Erlen) -> None:
    @app.while_serving
    async def twice() -> AsyncIterator[None]:
        yield
        yield

    server = Server()
    with pytest.raises(RuntimeError, match="generator didn't stop"):
        await server.run(app)
    assert server.types == ["startup.complete", "shutdown.failed"]


# --- contexts: LS-1 ---------------------------------------------------------------------------------


async def test_ls1_startup_and_shutdown_have_a_context_each(app: Erlen, log: list[str]) -> None:
    app.before_serving(lambda: setattr(g, "phase", "startup"))
    app.after_serving(lambda: log.append(f"shutdown without {g.get('phase')}"))
    app.teardown_appcontext(lambda error: log.append(f"teardown of {g.get('phase')}, {error}"))
    await Server().run(app)
    assert log == ["teardown of startup, None", "shutdown without None", "teardown of None, None"]


async def test_startup_keeps_no_worker_thread(app: Erlen) -> None:
    app.config["WORKER_THREADS"] = 1
    app.before_serving(lambda: None)
    app.get("/")(lambda: "served")
    async with app.test_client() as client:
        assert (await client.get("/")).text == "served"


# --- failures: B-307, B-308, B-311 ------------------------------------------------------------------


class Halt(BaseException):
    """Neither an exception that code handles nor a cancellation."""


@pytest.mark.parametrize("error", [ValueError("no"), Halt("no"), ExceptionGroup("no", [OSError()])])
async def test_b307_failing_startup_is_reported_with_its_traceback(
    app: Erlen, error: BaseException
) -> None:
    @app.before_serving
    async def connect() -> None:
        raise error

    server = Server()
    with pytest.raises(type(error)) as caught:
        await server.run(app)
    assert caught.value is error
    assert server.types == ["startup.failed"]
    assert "in connect" in server.sent[0]["message"]


async def test_b307_wrong_setting_is_a_failed_startup(app: Erlen) -> None:
    app.config["MAX_CONTENT_LENGTH"] = "16MB"
    server = Server()
    with pytest.raises(ValueError, match="MAX_CONTENT_LENGTH is '16MB'"):
        await server.run(app)
    assert server.types == ["startup.failed"]
    message = server.sent[0]["message"]
    assert message.startswith("Traceback")
    assert "MAX_CONTENT_LENGTH is '16MB'" in message


async def test_b307_rule_without_a_view_is_a_failed_startup(app: Erlen) -> None:
    app.add_url_rule("/", "home")
    server = Server()
    with pytest.raises(SetupError, match="no view"):
        await server.run(app)
    assert server.types == ["startup.failed"]


async def test_b307_wrong_setting_raises_in_each_request_of_a_server_without_a_lifespan(
    app: Erlen,
) -> None:
    app.config["MAX_CONTENT_LENGTH"] = "16MB"
    client = app.test_client(raise_app_exceptions=True)
    for _ in range(2):
        with pytest.raises(ValueError, match="MAX_CONTENT_LENGTH is '16MB'"):
            await client.get("/")
    app.config["MAX_CONTENT_LENGTH"] = 16
    assert (await client.get("/")).status_code == 404


async def test_b307_what_had_started_is_ended_in_reverse(app: Erlen, log: list[str]) -> None:
    declare_all(app, log)
    app.before_serving(lambda: 1 / 0)
    app.teardown_appcontext(lambda error: log.append(repr(error)))
    with pytest.raises(ZeroDivisionError):
        await Server().run(app)
    ended = ["lifespan 2 ends", "lifespan 1 ends", "ZeroDivisionError('division by zero')"]
    assert log == [*STARTUP[:4], *ended]


async def test_b307_failing_startup_raises_in_the_client(app: Erlen) -> None:
    app.before_serving(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        async with app.test_client():
            pass


async def test_b308_every_part_of_the_shutdown_runs(app: Erlen, log: list[str]) -> None:
    declare_all(app, log)
    app.after_serving(lambda: 1 / 0)
    app.after_serving(lambda: log.append("after 4"))
    server = Server()
    with pytest.raises(ZeroDivisionError):
        await server.run(app)
    assert log == [*STARTUP, *SHUTDOWN[:4], "after 4", *SHUTDOWN[4:]]
    assert server.types == ["startup.complete", "shutdown.failed"]


async def test_b308_several_failures_are_reported_as_a_group(app: Erlen) -> None:
    app.after_serving(lambda: 1 / 0)
    app.after_serving(lambda: dict[str, str]()["key"])
    server = Server()
    with pytest.raises(ExceptionGroup, match="failed at its shutdown") as caught:
        await server.run(app)
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError, KeyError]
    assert "ZeroDivisionError" in server.sent[1]["message"]


@pytest.mark.parametrize(
    ("events", "sent"),
    [
        (["lifespan.shutdown"], ["startup.failed"]),
        (["lifespan.nonsense"], ["startup.failed"]),
        (["lifespan.startup", "lifespan.startup"], ["startup.complete", "shutdown.failed"]),
    ],
)
async def test_b311_message_out_of_order_is_an_error(
    app: Erlen, log: list[str], events: list[str], sent: list[str]
) -> None:
    app.lifespan(around(log, "lifespan"))
    server = Server(*events)
    with pytest.raises(RuntimeError, match=f"sent '{events[-1]}' where the lifespan protocol has"):
        await server.run(app)
    assert server.types == sent
    assert log in ([], ["lifespan starts", "lifespan ends"])


async def test_b311_failing_receive_ends_what_was_started(app: Erlen, log: list[str]) -> None:
    app.lifespan(around(log, "lifespan"))
    server = Server("lifespan.startup")
    with pytest.raises(IndexError):
        await server.run(app)
    assert log == ["lifespan starts", "lifespan ends"]


async def test_unknown_scope_is_the_servers_fault(app: Erlen) -> None:
    server = Server()
    server.scope["type"] = "carrier-pigeon"
    with pytest.raises(ValueError, match=r"type 'carrier-pigeon'.*makers of the server"):
        await server.run(app)


# --- cancellation -----------------------------------------------------------------------------------


async def test_cancelled_server_is_told_nothing_and_everything_ends(
    app: Erlen, log: list[str]
) -> None:
    @app.lifespan
    async def careful() -> AsyncIterator[None]:
        try:
            yield
        finally:
            log.append("ended")

    with anyio.CancelScope() as cancelling:
        server = Server("lifespan.startup", cancels=cancelling)
        await server.run(app)
    assert cancelling.cancelled_caught
    assert (log, server.types) == (["ended"], ["startup.complete"])
    assert app.lifespan_declarations.running is False


async def test_task_that_fails_while_serving_fails_the_shutdown(app: Erlen, log: list[str]) -> None:
    async def fail() -> None:
        raise ValueError("task")

    @app.lifespan
    async def background() -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail)
            yield

    app.lifespan(around(log, "inner"))
    server = Server("lifespan.startup", cancels=anyio.CancelScope())
    with pytest.raises(ExceptionGroup) as caught:
        await server.run(app)
    assert repr(caught.value.exceptions[0]) == "ValueError('task')"
    assert server.types == ["startup.complete", "shutdown.failed"]


async def test_closed_coroutine_ends_without_a_message(app: Erlen) -> None:
    """As a test client does that gave up waiting; nothing can be sent from there."""
    server = Server()

    @types.coroutine
    def receive() -> Any:
        yield

    coroutine = app(server.scope, receive, server.send)
    coroutine.send(None)
    coroutine.close()
    assert server.sent == []


# --- background tasks: BG-3 -------------------------------------------------------------------------


async def test_bg3_shutdown_waits_for_tasks_before_anything_is_closed(
    app: Erlen, log: list[str]
) -> None:
    async def task() -> None:
        await app.shutting_down.wait()
        log.append("task ends")

    app.before_serving(lambda: app.add_background_task(task))
    declare_all(app, log)
    server = Server()
    await server.run(app)
    assert log == [*STARTUP, "task ends", *SHUTDOWN]
    assert server.types == ["startup.complete", "shutdown.complete"]


async def test_bg3_late_task_is_cancelled_before_anything_is_closed(
    app: Erlen, log: list[str]
) -> None:
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = 0.01

    async def task() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("task ends")

    app.before_serving(lambda: app.add_background_task(task))
    declare_all(app, log)
    await Server().run(app)
    assert log == [*STARTUP, "task ends", *SHUTDOWN]


async def test_what_functions_after_serving_start_is_waited_for(app: Erlen, log: list[str]) -> None:
    async def task() -> None:
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        log.append("task ends")

    app.after_serving(lambda: app.add_background_task(task))
    await Server().run(app)
    assert log == ["task ends"]


async def endless(log: list[str]) -> None:
    log.append("task starts")
    try:
        await anyio.sleep_forever()
    finally:
        log.append("task ends")


@pytest.mark.parametrize("error", [ValueError("no"), Halt("no")])
async def test_failing_startup_cancels_tasks_at_once(
    app: Erlen, log: list[str], error: BaseException
) -> None:
    async def stop() -> None:
        raise error

    app.lifespan(around(log, "lifespan"))
    app.before_serving(lambda: app.add_background_task(endless, log))
    app.before_serving(stop)
    with pytest.raises(type(error)):
        await Server().run(app)
    assert log[:3] == ["lifespan starts", "task starts", "task ends"]


async def test_cancelled_server_cancels_tasks_and_awaits_them(app: Erlen, log: list[str]) -> None:
    app.lifespan(around(log, "lifespan"))
    app.before_serving(lambda: app.add_background_task(endless, log))
    with anyio.CancelScope() as cancelling:
        await Server("lifespan.startup", cancels=cancelling).run(app)
    assert log[:3] == ["lifespan starts", "task starts", "task ends"]


async def test_task_of_a_restarted_application_does_not_see_the_last_shutdown(
    app: Erlen, log: list[str]
) -> None:
    async def task() -> None:
        log.append(f"shutting down: {app.shutting_down.is_set()}")

    app.before_serving(lambda: app.add_background_task(task))
    app.before_serving(anyio.lowlevel.checkpoint)
    for _ in range(2):
        await Server().run(app)
    assert log == 2 * ["shutting down: False"]


async def test_stop_that_is_asked_for_during_startup_is_not_forgotten(app: Erlen) -> None:
    app.before_serving(app.begin_shutdown)
    async with app.test_client():
        assert app.shutting_down.is_set()


def test_servers_own_cancel_of_asyncio_cancels_tasks_at_once(app: Erlen, log: list[str]) -> None:
    app.before_serving(lambda: app.add_background_task(endless, log))
    server = Server("lifespan.startup")

    async def serve() -> None:
        waiting = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not server.events:
                waiting.set()
                await asyncio.Event().wait()
            return await server.receive()

        task = asyncio.create_task(app(server.scope, receive, server.send))
        await waiting.wait()
        task.cancel()
        await asyncio.wait([task])
        log.append(f"cancelled: {task.cancelled()}")

    asyncio.run(serve())
    assert log == ["task starts", "task ends", "cancelled: True"]
