"""A session interface of one's own: asynchronous, with a store; the whole of what it takes."""

import secrets
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen import Erlen, session, websocket
from erlen.exchange.connection import Connection
from erlen.exchange.response import Response
from erlen.sessions import Session, SessionInterface

Store = dict[str, dict[str, Any]]


class StoredSession(Session):
    """A session with the id under which the store keeps it."""

    sid = ""


class StoreInterface(SessionInterface):
    """Keeps sessions in a store that must be awaited; the cookie holds an id."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def open_session(self, app: Any, request: Connection) -> StoredSession:
        await checkpoint()
        sid = request.cookies.get(self.get_cookie_name(app), "")
        session = StoredSession(self.store.get(sid))
        session.sid = sid if sid in self.store else ""
        return session

    async def save_session(self, app: Any, session: StoredSession, response: Response) -> None:
        await checkpoint()
        if session.accessed:
            response.vary.add("Cookie")
        if not session.modified:
            return
        if session.regenerated or not session:
            self.store.pop(session.sid, None)
        if not session:
            field = self.dump_session_cookie(app, "", max_age=0, expires=0)
        else:
            if session.regenerated or not session.sid:
                session.sid = secrets.token_urlsafe(24)
            self.store[session.sid] = dict(session)
            expires = self.get_expiration_time(app, session)
            field = self.dump_session_cookie(app, session.sid, expires=expires)
        response.headers.add("Set-Cookie", field)


class PlainInterface(StoreInterface):
    """The same for a store that blocks."""

    def open_session(self, app: Any, request: Connection) -> Any:
        return StoredSession(self.store.get(request.cookies.get("session", "")))

    def save_session(self, app: Any, session: Any, response: Any) -> None:  # type: ignore[override]  # def
        self.store["plain"] = dict(session)
        response.set_cookie("session", "plain")


def make_app(interface: SessionInterface) -> Erlen:
    app = Erlen("stored")
    app.testing = True
    app.session_interface = interface

    @app.get("/count")
    async def count() -> dict[str, Any]:
        session["n"] = session.get("n", 0) + 1
        return dict(session)

    @app.get("/read")
    def read() -> dict[str, Any]:
        return {"n": session.get("n")}

    @app.get("/login")
    async def login() -> str:
        session["user"] = 1
        session.regenerate()
        return "in"

    @app.get("/logout")
    async def logout() -> str:
        session.clear()
        return "out"

    @app.get("/nothing")
    async def nothing() -> str:
        return ""

    @app.websocket("/socket")
    async def socket() -> None:
        session["n"] = session.get("n", 0) + 10
        await websocket.send(str(session["n"]))

    return app


@pytest.fixture
def store() -> Store:
    return {}


@pytest.fixture
def app(store: Store) -> Erlen:
    return make_app(StoreInterface(store))


async def test_se3_a_session_lives_in_the_store(app: Erlen, store: Store) -> None:
    client = app.test_client()
    assert (await client.get("/count")).json() == {"n": 1}
    response = await client.get("/count")
    assert (response.json(), list(store.values())) == ({"n": 2}, [{"n": 2}])
    assert response.headers["vary"] == "Cookie"


async def test_se3_a_def_view_reads_what_was_awaited(app: Erlen) -> None:
    client = app.test_client()
    await client.get("/count")
    response = await client.get("/read")
    assert (response.json(), "set-cookie" in response.headers) == ({"n": 1}, False)


async def test_se2_who_does_not_look_at_it_may_be_cached(app: Erlen) -> None:
    response = await app.test_client().get("/nothing")
    assert not {"vary", "set-cookie"} & set(response.headers)


async def test_b260_regenerating_changes_the_id_and_forgets_the_old(
    app: Erlen, store: Store
) -> None:
    client = app.test_client()
    await client.get("/count")
    [planted] = store
    await client.get("/login")
    assert list(store.values()) == [{"n": 1, "user": 1}]
    assert planted not in store


async def test_b259_clearing_removes_it_from_store_and_client(app: Erlen, store: Store) -> None:
    client = app.test_client()
    await client.get("/count")
    await client.get("/logout")
    assert (store, client.get_cookie("session")) == ({}, None)


async def test_se3_a_websocket_opens_and_saves_it_before_the_accept(
    app: Erlen, store: Store
) -> None:
    client = app.test_client()
    await client.get("/count")
    async with client.websocket("/socket") as socket:
        assert await socket.receive() == "11"
    assert list(store.values()) == [{"n": 11}]


async def test_b261_requests_at_the_same_time_leave_one_whole_session(
    app: Erlen, store: Store
) -> None:
    client = app.test_client()
    await client.get("/count")
    async with anyio.create_task_group() as tasks:
        for path in ("/count", "/count", "/login"):
            tasks.start_soon(client.get, path)
    assert all(content["n"] in {1, 2, 3} for content in store.values())


async def test_se3_a_store_that_blocks_is_called_in_a_thread(store: Store) -> None:
    client = make_app(PlainInterface(store)).test_client()
    await client.get("/count")
    await client.get("/count")
    assert store == {"plain": {"n": 2}}


async def test_te7_a_session_transaction_awaits_the_store(app: Erlen, store: Store) -> None:
    client = app.test_client()
    async with client.session_transaction() as opened:
        opened["n"] = 41
    assert (await client.get("/count")).json() == {"n": 42}
    assert list(store.values()) == [{"n": 42}]


async def test_te7_a_session_transaction_calls_a_store_that_blocks(store: Store) -> None:
    client = make_app(PlainInterface(store)).test_client()
    async with client.session_transaction() as opened:
        opened["n"] = 41
    assert (await client.get("/count")).json() == {"n": 42}
