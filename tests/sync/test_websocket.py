"""``websocket`` of ``erlen.sync``: ``def`` views of WebSockets."""

from typing import Any

import pytest

from erlen import Erlen, WebSocket, WebSocketDisconnect
from erlen.sync import BlockingWebSocket, websocket
from erlen.sync.websocket import _Waiting


@pytest.fixture
def app() -> Erlen:
    return Erlen("chat")


async def test_view_iterates_and_sends(app: Erlen) -> None:
    @app.websocket("/")
    def echo() -> None:
        for message in websocket:
            websocket.send(message)

    async with app.test_client().websocket("/") as session:
        for message in ("text", b"bytes"):
            await session.send(message)
            assert await session.receive() == message


async def test_every_way_of_receiving_and_sending(app: Erlen) -> None:
    @app.websocket("/")
    def view() -> None:
        websocket.accept(headers={"x-a": "b"}, subprotocol="chat")
        received = [websocket.receive_text(), websocket.receive_bytes().decode()]
        websocket.send_json([*received, websocket.receive_json(), websocket.receive()])
        websocket.close(4000, "enough")

    async with app.test_client().websocket("/", subprotocols=["chat"]) as session:
        for message in ("one", b"two", "[3]", "four"):
            await session.send(message)
        assert await session.receive() == '["one","two",[3],"four"]'
        with pytest.raises(WebSocketDisconnect) as caught:
            await session.receive()
    assert (caught.value.code, caught.value.reason) == (4000, "enough")


async def test_refusal_that_a_page_can_see(app: Erlen) -> None:
    app.websocket("/")(lambda: websocket.reject(4001, "members only"))
    async with app.test_client().websocket("/") as session:
        with pytest.raises(WebSocketDisconnect) as caught:
            await session.receive()
    assert caught.value.code == 4001


async def test_peer_that_left_ends_the_view(app: Erlen) -> None:
    log: list[Any] = []

    @app.websocket("/")
    def view() -> None:
        try:
            websocket.receive()
        except WebSocketDisconnect as left:
            log.append(left.code)
            raise

    async with app.test_client().websocket("/") as session:
        await session.close(4002)
    assert log == [4002]


async def test_open_sockets_of_def_views_keep_no_other_from_running(app: Erlen) -> None:
    """Each has a thread, which holds no place while it waits for a message."""
    app.config["WORKER_THREADS"] = 1
    app.get("/")(lambda: "view")

    @app.websocket("/")
    def view() -> None:
        websocket.send("open")
        websocket.receive()

    client = app.test_client()
    async with client.websocket("/") as first, client.websocket("/") as second:
        assert (await first.receive(), await second.receive()) == ("open", "open")
        assert (await client.get("/")).text == "view"


async def test_synchronous_names_are_those_of_the_websocket(app: Erlen) -> None:
    @app.websocket("/")
    def view() -> None:
        websocket.send_json(websocket.path, websocket.args["q"], websocket.requested_subprotocols)

    async with app.test_client().websocket("/?q=1", subprotocols=["chat"]) as session:
        assert await session.receive() == '["/","1",["chat"]]'


def test_every_name_of_a_websocket_is_here_too() -> None:
    typed = {*dir(BlockingWebSocket), *BlockingWebSocket.__annotations__}
    names = {name for name in dir(WebSocket) if not name.startswith("_")}
    pipeline = {"begin", "cut_off", "deny", "go_away", "leave", "release"}
    assert names - typed == {*pipeline, "run", "tasks"}  # the last two are for coroutines
    assert "receive" in vars(_Waiting)


async def test_view_may_wait_for_the_end(app: Erlen) -> None:
    log: list[Any] = []

    @app.websocket("/")
    def view() -> None:
        websocket.send("ready")
        websocket.wait_closed()
        log.append(websocket.close_code)

    async with app.test_client().websocket("/") as session:
        assert await session.receive() == "ready"
        await session.close(4003)
    assert log == [4003]
