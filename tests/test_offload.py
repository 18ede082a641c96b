"""``run_sync``: SY-2."""

import inspect
import threading
from typing import Any

import pytest

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
