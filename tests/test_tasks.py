"""Background work: BG-1 to BG-3, B-318, B-319, pains 14 to 16."""

import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any
from weakref import ref

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from erlen import (
    Erlen,
    appcontext_popped,
    appcontext_pushed,
    current_app,
    g,
    got_background_exception,
    has_request_context,
    request,
    request_tearing_down,
    session,
    tasks,
    url_for,
    websocket,
)
from erlen.exceptions import OutsideContextError, SessionClosedError
from erlen.exchange.websocket import State
from erlen.sync import request as blocking_request


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.secret_key = "a key of thirty-two bytes, or more"
    return app


@pytest.fixture
def log() -> list[Any]:
    return []


def start_in_view(app: Erlen, task: Callable[..., Any], *args: Any) -> None:
    """Let ``POST /orders/7`` start *task*."""

    @app.post("/orders/<int:number>")
    async def order(number: int) -> str:
        app.add_background_task(task, *args)
        return "taken"


async def post(app: Erlen, path: str = "/orders/7?tea=2", **options: Any) -> None:
    """Send what starts the task, and wait for the task."""
    client = app.test_client()
    assert (await client.post(path, **options)).text == "taken"
    await client.aclose()


# --- what runs, and where: BG-1, B-318 --------------------------------------------------------------


async def test_bg1_coroutine_function_runs_with_its_arguments(app: Erlen, log: list[Any]) -> None:
    async def task(*args: int, **kwargs: int) -> None:
        await checkpoint()
        log.append((args, kwargs))

    app.add_background_task(task, 1, 2, sugar=3)
    assert len(app.background_tasks) == 1
    await app.background_tasks.drain()
    assert (log, len(app.background_tasks)) == ([((1, 2), {"sugar": 3})], 0)


async def test_bg1_def_runs_in_a_thread_which_ends_with_the_drain(
    app: Erlen, log: list[Any]
) -> None:
    app.add_background_task(lambda: log.append((threading.current_thread(), current_app.name)))
    await app.background_tasks.drain()
    [(thread, name)] = log
    assert (name, thread.is_alive()) == ("shop", False)
    assert thread is not threading.main_thread()


async def test_what_a_def_returns_is_awaited(app: Erlen, log: list[Any]) -> None:
    async def task() -> None:
        log.append(threading.current_thread())

    app.add_background_task(lambda number: task(), 1)
    await app.background_tasks.drain()
    assert log == [threading.current_thread()]


async def test_bg1_def_view_starts_a_task_on_the_loop(app: Erlen, log: list[Any]) -> None:
    async def task() -> None:
        log.append((threading.current_thread(), request.path))

    @app.post("/orders")
    def order() -> str:
        app.add_background_task(task)
        return "taken"

    await post(app, "/orders")
    assert log == [(threading.current_thread(), "/orders")]


async def test_bg1_startup_starts_a_task_that_serves(app: Erlen, log: list[Any]) -> None:
    asked = anyio.Event()

    async def task() -> None:
        await asked.wait()
        log.append(has_request_context())

    app.before_serving(lambda: app.add_background_task(task))

    @app.get("/")
    async def ask() -> str:
        asked.set()
        return ""

    async with app.test_client() as client:
        assert log == []
        await client.get("/")
    assert log == [False]


async def test_b318_task_goes_on_when_its_request_is_cancelled(app: Erlen, log: list[Any]) -> None:
    release = anyio.Event()

    async def task() -> None:
        await release.wait()
        log.append("done")

    @app.post("/orders")
    async def order() -> None:
        app.add_background_task(task)
        scope.cancel()
        await checkpoint()

    with anyio.CancelScope() as scope:
        await app.test_client().post("/orders")
    release.set()
    await app.background_tasks.drain()
    assert (scope.cancelled_caught, log) == (True, ["done"])


async def test_pain16_task_goes_on_when_the_client_leaves(app: Erlen, log: list[Any]) -> None:
    release = anyio.Event()

    async def task() -> None:
        await release.wait()
        log.append("done")

    @app.get("/")
    async def endless() -> AsyncIterator[str]:
        app.add_background_task(task)
        while True:
            yield "more"

    client = app.test_client()
    async with client.stream("GET", "/") as response:
        await response.disconnect()
    release.set()
    await client.aclose()
    assert log == ["done"]


async def test_b318_blocking_tasks_take_no_place_from_views(app: Erlen) -> None:
    app.config["WORKER_THREADS"] = 1
    release = threading.Event()
    app.get("/")(lambda: "served")
    app.add_background_task(release.wait)
    response = await app.test_client().get("/")
    release.set()
    await app.background_tasks.drain()
    assert response.text == "served"


# --- what cannot be started -------------------------------------------------------------------------


async def test_b318_one_task_too_many_is_refused(app: Erlen) -> None:
    app.config["MAX_BACKGROUND_TASKS"] = 2
    for _ in range(2):
        app.add_background_task(checkpoint)
    with pytest.raises(RuntimeError, match=r"2 background tasks are.*'checkpoint' was not started"):
        app.add_background_task(checkpoint)
    await app.background_tasks.drain()
    app.add_background_task(checkpoint)
    await app.background_tasks.drain()


async def test_b318_def_view_is_told_of_the_bound_too(app: Erlen) -> None:
    app.config.update(MAX_BACKGROUND_TASKS=1, TESTING=True)

    @app.get("/")
    def view() -> None:
        app.add_background_task(anyio.sleep_forever)
        app.add_background_task(checkpoint)

    with pytest.raises(RuntimeError, match="MAX_BACKGROUND_TASKS"):
        await app.test_client().get("/")
    await app.background_tasks.drain(hurried=True)


@pytest.mark.parametrize("task", [None, "send_mail"])
async def test_what_cannot_be_called_is_refused(app: Erlen, task: Any) -> None:
    with pytest.raises(TypeError, match=f"The background task {task!r} is no function. Give"):
        app.add_background_task(task)


async def test_called_coroutine_function_is_refused(app: Erlen) -> None:
    with pytest.raises(TypeError, match=r"coroutine object.* is no function. Give"):
        app.add_background_task(checkpoint())  # type: ignore[arg-type]  # the mistake


def test_without_a_loop_nothing_can_be_started(app: Erlen) -> None:
    with pytest.raises(RuntimeError, match=r"No event loop runs in the thread 'MainThread'"):
        app.add_background_task(checkpoint)
    assert len(app.background_tasks) == 0


async def test_in_a_thread_of_ones_own_neither(app: Erlen) -> None:
    with pytest.raises(RuntimeError, match=r"so by anyio.from_thread.run_sync"):
        await to_thread.run_sync(app.add_background_task, checkpoint)


# --- the context: BG-1, B-319, pain 14 --------------------------------------------------------------


async def test_b319_task_has_a_g_of_its_own(app: Erlen, log: list[Any]) -> None:
    async def task() -> None:
        log.append((current_app.name, "user" in g))
        g.user = "task"

    @app.post("/orders")
    async def order() -> str:
        g.user = "ann"
        app.add_background_task(task)
        await anyio.wait_all_tasks_blocked()
        log.append(g.user)
        return "taken"

    await post(app, "/orders")
    assert log == [("shop", False), "ann"]


async def test_teardown_hooks_run_at_the_end_of_a_task(app: Erlen, log: list[Any]) -> None:
    app.teardown_appcontext(lambda error: log.append((error, g.get("name"))))

    async def task(error: Exception | None) -> None:
        g.name = "task"
        if error is not None:
            raise error

    error = ValueError("no")
    for each in (None, error):
        app.add_background_task(task, each)
        await app.background_tasks.drain()
    assert log == [(None, "task"), (error, "task")]


async def test_signals_of_the_application_context_are_sent(app: Erlen, log: list[Any]) -> None:
    def note(signal: str) -> Callable[..., None]:
        return lambda _app, **_values: log.append(signal)

    async def task() -> None:
        log.append("task")

    async with app.test_request_context("/"):
        with (
            appcontext_pushed.connected_to(note("pushed"), app),
            appcontext_popped.connected_to(note("popped"), app),
            request_tearing_down.connected_to(note("request's"), app),
        ):
            app.add_background_task(task)
            await app.background_tasks.drain()
    assert log == ["pushed", "task", "popped"]


async def test_task_keeps_nothing_of_its_request_alive(app: Erlen, log: list[Any]) -> None:
    release = anyio.Event()

    @app.post("/orders")
    async def order() -> str:
        g.big = log.append  # any object
        log.extend([ref(request._get_current_object()), ref(g._get_current_object())])
        app.add_background_task(release.wait)
        return "taken"

    await app.test_client().post("/orders")
    await anyio.wait_all_tasks_blocked()
    gc.collect()
    assert [kept() for kept in log] == [None, None]
    assert len(app.background_tasks) == 1
    release.set()
    await app.background_tasks.drain()


# --- the picture of the request: B-319 --------------------------------------------------------------

READ: dict[str, tuple[Callable[[], Any], Any]] = {
    "method": (lambda: request.method, "POST"),
    "path": (lambda: request.path, "/orders/7"),
    "url": (lambda: request.url, "http://localhost/orders/7?tea=2"),
    "headers": (lambda: request.headers["x-from"], "test"),
    "args": (lambda: request.args["tea"], "2"),
    "cookies": (lambda: request.cookies["user"], "ann"),
    "view_args": (lambda: request.view_args, {"number": 7}),
    "endpoint": (lambda: request.endpoint, "order"),
    "remote_addr": (lambda: request.remote_addr, "127.0.0.1"),
    "erlen.sync": (lambda: blocking_request.path, "/orders/7"),
    "truth": (lambda: bool(request), True),
}


@pytest.mark.parametrize(("read", "value"), READ.values(), ids=READ)
@pytest.mark.parametrize("kind", ["async def", "def"])
async def test_b319_request_can_be_read(
    app: Erlen, log: list[Any], read: Callable[[], Any], value: Any, kind: str
) -> None:
    async def task() -> None:
        log.append(read())

    start_in_view(app, task if kind == "async def" else lambda: log.append(read()))
    await post(app, headers={"x-from": "test"}, cookies={"user": "ann"})
    assert log == [value]


async def read_parts() -> None:
    async for _ in request.multipart():
        pass


async def read_chunks() -> None:
    async for _ in request.body:
        pass


BODY: dict[str, Callable[[], Any]] = {
    "get_data": lambda: request.get_data(cache=False),
    "data": lambda: request.data,
    "body": lambda: request.body,
    "chunks": read_chunks,
    "get_json": lambda: request.get_json(force=True),
    "form": lambda: request.form,
    "files": lambda: request.files,
    "multipart": read_parts,
}


@pytest.mark.parametrize("read", BODY.values(), ids=BODY)
async def test_b319_body_cannot_be_read(
    app: Erlen, log: list[Any], read: Callable[[], Any]
) -> None:
    async def task() -> None:
        for _ in range(2):
            with pytest.raises(OutsideContextError, match=r"cannot read.*file.detach\(\)"):
                await read()
        log.append("refused")

    start_in_view(app, task)
    await post(app, data={"file": (b"bytes", "name.txt")})
    assert log == ["refused"]


async def test_nobody_can_be_waited_for(app: Erlen, log: list[Any]) -> None:
    async def task() -> None:
        with pytest.raises(OutsideContextError, match="cannot use the connection"):
            await request.body.wait_disconnected()
        log.append("refused")

    start_in_view(app, task)
    await post(app)
    assert log == ["refused"]


async def test_pain16_detached_upload_is_handed_over(app: Erlen, log: list[Any]) -> None:
    @app.post("/photos")
    async def add_photo() -> str:
        photo = (await request.files)["photo"]
        app.add_background_task(lambda file: log.append(file.read()), photo.detach())
        return "taken"

    await post(app, "/photos", data={"photo": (b"GIF89a", "cat.gif")})
    assert log == [b"GIF89a"]


async def test_no_request_counts_as_running(app: Erlen, log: list[Any]) -> None:
    """A link that follows the Host header would let a client choose where mails lead to."""

    async def task() -> None:
        with pytest.raises(RuntimeError, match="SERVER_NAME"):
            url_for("order", number=1, _external=True)
        log.append(has_request_context())

    start_in_view(app, task)
    await post(app)
    assert log == [False]


async def test_task_of_a_task_sees_the_first_ones_request(app: Erlen, log: list[Any]) -> None:
    async def second() -> None:
        log.append(request.path)

    start_in_view(app, lambda: app.add_background_task(second))
    await post(app)
    assert log == ["/orders/7"]


async def test_without_a_request_there_is_none_to_be_read(app: Erlen, log: list[Any]) -> None:
    async def task() -> None:
        for read in (lambda: request.path, lambda: session["user"]):
            with pytest.raises(OutsideContextError, match="application context, which has no"):
                read()
        log.append("refused")

    async with app.app_context():
        app.add_background_task(task)
    await app.background_tasks.drain()
    assert log == ["refused"]


async def test_request_of_another_application_is_not_shown(app: Erlen, log: list[Any]) -> None:
    async def task() -> None:
        log.append((current_app.name, bool(request)))

    async with Erlen("other").test_request_context("/"):
        app.add_background_task(task)
    await app.background_tasks.drain()
    assert log == [("shop", False)]


async def test_request_without_a_rule_is_shown(app: Erlen, log: list[Any]) -> None:
    async def task() -> None:
        log.append((request.path, request.endpoint, request.view_args))

    @app.errorhandler(404)
    async def missing(_error: Exception) -> str:
        app.add_background_task(task)
        return "taken"

    await post(app, "/nowhere")
    assert log == [("/nowhere", None, None)]


# --- the session ------------------------------------------------------------------------------------


async def test_b319_session_is_read_as_it_was_and_not_written(app: Erlen, log: list[Any]) -> None:
    async def task() -> None:
        with pytest.raises(SessionClosedError, match="background task"):
            session["user"] = "task"
        log.append(dict(session))

    @app.post("/orders")
    async def order() -> str:
        session["user"] = "ann"
        app.add_background_task(task)
        session["user"] = "bob"
        await anyio.wait_all_tasks_blocked()
        return "taken"

    await post(app, "/orders")
    assert log == [{"user": "ann"}]


async def test_b319_session_that_the_view_did_not_open_is_opened_closed(
    app: Erlen, log: list[Any]
) -> None:
    async def task() -> None:
        with pytest.raises(SessionClosedError):
            session["user"] = "task"
        log.append(dict(session))

    start_in_view(app, task)
    client = app.test_client()
    async with client.session_transaction() as opened:
        opened["user"] = "ann"
    await client.post("/orders/7")
    await client.aclose()
    assert log == [{"user": "ann"}]


# --- WebSockets -------------------------------------------------------------------------------------


async def socket_task(log: list[Any]) -> None:
    log.append((websocket.path, websocket.args["key"], websocket.state))
    for use in (websocket.receive, websocket.close, lambda: websocket.send("late")):
        with pytest.raises(OutsideContextError, match="cannot use the connection"):
            await use()
        websocket.state = State.OPEN
    with pytest.raises(SessionClosedError):
        session["user"] = "task"
    log.append("refused")


async def test_websocket_can_be_read_and_not_used(app: Erlen, log: list[Any]) -> None:
    @app.websocket("/till")
    async def till() -> None:
        app.add_background_task(socket_task, log)
        await websocket.send("taken")

    client = app.test_client()
    async with client.websocket("/till?key=open") as ws:
        assert await ws.receive() == "taken"
    await client.aclose()
    assert log == [("/till", "open", State.OPEN), "refused"]


# --- errors: BG-2, B-318, pain 15 -------------------------------------------------------------------


async def fail(error: BaseException | None = None) -> None:
    raise error or ValueError("no")


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(3), GeneratorExit(), ExceptionGroup("no", [OSError()])],
    ids=repr,
)
async def test_b318_error_is_logged_once_with_its_origin(
    app: Erlen, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    start_in_view(app, fail, error)
    await post(app)
    [record] = caplog.records
    assert record.getMessage() == (
        "Exception in the background task 'fail', started by POST /orders/7"
    )
    assert record.exc_info is not None
    assert record.exc_info[1] is error


async def test_origin_may_be_a_websocket_or_nothing(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    @app.websocket("/till")
    async def till() -> None:
        app.add_background_task(fail)
        await websocket.accept()

    async with app.test_client() as client, client.websocket("/till"):
        pass
    app.add_background_task(fail)
    await app.background_tasks.drain()
    assert messages(caplog) == [
        "Exception in the background task 'fail', started by WebSocket /till",
        "Exception in the background task 'fail'",
    ]


async def test_task_without_a_name_is_told_by_what_it_is(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    import functools

    class Mailer:
        def __call__(self) -> None:
            raise ValueError

        def __repr__(self) -> str:
            return "<mailer>"

    app.add_background_task(functools.partial(Mailer()))
    await app.background_tasks.drain()
    assert messages(caplog) == ["Exception in the background task '<mailer>'"]


async def test_b318_failing_task_stops_no_other(app: Erlen, log: list[Any]) -> None:
    async def succeed() -> None:
        await checkpoint()
        log.append("done")

    for task in (fail, succeed, fail, succeed):
        app.add_background_task(task)
    await app.background_tasks.drain()
    assert log == ["done", "done"]


@pytest.mark.parametrize("kind", ["async def", "def"])
async def test_bg2_signal_is_sent_in_the_tasks_context(
    app: Erlen, log: list[Any], kind: str
) -> None:
    def note(sender: Any, exception: BaseException) -> None:
        log.append((sender is app, repr(exception), request.path))

    async def note_later(sender: Any, exception: BaseException) -> None:
        note(sender, exception)

    start_in_view(app, fail)
    with got_background_exception.connected_to(note if kind == "def" else note_later, app):
        await post(app)
    assert log == [(True, "ValueError('no')", "/orders/7")]


async def test_failing_receiver_is_logged_too(app: Erlen, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_sender: Any, exception: BaseException) -> None:
        raise OSError("receiver")

    with got_background_exception.connected_to(broken, app):
        app.add_background_task(fail)
        await app.background_tasks.drain()
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert list(map(repr, errors)) == ["ValueError('no')", "OSError('receiver')"]


async def test_failing_log_exception_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Reporting(Erlen):
        def log_exception(self, error: BaseException) -> None:
            raise OSError("no connection")

    app = Reporting("shop")
    app.add_background_task(fail)
    await app.background_tasks.drain()
    [record] = caplog.records
    assert record.getMessage() == "log_exception() failed for the background task 'fail'."
    assert record.exc_info is not None
    assert record.exc_info[1] is not None
    assert repr(record.exc_info[1].__context__) == "ValueError('no')"


@pytest.mark.parametrize("testing", [True, False])
async def test_failing_teardown_hook_is_logged_once(
    app: Erlen, caplog: pytest.LogCaptureFixture, testing: bool
) -> None:
    app.config["TESTING"] = testing
    app.teardown_appcontext(lambda _error: 1 / 0)
    app.add_background_task(checkpoint)
    await app.background_tasks.drain()
    assert messages(caplog) == ["Exception in the background task 'checkpoint'"]


async def test_failing_task_may_be_the_only_error_of_its_cleanup(
    app: Erlen, caplog: pytest.LogCaptureFixture, log: list[Any]
) -> None:
    """It is told although the task is cancelled."""

    async def task() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise ValueError("cleanup")

    with got_background_exception.connected_to(lambda _app, exception: log.append(exception), app):
        app.add_background_task(task)
        await app.background_tasks.drain(hurried=True)
    assert list(map(repr, log)) == ["ValueError('cleanup')"]
    assert len(caplog.records) == 1


# --- the end: BG-3, B-318 ---------------------------------------------------------------------------


async def test_bg3_late_task_is_cancelled_awaited_and_logged(
    app: Erlen, caplog: pytest.LogCaptureFixture, log: list[Any]
) -> None:
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = 0.01

    async def endless() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await checkpoint()
            log.append("cleaned up")

    start_in_view(app, endless)
    await post(app)
    assert log == ["cleaned up"]
    assert [(record.levelname, record.getMessage().split("<locals>.")[1]) for record in caplog.records] == [("WARNING", "endless', started by POST /orders/7.")]  # fmt: skip


async def test_what_tasks_start_meanwhile_is_waited_for(app: Erlen, log: list[Any]) -> None:
    async def task(left: int) -> None:
        await checkpoint()
        log.append(left)
        if left:
            app.add_background_task(task, left - 1)

    app.add_background_task(task, 2)
    await app.background_tasks.drain()
    assert log == [2, 1, 0]


async def test_what_cancelled_tasks_start_is_cancelled_too(app: Erlen, log: list[Any]) -> None:
    async def task(left: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append(left)
            if left:
                app.add_background_task(task, left - 1)

    app.add_background_task(task, 2)
    await app.background_tasks.drain(hurried=True)
    assert log == [2, 1, 0]


async def test_cancelled_drain_cancels_and_awaits(app: Erlen, log: list[Any]) -> None:
    async def task() -> None:
        try:
            scope.cancel()
            await anyio.sleep_forever()
        finally:
            log.append("ended")

    with anyio.CancelScope() as scope:
        app.add_background_task(task)
        await app.background_tasks.drain()
    assert (scope.cancelled_caught, log) == (True, ["ended"])


async def test_blocking_function_is_left_behind_and_told(
    app: Erlen, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "LAST_SECONDS", 0.01)
    release = threading.Event()
    app.add_background_task(release.wait)
    await anyio.wait_all_tasks_blocked()
    await app.background_tasks.drain(hurried=True)
    assert messages(caplog) == ["Left behind: the background task 'Event.wait', which goes on."]
    release.set()
    await app.background_tasks.drain()


async def test_tasks_of_another_loop_are_its_own(app: Erlen) -> None:
    app.add_background_task(anyio.sleep_forever)

    async def other() -> int:
        app.add_background_task(checkpoint)
        await app.background_tasks.drain()
        return len(app.background_tasks)

    assert await to_thread.run_sync(anyio.run, other) == 1
    await app.background_tasks.drain(hurried=True)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_end_of_the_loop_cancels_what_nobody_waited_for(
    app: Erlen, caplog: pytest.LogCaptureFixture, backend: str
) -> None:
    async def start() -> None:
        app.add_background_task(anyio.sleep_forever)
        await checkpoint()

    anyio.run(start, backend=backend)
    assert len(app.background_tasks) == 0
    assert messages(caplog) == ["Cancelled: the background task 'sleep_forever'."]
    assert caplog.records[0].levelno == logging.WARNING
