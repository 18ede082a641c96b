"""Functions that take the context along to another task or thread: CX-8."""

import contextlib
import contextvars
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest

from erlen import (
    Erlen,
    after_this_request,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
    session,
    url_for,
    websocket,
)
from erlen.context import current
from erlen.copying import (
    copy_current_app_context,
    copy_current_request_context,
    copy_current_websocket_context,
)
from erlen.exceptions import ClientDisconnected, OutsideContextError

DECORATORS = [
    copy_current_app_context,
    copy_current_request_context,
    copy_current_websocket_context,
]


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")

    @app.get("/named")
    async def named() -> str:
        return ""

    return app


def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Call in a thread of the standard library, which has no context, and return the result."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function(*args)))
    thread.start()
    thread.join()
    return results[0]


async def in_task(function: Callable[..., Any], *args: Any) -> Any:
    """Await in a task that has no context, and return the result."""
    results = []

    async def call() -> None:
        assert not has_app_context()
        results.append(await function(*args))
        assert not has_app_context()

    async with anyio.create_task_group() as group:
        contextvars.Context().run(group.start_soon, call)
    return results[0]


async def answer_of(app: Erlen, view: Callable[[], Any]) -> str:
    """Return what *view* answers to GET /view?q=1."""
    app.add_url_rule("/view", view_func=view)
    response = await app.test_client().get("/view?q=1")
    return str(response.text)


# --- where it may be used ---------------------------------------------------------------------------


@pytest.mark.parametrize("decorate", DECORATORS)
def test_cx8_outside_of_a_context_decorating_says_what_to_do(decorate: Any) -> None:
    with pytest.raises(OutsideContextError, match="no context here"):
        decorate(print)


@pytest.mark.parametrize("decorate", DECORATORS[1:])
def test_cx8_in_an_application_context_there_is_no_exchange_to_take(
    app: Erlen, decorate: Any
) -> None:
    with app.app_context(), pytest.raises(OutsideContextError, match="has no request or WebSocket"):
        decorate(print)


async def test_cx8_a_request_is_no_websocket(app: Erlen) -> None:
    async def view() -> str:
        with pytest.raises(OutsideContextError, match="'websocket' was used in an HTTP exchange"):
            copy_current_websocket_context(print)
        return "checked"

    assert await answer_of(app, view) == "checked"


# --- every kind of function -------------------------------------------------------------------------


async def test_cx8_def_sees_the_request_in_a_thread(app: Erlen) -> None:
    async def view() -> str:
        g.user = "Ada"

        @copy_current_request_context
        def work(word: str) -> str:
            g.seen = True
            return f"{word} {g.user} {request.args['q']} {url_for('named')} {current_app.name}"

        text: str = await anyio.to_thread.run_sync(in_thread, work, "Hello")
        assert g.seen
        return text

    assert await answer_of(app, view) == "Hello Ada 1 /named shop"


async def test_cx8_async_def_sees_the_request_in_a_task_without_a_context(app: Erlen) -> None:
    async def view() -> Any:
        @copy_current_request_context
        async def work(word: str) -> str:
            await anyio.lowlevel.checkpoint()
            return f"{word} {request.path}"

        return await in_task(work, "at")

    assert await answer_of(app, view) == "at /view"


async def test_cx8_def_that_returns_a_coroutine_is_awaited_with_the_request(app: Erlen) -> None:
    async def view() -> Any:
        async def work() -> str:
            return request.path

        def decorated() -> Any:
            return work()

        return await in_task(copy_current_request_context(decorated))

    assert await answer_of(app, view) == "/view"


async def test_cx8_generator_sees_the_request_and_its_caller_does_not(app: Erlen) -> None:
    async def view() -> Any:
        @copy_current_request_context
        def numbers(count: int) -> Iterator[str]:
            for number in range(count):
                yield f"{request.path}{number}"

        def consume() -> str:
            seen = []
            for number in numbers(2):
                assert not has_app_context()
                seen.append(number)
            return " ".join(seen)

        return await anyio.to_thread.run_sync(in_thread, consume)

    assert await answer_of(app, view) == "/view0 /view1"


async def test_cx8_asynchronous_generator_sees_the_request_and_its_caller_does_not(
    app: Erlen,
) -> None:
    async def view() -> Any:
        @copy_current_request_context
        async def numbers(count: int) -> AsyncIterator[str]:
            for number in range(count):
                await anyio.lowlevel.checkpoint()
                yield f"{request.path}{number}"

        async def consume() -> str:
            seen = []
            async for number in numbers(2):
                assert not has_app_context()
                seen.append(number)
            return " ".join(seen)

        return await in_task(consume)

    assert await answer_of(app, view) == "/view0 /view1"


class Job:
    async def __call__(self) -> str:
        return request.path


async def test_cx8_object_with_an_async_call_and_a_partial_are_functions_too(app: Erlen) -> None:
    async def view() -> Any:
        async def work(word: str) -> str:
            return f"{word}{request.path}"

        partial = copy_current_request_context(functools.partial(work, "at "))
        return await in_task(copy_current_request_context(Job())) + await in_task(partial)

    assert await answer_of(app, view) == "/viewat /view"


def test_cx8_copy_is_of_the_same_kind_and_name(app: Erlen) -> None:
    def plain() -> None: ...
    async def coroutine() -> None: ...
    def generator() -> Iterator[None]:
        yield

    async def async_generator() -> AsyncIterator[None]:
        yield  # fmt: skip

    with app.app_context():
        for function, check in (
            (plain, inspect.isfunction),
            (coroutine, inspect.iscoroutinefunction),
            (generator, inspect.isgeneratorfunction),
            (async_generator, inspect.isasyncgenfunction),
        ):
            copy: Any = copy_current_app_context(function)
            assert check(copy)
            assert (copy.__name__, copy.__wrapped__) == (function.__name__, function)


# --- generators to the letter -----------------------------------------------------------------------


def conversation(log: list[Any]) -> Any:
    try:
        log.append((yield "first"))
        try:
            yield "second"
        except ValueError as error:
            log.append(str(error))
        yield "third"
    finally:
        log.append(current_app.name)
    return "end"


async def async_conversation(log: list[Any]) -> Any:
    try:
        log.append((yield "first"))
        try:
            yield "second"
        except ValueError as error:
            log.append(str(error))
        yield "third"
    finally:
        log.append(current_app.name)


def test_generator_takes_values_and_errors_and_ends_with_its_value(app: Erlen) -> None:
    log: list[Any] = []
    with app.app_context():
        generator = copy_current_app_context(conversation)(log)
    assert [next(generator), generator.send("sent")] == ["first", "second"]
    assert generator.throw(ValueError("thrown")) == "third"
    with pytest.raises(StopIteration) as end:
        next(generator)
    assert (end.value.value, log) == ("end", ["sent", "thrown", "shop"])


def test_generator_that_is_closed_cleans_up_with_its_context(app: Erlen) -> None:
    log: list[Any] = []
    with app.app_context():
        generator = copy_current_app_context(conversation)(log)
    next(generator)
    generator.close()
    assert log == ["shop"]


def test_generator_that_fails_leaves_no_context(app: Erlen) -> None:
    with app.app_context():
        generator = copy_current_app_context(conversation)([])
    next(generator)
    with pytest.raises(KeyError):
        generator.throw(KeyError())
    assert not has_app_context()


async def test_asynchronous_generator_takes_values_and_errors(app: Erlen) -> None:
    log: list[Any] = []
    async with app.app_context():
        generator = copy_current_app_context(async_conversation)(log)
    assert [await anext(generator), await generator.asend("sent")] == ["first", "second"]
    assert await generator.athrow(ValueError("thrown")) == "third"
    with pytest.raises(StopAsyncIteration):
        await anext(generator)
    assert log == ["sent", "thrown", "shop"]


async def test_asynchronous_generator_that_is_closed_cleans_up_with_its_context(
    app: Erlen,
) -> None:
    log: list[Any] = []
    async with app.app_context():
        generator = copy_current_app_context(async_conversation)(log)
    async with contextlib.aclosing(generator):
        await anext(generator)
    assert log == ["shop"]


# --- the other exchanges, and the end ---------------------------------------------------------------


async def test_cx8_websocket_is_taken_along(app: Erlen) -> None:
    @app.websocket("/ws")
    async def ws() -> None:
        @copy_current_websocket_context
        async def work() -> None:
            await websocket.send(websocket.path)
            with pytest.raises(OutsideContextError, match="'request' was used in a WebSocket"):
                copy_current_request_context(work)

        await in_task(work)

    async with app.test_client().websocket("/ws") as peer:
        assert await peer.receive() == "/ws"


async def test_cx8_application_context_is_taken_along(app: Erlen) -> None:
    async with app.app_context():
        g.user = "Ada"

        @copy_current_app_context
        def work() -> tuple[str, str, bool]:
            return current_app.name, g.user, has_request_context()

    assert in_thread(work) == ("shop", "Ada", False)
    assert not has_app_context()


async def test_callers_own_context_is_back_after_the_call(app: Erlen) -> None:
    async with app.app_context():
        g.user = "Ada"
        name: Callable[[], str] = copy_current_app_context(lambda: str(g.user))
    async with app.app_context():
        g.user = "Bob"
        assert (name(), g.user) == ("Ada", "Bob")


async def test_r8_after_the_end_the_request_can_be_read_and_its_connection_not_used(
    app: Erlen,
) -> None:
    jobs: list[Any] = []

    @app.post("/later")
    async def later() -> str:
        @copy_current_request_context
        async def work() -> str:
            with pytest.raises(ClientDisconnected):
                await request.get_data()
            return f"{request.method} {request.url} {request.args['q']}"

        jobs.append(work)
        return ""

    await app.test_client().post("/later?q=1", data=b"body")
    assert await in_task(jobs[0]) == "POST http://localhost/later?q=1 1"


LATE = {
    "session": lambda: session.get("name"),
    "response": lambda: after_this_request(lambda response: response),
}


@pytest.mark.parametrize("what", LATE)
async def test_what_an_exchange_had_is_gone_after_its_end(app: Erlen, what: str) -> None:
    jobs: list[Callable[[], Any]] = []

    @app.post("/job")
    async def start() -> str:
        jobs.append(copy_current_request_context(LATE[what]))
        return "started"

    await app.test_client().post("/job")
    with pytest.raises(OutsideContextError, match=f"has ended, and its {what} with it. Await"):
        jobs[0]()


async def test_no_thread_is_taken_after_the_end(app: Erlen) -> None:
    async def run() -> None:
        await current().run_sync(int)

    async with app.test_request_context():
        late = copy_current_request_context(run)
    with pytest.raises(OutsideContextError, match="has ended, and its thread with it"):
        await late()


async def test_a_context_that_is_entered_again_is_alive_again(app: Erlen) -> None:
    context = app.test_request_context()
    for _ in range(2):
        async with context:
            assert await current().run_sync(int) == 0
