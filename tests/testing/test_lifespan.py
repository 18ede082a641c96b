"""``async with client`` runs the lifespan, in the task of the test."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from erlen.protocols import ASGIApp, Receive, Scope, Send
from erlen.testing import Client, ConductError, DeadlineExceeded, LifespanError


async def nothing() -> None:
    """Do nothing at startup or shutdown."""


class App:
    """An application with a lifespan; *startup* and *shutdown* are called within it."""

    def __init__(self, startup: Any = nothing, shutdown: Any = nothing) -> None:
        self.startup = startup
        self.shutdown = shutdown
        self.log: list[str] = []
        self.tasks: set[int] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.tasks.add(anyio.get_current_task().id)
        if scope["type"] == "lifespan":
            await self.live(scope, receive, send)
            return
        scope["state"]["count"] = scope["state"].get("count", 0) + 1
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": repr(scope["state"]).encode()})

    async def live(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.log.append((await receive())["type"])
        scope["state"]["pool"] = "open"
        await self.startup()
        await send({"type": "lifespan.startup.complete"})
        self.log.append((await receive())["type"])
        await self.shutdown()
        await send({"type": "lifespan.shutdown.complete"})
        self.log.append("over")


def only(*messages: dict[str, Any], then: BaseException | None = None) -> ASGIApp:
    """Make an application that receives, sends these messages and raises."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await receive()
            await send(message)
        if then is not None:
            raise then

    return app


FAILED = {"type": "lifespan.startup.failed", "message": "no database"}
COMPLETE = {"type": "lifespan.startup.complete"}


async def test_startup_before_the_block_and_shutdown_after_it() -> None:
    app = App(startup=anyio.lowlevel.checkpoint, shutdown=anyio.lowlevel.checkpoint)
    async with Client(app):
        assert app.log == ["lifespan.startup"]
        await anyio.lowlevel.checkpoint()
    assert app.log == ["lifespan.startup", "lifespan.shutdown", "over"]


async def test_everything_runs_in_the_task_of_the_test() -> None:
    app = App()
    async with Client(app) as client:
        await client.get("/")
    assert app.tasks == {anyio.get_current_task().id}


async def test_each_request_gets_a_copy_of_the_state() -> None:
    async with Client(App()) as client:
        for _ in range(2):
            assert (await client.get("/")).text == "{'pool': 'open', 'count': 1}"
        assert client.state == {"pool": "open"}


async def test_without_async_with_there_is_no_state() -> None:
    with pytest.raises(KeyError, match="state"):
        await Client(App()).get("/")


class Grouped(App):
    """An application whose lifespan is a task group."""

    tasks_of_app: TaskGroup

    async def live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as self.tasks_of_app:
            await super().live(scope, receive, send)
            self.tasks_of_app.cancel_scope.cancel()


async def test_a_task_group_of_the_lifespan_spans_the_block() -> None:
    app = Grouped(startup=anyio.lowlevel.checkpoint)
    async with Client(app) as client:
        app.tasks_of_app.start_soon(anyio.sleep_forever)
        with anyio.fail_after(5):
            await client.get("/")
    assert app.log[-1] == "over"


async def test_a_failing_task_of_the_lifespan_fails_the_block() -> None:
    app = Grouped()

    async def fail() -> None:
        raise ValueError("in the background")

    async def use_client() -> None:
        async with Client(app):
            app.tasks_of_app.start_soon(fail)
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await use_client()
    assert [str(error) for error in caught.value.exceptions] == ["in the background"]


async def test_a_lifespan_that_cancels_the_block_is_an_error() -> None:
    app = Grouped()

    async def use_client() -> None:
        async with Client(app):
            app.tasks_of_app.cancel_scope.cancel()
            await anyio.sleep_forever()

    with pytest.raises(LifespanError, match="cancelled the block"):
        await use_client()


async def test_a_cancelled_test_cancels_the_lifespan() -> None:
    app = Grouped()
    with anyio.CancelScope() as scope:
        async with Client(app):
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert app.log == ["lifespan.startup"]


async def test_a_startup_may_be_cancelled_from_outside() -> None:
    with anyio.move_on_after(0.01) as scope:
        async with Client(App(startup=anyio.sleep_forever)):
            pytest.fail("not reached")
    assert scope.cancelled_caught


@pytest.fixture
async def running() -> AsyncIterator[tuple[App, Client]]:
    app = Grouped()
    async with Client(app) as client:
        yield app, client
    assert app.log[-1] == "over"


async def test_the_client_may_be_opened_in_a_fixture(running: tuple[App, Client]) -> None:
    app, client = running
    await client.get("/")
    assert app.tasks == {anyio.get_current_task().id}


async def test_the_client_may_be_left_in_another_task_than_it_was_entered_in() -> None:
    app = App(startup=anyio.lowlevel.checkpoint, shutdown=anyio.lowlevel.checkpoint)
    client = Client(app)
    for step in (client.__aenter__, client.__aexit__):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(step)
    assert app.log[-1] == "over"


# --- failures -----------------------------------------------------------------------------------


async def test_an_exception_at_startup_is_raised_in_the_test() -> None:
    error = ValueError("mine")

    async def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="mine") as caught:
        async with Client(App(startup=fail)):
            pytest.fail("not reached")
    assert caught.value is error


async def test_an_exception_after_startup_failed_is_raised_in_the_test() -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine"):
        async with Client(only(FAILED, then=error)):
            pytest.fail("not reached")


@pytest.mark.parametrize(
    ("message", "text"),
    [(FAILED, "its startup failed: no database"), ({"type": FAILED["type"]}, "gave no message")],
)
async def test_startup_failed_is_an_error_with_its_message(message: Any, text: str) -> None:
    with pytest.raises(LifespanError, match=text):
        async with Client(only(message)):
            pytest.fail("not reached")


async def test_shutdown_failed_is_an_error_with_its_message() -> None:
    app = only(COMPLETE, {"type": "lifespan.shutdown.failed", "message": "still busy"})
    with pytest.raises(LifespanError, match="its shutdown failed: still busy"):
        async with Client(app):
            pass


async def test_an_exception_at_shutdown_is_raised_in_the_test() -> None:
    with pytest.raises(ValueError, match="mine"):
        async with Client(only(COMPLETE, then=ValueError("mine"))):
            pass


async def test_the_tests_own_failure_wins_over_the_shutdowns() -> None:
    with pytest.raises(AssertionError, match=r"^test") as caught:
        async with Client(only(COMPLETE, then=ValueError("mine"))):
            raise AssertionError("test")
    assert caught.value.__notes__ == ["The application's shutdown failed, too: ValueError('mine')"]


async def test_an_application_without_lifespan_is_tolerated() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    async with Client(app) as client:
        assert (await client.get("/")).status_code == 204


async def test_an_application_that_ignores_startup_is_not_tolerated() -> None:
    with pytest.raises(ConductError, match="answer each lifespan event"):
        async with Client(only()):
            pytest.fail("not reached")


async def test_an_application_may_end_after_startup() -> None:
    async with Client(only(COMPLETE)) as client:
        assert client.state == {}


async def test_a_failed_client_is_closed() -> None:
    client = Client(only(FAILED))
    with pytest.raises(LifespanError):
        await client.__aenter__()
    assert client.is_closed


async def test_startup_complete_from_another_task_is_an_error() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def complete() -> None:
            await send(COMPLETE)

        await receive()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(complete)

    with pytest.raises(ExceptionGroup) as caught:
        async with Client(app):
            pytest.fail("not reached")
    assert "another task" in str(caught.value.exceptions[0])


# --- deadlines ----------------------------------------------------------------------------------


async def test_startup_has_a_deadline() -> None:
    with pytest.raises(DeadlineExceeded, match=r"Waited 0.01 s for the startup of the application"):
        async with Client(App(startup=anyio.sleep_forever), timeout=0.01):
            pytest.fail("not reached")


async def test_shutdown_has_a_deadline() -> None:
    with pytest.raises(DeadlineExceeded, match="the shutdown of the application"):
        async with Client(App(shutdown=anyio.sleep_forever), timeout=0.01):
            pass


async def test_without_a_deadline_startup_may_take_its_time() -> None:
    async with Client(App(startup=anyio.lowlevel.checkpoint), timeout=None) as client:
        assert client.state == {"pool": "open"}


async def test_a_late_startup_may_clean_up() -> None:
    cleaned = []

    async def startup() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await anyio.lowlevel.checkpoint()
            cleaned.append(True)

    with pytest.raises(DeadlineExceeded):
        async with Client(App(startup=startup), timeout=0.01):
            pytest.fail("not reached")
    assert cleaned == [True]


async def test_a_startup_that_swallows_the_deadline_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("erlen.testing.lifespan.GRACE", 0.01)

    async def startup() -> None:
        while True:
            with suppress(TimeoutError):
                await anyio.sleep_forever()

    with pytest.raises(DeadlineExceeded):
        async with Client(App(startup=startup), timeout=0.01):
            pytest.fail("not reached")
