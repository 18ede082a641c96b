"""Background tasks in tests: BG-4, pain 15."""

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen import Erlen, g
from erlen.protocols import ASGIApp
from erlen.sync import test_client
from erlen.testing import Client


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def app(log: list[str]) -> Erlen:
    """An application whose ``/`` starts a task that notes its end, and ``/fail/<n>`` *n* failing."""
    app = Erlen("shop")
    app.config["TESTING"] = True

    async def work() -> None:
        await checkpoint()
        log.append("done")

    async def fail(number: int) -> None:
        raise ValueError(number)

    @app.get("/")
    async def start() -> str:
        app.add_background_task(work)
        return "started"

    @app.get("/fail/<int:count>")
    async def start_failing(count: int) -> str:
        for number in range(count):
            app.add_background_task(fail, number)
        return "started"

    return app


async def use(app: Erlen, path: str = "/", error: BaseException | None = None) -> None:
    """Use a client as a test does, which fails with *error*."""
    async with app.test_client() as client:
        assert (await client.get(path)).text == "started"
        if error is not None:
            raise error


async def test_bg4_leaving_the_client_waits_for_tasks(app: Erlen, log: list[str]) -> None:
    async with app.test_client() as client:
        assert (await client.get("/")).text == "started"
        assert log == []
    assert log == ["done"]


async def test_bg4_closing_a_client_waits_for_tasks(app: Erlen, log: list[str]) -> None:
    client = app.test_client()
    assert (await client.get("/")).text == "started"
    await client.aclose()
    assert log == ["done"]


def test_bg4_blocking_client_waits_for_tasks(app: Erlen, log: list[str]) -> None:
    with test_client(app) as client:
        assert client.get("/").text == "started"
    assert log == ["done"]


async def test_pain15_error_of_a_task_is_raised_where_the_client_is_left(app: Erlen) -> None:
    with pytest.raises(ValueError, match="0") as caught:
        await use(app, "/fail/1")
    assert caught.value.__notes__ == [
        "Raised in the background task 'app.<locals>.fail', started by GET /fail/1."
    ]


def test_pain15_error_leaves_the_blocking_client(app: Erlen) -> None:
    with pytest.raises(ValueError, match="0"), test_client(app) as client:
        client.get("/fail/1")


async def test_pain15_error_is_raised_where_the_client_is_closed_and_only_once(app: Erlen) -> None:
    client = app.test_client()
    await client.get("/fail/1")
    with pytest.raises(ValueError, match="0"):
        await client.aclose()
    await client.aclose()


async def test_several_errors_are_a_group(app: Erlen) -> None:
    with pytest.raises(ExceptionGroup, match="Background tasks of") as caught:
        await use(app, "/fail/2")
    assert sorted(map(repr, caught.value.exceptions)) == ["ValueError(0)", "ValueError(1)"]


async def test_error_of_a_teardown_hook_of_a_task_is_raised_too(app: Erlen) -> None:
    async def note() -> None:
        g.in_task = True

    app.before_serving(lambda: app.add_background_task(note))
    app.teardown_appcontext(lambda _error: 1 / 0 if "in_task" in g else None)
    with pytest.raises(ZeroDivisionError) as caught:
        await use(app)
    assert "Raised in the background task" in caught.value.__notes__[0]


@pytest.mark.parametrize("told", ["by the client", "by the configuration"])
async def test_nothing_is_raised_when_the_test_does_not_want_it(app: Erlen, told: str) -> None:
    app.config["TESTING"] = told == "by the client"
    wants = False if told == "by the client" else None
    async with app.test_client(raise_app_exceptions=wants) as client:
        await client.get("/fail/1")


async def test_failure_of_the_test_itself_is_never_replaced(app: Erlen) -> None:
    with pytest.raises(AssertionError) as caught:
        await use(app, "/fail/1", AssertionError())
    assert caught.value.__notes__ == ["A background task failed, too: ValueError(0)"]


async def test_client_does_not_hear_of_another_application(app: Erlen) -> None:
    async with Erlen("other").test_client(), app.test_client(raise_app_exceptions=False) as client:
        await client.get("/fail/1")


async def test_any_asgi_application_has_a_client_that_closes(app: Erlen) -> None:
    async def wrapped(*args: Any) -> None:
        await app(*args)

    bare: ASGIApp = wrapped
    client = Client(bare, raise_app_exceptions=False)
    await client.get("/fail/1")
    await client.aclose()
    await app.background_tasks.drain()


async def test_hanging_task_is_cancelled_when_the_client_is_left(
    app: Erlen, log: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = 0.01
    app.before_serving(lambda: app.add_background_task(anyio.sleep_forever))
    async with app.test_client():
        pass
    assert [record.getMessage() for record in caplog.records] == [
        "Cancelled: the background task 'sleep_forever'."
    ]
