"""Startup and shutdown: LS-1 to LS-6, B-307, B-308, B-311, E-19."""

import asyncio  # noqa: TID251  # as a server on it does
import functools
import threading
import types
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest

from erlen import Erlen, current_app, g, got_serving_exception
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


# --- a startup that hangs: B-307 --------------------------------------------------------------------


def hang(app: Erlen, kind: str, log: list[str]) -> None:
    """Declare a function called 'hangs' that does not let the startup go on."""

    async def hangs() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("given up")

    async def yielding() -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            await hangs()
            yield

    @asynccontextmanager
    async def releasing() -> AsyncGenerator[None, None]:
        yield
        release.set()
        log.append("given up")

    release = threading.Event()
    if kind == "before_serving":
        app.before_serving(hangs)
    elif kind == "def":
        app.lifespan(releasing)
        app.before_serving(functools.partial(release.wait, 30))
    else:
        yielding.__qualname__ = "hangs"
        getattr(app, kind)(yielding)


@pytest.mark.parametrize("kind", ["lifespan", "before_serving", "while_serving", "def"])
async def test_b307_a_startup_that_hangs_fails_and_names_the_function(
    app: Erlen, log: list[str], kind: str
) -> None:
    app.config["STARTUP_TIMEOUT"] = 0.05
    app.lifespan(around(log, "lifespan"))
    hang(app, kind, log)
    server = Server()
    with pytest.raises(
        TimeoutError, match=r"STARTUP_TIMEOUT, 0.05 seconds, and '.*(hangs|wait)' had"
    ):
        await server.run(app)
    assert server.types == ["startup.failed"]
    assert (log[0], *sorted(log[1:])) == ("lifespan starts", "given up", "lifespan ends")


async def test_b307_a_mounted_application_that_hangs_is_named(app: Erlen, log: list[str]) -> None:
    app.config["STARTUP_TIMEOUT"] = 0.05
    sub = Erlen("sub")
    hang(sub, "before_serving", log)
    app.mount("/sub", sub)
    with pytest.raises(TimeoutError, match="the application mounted at '/sub'"):
        await Server().run(app)
    assert log == ["given up"]


async def test_b307_a_loop_that_tries_again_does_not_escape_the_limit(app: Erlen) -> None:
    app.config["STARTUP_TIMEOUT"] = 0.05

    @app.before_serving
    async def connect() -> None:
        while True:
            with suppress(Exception):
                await anyio.sleep(0.01)
                raise ConnectionRefusedError

    with pytest.raises(TimeoutError, match="connect' had not"):
        await Server().run(app)


async def test_a_startup_within_its_time_is_as_without_a_limit(app: Erlen, log: list[str]) -> None:
    app.config["STARTUP_TIMEOUT"] = 60
    declare_all(app, log)

    @app.lifespan
    async def with_tasks() -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            await anyio.lowlevel.checkpoint()
            yield
            tasks.cancel_scope.cancel()

    server = Server()
    await server.run(app)
    assert server.types == ["startup.complete", "shutdown.complete"]
    assert log == STARTUP + SHUTDOWN


@pytest.mark.parametrize("seconds", [60, 0.05])
async def test_what_fails_within_the_time_is_raised_as_it_is(app: Erlen, seconds: float) -> None:
    app.config["STARTUP_TIMEOUT"] = seconds

    @app.before_serving
    async def connect() -> None:
        await anyio.lowlevel.checkpoint()
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await Server().run(app)


async def test_a_function_that_takes_no_notice_but_returns_is_left_as_well(
    app: Erlen, log: list[str]
) -> None:
    app.config["STARTUP_TIMEOUT"] = 0.01

    @app.lifespan
    async def stubborn() -> AsyncIterator[None]:
        try:
            await anyio.sleep_forever()
        except BaseException:  # noqa: BLE001  # that is the case
            log.append("no notice")
        yield
        log.append("left")

    app.before_serving(anyio.sleep_forever)
    with pytest.raises(TimeoutError, match="'sleep_forever'"):
        await Server().run(app)
    assert log == ["no notice", "left"]


# --- the signal: LS-2 -------------------------------------------------------------------------------


FAILURE = ValueError("no")


async def fail() -> None:
    raise FAILURE


async def fail_later() -> AsyncIterator[None]:
    yield
    raise FAILURE


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ("before_serving", fail), ("after_serving", fail), ("lifespan", fail_later),
        ("while_serving", fail_later),
    ],
)  # fmt: skip
async def test_ls2_what_fails_around_serving_is_told_by_the_signal(
    app: Erlen, kind: str, function: Any
) -> None:
    heard = []
    getattr(app, kind)(function)

    async def hear(sender: Erlen, exception: BaseException) -> None:
        heard.append((sender, exception, current_app.name))

    with got_serving_exception.connected_to(hear, app), pytest.raises(ValueError, match="no"):
        await Server().run(app)
    assert heard == [(app, FAILURE, "shop")]


async def test_ls2_a_receiver_that_fails_is_logged(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    app.before_serving(lambda: 1 / 0)

    def hear(sender: Erlen, exception: BaseException) -> None:
        raise LookupError

    with got_serving_exception.connected_to(hear, app), pytest.raises(ZeroDivisionError):
        await Server().run(app)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [LookupError]


# --- again and again: E-19 --------------------------------------------------------------------------


async def test_e19_a_hundred_cycles_leave_nothing(app: Erlen, log: list[str]) -> None:
    sub = Erlen("sub")
    app.mount("/sub", sub)
    declare_all(app, log)
    app.before_serving(lambda: app.add_background_task(anyio.lowlevel.checkpoint))
    await Server().run(app)
    tasks, threads = len(anyio.get_running_tasks()), set(threading.enumerate())
    for _ in range(100):
        await Server().run(app)
    assert len(anyio.get_running_tasks()) == tasks
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)
        assert not thread.is_alive()
    assert log == 101 * (STARTUP + SHUTDOWN)


@pytest.mark.parametrize("index", range(4))
async def test_e19_a_startup_that_fails_anywhere_can_be_tried_again(
    app: Erlen, log: list[str], index: int
) -> None:
    failing = [True]

    def at(position: int) -> Any:
        def function() -> None:
            if position == index and failing:
                failing.pop()
                raise ValueError("no")

        return function

    for position in range(4):
        app.lifespan(around(log, f"lifespan {position}"))
        app.before_serving(at(position))
    with pytest.raises(ValueError, match="no"):
        await Server().run(app)
    await Server().run(app)
    starts, ends = (
        [f"lifespan {n} starts" for n in range(4)],
        [f"lifespan {n} ends" for n in range(4)],
    )
    assert log == 2 * (starts + ends[::-1])


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
    assert app.needs_lifespan


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
