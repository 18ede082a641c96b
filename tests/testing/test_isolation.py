"""Context variables of an application in the test's task: seen by nobody after it."""

import contextvars
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen import Erlen, has_app_context
from erlen.testing.isolation import in_own_context

variable = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")

    @app.before_serving
    async def at_startup() -> None:
        variable.set("startup")

    @app.get("/set")
    async def set_it() -> str:
        variable.set("set")
        await checkpoint()
        return variable.get()

    @app.get("/get")
    async def get_it() -> str:
        return variable.get()

    return app


async def test_what_a_view_sets_is_seen_by_no_other_request_and_not_by_the_test(app: Erlen) -> None:
    async with app.test_client() as client:
        assert (await client.get("/set")).text == "set"
        assert (await client.get("/get")).text == "unset"
        assert (variable.get(), has_app_context()) == ("unset", False)


async def test_what_the_test_sets_is_seen_by_the_view(app: Erlen) -> None:
    async with app.test_client() as client:
        variable.set("test")
        assert (await client.get("/get")).text == "test"


async def test_it_is_the_same_task() -> None:
    tasks: list[Any] = []

    async def note() -> None:
        tasks.append(anyio.get_current_task())

    await in_own_context(note())
    assert tasks == [anyio.get_current_task()]


async def test_errors_and_cancellation_reach_the_coroutine() -> None:
    log: list[str] = []

    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("left")

    with anyio.move_on_after(0):
        await in_own_context(wait())
    assert log == ["left"]
