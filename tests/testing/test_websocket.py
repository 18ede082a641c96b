"""``client.websocket``: messages, the ending, refusals, deadlines."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from erlen.exceptions import WebSocketDisconnect
from erlen.protocols import ASGIApp, Message, Receive, Scope, Send
from erlen.testing import Client, ConductError, DeadlineExceeded, WebSocketRejected
from erlen.testing.websocket import BUFFERED_MESSAGES

ACCEPT: dict[str, Any] = {"type": "websocket.accept"}


def text(data: str) -> dict[str, Any]:
    return {"type": "websocket.send", "text": data}


class Socket:
    """An application that sends messages after the handshake, then takes all that comes."""

    def __init__(self, *messages: dict[str, Any], then: Exception | None = None) -> None:
        self.messages = messages
        self.then = then
        self.scope: Scope = {}
        self.events: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.events.append(await receive())
        for message in self.messages:
            await send(message)
        if self.then is not None:
            raise self.then
        while self.events[-1]["type"] != "websocket.disconnect":
            self.events.append(await receive())


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send everything back."""
    await receive()
    await send(ACCEPT)
    while (event := await receive())["type"] == "websocket.receive":
        await send({**event, "type": "websocket.send"})


async def test_te12_messages_go_both_ways() -> None:
    async with Client(echo).websocket("/ws") as ws:
        await ws.send("ü")
        assert await ws.receive() == "ü"
        await ws.send(b"\xff")
        assert await ws.receive() == b"\xff"
        await ws.send("")
        assert await ws.receive() == ""
        await ws.send_json({"a": "ü"})
        assert await ws.receive() == '{"a":"ü"}'
        await ws.send_json([1])
        assert await ws.receive_json() == [1]
    assert (ws.closed, ws.close_code) == (True, 1000)


async def test_the_scope_is_a_websockets() -> None:
    app = Socket({**ACCEPT, "subprotocol": "b", "headers": [(b"x-a", b"1")]})
    client = Client(app, headers={"X-B": "2"}, cookies={"c": "3"})
    async with client.websocket("/ws", query_string="q=1", subprotocols=["a", "b"]) as ws:
        assert (ws.subprotocol, ws.accept_headers["x-a"], ws.closed) == ("b", "1", False)
    headers = dict(app.scope["headers"])
    assert [app.scope[key] for key in ("type", "scheme", "path", "query_string")] == [
        "websocket", "ws", "/ws", b"q=1",
    ]  # fmt: skip
    assert app.scope["subprotocols"] == ["a", "b"]
    assert "method" not in app.scope
    assert headers[b"upgrade"] == b"websocket"
    assert headers[b"sec-websocket-protocol"] == b"a, b"
    assert (headers[b"x-b"], headers[b"cookie"]) == (b"2", b"c=3")


@pytest.mark.parametrize(
    ("url", "scheme", "host"),
    [
        ("ws://h.test/x", "ws", b"h.test"),
        ("wss://h.test/x", "wss", b"h.test"),
        ("https://h.test/x", "wss", b"h.test"),
        ("/x?y=ws://z", "ws", b"localhost"),
    ],
)
async def test_a_websocket_has_its_own_schemes(url: str, scheme: str, host: bytes) -> None:
    app = Socket(ACCEPT)
    async with Client(app).websocket(url):
        pass
    assert (app.scope["scheme"], dict(app.scope["headers"])[b"host"]) == (scheme, host)


async def test_cookies_of_the_handshake_are_kept() -> None:
    client = Client(Socket({**ACCEPT, "headers": [(b"set-cookie", b"a=1")]}))
    async with client.websocket("/"):
        assert client.get_cookie("a") is not None


async def test_both_sides_may_send_before_either_reads() -> None:
    app = Socket(ACCEPT, text("welcome"))
    async with Client(app).websocket("/") as ws:
        await ws.send("hello")
        assert await ws.receive() == "welcome"
    assert [e["type"] for e in app.events[1:]] == ["websocket.receive", "websocket.disconnect"]


# --- the ending ---------------------------------------------------------------------------------


async def test_ws5_a_close_of_the_server_ends_receive() -> None:
    app = Socket(ACCEPT, text("last"), {"type": "websocket.close", "code": 4000, "reason": "why"})
    async with Client(app).websocket("/") as ws:
        assert await ws.receive() == "last"
        assert not ws.closed
        for _ in range(2):
            with pytest.raises(WebSocketDisconnect) as caught:
                await ws.receive()
            assert (caught.value.code, caught.value.reason) == (4000, "why")
        assert (ws.close_code, ws.close_reason) == (4000, "why")
        with pytest.raises(WebSocketDisconnect):
            await ws.send("x")
    assert app.events[-1] == {"type": "websocket.disconnect", "code": 4000, "reason": "why"}


async def test_a_loop_ends_with_the_close_of_the_server() -> None:
    app = Socket(ACCEPT, text("a"), text("b"), {"type": "websocket.close"})
    async with Client(app).websocket("/") as ws:
        assert [message async for message in ws] == ["a", "b"]
        assert (ws.close_code, ws.close_reason) == (1000, "")


async def test_the_servers_close_is_seen_on_leaving_too() -> None:
    app = Socket(ACCEPT, {"type": "websocket.close", "code": 1011})
    async with Client(app).websocket("/") as ws:
        await anyio.wait_all_tasks_blocked()
    assert ws.close_code == 1011


async def test_close_of_the_test_reaches_the_application_after_all_messages() -> None:
    app = Socket(ACCEPT)
    async with Client(app).websocket("/") as ws:
        await ws.send("last")
        await ws.close(4001, "bye")
        with pytest.raises(WebSocketDisconnect):
            await ws.receive()
        await ws.close()
    assert app.events[1]["text"] == "last"
    assert app.events[2] == {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
    assert ws.close_code == 4001


@pytest.mark.parametrize(("code", "reason"), [(1005, ""), (1000, "x" * 124)])
async def test_close_refuses_what_cannot_be_sent(code: int, reason: str) -> None:
    async with Client(echo).websocket("/") as ws:
        with pytest.raises(ValueError, match="cannot be closed so"):
            await ws.close(code, reason)


async def test_a_lost_connection_is_1006() -> None:
    app = Socket(ACCEPT)
    async with Client(app).websocket("/") as ws:
        await ws.disconnect()
    assert (app.events[-1]["code"], ws.close_code) == (1006, 1006)


async def test_send_after_the_test_left_raises_oserror_in_the_application() -> None:
    errors = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await receive()
        try:
            await send(text("late"))
        except OSError as error:
            errors.append(error)
            raise

    async with Client(app).websocket("/"):
        pass
    assert len(errors) == 1


async def test_an_application_that_sends_without_end_is_held_back() -> None:
    sent = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        while True:
            await send(text("x"))
            sent.append(1)

    async with Client(app).websocket("/"):
        await anyio.wait_all_tasks_blocked()
        assert 0 < len(sent) < 100


async def test_an_application_that_returns_without_close_is_1006() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)

    async with Client(app).websocket("/") as ws:
        with pytest.raises(WebSocketDisconnect) as caught:
            await ws.receive()
        assert caught.value.code == 1006
        with pytest.raises(WebSocketDisconnect):
            await ws.send("x")


# --- refusals -----------------------------------------------------------------------------------

DENIAL = {
    "type": "websocket.http.response.start",
    "status": 401,
    "headers": [(b"set-cookie", b"a=1")],
}


def denial_body(data: bytes, more: bool) -> dict[str, Any]:
    return {"type": "websocket.http.response.body", "body": data, "more_body": more}


async def test_ws_pains22_a_close_before_accept_is_a_403() -> None:
    app = Socket({"type": "websocket.close", "code": 4401})
    with pytest.raises(WebSocketRejected, match="/ws was refused with 403 Forbidden") as caught:
        async with Client(app).websocket("/ws"):
            pytest.fail("not reached")
    assert (caught.value.response.status_code, caught.value.response.data) == (403, b"")
    assert app.events[-1]["code"] == 1006


async def test_te12_a_denial_is_that_response() -> None:
    client = Client(Socket(DENIAL, denial_body(b"go ", True), denial_body(b"away", False)))
    with pytest.raises(WebSocketRejected) as caught:
        async with client.websocket("/"):
            pytest.fail("not reached")
    assert (caught.value.response.status_code, caught.value.response.text) == (401, "go away")
    assert client.get_cookie("a") is not None


async def test_a_server_without_denial_does_not_advertise_it() -> None:
    app = Socket({"type": "websocket.close"})
    with pytest.raises(WebSocketRejected):
        async with Client(app).websocket("/", denial_response=False):
            pytest.fail("not reached")
    assert app.scope["extensions"] == {}


async def test_a_failure_before_accept_is_raised_or_a_500() -> None:
    error = ValueError("mine")
    app = Socket(then=error)
    with pytest.raises(ValueError, match="mine") as caught:
        async with Client(app).websocket("/"):
            pytest.fail("not reached")
    assert caught.value is error
    with pytest.raises(WebSocketRejected, match="500"):
        async with Client(app, raise_app_exceptions=False).websocket("/"):
            pytest.fail("not reached")


# --- exceptions and deadlines -------------------------------------------------------------------


async def leave(ws: Any) -> None:
    pass


async def receive(ws: Any) -> None:
    await ws.receive()


@pytest.mark.parametrize("act", [leave, receive])
async def test_the_applications_exception_leaves_the_block_as_it_is(
    act: Callable[[Any], Any],
) -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:
        async with Client(Socket(ACCEPT, then=error)).websocket("/") as ws:
            await act(ws)
    assert caught.value is error


async def test_without_raising_the_test_sees_what_a_client_sees() -> None:
    app = Socket(ACCEPT, {"type": "websocket.close", "code": 1011}, then=ValueError())
    async with Client(app, raise_app_exceptions=False).websocket("/") as ws:
        with pytest.raises(WebSocketDisconnect, match="1011"):
            await ws.receive()


async def test_the_tests_own_failure_leaves_the_block_as_it_is() -> None:
    with pytest.raises(AssertionError, match=r"^mine$"):
        async with Client(echo).websocket("/"):
            raise AssertionError("mine")


async def test_receive_has_a_deadline_that_tells_the_story() -> None:
    async with Client(echo).websocket("/ws", deadline=0.01) as ws:
        await ws.send("a")
        await ws.receive()
        with pytest.raises(DeadlineExceeded) as caught:
            await ws.receive()
    assert str(caught.value).startswith(
        "Waited 0.01 s for the next message of the WebSocket /ws; so far the test sent 1 "
        "and received 1 messages."
    )


async def test_send_has_a_deadline() -> None:
    go = anyio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await go.wait()

    async with Client(app).websocket("/", deadline=0.01) as ws:
        for _ in range(BUFFERED_MESSAGES):
            await ws.send("x")
        with pytest.raises(DeadlineExceeded, match="room for the next message to the WebSocket /"):
            await ws.send("x")
        go.set()


async def test_the_handshake_has_a_deadline() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()

    with pytest.raises(DeadlineExceeded, match="the handshake of the WebSocket /"):
        async with Client(app, timeout=0.01).websocket("/"):
            pytest.fail("not reached")


async def test_leaving_has_a_deadline() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await anyio.sleep_forever()

    with pytest.raises(DeadlineExceeded, match="the application to return from the WebSocket /"):
        async with Client(app, timeout=0.01).websocket("/"):
            pass


async def test_bad_conduct_fails_the_block() -> None:
    with pytest.raises(ConductError, match="accepted once"):
        async with Client(Socket(ACCEPT, ACCEPT), raise_app_exceptions=False).websocket("/"):
            pass


async def test_two_websockets_of_one_client_at_once() -> None:
    client = Client(echo)
    async with client.websocket("/") as one, client.websocket("/") as two:
        await one.send("1")
        await two.send("2")
        assert (await two.receive(), await one.receive()) == ("2", "1")


@pytest.fixture
def app() -> ASGIApp:
    """An application that gives each WebSocket its number."""

    async def numbered(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await send(text(scope["path"]))
        await send({"type": "websocket.close"})

    return numbered


async def test_a_client_may_open_one_after_another(app: ASGIApp) -> None:
    client = Client(app)
    for path in ("/1", "/2"):
        async with client.websocket(path) as ws:
            assert [message async for message in ws] == [path]
