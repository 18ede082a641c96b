"""Catalogue 2.22: lifespan, hooks, background tasks."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest

from erlen import Blueprint, Erlen, Response, abort, after_this_request, g, request, session
from erlen.context import current_context
from erlen.exceptions import FrozenError, SessionClosedError
from tests.hostile.application import Hostile, make_app
from tests.hostile.harness import HOST, LEFT, Bare, captured, http_scope, part, run

STARTUP = {"type": "lifespan.startup"}
SHUTDOWN = {"type": "lifespan.shutdown"}


async def live(app: Erlen, *messages: dict[str, Any]) -> tuple[list[str], BaseException | None]:
    """Play a server with these messages; return what it was told, and what was raised."""
    left, sent = list(messages), []

    async def receive() -> Any:
        await anyio.lowlevel.checkpoint()
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"].removeprefix("lifespan."))

    raised: BaseException | None = None
    with anyio.fail_after(10):
        try:
            await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
        except BaseException as error:  # noqa: BLE001  # what reaches the server is what is asked
            raised = error
    assert current_context.get(None) is None
    return sent, raised


def around(app: Hostile, name: str) -> None:
    """Declare a lifespan that notes its two ends."""

    @app.lifespan
    async def function() -> AsyncIterator[None]:
        app.seen.append(f"{name} in")
        try:
            yield
        finally:
            app.seen.append(f"{name} out")


def failing(error: BaseException) -> Callable[..., Any]:
    """Return a hook of any kind that raises."""

    async def fail(*_args: Any) -> Any:
        raise error

    return fail


class Halt(BaseException):
    """Neither an exception that code handles nor a cancellation."""


# --- lifespan ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [OSError("no"), Halt("no"), ExceptionGroup("no", [OSError(), KeyError()]), None],
    ids=["b307-exception", "b307-base-exception", "b307-group", "b307-never-returns"],
)
async def test_b307_a_failing_startup_is_told_and_unwound(error: BaseException | None) -> None:
    app = make_app(STARTUP_TIMEOUT=0.05)
    around(app, "one")
    around(app, "two")
    app.before_serving(anyio.sleep_forever if error is None else failing(error))
    sent, raised = await live(app, STARTUP, SHUTDOWN)
    assert sent == ["startup.failed"]
    assert raised is error or isinstance(raised, TimeoutError)
    assert app.seen == ["one in", "two in", "two out", "one out"]


async def test_b308_every_shutdown_hook_runs_and_all_failures_are_told() -> None:
    app = make_app()
    around(app, "one")
    for error in (OSError("first"), None, KeyError("third")):
        app.after_serving(failing(error) if error else lambda: app.seen.append("second"))
    sent, raised = await live(app, STARTUP, SHUTDOWN)
    assert sent == ["startup.complete", "shutdown.failed"]
    assert isinstance(raised, ExceptionGroup)
    assert [type(error) for error in raised.exceptions] == [OSError, KeyError]
    assert app.seen == ["one in", "second", "one out"]


async def test_b309_a_server_without_a_lifespan_is_served_after_the_startup() -> None:
    app = make_app()
    around(app, "one")

    async def ask() -> None:
        sent, _ = await run(app, http_scope("/ok", (HOST,)), [])
        assert (sent[0]["status"], app.seen) == (200, ["one in"])

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
    app.begin_shutdown()
    await anyio.wait_all_tasks_blocked()
    assert app.seen == ["one in", "one out"]


async def test_b309_a_startup_that_fails_is_never_half_a_startup() -> None:
    app, errors = make_app(), [OSError("no")]
    around(app, "one")

    @app.before_serving
    async def connect() -> None:
        if errors:
            raise errors.pop()

    statuses = []
    with captured() as log:
        for _ in range(2):
            sent, _ = await run(app, http_scope("/ok", (HOST,)), [])
            statuses.append(sent[0]["status"])
    assert (statuses, app.seen, len(log.records)) == (
        [500, 200],
        ["one in", "one out", "one in"],
        1,
    )
    app.begin_shutdown()
    await anyio.wait_all_tasks_blocked()


async def test_b310_a_request_during_the_startup_waits_and_after_the_end_gets_503() -> None:
    app, go_on = make_app(), anyio.Event()
    app.before_serving(go_on.wait)
    statuses: list[int] = []

    async def ask() -> None:
        sent, _ = await run(app, http_scope("/ok", (HOST,)), [])
        statuses.append(sent[0]["status"])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(live, app, STARTUP, SHUTDOWN)
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert statuses == []
        go_on.set()
    await ask()
    assert statuses[1:] == [503]


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        pytest.param([SHUTDOWN], ["startup.failed"], id="b311-shutdown-first"),
        pytest.param([{"type": "lifespan.nap"}], ["startup.failed"], id="b311-unknown"),
        pytest.param([], ["startup.failed"], id="b311-receive-raises"),
        pytest.param([STARTUP, STARTUP], ["startup.complete", "shutdown.failed"], id="b311-twice"),
        pytest.param([STARTUP], ["startup.complete", "shutdown.failed"], id="b311-raises-later"),
    ],
)
async def test_b311_disorder_is_an_error_and_no_hang(
    messages: list[dict[str, Any]], told: list[str]
) -> None:
    sent, raised = await live(make_app(), *messages)
    assert sent == told
    assert isinstance(raised, RuntimeError | IndexError)


async def test_b330_a_second_event_loop_is_refused_at_its_start() -> None:
    app, go_on = make_app(), anyio.Event()
    around(app, "one")
    app.before_serving(go_on.wait)

    def second() -> tuple[list[str], BaseException | None]:
        return anyio.run(live, app, STARTUP, SHUTDOWN)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(live, app, STARTUP, SHUTDOWN)
        await anyio.wait_all_tasks_blocked()
        told, raised = await anyio.to_thread.run_sync(second)
        go_on.set()
    assert told == ["startup.failed"]
    assert "'hostile' was started in one event loop and is used in another" in str(raised)
    assert app.seen == ["one in", "one out"]


def declare_everything(app: Hostile) -> dict[str, Callable[[], object]]:
    """Return each way to declare something."""

    def nothing(*_args: Any) -> Any:
        """Be whatever is declared."""

    return {
        "add_url_rule": lambda: app.add_url_rule("/new", view_func=nothing),
        "route": lambda: app.route("/new"),
        "before_request": lambda: app.before_request(nothing),
        "errorhandler": lambda: app.errorhandler(404),
        "register_blueprint": lambda: app.register_blueprint(Blueprint("new", "new")),
        "lifespan": lambda: app.lifespan(nothing),
        "after_serving": lambda: app.after_serving(nothing),
        "add_middleware": lambda: app.add_middleware(nothing),
        "mount": lambda: app.mount("/new", nothing),
    }


@pytest.mark.parametrize("call", list(declare_everything(make_app())))
async def test_b312_what_is_declared_after_the_start_is_refused(server: Bare, call: str) -> None:
    assert await server.is_well()
    with pytest.raises(FrozenError, match=f"'{call}' was called after") as caught:
        declare_everything(server.app)[call]()  # type: ignore[arg-type]  # the fixture's
    assert isinstance(caught.value, RuntimeError)


async def test_b312_a_setting_after_the_start_is_refused(server: Bare) -> None:
    assert await server.is_well()
    with pytest.raises(RuntimeError):
        server.app.config["MAX_CONTENT_LENGTH"] = 1


# --- hooks ------------------------------------------------------------------------------------------


async def respond() -> str:
    """Be a hook that answers."""
    return "hook"


async def refuse() -> None:
    """Be a hook that aborts."""
    abort(418)


async def mark() -> None:
    """Be a hook that sets a header."""

    @after_this_request
    def header(response: Response) -> Response:
        response.headers["X-Hook"] = "1"
        return response


@pytest.mark.parametrize(
    ("hook", "status", "body"),
    [
        pytest.param(respond, 200, b"hook", id="b313-answers"),
        pytest.param(refuse, 418, None, id="b313-aborts"),
        pytest.param(failing(LookupError()), 500, None, id="b313-raises"),
        pytest.param(mark, 200, b"ok", id="b313-header"),
    ],
)
async def test_b313_a_before_hook_may_do_anything(hook: Any, status: int, body: Any) -> None:
    app, torn = make_app(), []
    app.before_request(hook)
    app.teardown_request(lambda error: torn.append(type(error)))
    with captured():
        sent, _ = await run(app, http_scope("/ok", (HOST,)), [])
    assert (sent[0]["status"], len(torn)) == (status, 1)
    assert body in {None, sent[1]["body"]}
    assert (b"x-hook", b"1") in sent[0]["headers"] or hook is not mark


async def test_b313_a_cancelled_before_hook_is_torn_down() -> None:
    app, torn = make_app(), []
    app.before_request(anyio.sleep_forever)
    app.teardown_request(lambda error: torn.append(error is not None))
    with anyio.move_on_after(0.02):
        await run(app, http_scope("/ok", (HOST,)), [])
    assert torn == [True]


async def nothing(_response: Response) -> Any:
    """Be an after hook that forgets to return."""


async def swap(_response: Response) -> Any:
    """Be an after hook that answers instead."""
    return Response("swapped", 201)


async def read(response: Response) -> Response:
    """Be an after hook that reads the body of a stream."""
    await response.freeze()
    return response


@pytest.mark.parametrize(
    ("hook", "path", "status", "body"),
    [
        pytest.param(failing(LookupError()), "/ok", 500, None, id="b314-raises"),
        pytest.param(nothing, "/ok", 500, None, id="b314-none"),
        pytest.param(swap, "/stream", 201, b"swapped", id="b314-swaps"),
        pytest.param(read, "/stream", 200, b"012", id="b314-reads"),
    ],
)
async def test_b314_an_after_hook_runs_once_for_one_response(
    hook: Any, path: str, status: int, body: bytes | None
) -> None:
    app, calls = make_app(), []

    @app.after_request
    async def count(response: Response) -> Any:
        calls.append(response)
        return await hook(response)

    with captured() as log:
        sent, _ = await run(app, http_scope(path, (HOST,)), [])
    assert [message["type"] for message in sent].count("http.response.start") == 1
    assert (sent[0]["status"], len(calls)) == (status, 1)
    assert body in {None, b"".join(message.get("body", b"") for message in sent)}
    assert hook is not nothing or "count' returned None" in str(log.records[0].exc_info)


async def test_b315_teardown_hooks_that_raise_do_not_touch_the_response() -> None:
    app = make_app()
    app.teardown_request(lambda error: app.seen.append("torn"))
    app.teardown_request(failing(LookupError()))
    app.teardown_request(failing(KeyError()))
    with captured() as log:
        sent, _ = await run(app, http_scope("/ok", (HOST,)), [])
    assert (sent[0]["status"], sent[1]["body"], app.seen) == (200, b"ok", ["torn"])
    kinds = [record.exc_info[0] for record in log.records if record.exc_info]
    assert kinds == [KeyError, LookupError]


async def again(_error: Exception) -> Any:
    """Be a handler that aborts with its own status."""
    abort(500)


async def garbage(_error: Exception) -> Any:
    """Be a handler that returns what is no response."""
    return object()


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(failing(KeyError()), id="b316-raises"),
        pytest.param(garbage, id="b316-garbage"),
        pytest.param(again, id="b316-aborts"),
    ],
)
@pytest.mark.parametrize("key", [500, LookupError, Exception])
async def test_b316_a_handler_that_fails_ends_in_one_plain_500(handler: Any, key: Any) -> None:
    app, calls = make_app(), []

    @app.errorhandler(key)
    async def count(error: Exception) -> Any:
        calls.append(error)
        return await handler(error)

    app.add_url_rule("/fail", view_func=failing(LookupError()), endpoint="fail")
    with captured():
        sent, _ = await run(app, http_scope("/fail", (HOST,)), [])
    assert (sent[0]["status"], len(sent)) == (500, 2)
    assert 1 <= len(calls) <= 2


async def forgotten() -> str:
    """Be a coroutine function whose coroutine nobody awaits."""
    return "forgotten"


async def items(*values: Any) -> AsyncIterator[Any]:
    """Be an asynchronous generator of any values."""
    for value in values:
        yield value


VALUES: dict[str, Callable[[], Any]] = {
    "b317-none": lambda: None,
    "b317-object": object,
    "b317-set": lambda: {1, 2},
    "b317-tuple-of-4": lambda: ("a", 200, {}, 1),
    "b317-nested-tuple": lambda: (("a", 200), 200),
    "b317-coroutine": forgotten,
    "b317-generator-of-int": lambda: iter([1]),
    "b317-async-generator-of-int": lambda: items(1),
}


@pytest.mark.parametrize("make", list(VALUES.values()), ids=list(VALUES))
async def test_b317_a_value_that_is_no_response_is_500_and_named(make: Any) -> None:
    app = make_app()

    @app.view("/value")
    async def value() -> Any:
        return make()

    raised: BaseException | None = None
    sent: list[Any] = []
    with captured() as log:
        try:
            sent, _ = await run(app, http_scope("/value", (HOST,)), [])
        except TypeError as caught:
            raised = caught
    error = raised or log.records[0].exc_info[1]  # type: ignore[index]  # it has one
    assert isinstance(error, TypeError | ValueError)
    assert not sent or sent[0]["status"] == 500


@pytest.mark.parametrize(
    ("make", "body"),
    [
        pytest.param(lambda: items("a", b"b"), b"ab", id="b317-async-generator"),
        pytest.param(lambda: iter(["a", "b"]), b"ab", id="b317-iterator"),
    ],
)
async def test_b317_generators_of_text_are_streams(make: Any, body: bytes) -> None:
    app = make_app()

    @app.view("/value")
    async def value() -> Any:
        return make()

    sent, _ = await run(app, http_scope("/value", (HOST,)), [])
    assert b"".join(message.get("body", b"") for message in sent) == body


# --- background tasks -------------------------------------------------------------------------------


def starting(app: Hostile, function: Any, times: int = 1) -> None:
    """Declare a view that starts a function in the background."""

    @app.view("/start")
    async def start() -> str:
        for _ in range(times):
            app.add_background_task(function)
        return "started"


async def ask(app: Erlen, path: str = "/start") -> tuple[int, bytes]:
    sent, _ = await run(app, http_scope(path, (HOST,)), [])
    return sent[0]["status"], sent[1]["body"]


async def test_b318_a_task_that_fails_is_logged_once_and_touches_nobody() -> None:
    app, ended = make_app(), anyio.Event()

    async def sibling() -> None:
        await anyio.lowlevel.checkpoint()
        ended.set()

    starting(app, failing(LookupError()))
    app.before_request(lambda: app.add_background_task(sibling))
    with captured() as log:
        assert await ask(app) == (200, b"started")
        await ended.wait()
        await app.background_tasks.drain()
    assert [record.exc_info[0] for record in log.records if record.exc_info] == [LookupError]


async def test_b318_a_task_of_an_hour_is_cancelled_at_the_end_and_awaited() -> None:
    app = make_app(BACKGROUND_TASK_SHUTDOWN_TIMEOUT=0.01)

    async def long() -> None:
        try:
            await anyio.sleep(3600)
        finally:
            app.seen.append("cleaned up")

    app.before_serving(lambda: app.add_background_task(long))
    with captured():
        sent, _ = await live(app, STARTUP, SHUTDOWN)
    assert (sent[-1], app.seen) == ("shutdown.complete", ["cleaned up"])


async def test_b318_a_task_of_a_cancelled_request_goes_on() -> None:
    app, ended = make_app(), anyio.Event()

    async def work() -> None:
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        ended.set()

    @app.view("/start")
    async def start() -> None:
        app.add_background_task(work)
        await anyio.sleep_forever()

    with anyio.move_on_after(0.02):
        await ask(app)
    with anyio.fail_after(5):
        await ended.wait()
        await app.background_tasks.drain()


async def test_b318_too_many_tasks_are_refused_with_an_error() -> None:
    app, ran = make_app(MAX_BACKGROUND_TASKS=100), []

    async def work() -> None:
        ran.append(1)

    starting(app, work, times=100_000)
    with captured() as log:
        assert (await ask(app))[0] == 500
        await app.background_tasks.drain()
    assert "MAX_BACKGROUND_TASKS" in str(log.records[0].exc_info)
    assert len(ran) == 100


async def test_b319_a_task_reads_a_picture_and_writes_nothing() -> None:
    app = make_app(SECRET_KEY="x" * 32)

    async def work() -> None:
        app.seen.append((request.path, session.get("user"), "name" in g))
        try:
            session["user"] = "eve"
        except SessionClosedError:
            app.seen.append("refused")

    @app.view("/start")
    async def start() -> str:
        session["user"], g.name = "ann", "view"
        app.add_background_task(work)
        return "started"

    assert (await ask(app))[0] == 200
    await app.background_tasks.drain()
    assert app.seen == [("/start", "ann", False), "refused"]
    assert len(app.background_tasks) == 0


# --- streams ----------------------------------------------------------------------------------------


class Slow:
    """A stream whose client leaves in the middle of it, and what its end does."""

    def __init__(self, app: Hostile, *, raises: bool, yields: bool) -> None:
        self.tasks: set[int] = set()

        @app.view("/slow")
        async def slow() -> Any:
            self.tasks.add(anyio.get_current_task().id)
            return self.items(raises, yields)

    async def items(self, raises: bool, yields: bool) -> AsyncIterator[str]:
        try:
            for number in range(10**6):
                yield str(number)
                await anyio.lowlevel.checkpoint()
        finally:
            self.tasks.add(anyio.get_current_task().id)
            if yields:
                yield "again"
            if raises:
                raise LookupError


@pytest.mark.parametrize(
    ("raises", "yields"),
    [
        pytest.param(False, False, id="b320-plain"),
        pytest.param(True, False, id="b320-raises"),
        pytest.param(False, True, id="b320-yields-again"),
    ],
)
async def test_b320_a_stream_is_closed_in_the_task_of_its_request(
    raises: bool, yields: bool
) -> None:
    app = make_app()
    stream = Slow(app, raises=raises, yields=yields)
    with captured() as log:
        await run(app, http_scope("/slow", (HOST,)), [part(), LEFT])
    assert stream.tasks == {anyio.get_current_task().id}
    assert len(log.records) == int(raises or yields)
