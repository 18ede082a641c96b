"""The blocking client: the same names for plain ``def`` tests."""

import threading
from collections.abc import Iterator

import pytest

from erlen.protocols import Receive, Scope, Send
from erlen.testing import BlockingClient, WebSocketRejected

LOG: list[str] = []


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """A little of everything."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            LOG.append((await receive())["type"])
            await send({"type": f"{LOG[-1]}.complete"})
    elif scope["type"] == "websocket":
        await receive()
        if scope["path"] == "/no":
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept"})
        for message in ("a", "b"):
            await send({"type": "websocket.send", "text": message})
        await send({"type": "websocket.close", "code": 4000})
    elif scope["path"] == "/boom":
        raise ValueError("mine")
    else:
        await send({"type": "http.response.start", "status": 200})
        while scope["path"] == "/events":
            await send({"type": "http.response.body", "body": b"tick\n", "more_body": True})
        body = f"{threading.current_thread().name != 'MainThread'}".encode()
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(params=["asyncio", "trio"])
def client(request: pytest.FixtureRequest) -> Iterator[BlockingClient]:
    LOG.clear()
    with BlockingClient(app, request.param) as client:
        assert LOG == ["lifespan.startup"]
        yield client
    assert LOG == ["lifespan.startup", "lifespan.shutdown"]


def test_the_verbs_block(client: BlockingClient) -> None:
    response = client.get("/", query_string={"a": 1})
    assert (response.status, response.text) == ("200 OK", "True")
    assert client.open("/", method="POST").status_code == 200


def test_what_does_not_block_stays_as_it_is(client: BlockingClient) -> None:
    client.set_cookie("a", "1")
    assert client.get_cookie("a").value == "1"
    assert client.state == {}


def test_a_stream_is_iterated(client: BlockingClient) -> None:
    with client.stream("GET", "/events") as response:
        for line in response.iter_lines():
            assert line == "tick"
            break
        response.disconnect()


def test_a_stream_is_read(client: BlockingClient) -> None:
    with client.stream("GET", "/") as response:
        assert response.read() == b"True"


def test_a_websocket_is_used_and_iterated(client: BlockingClient) -> None:
    with client.websocket("/") as ws:
        assert ws.receive() == "a"
        assert list(ws) == ["b"]
        assert ws.close_code == 4000
        ws.close()


def test_a_refusal_is_raised(client: BlockingClient) -> None:
    with pytest.raises(WebSocketRejected), client.websocket("/no"):
        pytest.fail("not reached")


def test_the_applications_exception_is_raised(client: BlockingClient) -> None:
    with pytest.raises(ValueError, match=r"^mine$"):
        client.get("/boom")


def test_outside_of_its_block_it_says_what_to_write() -> None:
    with pytest.raises(
        RuntimeError, match=r"'get' .* outside of its block. Write 'with test_client"
    ):
        BlockingClient(app).get("/")


async def test_pains40_inside_a_running_loop_it_refuses() -> None:
    with pytest.raises(RuntimeError, match=r"running event loop, .* Write 'async with"):
        BlockingClient(app).__enter__()


def test_an_unfinished_entry_leaves_nothing() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ValueError("at startup")

    client = BlockingClient(broken)
    with pytest.raises(ValueError, match="at startup"):
        client.__enter__()
    client.__exit__(None, None, None)
