"""When sessions are opened, saved and closed: SE-2, SE-10, SE-11; with any interface in the seat."""

import threading
from typing import Any

import anyio.lowlevel
import pytest

from erlen import Erlen, abort, session, websocket
from erlen.context import current
from erlen.exceptions import OutsideContextError, SessionClosedError
from erlen.exchange.connection import Connection
from erlen.exchange.response import Response
from erlen.sessions import (
    NullSession,
    SecureCookieSessionInterface,
    Session,
    SessionInterface,
)


class Store(SessionInterface):
    """Sessions in a dict, by the path of the request; notes what is called, and where."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.log: list[Any] = []
        self.threads: set[int] = set()

    async def open_session(self, _app: Any, request: Connection) -> Session | None:
        self.log.append("open")
        return Session(self.kept.get(request.path)) if request.path != "/none" else None

    async def save_session(self, _app: Any, saved: Any, response: Response) -> None:
        self.log.append(("save", dict(saved)))
        response.headers["X-Saved"] = "yes"


class BlockingStore(Store):
    """The same by plain functions."""

    def open_session(self, _app: Any, _request: Connection) -> Session | None:  # type: ignore[override]  # def in the place of async def
        self.threads.add(threading.get_ident())
        return Session({"loaded": True})

    def save_session(self, _app: Any, _saved: Any, _response: Response) -> None:  # type: ignore[override]  # as above
        self.threads.add(threading.get_ident())


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.secret_key = "a key of more than sixteen bytes"
    return app


@pytest.fixture
def store(app: Erlen) -> Store:
    store = Store()
    app.session_interface = store
    return store


async def test_a_session_that_is_awaited_is_opened_before_the_hooks(
    app: Erlen, store: Store
) -> None:
    store.kept["/"] = {"name": "Ada"}
    app.before_request(lambda: store.log.append(("hook", session["name"])))
    app.add_url_rule("/", "index", lambda: session["name"])
    response = await app.test_client().get("/")
    assert (response.text, response.headers["x-saved"]) == ("Ada", "yes")
    assert store.log == ["open", ("hook", "Ada"), ("save", {"name": "Ada"})]


async def test_an_error_of_the_store_is_an_error_of_the_exchange(app: Erlen) -> None:
    class Broken(Store):
        async def open_session(self, _app: Any, _request: Connection) -> Session | None:
            raise ConnectionError("no store")

    app.session_interface = Broken()
    app.register_error_handler(ConnectionError, lambda error: (str(error), 503))
    response = await app.test_client().get("/nowhere")
    assert (response.status_code, response.text) == (503, "no store")


async def test_se4_no_session_of_the_store_is_a_null_session(app: Erlen, store: Store) -> None:
    @app.get("/none")
    async def none() -> str:
        return type(current().session).__name__

    assert (await app.test_client().get("/none")).text == NullSession.__name__
    assert store.log == ["open"]


class Late(SecureCookieSessionInterface):
    """Awaits although it is no coroutine function, as decorated methods do."""

    def open_session(self, app: Any, request: Connection) -> Any:
        session = super().open_session(app, request)
        return self.later(session) if request.path == "/late" else session

    def save_session(self, app: Any, saved: Any, response: Response) -> Any:
        return self.later(super().save_session, app, saved, response)

    async def later(self, function: Any, *args: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        return function(*args)


async def test_what_saving_gives_to_await_is_awaited(app: Erlen) -> None:
    """Law 2."""
    app.session_interface = Late()
    app.add_url_rule("/", "index", view_func=lambda: session.setdefault("name", "Ada"))
    client = app.test_client()
    await client.get("/")
    assert client.get_cookie("session") is not None


async def test_what_saving_gives_beside_that_is_let_be(app: Erlen) -> None:
    class Chatty(SecureCookieSessionInterface):
        def save_session(self, app: Any, saved: Any, response: Response) -> Any:
            super().save_session(app, saved, response)
            return "saved"

    app.session_interface = Chatty()
    app.add_url_rule("/", "index", view_func=lambda: session.setdefault("name", "Ada"))
    assert "session" in (await app.test_client().get("/")).headers["set-cookie"]


async def test_a_lazy_interface_cannot_open_by_awaiting(app: Erlen) -> None:
    app.testing = True
    app.session_interface = Late()
    app.add_url_rule("/late", "index", view_func=lambda: str(session))
    with pytest.raises(TypeError, match="Set lazy = False"):
        await app.test_client().get("/late")


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("opened", [{}, "text", 5], ids=repr)
async def test_what_is_no_session_is_named(app: Erlen, opened: Any, lazy: bool) -> None:
    class Odd(SessionInterface):
        def open_session(self, _app: Any, _request: Connection) -> Any:
            return opened

    app.testing = True
    app.session_interface = Odd()
    app.session_interface.lazy = lazy
    app.add_url_rule("/", "index", view_func=lambda: str(session))
    with pytest.raises(TypeError, match=f"Odd returned {opened!r} of type"):
        await app.test_client().get("/")


async def test_a_blocking_store_runs_in_the_thread_of_the_def_view(app: Erlen) -> None:
    store = app.session_interface = BlockingStore()

    @app.get("/")
    def index() -> str:
        store.threads.add(threading.get_ident())
        return ""

    await app.test_client().get("/")
    assert len(store.threads) == 1
    assert threading.get_ident() not in store.threads


async def test_se10_after_hooks_may_change_the_session(app: Erlen, store: Store) -> None:
    @app.after_request
    async def count(response: Response) -> Response:
        session["after"] = True
        return response

    await app.test_client().get("/nowhere")
    assert store.log[-1] == ("save", {"after": True})


async def test_b262_a_session_is_saved_with_the_answer_to_an_error(
    app: Erlen, store: Store
) -> None:
    async def fail() -> None:
        session["failed"] = True
        abort(500)

    app.add_url_rule("/", "fail", fail)
    assert (await app.test_client().get("/")).status_code == 500
    assert store.log[-1] == ("save", {"failed": True})


async def test_an_error_while_saving_is_answered(app: Erlen) -> None:
    class Full(Store):
        async def save_session(self, _app: Any, _saved: Any, _response: Response) -> None:
            raise OSError("disk full")

    app.session_interface = Full()
    app.register_error_handler(OSError, lambda error: (str(error), 507))
    app.add_url_rule("/", "index", lambda: "page")
    response = await app.test_client().get("/")
    assert (response.status_code, response.text) == (507, "disk full")


async def test_b262_a_websocket_saves_its_session_with_the_accept(app: Erlen, store: Store) -> None:
    @app.websocket("/")
    async def talk() -> None:
        session["seen"] = True
        await websocket.accept()
        with pytest.raises(SessionClosedError):
            session["late"] = True

    async with app.test_client().websocket("/"):
        pass
    assert store.log == ["open", ("save", {"seen": True})]


async def test_b262_a_refused_websocket_saves_its_session_with_the_refusal(
    app: Erlen, store: Store
) -> None:
    @app.websocket("/")
    async def refuse() -> None:
        session["seen"] = True
        abort(401)

    with pytest.raises(Exception, match="refused with 401"):
        async with app.test_client().websocket("/"):
            pass
    assert store.log[-1] == ("save", {"seen": True})


async def test_a_session_that_a_websocket_opens_late_cannot_be_changed(app: Erlen) -> None:
    caught: list[BaseException] = []

    @app.websocket("/")
    async def talk() -> None:
        await websocket.accept()
        with pytest.raises(SessionClosedError) as error:
            session["late"] = True
        caught.append(error.value)

    async with app.test_client().websocket("/"):
        pass
    assert len(caught) == 1


async def test_a_context_by_hand_opens_the_session_of_a_store(app: Erlen, store: Store) -> None:
    store.kept["/"] = {"name": "Ada"}
    async with app.test_request_context("/"):
        assert session["name"] == "Ada"


def test_a_session_that_must_be_awaited_is_refused_where_nothing_awaits(
    app: Erlen, store: Store
) -> None:
    with app.test_request_context("/"), pytest.raises(OutsideContextError, match="Store must be"):
        _ = session["name"]
    assert store.log == []


def test_an_application_context_has_no_session(app: Erlen, store: Store) -> None:
    with app.app_context(), pytest.raises(OutsideContextError, match="has no request"):
        _ = session["name"]
    assert not store.log


async def test_a_session_need_not_know_how_to_close(app: Erlen) -> None:
    class Bare(dict[str, Any]):
        accessed = False

    class Simple(Store):
        async def open_session(self, _app: Any, _request: Connection) -> Any:
            return Bare()

    app.session_interface = Simple()
    app.add_url_rule("/", "index", lambda: "page")
    assert (await app.test_client().get("/")).headers["x-saved"] == "yes"
