"""The end of a context: every hook runs, and in tests the first failure is not kept from anybody."""

import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from erlen import Erlen, has_app_context, request, websocket
from erlen.protocols import Message
from erlen.testing.request_context import request_scope

KEYS = pytest.mark.parametrize("key", ["TESTING", "DEBUG", "PROPAGATE_EXCEPTIONS"])


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.get("/")(lambda: "view")
    return app


def failing(error: Exception, ran: list[Exception]) -> Callable[..., Any]:
    """Return a teardown hook that fails with *error*."""

    async def hook(_: BaseException | None) -> None:
        ran.append(error)
        raise error

    return hook


@pytest.fixture
def errors(app: Erlen) -> list[Exception]:
    """Two errors, which two teardown hooks raise; those that have run take their place."""
    ran: list[Exception] = []
    app.teardown_request(failing(ValueError("last"), ran))
    app.teardown_request(failing(LookupError("first"), ran))
    return ran


@KEYS
async def test_pl4_first_failure_of_a_teardown_leaves_in_tests(
    app: Erlen, errors: list[Exception], key: str
) -> None:
    app.config[key] = True
    with pytest.raises(LookupError, match="first") as caught:
        await app.test_client().get("/")
    assert caught.value is errors[0]
    assert [str(error) for error in errors] == ["first", "last"]


async def test_pl4_failure_of_the_view_wins_over_that_of_its_teardown(
    app: Erlen, errors: list[Exception]
) -> None:
    app.testing = True
    app.get("/error", endpoint="error")(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await app.test_client().get("/error")
    assert len(errors) == 2


async def test_pl4_failures_are_logged_otherwise_and_the_response_is_whole(
    app: Erlen, errors: list[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    response = await app.test_client(raise_app_exceptions=True).get("/")
    assert (response.status_code, response.text) == (200, "view")
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == errors
    assert len(errors) == 2


async def test_pl4_failing_teardown_of_a_websocket_leaves_in_tests(app: Erlen) -> None:
    app.testing = True
    app.teardown_websocket(failing(LookupError("first"), []))

    @app.websocket("/")
    async def view() -> None:
        await websocket.accept()

    with pytest.raises(LookupError, match="first"):
        async with app.test_client().websocket("/"):
            pass


async def test_pl4_failing_teardown_of_an_application_context_leaves_in_tests(app: Erlen) -> None:
    app.testing = True
    ran: list[Exception] = []
    app.teardown_appcontext(failing(LookupError("first"), ran))
    with pytest.raises(LookupError, match="first"):
        async with app.app_context():
            pass
    with pytest.raises(ValueError, match="body"):
        async with app.app_context():
            raise ValueError("body")
    assert len(ran) == 2


async def test_law3_context_is_reset_even_when_a_teardown_raises(app: Erlen) -> None:
    app.testing = True
    app.teardown_request(failing(LookupError("first"), []))
    scope, _ = request_scope(app, "/")
    with pytest.raises(LookupError):
        await app(scope, receive_nothing, drop)
    assert not has_app_context()


async def test_pl4_failures_that_are_not_raised_are_logged(
    app: Erlen, errors: list[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    app.testing = True
    with pytest.raises(LookupError):
        await app.test_client().get("/")
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == errors[1:]


def test_pl4_failing_teardown_of_a_with_block_leaves_in_tests(app: Erlen) -> None:
    app.testing = True

    @app.teardown_appcontext
    def fail(_: BaseException | None) -> None:
        raise LookupError

    with pytest.raises(LookupError), app.app_context():
        pass


async def test_law7_a_failing_hook_at_the_end_of_startup_runs_once_for_it(app: Erlen) -> None:
    app.testing = True
    ran: list[BaseException | None] = []

    @app.teardown_appcontext
    async def fail(error: BaseException | None) -> None:
        ran.append(error)
        raise LookupError

    with pytest.raises(LookupError):
        async with app.test_client():
            pass
    assert ran[0] is None
    assert len(ran) == 2  # the startup's context and that of the shutdown, once each
    assert not has_app_context()


async def receive_nothing() -> Message:
    raise NotImplementedError


async def drop(_: Message) -> None:
    """Send nowhere."""


class Outcome(BaseException):
    """As test runners have it: no Exception, and no cancellation either."""


async def test_pl4_hooks_run_after_one_that_raises_no_exception(
    app: Erlen, errors: list[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: BaseException | None) -> None:
        raise Outcome

    app.teardown_request(fail)
    with pytest.raises(Outcome):
        await app.test_client().get("/")
    assert [str(error) for error in errors] == ["first", "last"]
    assert len(caplog.records) == 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_pl4_hooks_run_after_one_that_asyncio_cancels(app: Erlen) -> None:
    import asyncio  # noqa: TID251  # the one thing that passes a shielded scope

    log: list[str] = []
    started = anyio.Event()
    app.teardown_request(lambda _: log.append("last"))

    @app.teardown_request
    async def wait(_: BaseException | None) -> None:
        started.set()
        await anyio.sleep_forever()

    scope, _ = request_scope(app, "/")
    task = asyncio.ensure_future(app(scope, receive_nothing, drop))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["last"]


async def test_a_hook_that_is_left_unfinished_awaits_nothing_more(
    app: Erlen, errors: list[Exception]
) -> None:
    async def leave(_: BaseException | None) -> None:
        raise GeneratorExit

    app.teardown_request(leave)
    scope, _ = request_scope(app, "/")
    with pytest.raises(GeneratorExit):
        await app(scope, receive_nothing, drop)
    assert errors == []  # of the hooks after it none has run


async def test_p19_def_teardown_runs_in_its_thread_while_all_places_are_taken(app: Erlen) -> None:
    """Its thread is that of the hook before; its place is one that no view can take."""
    app.config["WORKER_THREADS"] = 1
    blocked, finish = threading.Event(), threading.Event()
    waiting, free = anyio.Event(), anyio.Event()
    threads: list[tuple[str, int]] = []

    def note(_error: BaseException | None = None) -> None:
        threads.append((request.path, threading.get_ident()))

    def block() -> str:
        blocked.set()
        return "released" if finish.wait(10) else "late"

    async def wait() -> str:
        waiting.set()
        await free.wait()
        return "waited"

    app.before_request(note)
    app.teardown_request(note)
    app.get("/wait", endpoint="wait")(wait)
    app.get("/block", endpoint="block")(block)
    async with anyio.create_task_group() as outer:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(app.test_client().get, "/wait")
                await waiting.wait()
                outer.start_soon(app.test_client().get, "/block")
                await anyio.to_thread.run_sync(blocked.wait)
                free.set()
        finish.set()
    of_wait = [thread for path, thread in threads if path == "/wait"]
    assert of_wait == [of_wait[0]] * 2
    assert threads[-1][0] == "/block"
