"""What a request starts beside its view: joined, awaited, cancelled; on both event loops."""

import functools
import gc
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any
from weakref import ref

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from erlen import Erlen, Response, after_this_request, g, request, session, sync, websocket
from erlen.exceptions import OutsideContextError
from erlen.exchange.children import ChildTask
from erlen.exchange.request import Request
from tests.exchange.wire import Feed, part, scope_of


class Failure(LookupError):
    """One that can be referred to weakly."""


name: ContextVar[str] = ContextVar("name", default="nobody")


class Log(list[Any]):
    """What happened, in order."""

    def note(self, what: object, value: Any = "") -> Any:
        """Add *what*, and return *value*."""
        self.append(what)
        return value

    async def wait(self, what: object = "child") -> None:
        """Be cancelled, and note it when the clean-up, which awaits, is done."""
        self.append(f"{what} runs")
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await checkpoint()
            self.append(f"{what} cancelled")


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def app(log: Log) -> Erlen:
    """An application that answers errors by 418 and notes what comes after the view."""
    app = Erlen("shop")
    app.config.update(SECRET_KEY="only for tests, but thirty-two bytes long")

    @app.errorhandler(LookupError)
    async def tell(error: LookupError) -> tuple[str, int]:
        log.append("handler")
        return repr(error), 418

    @app.teardown_request
    async def end(_error: BaseException | None) -> None:
        log.append("teardown")

    return app


async def double(number: int) -> int:
    await checkpoint()
    return 2 * number


async def fail(error: BaseException) -> None:
    await checkpoint()
    raise error


async def quiet() -> None:
    """Return when everything else waits."""
    await anyio.wait_all_tasks_blocked()


async def get(app: Erlen, path: str = "/") -> tuple[int, str]:
    with anyio.fail_after(5):
        response = await app.test_client(raise_app_exceptions=False).get(path)
    return response.status_code, response.text


async def serve(app: Erlen, receive: Any, **scope: Any) -> list[Any]:
    """Serve ``/`` without a client; return what was sent."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    with anyio.fail_after(5):
        await app(scope_of(**scope), receive, send)
    return sent


# --- beside the view --------------------------------------------------------------------------------


async def test_a_child_runs_beside_the_view_and_its_result_can_be_awaited(app: Erlen) -> None:
    @app.get("/")
    async def view() -> dict[str, int]:
        first, second = request.start_soon(double, 1), request.start_soon(double, 2)
        return {"first": await first, "second": await second, "again": await first}

    assert await get(app) == (200, '{"first":2,"second":4,"again":2}')


async def test_a_child_has_the_whole_context_and_a_copy_of_the_variables(app: Erlen) -> None:
    async def child() -> None:
        g.seen = (request.path, session["user"], name.get())
        session["child"] = 1
        name.set("child")

    @app.get("/")
    async def view() -> list[Any]:
        session["user"] = "ann"
        name.set("view")
        await request.start_soon(child)
        return [*g.seen, name.get(), session["child"]]

    assert await get(app) == (200, '["/","ann","view","view",1]')


async def test_children_are_joined_before_the_value_is_a_response_and_before_after_hooks(
    app: Erlen, log: Log
) -> None:
    async def child() -> None:
        await quiet()
        log.append("child")

    class Late(Response):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            log.append("coerced")
            super().__init__(*args, **kwargs)

    app.response_class = Late
    app.after_request(lambda response: log.note("after", response))

    @app.get("/")
    async def view() -> str:
        request.start_soon(child)
        log.append("view")
        return ""

    await get(app)
    assert log == ["view", "child", "coerced", "after", "teardown"]


async def test_children_that_a_before_hook_starts_run_beside_the_view(app: Erlen, log: Log) -> None:
    @app.before_request
    async def load() -> None:
        g.user = request.start_soon(double, 21)

    @app.get("/")
    async def view() -> str:
        return str(await g.user)

    assert await get(app) == (200, "42")


@pytest.mark.parametrize("fails", [False, True])
async def test_children_are_joined_when_a_before_hook_answers(
    app: Erlen, log: Log, fails: bool
) -> None:
    @app.before_request
    async def answer() -> str:
        request.start_soon(*((fail, KeyError("child")) if fails else (double, 1)))
        return "from the hook"

    app.get("/")(lambda: "from the view")
    expected = (418, "KeyError('child')") if fails else (200, "from the hook")
    assert await get(app) == expected


async def test_a_child_may_start_others_which_are_joined_too(app: Erlen, log: Log) -> None:
    async def descend(depth: int) -> None:
        await quiet()
        log.append(depth)
        if depth:
            request.start_soon(descend, depth - 1)

    @app.get("/")
    async def view() -> str:
        request.start_soon(descend, 2)
        return "view"

    assert await get(app) == (200, "view")
    assert log == [2, 1, 0, "teardown"]


async def test_a_child_may_await_another_one(app: Erlen) -> None:
    async def add(one: ChildTask[int], other: ChildTask[int]) -> int:
        return await one + await other

    @app.get("/")
    async def view() -> str:
        parts = request.start_soon(double, 1), request.start_soon(double, 2)
        return str(await request.start_soon(add, *parts))

    assert await get(app) == (200, "6")


async def test_scopes_of_the_caller_do_not_limit_a_child(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        with anyio.CancelScope() as scope:
            child = request.start_soon(double, 2)
            scope.cancel()
            await checkpoint()
        return str(await child)

    assert await get(app) == (200, "4")


async def test_a_handle_tells_its_state(app: Erlen) -> None:
    @app.get("/")
    async def view() -> list[Any]:
        child = request.start_soon(double, 2)
        before = [child.is_done, repr(child)]
        await child
        return [*before, child.is_done, repr(child)]

    assert (await get(app))[1] == (
        "[false,\"<ChildTask 'double' (running)>\",true,\"<ChildTask 'double' (done)>\"]"
    )


# --- def --------------------------------------------------------------------------------------------


async def test_a_def_child_runs_in_a_thread_of_its_own_with_the_context(app: Erlen) -> None:
    def child(number: int) -> tuple[int, str, str]:
        name.set("child")
        return threading.get_ident(), request.path, f"{g.user} {number} {name.get()}"

    @app.get("/")
    async def view() -> list[Any]:
        g.user = "ann"
        one, other = request.start_soon(child, 1), request.start_soon(child, 2)
        (thread, *first), (_, *second) = await one, await other
        return [thread != threading.get_ident(), *first, *second, name.get()]

    expected = '[true,"/","ann 1 child","/","ann 2 child","nobody"]'
    assert (await get(app))[1] == expected


async def test_def_children_run_beside_one_another_and_beside_a_def_view(app: Erlen) -> None:
    meeting = threading.Barrier(3, timeout=5)

    @app.get("/")
    def view() -> str:
        sync.request.start_soon(meeting.wait)
        sync.request.start_soon(meeting.wait)
        meeting.wait()
        return "all three met"

    assert await get(app) == (200, "all three met")


async def test_what_is_bound_to_the_thread_of_the_exchange_cannot_be_used_by_a_def_child(
    app: Erlen,
) -> None:
    @app.get("/")
    def view() -> str:
        g.db = sqlite3.connect(":memory:")
        with pytest.raises(sqlite3.ProgrammingError):
            sync.request.start_soon(g.db.execute, "select 1").result()
        g.db.close()
        return "refused"

    assert await get(app) == (200, "refused")


async def test_an_awaitable_that_a_def_child_returns_is_awaited(app: Erlen) -> None:
    class Load:
        async def __call__(self, number: int) -> int:
            return await double(number)

    @app.get("/")
    async def view() -> list[Any]:
        wrapped: Any = lambda number: double(number)  # noqa: E731, PLW0108  # a decorator's
        calls: list[Callable[..., Any]] = [wrapped, Load(), functools.partial(double)]
        return [await request.start_soon(call, 2) for call in calls]

    assert (await get(app))[1] == "[4,4,4]"


async def test_erlen_sync_works_in_a_def_child(app: Erlen) -> None:
    def child() -> str:
        nested = sync.request.start_soon(double, 4).result()
        return f"{sync.request.get_data(as_text=True)} {nested}"

    @app.post("/")
    async def view() -> str:
        return await request.start_soon(child)

    response = await app.test_client().post("/", content=b"body")
    assert response.text == "body 8"


async def test_a_cancelled_def_child_is_waited_for(app: Erlen, log: Log) -> None:
    runs = threading.Event()

    def child() -> None:
        runs.set()
        threading.Event().wait(0.02)
        log.append("child ended")

    @app.get("/")
    async def view() -> str:
        request.start_soon(child)
        await to_thread.run_sync(runs.wait, 5)
        raise KeyError("view")

    assert await get(app) == (418, "KeyError('view')")
    assert log == ["child ended", "handler", "teardown"]


# --- erlen.sync -------------------------------------------------------------------------------------


async def test_a_def_view_starts_children_and_waits_for_results(app: Erlen) -> None:
    @app.get("/")
    def view() -> list[Any]:
        name.set("view")
        child = sync.request.start_soon(double, 2)
        other = sync.request.start_soon(name.get)
        return [child.result(), child.is_done, other.result()]

    assert (await get(app))[1] == '[4,true,"view"]'


async def test_a_def_view_may_start_one_by_the_name_of_erlen_and_leave_it_to_the_join(
    app: Erlen, log: Log
) -> None:
    async def child() -> None:
        log.append(request.path)

    app.get("/")(lambda: str(request.start_soon(child)))
    await get(app)
    assert log == ["/", "teardown"]


async def test_a_def_view_gets_the_error_and_may_cancel(app: Erlen, log: Log) -> None:
    @app.get("/")
    def view() -> str:
        with pytest.raises(KeyError, match="child"):
            sync.request.start_soon(fail, KeyError("child")).result()
        waits = sync.request.start_soon(log.wait)
        waits.cancel()
        with pytest.raises(RuntimeError, match="was cancelled, so it has no result"):
            waits.result()
        return "handled"

    assert await get(app) == (200, "handled")


async def test_a_coroutine_must_not_use_the_blocking_name(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        with pytest.raises(RuntimeError, match=r"request.start_soon\(\) of erlen.sync was used on"):
            sync.request.start_soon(double, 1)
        return "refused"

    assert await get(app) == (200, "refused")


# --- errors -----------------------------------------------------------------------------------------


async def test_pains13_the_error_of_a_child_is_handled_like_one_of_the_view(
    app: Erlen, log: Log
) -> None:
    error, handled = ValueError("child"), list[Exception]()

    @app.errorhandler(ValueError)
    async def note(caught: Exception) -> tuple[str, int]:
        handled.append(caught)
        return "handled", 409

    @app.get("/")
    async def view() -> str:
        request.start_soon(fail, error)
        return "lost"

    assert await get(app) == (409, "handled")
    assert len(handled) == 1
    assert handled[0] is error


async def test_an_error_that_nothing_handles_is_logged_once(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/")
    async def view() -> str:
        request.start_soon(fail, ValueError("child"))
        return "lost"

    assert (await get(app))[0] == 500
    (record,) = caplog.records
    assert record.exc_info is not None
    assert repr(record.exc_info[1]) == "ValueError('child')"


async def test_the_siblings_are_cancelled_and_awaited_before_the_handler(
    app: Erlen, log: Log
) -> None:
    @app.get("/")
    async def view() -> str:
        request.start_soon(log.wait)
        await quiet()
        request.start_soon(fail, KeyError("child"))
        return "lost"

    assert await get(app) == (418, "KeyError('child')")
    assert log == ["child runs", "child cancelled", "handler", "teardown"]


async def test_an_error_that_is_awaited_is_the_awaiters_and_is_not_raised_again(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        child, other = request.start_soon(fail, KeyError("child")), request.start_soon(double, 2)
        await quiet()  # the time of the failure makes no difference
        for _ in range(2):
            with pytest.raises(KeyError, match="child"):
                await child
        return f"handled {await other}"

    assert await get(app) == (200, "handled 4")


async def test_an_error_that_is_waited_for_at_that_moment_is_the_awaiters(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        with pytest.raises(KeyError, match="child"):
            await request.start_soon(fail, KeyError("child"))
        return f"handled {await request.start_soon(double, 2)}"

    assert await get(app) == (200, "handled 4")


async def test_an_awaited_error_that_the_view_lets_out_is_handled_once(
    app: Erlen, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/")
    async def view() -> None:
        await request.start_soon(fail, KeyError("child"))

    assert await get(app) == (418, "KeyError('child')")
    assert (log, caplog.records) == (["handler", "teardown"], [])


async def test_a_kept_handle_that_is_never_awaited_raises_at_the_join(app: Erlen, log: Log) -> None:
    @app.get("/")
    async def view() -> str:
        child = request.start_soon(fail, KeyError("child"))
        slow = request.start_soon(log.wait)
        await quiet()
        return f"lost {child} {slow}"

    assert await get(app) == (418, "KeyError('child')")
    assert log == ["child runs", "child cancelled", "handler", "teardown"]


async def test_several_errors_are_a_group_and_of_one_kind_have_its_handler(
    app: Erlen, log: Log
) -> None:
    app.register_error_handler(ExceptionGroup, lambda group: (repr(group.exceptions), 409))

    @app.get("/<kind>")
    async def view(kind: str) -> str:
        second = {"same": KeyError, "other": ValueError}[kind]
        keep = [request.start_soon(fail, error) for error in (KeyError(1), second(2))]
        await quiet()
        return f"lost {keep}"

    assert (await get(app, "/same"))[1] in {"KeyError(1)", "KeyError(2)"}
    status, text = await get(app, "/other")
    assert (status, sorted(text)) == (409, sorted("(KeyError(1), ValueError(2))"))


async def test_a_sibling_that_fails_while_it_is_cancelled_is_in_the_group(app: Erlen) -> None:
    app.register_error_handler(ExceptionGroup, lambda group: (repr(group.exceptions), 409))

    async def resist() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise ValueError("clean-up")

    @app.get("/")
    async def view() -> str:
        request.start_soon(resist)
        await quiet()
        request.start_soon(fail, KeyError("child"))
        return "lost"

    assert await get(app) == (409, "(KeyError('child'), ValueError('clean-up'))")


async def test_an_error_that_nobody_can_await_reaches_who_awaits_a_sibling(
    app: Erlen, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/")
    async def view() -> None:
        waits = request.start_soon(log.wait)
        await quiet()
        request.start_soon(fail, KeyError("child"))
        await waits

    assert await get(app) == (418, "KeyError('child')")
    assert (log[1:], caplog.records) == (["child cancelled", "handler", "teardown"], [])


async def test_such_an_error_is_raised_at_the_join_even_if_the_view_has_caught_it_there(
    app: Erlen, log: Log
) -> None:
    @app.get("/")
    async def view() -> str:
        waits = request.start_soon(log.wait)
        request.start_soon(fail, KeyError("child"))
        with pytest.raises(KeyError):
            await waits
        return "not good"

    assert await get(app) == (418, "KeyError('child')")


async def test_after_such_an_error_nothing_can_be_started(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        request.start_soon(fail, KeyError("child"))
        await quiet()
        request.start_soon(double, 2)

    assert await get(app) == (418, "KeyError('child')")


async def test_what_a_cancelled_child_returns_cannot_be_awaited(app: Erlen, log: Log) -> None:
    @app.get("/")
    async def view() -> str:
        child = request.start_soon(log.wait)
        await quiet()
        child.cancel()
        with pytest.raises(RuntimeError, match=r"'Log.wait' of the request was cancelled"):
            await child
        return "view"

    assert await get(app) == (200, "view")


async def test_an_error_whose_awaiter_left_is_raised_at_the_join(app: Erlen) -> None:
    async def impatient(child: ChildTask[None]) -> None:
        with anyio.CancelScope(deadline=0):
            await child

    @app.get("/")
    async def view() -> str:
        child = request.start_soon(fail, KeyError("child"))
        await impatient(child)
        return "lost"

    assert await get(app) == (418, "KeyError('child')")


# --- when the view does not return ------------------------------------------------------------------


async def test_when_the_view_raises_the_children_have_ended_before_the_handler(
    app: Erlen, log: Log
) -> None:
    @app.get("/")
    async def view() -> None:
        request.start_soon(log.wait)
        await quiet()
        raise KeyError("view")

    assert await get(app) == (418, "KeyError('view')")
    assert log == ["child runs", "child cancelled", "handler", "teardown"]


async def test_a_childs_error_beside_one_of_the_view_is_logged(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/")
    async def view() -> None:
        kept = request.start_soon(fail, ValueError("child"))
        await quiet()
        raise KeyError(kept.is_done)

    assert await get(app) == (418, "KeyError(True)")
    (record,) = caplog.records
    assert record.exc_info is not None
    assert repr(record.exc_info[1]) == "ValueError('child')"


async def test_a_timeout_ends_the_children_before_its_handler(app: Erlen, log: Log) -> None:
    @app.get("/", timeout=0.02)
    async def view() -> None:
        request.start_soon(log.wait)
        await anyio.sleep_forever()

    app.register_error_handler(503, lambda _: log.note("handler", ("late", 503)))
    assert await get(app) == (503, "late")
    assert log == ["child runs", "child cancelled", "handler", "teardown"]


async def test_a_timeout_covers_the_join(app: Erlen, log: Log) -> None:
    @app.get("/", timeout=0.02)
    async def view() -> str:
        request.start_soon(log.wait)
        return "in time"

    assert (await get(app))[0] == 503
    assert log == ["child runs", "child cancelled", "teardown"]


@pytest.mark.parametrize("returns", [False, True])
async def test_a_client_that_leaves_ends_the_children(
    app: Erlen, log: Log, monkeypatch: pytest.MonkeyPatch, returns: bool
) -> None:
    monkeypatch.setattr("erlen.pipeline.limits.PATIENCE", 0)

    async def receive() -> Any:
        await quiet()
        return {"type": "http.disconnect"}

    @app.get("/", cancel_on_disconnect=True)
    async def view() -> str:
        request.start_soon(log.wait)
        if not returns:
            await anyio.sleep_forever()
        return "nobody reads it"

    assert await serve(app, receive) == []
    assert log == ["child runs", "child cancelled", "teardown"]


async def test_a_cancelled_exchange_ends_its_children_before_the_teardown_hooks(
    app: Erlen, log: Log
) -> None:
    @app.get("/")
    async def view() -> str:
        request.start_soon(log.wait)
        return "waits in the join"

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, app, Feed([part()]))
        await quiet()
        tasks.cancel_scope.cancel()
    assert log == ["child runs", "child cancelled", "teardown"]


async def test_a_child_that_sees_the_client_leave_is_no_error(
    app: Erlen, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    @app.post("/")
    async def view() -> str:
        request.start_soon(request.get_data)
        return "lost"

    gone = Feed([{"type": "http.disconnect"}])
    assert await serve(app, gone, method="POST") == []
    assert (log, caplog.records) == (["teardown"], [])


async def test_nor_is_it_beside_an_error_of_the_view(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    @app.post("/")
    async def view() -> str:
        child = request.start_soon(request.get_data)
        await quiet()
        raise KeyError(child)

    await serve(app, Feed([{"type": "http.disconnect"}]), method="POST")
    assert caplog.records == []


# --- a view that waits for something else -----------------------------------------------------------


@pytest.mark.parametrize("options", [{"timeout": 60}, {"cancel_on_disconnect": True}])
async def test_a_view_with_a_limit_does_not_wait_for_a_dead_child(
    app: Erlen, log: Log, options: dict[str, Any]
) -> None:
    @app.get("/", **options)
    async def view() -> None:
        request.start_soon(fail, KeyError("child"))
        await log.wait("view")

    assert await get(app) == (418, "KeyError('child')")
    assert log == ["view runs", "view cancelled", "handler", "teardown"]


async def test_nor_does_one_with_both_limits(app: Erlen, log: Log) -> None:
    @app.get("/", timeout=60, cancel_on_disconnect=True)
    async def view() -> None:
        request.start_soon(fail, KeyError("child"))
        await log.wait("view")

    assert await get(app) == (418, "KeyError('child')")


async def test_nor_does_one_whose_before_hook_has_started_it(app: Erlen, log: Log) -> None:
    @app.before_request
    async def start() -> None:
        request.start_soon(fail, KeyError("child"))
        await quiet()

    app.get("/", timeout=60)(lambda: log.note("view"))
    assert await get(app) == (418, "KeyError('child')")
    assert log == ["handler", "teardown"]


async def test_a_child_whose_handle_is_kept_lets_such_a_view_go_on(app: Erlen) -> None:
    @app.get("/", timeout=60)
    async def view() -> str:
        child = request.start_soon(fail, KeyError("child"))
        await quiet()
        with pytest.raises(KeyError):
            await child
        return "handled"

    assert await get(app) == (200, "handled")


async def test_in_a_view_with_a_limit_a_child_that_fails_at_the_join_is_handled(
    app: Erlen, log: Log
) -> None:
    @app.get("/", timeout=60)
    async def view() -> str:
        request.start_soon(log.wait)
        request.start_soon(fail, KeyError("child"))
        return "lost"

    assert await get(app) == (418, "KeyError('child')")
    assert log == ["child runs", "child cancelled", "handler", "teardown"]


async def test_a_view_without_limit_goes_on_to_its_end(app: Erlen, log: Log) -> None:
    @app.get("/")
    async def view() -> str:
        request.start_soon(fail, KeyError("child"))
        await quiet()
        log.append("view")
        return "lost"

    assert await get(app) == (418, "KeyError('child')")
    assert log == ["view", "handler", "teardown"]


# --- streamed bodies --------------------------------------------------------------------------------


def body_of(app: Erlen, body: Callable[[], AsyncIterator[str]]) -> None:
    app.get("/")(lambda: Response(body()))


async def test_children_of_a_streamed_body_run_beside_it(app: Erlen) -> None:
    async def body() -> AsyncIterator[str]:
        numbers = [request.start_soon(double, number) for number in range(3)]
        for number in numbers:
            yield str(await number)

    body_of(app, body)
    assert await get(app) == (200, "024")


async def test_they_are_joined_before_the_last_message(app: Erlen, log: Log) -> None:
    async def child(what: str) -> None:
        await quiet()
        log.append(what)

    async def body() -> AsyncIterator[str]:
        request.start_soon(child, "first")
        yield "chunk"
        request.start_soon(child, "second")

    async def send(message: Any) -> None:
        log.append((message["type"][14:], message.get("more_body")))

    body_of(app, body)
    await app(scope_of(), Feed([part()]), send)
    sent = [("start", None), ("body", True)]
    assert [*log[:2], *sorted(log[2:4]), *log[4:]] == [
        *sent, "first", "second", ("body", False), "teardown",
    ]  # fmt: skip


@pytest.mark.parametrize("waits", [False, True])
async def test_an_error_of_such_a_child_breaks_the_connection(
    app: Erlen, log: Log, waits: bool
) -> None:
    async def body() -> AsyncIterator[str]:
        yield "chunk"
        request.start_soon(fail, KeyError("child"))
        if waits:
            await log.wait("body")

    app.testing = True
    body_of(app, body)
    with pytest.raises(KeyError, match="child"):
        await app.test_client().get("/")
    assert log == [*(["body runs", "body cancelled"] if waits else []), "teardown"]


async def test_before_the_first_byte_it_is_handled(app: Erlen, log: Log) -> None:
    async def body() -> AsyncIterator[str]:
        request.start_soon(fail, KeyError("child"))
        await log.wait("body")
        yield "never"

    body_of(app, body)
    assert await get(app) == (418, "KeyError('child')")
    assert log == ["body runs", "body cancelled", "handler", "teardown"]


async def test_a_handler_may_answer_by_a_body_with_children(app: Erlen) -> None:
    async def other() -> AsyncIterator[str]:
        yield str(await request.start_soon(double, 2))

    async def body() -> AsyncIterator[str]:
        raise ValueError
        yield

    app.register_error_handler(ValueError, lambda _: Response(other(), 409))
    body_of(app, body)
    assert await get(app) == (409, "4")


async def test_when_the_client_leaves_a_body_its_children_are_cancelled(
    app: Erlen, log: Log
) -> None:
    async def body() -> AsyncIterator[str]:
        request.start_soon(log.wait)
        yield "chunk"
        await anyio.sleep_forever()

    async def receive() -> Any:
        await quiet()
        return {"type": "http.disconnect"}

    body_of(app, body)
    await serve(app, receive)
    assert log == ["child runs", "child cancelled", "teardown"]


# --- where none can be started ----------------------------------------------------------------------

LATE = r"was given 'double' after the view has ended, when nothing waits for it any more. Start it"


@pytest.mark.parametrize("place", ["after_request", "after_this_request", "teardown_request"])
@pytest.mark.parametrize("had_others", [False, True])
async def test_none_can_be_started_after_the_view(app: Erlen, place: str, had_others: bool) -> None:
    async def hook(value: Any) -> Any:
        with pytest.raises(RuntimeError, match=LATE):
            request.start_soon(double, 1)
        return value

    @app.get("/")
    async def view() -> str:
        if had_others:
            request.start_soon(double, 1)
        if place == "after_this_request":
            after_this_request(hook)
        return "view"

    if place != "after_this_request":
        getattr(app, place)(hook)
    assert await get(app) == (200, "view")


async def test_none_can_be_started_in_an_error_handler(app: Erlen) -> None:
    @app.errorhandler(404)
    async def handler(_: Any) -> tuple[str, int]:
        with pytest.raises(RuntimeError, match=LATE):
            request.start_soon(double, 1)
        return "none", 404

    assert await get(app, "/unknown") == (404, "none")


async def test_a_child_cannot_start_another_while_it_is_cancelled(app: Erlen, log: Log) -> None:
    async def child() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with pytest.raises(RuntimeError, match=LATE):
                request.start_soon(double, 1)
            log.append("refused")

    @app.get("/")
    async def view() -> None:
        request.start_soon(child)
        await quiet()
        raise KeyError

    await get(app)
    assert log == ["refused", "handler", "teardown"]


async def test_a_websocket_has_none_and_the_proxy_says_so(app: Erlen) -> None:
    @app.websocket("/")
    async def view() -> None:
        with pytest.raises(OutsideContextError, match=r"there is websocket.tasks\(\)."):
            request.start_soon(double, 1)
        await websocket.send("refused")

    async with app.test_client().websocket("/") as socket:
        assert await socket.receive() == "refused"


async def test_a_background_task_has_none(app: Erlen, log: Log) -> None:
    async def task() -> None:
        with pytest.raises(OutsideContextError, match="is not the request that runs here"):
            request.start_soon(double, 1)
        log.append("refused")

    @app.get("/")
    async def view() -> str:
        app.add_background_task(task)
        return "view"

    async with app.test_client() as client:
        await client.get("/")
    assert "refused" in log


async def test_another_request_cannot_be_given_children(app: Erlen) -> None:
    stored: list[Request] = []

    @app.get("/")
    async def view() -> str:
        stored.append(request._get_current_object())
        if stored[0] is not stored[-1]:
            with pytest.raises(OutsideContextError, match="is not the request that runs here"):
                stored[0].start_soon(double, 1)
        return "view"

    assert [await get(app) for _ in range(2)] == [(200, "view")] * 2
    with pytest.raises(OutsideContextError):
        stored[0].start_soon(double, 1)


async def test_a_task_that_outlives_its_request_starts_none(app: Erlen, log: Log) -> None:
    async def late(ended: anyio.Event) -> None:
        await ended.wait()
        with pytest.raises(OutsideContextError, match="The exchange has ended, and its tasks"):
            request.start_soon(double, 1)
        log.append("refused")

    async with anyio.create_task_group() as tasks:
        ended = anyio.Event()
        app.get("/")(lambda: _spawn_in(tasks, late, ended))
        await get(app)
        ended.set()
    assert log == ["teardown", "refused"]


async def _spawn_in(tasks: Any, function: Callable[..., Any], *args: Any) -> str:
    tasks.start_soon(function, *args)
    return "view"


@pytest.mark.parametrize("what", [double, 7])
async def test_what_was_called_already_or_is_no_function_is_refused(app: Erlen, what: Any) -> None:
    @app.get("/")
    async def view() -> str:
        given = what(1) if callable(what) else what
        with pytest.raises(TypeError, match=r"which is no function. Give the function itself"):
            request.start_soon(given)
        return "refused"

    assert await get(app) == (200, "refused")


async def test_a_generator_function_is_refused(app: Erlen) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1

    @app.get("/")
    async def view() -> str:
        for function in (numbers, lambda: (yield 1)):
            with pytest.raises(TypeError, match="which nobody would iterate"):
                request.start_soon(function)
        return "refused"

    assert await get(app) == (200, "refused")


# --- contexts without a view ------------------------------------------------------------------------


async def test_a_context_of_a_test_cancels_at_its_end_what_was_not_awaited(
    app: Erlen, log: Log
) -> None:
    async with app.test_request_context("/"):
        assert await request.start_soon(double, 2) == 4
        request.start_soon(log.wait)
        await quiet()
    assert log == ["child runs", "child cancelled", "teardown"]


async def test_a_plain_with_cannot_wait_but_cancels_too(log: Log) -> None:
    with Erlen("shop").test_request_context("/"):
        request.start_soon(log.wait)
        await quiet()
    await quiet()
    assert log == ["child runs", "child cancelled"]


# --- what is left -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["awaited", "joined", "beside"])
async def test_errors_of_children_leave_nothing_to_the_collector(
    app: Erlen, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ref[Any]] = []
    monkeypatch.setattr(app, "log_exception", lambda _: None)  # a log of tests keeps it

    async def break_() -> None:
        error = Failure()
        seen.append(ref(error))
        try:
            raise error
        finally:
            del error

    @app.get("/")
    async def view() -> str:
        child = request.start_soon(break_)
        seen.append(ref(child))
        await quiet()
        if how == "awaited":
            with suppress(Failure):
                await child
        if how == "beside":
            raise KeyError
        return "view"

    gc.disable()
    try:
        await get(app)
        assert [each() for each in seen] == [None, None]
    finally:
        gc.enable()
