"""``run_sync``: SY-2."""

import inspect
import threading
from typing import Any

import anyio
import pytest
from anyio import to_thread

from erlen import Erlen, g
from erlen.offload import run_sync
from erlen.sync import request


@run_sync
def thread_of(*, add: str = "") -> str:
    """Tell where."""
    return threading.current_thread().name + add


def test_it_is_a_coroutine_function_with_the_names_of_the_function() -> None:
    assert inspect.iscoroutinefunction(thread_of)
    assert (thread_of.__name__, thread_of.__doc__) == ("thread_of", "Tell where.")


async def test_outside_of_a_context_it_is_any_thread() -> None:
    assert "MainThread" not in await thread_of()


async def test_p19_outside_of_a_context_it_has_a_limit_of_its_own() -> None:
    limiter, finish = to_thread.current_default_thread_limiter(), threading.Event()
    async with anyio.create_task_group() as tasks:
        for _ in range(int(limiter.total_tokens)):
            tasks.start_soon(to_thread.run_sync, finish.wait, 10)
        await anyio.wait_all_tasks_blocked()
        try:
            with anyio.fail_after(5):
                assert "MainThread" not in await thread_of()
        finally:
            finish.set()


async def test_in_an_exchange_it_is_the_thread_of_its_def_functions() -> None:
    app = Erlen("shop")

    @app.before_request
    def note() -> None:
        g.ident = threading.get_ident()

    @app.post("/")
    async def view() -> list[Any]:
        form = await run_sync(lambda name: request.form[name])("name")
        same = await run_sync(threading.get_ident)() == g.ident
        return [form, same, await thread_of(add="!")]

    response = await app.test_client().post("/", data={"name": "tea"})
    assert response.json() == ["tea", True, "erlen-worker!"]


async def test_error_is_the_one_that_was_raised() -> None:
    error = KeyError()

    @run_sync
    def fail() -> None:
        raise error

    app = Erlen("shop")
    async with app.app_context():
        with pytest.raises(KeyError) as caught:
            await fail()
    assert caught.value is error
