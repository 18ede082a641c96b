"""``stream`` of ``erlen.sync``: ``def`` views that send their response themselves."""

import threading
from contextlib import suppress
from typing import Any

import anyio
import pytest

from erlen import Erlen, abort
from erlen.exceptions import ClientDisconnected, SendTimeout
from erlen.protocols import Message
from erlen.sync import g, request, stream
from tests.exchange.wire import scope_of


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.config["TESTING"] = True
    return app


async def test_a_def_view_sends_its_response_chunk_by_chunk(app: Erlen) -> None:
    seen: list[int] = []

    @app.get("/")
    def view() -> None:
        g.name = "ann"
        with stream(201, mimetype="text/plain") as out:
            out.response.headers["X-A"] = "1"
            for chunk in ("a", b"b"):
                out.send(chunk)
                seen.append(threading.get_ident())
            out.send(f"{g.name} {request.path}")

    response = await app.test_client().get("/")
    assert (response.status_code, response.text) == (201, "abann /")
    assert response.headers["x-a"] == "1"
    assert set(seen).isdisjoint({threading.get_ident()})


@pytest.mark.parametrize("chunks", [0, 2])
async def test_where_no_body_follows_nothing_is_sent(app: Erlen, chunks: int) -> None:
    log: list[str] = []

    @app.route("/", methods=["GET", "HEAD"])
    def view() -> None:
        with stream() as out:
            for _ in range(chunks):
                out.send("a")
            log.append("went on")

    assert (await app.test_client().head("/")).content == b""
    assert log == ["went on"]


async def test_before_the_first_chunk_an_error_is_answered(app: Erlen) -> None:
    @app.get("/")
    def view() -> None:
        with stream():
            abort(418)

    assert (await app.test_client().get("/")).status_code == 418


async def test_what_a_hook_raises_at_the_end_is_answered(app: Erlen) -> None:
    @app.after_request
    def refuse(response: Any) -> Any:
        abort(409)

    @app.get("/")
    def view() -> None:
        with stream():
            pass

    assert (await app.test_client().get("/")).status_code == 409


class Server:
    """A server whose client leaves, or does not read, when it has the first chunk."""

    def __init__(self, *, leaves: bool) -> None:
        self._leaves = leaves
        self.gone = anyio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message.get("body"):
            if self._leaves:
                await anyio.sleep(0.05)  # somebody looks whether the client is there
                self.gone.set()
                await anyio.wait_all_tasks_blocked()
            else:
                await anyio.sleep_forever()


@pytest.mark.parametrize(("leaves", "kind"), [(True, ClientDisconnected), (False, SendTimeout)])
async def test_the_next_send_tells_that_nobody_reads(
    app: Erlen, leaves: bool, kind: type[Exception]
) -> None:
    app.config["SEND_TIMEOUT"] = None if leaves else 0.02
    torn: list[Any] = []
    app.teardown_request(torn.append)

    @app.get("/")
    def view() -> None:
        with stream() as out:
            with suppress(ClientDisconnected):
                for _ in range(1000):
                    out.send("a")
            assert out.response.is_streamed

    server = Server(leaves=leaves)
    with anyio.fail_after(5):
        try:
            await app(scope_of(), server.receive, server.send)
        except SendTimeout:
            assert not leaves
    assert [type(error) for error in torn] == [kind]


async def test_an_error_after_the_start_breaks_the_connection(app: Erlen) -> None:
    failure = LookupError()

    @app.get("/")
    def view() -> None:
        with stream() as out:
            out.send("a")
            raise failure

    with pytest.raises(LookupError) as caught:
        await app.test_client().get("/")
    assert caught.value is failure


async def test_it_is_entered_once(app: Erlen) -> None:
    @app.get("/")
    def view() -> None:
        with stream() as out, out:
            pass

    with pytest.raises(RuntimeError, match="entered a second time"):
        await app.test_client().get("/")


async def test_a_coroutine_uses_the_other_one(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        with stream():
            pass

    with pytest.raises(RuntimeError, match=r"stream\(\) of erlen.sync was used on an event loop"):
        await app.test_client().get("/")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_def_children_may_send_beside_the_view(app: Erlen, method: str) -> None:
    @app.get("/")
    def view() -> None:
        with stream() as out:
            for _ in range(3):
                request.start_soon(out.send, "a")
            out.send("b")

    with anyio.fail_after(5):
        response = await app.test_client().open("/", method=method)
    assert sorted(response.text) == ([] if method == "HEAD" else ["a", "a", "a", "b"])


async def test_def_children_are_told_that_the_client_left(app: Erlen) -> None:
    told: list[str] = []

    def tick(out: Any, name: str) -> None:
        try:
            while True:
                out.send("tick")
        except ClientDisconnected:
            told.append(name)
            out.send("once more")

    @app.get("/")
    def view() -> None:
        with stream() as out:
            for name in "ab":
                request.start_soon(tick, out, name)
            tick(out, "view")

    server = Server(leaves=True)
    with anyio.fail_after(5):
        await app(scope_of(), server.receive, server.send)
    assert told
