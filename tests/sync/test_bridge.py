"""Where blocking names may be used, and what they say where they may not: SY-3."""

import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from erlen import Erlen
from erlen.exceptions import OutsideContextError
from erlen.sync import g, render_template_string, request, stream_template_string, test_client
from erlen.sync.bridge import Each, wait_for


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.config["TESTING"] = True
    return app


def in_another_thread(function: Any) -> Any:
    """Call *function* in a new thread with the caller's context variables."""
    results: list[Any] = []

    def call() -> None:
        try:
            results.append(function())
        except Exception as error:  # noqa: BLE001  # handed to the test
            results.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(call,))
    thread.start()
    thread.join()
    return results[0]


# --- where no exchange is served --------------------------------------------------------------------


def test_script_renders_in_its_application_context(app: Erlen) -> None:
    with app.app_context():
        assert render_template_string("{{ 6 * 7 }}") == "42"


def test_script_reads_the_request_that_it_has_made(app: Erlen) -> None:
    with app.test_request_context("/", method="POST", data={"name": "tea"}):
        assert request.form["name"] == "tea"


def test_def_functions_of_a_script_run_in_its_thread(app: Erlen) -> None:
    """What the script opened in its thread can be used, to any depth."""

    @app.context_processor
    def variables() -> dict[str, Any]:
        depth = g.depth = g.get("depth", 0) + 1
        inner = render_template_string("{{ threads }}") if depth < 3 else ""
        return {"threads": f"{threading.current_thread().name} {inner}".strip()}

    with app.app_context():
        assert render_template_string("{{ threads }}") == "MainThread MainThread MainThread"


def test_thread_of_a_script_renders_as_well(app: Erlen) -> None:
    with app.app_context():
        assert in_another_thread(lambda: render_template_string("text")) == "text"


# --- where it may not be used -----------------------------------------------------------------------


def test_without_a_context_it_says_which_one_to_enter() -> None:
    with pytest.raises(OutsideContextError, match=r"with app.app_context\(\)"):
        render_template_string("text")


async def test_on_an_event_loop_it_says_what_to_await(app: Erlen) -> None:
    async with app.app_context():
        with pytest.raises(RuntimeError) as caught:
            render_template_string("text")
    assert str(caught.value) == (
        "render_template_string() of erlen.sync was used on an event loop, which it would stop. "
        "Write 'await render_template_string()' there, and import it from erlen."
    )


async def test_async_view_that_imports_from_here_by_mistake_is_told(app: Erlen) -> None:
    @app.post("/")
    async def view() -> str:
        return request.form["name"]

    with pytest.raises(RuntimeError, match=r"Write 'await request\.form' there"):
        await app.test_client().post("/", data={"name": "tea"})


async def test_other_thread_of_a_def_view_is_told_where_to_call(app: Erlen) -> None:
    @app.get("/")
    def view() -> str:
        return str(in_another_thread(lambda: render_template_string("text")))

    text = (await app.test_client().get("/")).text
    assert "render_template_string() of erlen.sync was used in the thread 'Thread-" in text
    assert "Call it in the 'def' view or hook, and hand the result to the thread." in text


async def test_other_thread_of_an_async_view_is_told_the_same(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        return await anyio.to_thread.run_sync(render_template_string, "text")

    with pytest.raises(RuntimeError, match="its exchange is served in another"):
        await app.test_client().get("/")


# --- iteration --------------------------------------------------------------------------------------


async def count(log: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
        yield 2
    finally:
        log.append("closed")


async def test_each_gives_the_items_and_ends(app: Erlen) -> None:
    @app.get("/")
    def view() -> list[int]:
        return list(Each("numbers", count([])))

    assert (await app.test_client().get("/")).json() == [1, 2]


async def test_each_that_is_left_can_be_closed(app: Erlen) -> None:
    log: list[str] = []

    @app.get("/")
    def view() -> list[object]:
        numbers = Each("numbers", count(log))
        first = next(numbers)
        numbers.close()
        numbers.close()
        return [first, *log]

    assert (await app.test_client().get("/")).json() == [1, "closed"]


async def test_each_over_what_cannot_be_closed_has_nothing_to_close(app: Erlen) -> None:
    @app.post("/")
    def view() -> bytes:
        chunks: Each[bytes] = Each("body", request.scope["body"])
        first = next(chunks)
        chunks.close()
        return first

    @app.before_request
    async def keep() -> None:
        from erlen import request

        request.scope["body"] = request.body

    assert (await app.test_client().post("/", content=b"bytes")).content == b"bytes"


async def test_stream_of_a_template_is_a_body(app: Erlen) -> None:
    @app.get("/")
    def view() -> Iterator[str]:
        return stream_template_string("{% for n in range(3) %}{{ n }}{% endfor %}")

    assert (await app.test_client().get("/")).text == "012"


# --- the task ---------------------------------------------------------------------------------------


async def test_coroutine_runs_in_the_task_of_the_exchange(app: Erlen) -> None:
    async def task_id() -> int:
        return anyio.get_current_task().id

    @app.before_request
    async def note() -> None:
        g.task = await task_id()

    @app.get("/")
    def view() -> list[int]:
        return [g.task, wait_for("task_id()", task_id)]

    first, second = (await app.test_client().get("/")).json()
    assert first == second


async def test_thousand_def_views_at_two_places_take_few_threads(app: Erlen) -> None:
    app.config["WORKER_THREADS"] = 2
    client, answers, threads = app.test_client(timeout=60), dict[int, str](), set[int]()

    @app.post("/")
    def view() -> str:
        threads.add(threading.get_ident())
        return render_template_string("{{ n }}", n=request.form["n"])

    async def ask(number: int) -> None:
        answers[number] = (await client.post("/", data={"n": str(number)})).text

    async with client, anyio.create_task_group() as tasks:
        for number in range(1000):
            tasks.start_soon(ask, number)
    assert answers == {number: str(number) for number in range(1000)}
    assert len(threads) < 100


def test_client_is_the_blocking_one(app: Erlen) -> None:
    app.get("/")(lambda: "text")
    with test_client(app) as client:
        assert client.get("/").text == "text"
