"""Whole exchanges of ``def`` functions that use the bridge: law 2, law 3, law 7, law 9."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import pytest

from erlen import Erlen, Response
from erlen.exceptions import ClientDisconnected, NotFound
from erlen.protocols import Message
from erlen.signals import before_render_template
from erlen.sync import g, render_template_string, request

name: ContextVar[str] = ContextVar("name", default="nobody")


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop")


# --- one thread -------------------------------------------------------------------------------------


async def test_sqlite_connection_serves_every_def_function_of_an_exchange(tmp_path: Path) -> None:
    """sqlite3 raises in any thread but that which opened the connection."""
    app = Erlen("blog")
    path = tmp_path / "blog.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("create table post (title text)")

    @app.before_request
    def open_database() -> None:
        g.db = sqlite3.connect(path)

    @app.context_processor
    def titles() -> dict[str, Any]:
        return {"titles": [title for (title,) in g.db.execute("select title from post")]}

    @app.after_request
    def count(response: Response) -> Response:
        response.headers["x-count"] = str(g.db.execute("select count(*) from post").fetchone()[0])
        return response

    @app.teardown_request
    def close_database(error: BaseException | None) -> None:
        g.db.close()

    @app.post("/")
    def create() -> str:
        g.db.execute("insert into post values (?)", (request.form["title"],))
        g.db.commit()
        return render_template_string("{{ titles | join(', ') }}")

    client = app.test_client()
    assert (await client.post("/", data={"title": "One"})).text == "One"
    response = await client.post("/", data={"title": "Two"})
    assert (response.text, response.headers["x-count"]) == ("One, Two", "2")


async def test_all_def_functions_run_in_the_thread_of_the_exchange(app: Erlen) -> None:
    threads: dict[str, int] = {}

    def note(where: str) -> None:
        threads[where] = threading.get_ident()
        render_template_string("bridge")

    def receiver(_sender: object, **_values: object) -> None:
        threads["signal"] = threading.get_ident()

    app.before_request(lambda: note("before"))
    app.teardown_request(lambda error: note("teardown"))

    @app.errorhandler(404)
    def missing(error: NotFound) -> Iterator[str]:
        note("handler")

        def chunks() -> Iterator[str]:
            note("stream")
            yield "text"

        return chunks()

    @app.get("/")
    def view() -> None:
        note("view")
        raise NotFound

    with before_render_template.connected_to(receiver, app):
        assert (await app.test_client().get("/")).text == "text"
    assert sorted(threads) == ["before", "handler", "signal", "stream", "teardown", "view"]
    assert len(set(threads.values())) == 1


async def test_bridge_in_the_bridge_needs_one_place(app: Erlen) -> None:
    app.config["WORKER_THREADS"] = 1

    @app.context_processor
    def variables() -> dict[str, Any]:
        depth = g.depth = g.get("depth", 0) + 1
        return {"inner": render_template_string("{{ inner }}.") if depth < 5 else "."}

    app.get("/")(lambda: render_template_string("{{ inner }}."))
    with anyio.fail_after(5):
        assert (await app.test_client().get("/")).text == "." * 6


# --- streams ----------------------------------------------------------------------------------------


async def test_def_generator_uses_the_bridge_in_every_step(app: Erlen) -> None:
    @app.post("/")
    def view() -> Iterator[str]:
        yield f"<{request.form['name']}>"
        for number in range(3):
            yield render_template_string("{{ number }}", number=number)

    assert (await app.test_client().post("/", data={"name": "tea"})).text == "<tea>012"


async def test_def_generator_copies_the_body_while_it_arrives(app: Erlen) -> None:
    @app.post("/")
    def view() -> Iterator[bytes]:
        while chunk := request.stream.read1(100):
            yield chunk.upper()

    async def body() -> Any:
        for _ in range(50):
            yield b"text "

    assert (await app.test_client().post("/", content=body())).content == b"TEXT " * 50


# --- errors and variables ---------------------------------------------------------------------------


async def test_law9_error_of_a_coroutine_reaches_view_and_handler_as_it_is(app: Erlen) -> None:
    seen: list[BaseException] = []

    @app.context_processor
    async def fail() -> dict[str, Any]:
        raise KeyError("processor")

    @app.errorhandler(KeyError)
    def handler(error: KeyError) -> str:
        seen.append(error)
        return "handled"

    @app.get("/")
    def view() -> str:
        try:
            return render_template_string("text")
        except KeyError as error:
            seen.append(error)
            raise

    assert (await app.test_client().get("/")).text == "handled"
    assert seen[0] is seen[1]


async def test_context_variables_cross_both_ways(app: Erlen) -> None:
    @app.context_processor
    async def change() -> dict[str, Any]:
        before = name.get()
        name.set(f"{before} processor")
        return {"before": before}

    @app.get("/")
    def view() -> list[str]:
        name.set("view")
        return [render_template_string("{{ before }}"), name.get()]

    assert (await app.test_client().get("/")).json() == ["view", "view processor"]


# --- the client leaves, the server cancels ----------------------------------------------------------


def scope_of(length: int) -> dict[str, Any]:
    headers = [
        (b"host", b"localhost"),
        (b"content-length", str(length).encode()),
        (b"content-type", b"application/x-www-form-urlencoded"),
    ]
    return {
        "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "headers": headers,
        "query_string": b"", "scheme": "http", "http_version": "1.1",
    }  # fmt: skip


async def ignore(_message: Message) -> None:
    """Send nothing anywhere."""


async def test_client_that_leaves_while_the_view_reads(app: Erlen) -> None:
    log: list[str] = []
    messages: list[Message] = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    app.teardown_request(lambda error: log.append(f"teardown {type(error).__name__}"))

    @app.post("/")
    def view() -> bytes:
        try:
            return request.get_data()
        except ClientDisconnected:
            log.append("view")
            raise

    await app(scope_of(8), receive, ignore)
    assert log == ["view", "teardown ClientDisconnected"]


async def test_law7_view_that_is_cancelled_while_it_waits_is_torn_down(app: Erlen) -> None:
    log: list[str] = []

    async def receive() -> Message:
        scope.cancel()
        await anyio.sleep_forever()
        return {}

    def close(error: BaseException | None) -> None:
        log.append(f"teardown {render_template_string('by the bridge')}")

    app.teardown_request(close)

    @app.post("/")
    def view() -> str:
        try:
            return request.form["name"]
        except BaseException as error:
            log.append(f"view {isinstance(error, cancelled)}")
            raise

    cancelled = anyio.get_cancelled_exc_class()
    with anyio.CancelScope() as scope:
        await app(scope_of(8), receive, ignore)
    assert scope.cancelled_caught
    assert log == ["view True", "teardown by the bridge"]
