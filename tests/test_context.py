"""The context: what it gives, and what is said where there is none: CX-1 to CX-8, pains 14, 28."""

import contextvars
import threading
from functools import partial
from typing import Any

import anyio
import pytest

from erlen import (
    Erlen,
    after_this_request,
    after_this_websocket,
    current_app,
    g,
    has_app_context,
    has_request_context,
    has_websocket_context,
    request,
    url_for,
    websocket,
)
from erlen.context import Globals, current
from erlen.exceptions import OutsideContextError


def noted(log: list[Any], entry: Any, value: Any) -> Any:
    """Append *entry* to *log* and return *value*: what a lambda cannot say otherwise."""
    log.append(entry)
    return value


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


async def get(app: Erlen, path: str = "/", **options: Any) -> Any:
    return await app.test_client().get(path, **options)


# --- g: CX-5 ----------------------------------------------------------------------------------------


def test_cx5_g_is_a_namespace() -> None:
    namespace = Globals("shop")
    namespace.a = 1
    assert (namespace.a, namespace.get("a"), namespace.get("b", 2)) == (1, 1, 2)
    assert namespace.setdefault("a", 5) == 1
    assert namespace.setdefault("c") is None
    assert (sorted(namespace), "a" in namespace, "b" in namespace) == (["a", "c"], True, False)
    assert namespace.pop("a") == 1
    del namespace.c
    assert list(namespace) == []


def test_cx5_pop_of_what_is_not_there_needs_a_default() -> None:
    namespace = Globals("shop")
    assert namespace.pop("a", None) is None
    with pytest.raises(KeyError):
        namespace.pop("a")


def test_cx5_missing_attribute_says_what_to_do() -> None:
    with pytest.raises(
        AttributeError, match=r"no attribute 'user'. Set it in a hook.*g.get\('user'"
    ):
        _ = Globals("shop").user


def test_cx5_name_of_the_application_is_no_item() -> None:
    namespace = Globals("shop")
    assert ("_name" in namespace, list(namespace)) == (False, [])
    assert repr(namespace) == "<erlen.g of 'shop'>"


async def test_cx4_g_lives_for_one_request(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        was_there = "name" in g
        g.name = 1
        return repr(was_there)

    client = app.test_client()
    assert [(await client.get("/")).text for _ in range(2)] == ["False", "False"]


# --- which context: CX-6 ----------------------------------------------------------------------------


def kinds() -> tuple[bool, bool, bool]:
    return has_app_context(), has_request_context(), has_websocket_context()


async def test_cx6_kinds_of_context(app: Erlen) -> None:
    app.get("/")(lambda: repr(kinds()))

    @app.websocket("/")
    async def socket() -> None:
        await websocket.send(repr(kinds()))

    assert kinds() == (False, False, False)
    async with app.app_context():
        assert kinds() == (True, False, False)
    assert (await get(app)).text == "(True, True, False)"
    async with app.test_client().websocket("/") as session:
        assert await session.receive() == "(True, False, True)"


async def test_cx8_child_task_sees_the_request(app: Erlen) -> None:
    seen: list[str] = []

    async def child() -> None:
        seen.append(request.path)

    @app.get("/")
    async def view() -> str:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child)
        return ""

    await get(app)
    assert seen == ["/"]


async def test_pains28_the_real_object_may_be_kept_and_used_elsewhere(app: Erlen) -> None:
    @app.websocket("/")
    async def socket() -> None:
        kept = websocket._get_current_object()
        await contextvars.Context().run(kept.send, "from nowhere")

    async with app.test_client().websocket("/") as session:
        assert await session.receive() == "from nowhere"


# --- after_this: CX-7 -------------------------------------------------------------------------------


async def test_cx7_functions_run_in_the_order_of_registration(app: Erlen) -> None:
    log: list[str] = []

    @app.get("/")
    async def view() -> str:
        for name in ("first", "second"):
            after_this_request(lambda response, name=name: noted(log, name, response))
        return ""

    await get(app)
    assert log == ["first", "second"]


async def test_cx7_websocket_has_the_same(app: Erlen) -> None:
    log: list[Any] = []

    @app.websocket("/")
    async def socket() -> None:
        after_this_websocket(log.append)
        await websocket.accept()

    async with app.test_client().websocket("/"):
        pass
    assert log == [None]


def test_cx7_without_an_exchange_there_is_nothing_after(app: Erlen) -> None:
    with pytest.raises(OutsideContextError, match="no exchange is running"):
        after_this_request(lambda response: response)
    with app.app_context(), pytest.raises(OutsideContextError, match="has no request"):
        after_this_request(lambda response: response)


# --- what is said: CX-2, pains 14 -------------------------------------------------------------------

USES: dict[str, Any] = {
    "request": lambda: request.path,
    "websocket": lambda: websocket.path,
    "g": lambda: g.name,
    "current_app": lambda: current_app.name,
    "url_for": lambda: url_for("index"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_cx2_at_module_level(use: Any) -> None:
    with pytest.raises(OutsideContextError) as caught:
        use()
    said = str(caught.value)
    assert "There is no context here: no exchange is running. Move the code into a " in said
    assert "'with app.app_context():'" in said
    assert "'with app.test_request_context(\"/path\"):'" in said


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_cx2_in_a_thread_of_ones_own(use: Any) -> None:
    errors: list[str] = []

    def work() -> None:
        try:
            use()
        except OutsideContextError as error:
            errors.append(str(error))

    thread = threading.Thread(target=work, name="mailer")
    thread.start()
    thread.join()
    assert "The thread 'mailer' has no context" in errors[0]
    assert "contextvars.copy_context().run" in errors[0]
    assert "'with app.app_context():'" in errors[0]


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_cx2_in_a_task_outside_of_an_exchange(use: Any) -> None:
    task = anyio.get_current_task().name
    with pytest.raises(OutsideContextError) as caught:
        use()
    said = str(caught.value)
    assert f"The task {task!r} has no context: " in said
    assert "'async with app.app_context():'" in said
    assert "'async with app.test_request_context(\"/path\"):'" in said


@pytest.mark.parametrize("name", ["request", "websocket"])
def test_cx2_in_an_application_context(app: Erlen, name: str) -> None:
    with app.app_context(), pytest.raises(OutsideContextError) as caught:
        USES[name]()
    assert "application context, which has no request or WebSocket. Pass what is" in str(
        caught.value
    )
    assert "app.test_request_context" in str(caught.value)


async def test_cx2_request_in_a_websocket(app: Erlen) -> None:
    @app.websocket("/")
    async def socket() -> None:
        with pytest.raises(OutsideContextError, match=r"in a WebSocket exchange.*Use 'websocket'"):
            _ = request.path
        await websocket.send("done")

    async with app.test_client().websocket("/") as session:
        assert await session.receive() == "done"


async def test_cx2_websocket_in_a_request(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        with pytest.raises(OutsideContextError, match=r"in an HTTP exchange.*Use 'request', or"):
            _ = websocket.path
        return "done"

    assert (await get(app)).text == "done"


# --- the context itself -----------------------------------------------------------------------------


def test_current_is_the_innermost(app: Erlen) -> None:
    with app.app_context() as outer:
        assert current() is outer.context
        with app.app_context() as inner:
            assert current() is inner.context


async def test_url_adapter_is_made_once(app: Erlen) -> None:
    async with app.test_request_context("/"):
        assert current().url_adapter is current().url_adapter


async def test_request_class_of_the_application_is_used(app: Erlen) -> None:
    class OwnRequest(app.request_class):  # type: ignore[misc, name-defined]  # a class made at run time
        extra = "own"

    app.request_class = OwnRequest
    app.get("/")(lambda: request.extra)  # type: ignore[attr-defined]  # found at run time only
    assert (await get(app)).text == "own"


async def test_context_can_wait_for_the_client_to_leave(app: Erlen) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    left: list[bool] = []

    @app.get("/")
    async def view() -> str:
        await current().wait_disconnected()
        left.append(True)
        return ""

    async def send(message: Any) -> None:
        raise OSError

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    await app(scope, receive, send)
    assert left == [True]


async def test_two_tasks_that_need_a_thread_at_once_share_one(app: Erlen) -> None:
    """A second thread that was never given back would be lost to the application for ever."""
    app.config["WORKER_THREADS"] = 1
    idents: list[int] = []

    async def work() -> None:
        idents.append(await current().run_sync(threading.get_ident))

    with anyio.fail_after(1):
        async with app.app_context(), anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            tasks.start_soon(work)
    assert len(set(idents)) == 1


async def test_what_is_to_be_closed_is_closed_after_the_teardown(app: Erlen) -> None:
    log: list[str] = []

    async def close(name: str) -> None:
        log.append(name)

    app.teardown_appcontext(lambda _: log.append("teardown"))
    async with app.app_context():
        current().close_at_end(partial(close, "first"))
        current().close_at_end(partial(close, "second"))
    assert log == ["teardown", "first", "second"]
