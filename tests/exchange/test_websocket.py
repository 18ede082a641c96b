"""The WebSocket: handshake, messages, end."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen.exceptions import (
    ClientDisconnected,
    WebSocketDisconnect,
    WebSocketMessageError,
    WebSocketStateError,
)
from erlen.exchange.response import Response
from erlen.exchange.websocket import State, WebSocket
from erlen.exchange.websocket_ending import PATIENCE
from erlen.protocols import Message
from erlen.signals import websocket_received, websocket_sent
from tests.exchange.wire import Feed, Wire, scope_of, settings

CONNECT: Message = {"type": "websocket.connect"}
DENIAL: dict[str, Any] = {"websocket.http.response": {}}


def left(code: int | None = None, reason: str | None = None) -> Message:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


def text(data: str | None) -> Message:
    return {"type": "websocket.receive", "text": data, "bytes": None}


def binary(data: Any) -> Message:
    return {"type": "websocket.receive", "text": None, "bytes": data}


class Link:
    """A WebSocket and what its server was sent."""

    def __init__(self, messages: Iterable[Message] = (CONNECT,), **options: Any) -> None:
        config = {key: options.pop(key) for key in list(options) if key.isupper()}
        self.wire = Wire(**{"type": "websocket", "scheme": "ws", **options})
        self.receive = Feed(messages)
        scope = self.wire.scope
        self.socket = WebSocket(scope, self.receive, self.wire.send, settings(**config))

    @property
    def sent(self) -> list[Message]:
        return self.wire.sent

    @property
    def kinds(self) -> list[str]:
        return [message["type"].removeprefix("websocket.") for message in self.sent]


async def opened(*messages: Message, **options: Any) -> Link:
    link = Link([CONNECT, *messages], **options)
    await link.socket.accept()
    return link


# --- opening --------------------------------------------------------------------------------------


async def test_ws2_accept_answers_with_headers_and_subprotocol() -> None:
    link = Link(subprotocols=["a", "b"])
    assert link.socket.requested_subprotocols == ["a", "b"]
    await link.socket.accept({"X-A": "1"}, subprotocol="b")
    assert link.sent == [
        {"type": "websocket.accept", "subprotocol": "b", "headers": [(b"x-a", b"1")]}
    ]
    assert (link.socket.state, link.socket.subprotocol) == (State.OPEN, "b")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        pytest.param([], "a", id="none-offered"),
        pytest.param(["b"], "a", id="another-offered"),
        pytest.param(None, "a", id="no-key"),
    ],
)
async def test_b187_a_subprotocol_that_was_not_offered_is_refused(
    offered: list[str] | None, chosen: str
) -> None:
    link = Link(subprotocols=offered)
    with pytest.raises(ValueError, match="Accept one of those, or none"):
        await link.socket.accept(subprotocol=chosen)
    await link.socket.accept()
    assert link.kinds == ["accept"]


@pytest.mark.parametrize("offered", [["a", "a"], ["x"] * 1000, ["\xe9"]])
async def test_b187_odd_offers_are_accepted_without_a_subprotocol(offered: list[str]) -> None:
    link = Link(subprotocols=offered)
    await link.socket.accept()
    assert link.sent[0]["subprotocol"] is None


async def test_headers_that_cannot_be_sent_leave_the_handshake_open() -> None:
    link = Link()
    with pytest.raises(ValueError, match="X-A"):
        await link.socket.accept({"X-A": "a\r\nb"})
    assert (link.socket.state, link.sent) == (State.CONNECTING, [])


async def test_pains22_rejecting_lets_the_page_see_the_code() -> None:
    link = Link()
    await link.socket.reject(4401, "log in")
    assert link.kinds == ["accept", "close"]
    assert (link.sent[1]["code"], link.sent[1]["reason"]) == (4401, "log in")
    assert (link.socket.close_code, link.socket.state) == (4401, State.CLOSED)


async def test_b195_rejecting_with_a_code_that_may_not_be_sent_sends_nothing() -> None:
    link = Link()
    with pytest.raises(ValueError, match="1006 is not a close code"):
        await link.socket.reject(1006)
    assert (link.kinds, link.socket.state) == ([], State.CONNECTING)


async def test_b192_accepting_twice_is_an_error_and_sends_nothing() -> None:
    link = await opened()
    with pytest.raises(WebSocketStateError, match="is open"):
        await link.socket.accept()
    assert link.kinds == ["accept"]


async def test_b192_accepting_after_the_close_is_an_error() -> None:
    link = Link()
    await link.socket.close()
    with pytest.raises(WebSocketStateError, match="is closed"):
        await link.socket.accept()
    assert link.kinds == ["close"]


@pytest.mark.parametrize("act", ["send", "receive"])
async def test_b192_the_first_send_or_receive_accepts(act: str) -> None:
    link = Link([CONNECT, text("hi")])
    await (link.socket.send("a") if act == "send" else link.socket.receive())
    assert link.kinds[0] == "accept"


async def test_b199_two_tasks_that_send_first_accept_once() -> None:
    to_server, from_client = anyio.create_memory_object_stream[Message](1)
    wire = Wire(type="websocket", scheme="ws")
    socket = WebSocket(wire.scope, from_client.receive, wire.send, settings())
    with to_server, from_client:
        async with anyio.create_task_group() as tasks:
            for data in ("a", "b", "c"):
                tasks.start_soon(socket.send, data)
            await anyio.wait_all_tasks_blocked()
            await to_server.send(CONNECT)
    assert [message["type"] for message in wire.sent] == ["websocket.accept"] + [
        "websocket.send"
    ] * 3


async def test_two_tasks_of_which_one_accepts_and_one_closes_take_turns() -> None:
    to_server, from_client = anyio.create_memory_object_stream[Message](1)
    wire = Wire(type="websocket", scheme="ws")
    socket = WebSocket(wire.scope, from_client.receive, wire.send, settings())
    with to_server, from_client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(socket.accept)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(socket.close)
            await to_server.send(CONNECT)
    assert [message["type"] for message in wire.sent] == ["websocket.accept", "websocket.close"]


async def test_who_waited_for_an_accept_that_became_a_close_is_told() -> None:
    to_server, from_client = anyio.create_memory_object_stream[Message](1)
    wire = Wire(type="websocket", scheme="ws")
    socket = WebSocket(wire.scope, from_client.receive, wire.send, settings())
    with to_server, from_client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(socket.close)
            await anyio.wait_all_tasks_blocked()
            await to_server.send(CONNECT)
            with pytest.raises(WebSocketDisconnect):
                await socket.send("a")
    assert [message["type"] for message in wire.sent] == ["websocket.close"]


@pytest.mark.parametrize("act", ["accept", "receive", "close"])
async def test_b193_a_client_that_left_before_the_accept_is_told(act: str) -> None:
    link = Link([left(1006)])
    with pytest.raises(WebSocketDisconnect) as caught:
        await getattr(link.socket, act)()
    assert (caught.value.code, link.sent) == (1006, [])
    assert link.socket.close_code == 1006


async def test_an_accept_that_was_cancelled_can_be_repeated() -> None:
    to_server, from_client = anyio.create_memory_object_stream[Message](1)
    wire = Wire(type="websocket", scheme="ws")
    socket = WebSocket(wire.scope, from_client.receive, wire.send, settings())
    with to_server, from_client:
        with anyio.move_on_after(0.01):
            await socket.accept()
        states = [socket.state]
        await to_server.send(CONNECT)
        await socket.accept()
    assert [*states, socket.state] == [State.CONNECTING, State.OPEN]


# --- receiving ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "data"),
    [
        pytest.param(text("é"), "é", id="text"),
        pytest.param(binary(b"\xff"), b"\xff", id="binary"),
        pytest.param(text(""), "", id="b189-empty-text"),
        pytest.param(binary(b""), b"", id="b189-empty-binary"),
        pytest.param({"type": "websocket.receive", "text": "a"}, "a", id="text-key-only"),
        pytest.param({"type": "websocket.receive", "bytes": b"a"}, b"a", id="bytes-key-only"),
        pytest.param(binary(memoryview(b"a")), b"a", id="memoryview"),
        pytest.param(binary(bytearray(b"a")), b"a", id="bytearray"),
        pytest.param({"type": "websocket.receive"}, "", id="no-key"),
    ],
)
async def test_ws3_a_message_is_text_or_bytes(message: Message, data: str | bytes) -> None:
    received = await (await opened(message)).socket.receive()
    assert (received, type(received)) == (data, type(data))


@pytest.mark.parametrize(
    ("call", "message", "code"),
    [
        pytest.param("receive_text", binary(b"a"), 1003, id="b189-text"),
        pytest.param("receive_bytes", text("a"), 1003, id="b189-bytes"),
        pytest.param("receive_json", binary(b"[1]"), 1003, id="b189-json-binary"),
        pytest.param("receive_json", text("{"), 1007, id="b189-json"),
        pytest.param("receive_json", text("[NaN]"), 1007, id="b189-nan"),
        pytest.param("receive_json", text("[" * 129 + "]" * 129), 1007, id="b189-depth"),
        pytest.param("receive_json", text("[" * 100_000), 1007, id="b189-recursion"),
    ],
)
async def test_b189_a_message_of_another_kind_can_be_caught_and_gone_on_from(
    call: str, message: Message, code: int
) -> None:
    link = await opened(message, text("next"))
    with pytest.raises(WebSocketMessageError) as caught:
        await getattr(link.socket, call)()
    assert caught.value.code == code
    assert await link.socket.receive_text() == "next"


async def test_typed_messages_are_what_was_asked_for() -> None:
    socket = (await opened(text("a"), binary(b"b"), text("[1]"))).socket
    assert (await socket.receive_text(), await socket.receive_bytes()) == ("a", b"b")
    assert await socket.receive_json() == [1]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        pytest.param(text("x" * 5), 1009, id="b190-text"),
        pytest.param(text("é" * 3), 1009, id="b190-counts-bytes"),
        pytest.param(binary(b"x" * 5), 1009, id="b190-binary"),
        pytest.param(text("\ud800"), 1007, id="b188-surrogate"),
    ],
)
async def test_a_message_that_may_not_be_closes_the_socket(message: Message, code: int) -> None:
    link = await opened(message, MAX_WEBSOCKET_MESSAGE_SIZE=4)
    with pytest.raises(WebSocketDisconnect) as caught:
        await link.socket.receive()
    assert (caught.value.code, link.socket.close_code) == (code, code)
    assert (link.kinds, link.sent[-1]["code"]) == (["accept", "close"], code)


async def test_b190_a_message_at_the_limit_is_received() -> None:
    link = await opened(text("éé"), MAX_WEBSOCKET_MESSAGE_SIZE=4)
    assert await link.socket.receive() == "éé"


async def test_b199_a_second_receiver_gets_an_error_at_once() -> None:
    link = await opened()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(link.socket.receive)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(WebSocketStateError, match="Receive in one task"):
            await link.socket.receive()
        tasks.cancel_scope.cancel()


async def test_a_receive_that_was_cancelled_can_be_repeated() -> None:
    to_server, from_client = anyio.create_memory_object_stream[Message](2)
    wire = Wire(type="websocket", scheme="ws")
    socket = WebSocket(wire.scope, from_client.receive, wire.send, settings())
    with to_server, from_client:
        await to_server.send(CONNECT)
        with anyio.move_on_after(0.01):
            await socket.receive()
        await to_server.send(text("a"))
        assert await socket.receive() == "a"


# --- sending --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "key", "value"),
    [
        ("é", "text", "é"), ("", "text", ""), (b"", "bytes", b""), (b"a", "bytes", b"a"),
        (bytearray(b"a"), "bytes", b"a"), (memoryview(b"a"), "bytes", b"a"),
    ],
)  # fmt: skip
async def test_ws3_text_and_bytes_are_sent(data: Any, key: str, value: Any) -> None:
    link = await opened()
    await link.socket.send(data)
    assert link.sent[-1] == {"type": "websocket.send", key: value}


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        pytest.param(({"a": [1]},), {}, '{"a":[1]}', id="one"),
        pytest.param((1, "b"), {}, '[1,"b"]', id="several"),
        pytest.param((), {"b": 1, "a": 2}, '{"b":1,"a":2}', id="keywords"),
        pytest.param((), {}, "null", id="none"),
        pytest.param((None,), {}, "null", id="null"),
        pytest.param(([],), {}, "[]", id="empty"),
    ],
)
async def test_ws3_json_is_sent_as_text(args: Any, kwargs: Any, text: str) -> None:
    link = await opened()
    await link.socket.send_json(*args, **kwargs)
    assert link.sent[-1]["text"] == text


async def test_ws3_json_of_values_and_keywords_is_refused_and_sends_nothing() -> None:
    link = Link()
    with pytest.raises(TypeError, match=r"cannot have 1 positional arguments and the keywords"):
        await link.socket.send_json(1, a=2)
    assert link.sent == []


@pytest.mark.parametrize(
    ("data", "error"), [(5, TypeError), ({}, TypeError), ("\ud800", ValueError)]
)
async def test_what_cannot_be_sent_does_not_even_accept(data: Any, error: type[Exception]) -> None:
    link = Link()
    with pytest.raises(error):
        await link.socket.send(data)
    assert link.sent == []


@pytest.mark.parametrize("value", [float("nan"), object()])
async def test_a_value_without_a_json_form_is_the_views_fault(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        await (await opened()).socket.send_json(value)


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        pytest.param(left(), 1005, "", id="b194-none"),
        pytest.param({"type": "websocket.disconnect"}, 1005, "", id="b194-no-keys"),
        pytest.param(left(1000, "bye"), 1000, "bye", id="b194-normal"),
        pytest.param(left(1006), 1006, "", id="b194-broken"),
        pytest.param(left(4999, "x" * 123), 4999, "x" * 123, id="b194-private"),
    ],
)
async def test_b194_the_peers_code_and_reason_are_kept(
    message: Message, code: int, reason: str
) -> None:
    socket = (await opened(message)).socket
    codes = [socket.close_code]
    for _ in range(2):
        with pytest.raises(WebSocketDisconnect) as caught:
            await socket.receive()
        assert (caught.value.code, caught.value.reason) == (code, reason)
    assert [*codes, socket.close_code] == [None, code]
    assert (socket.close_reason, socket.state) == (reason, State.CLOSED)


async def test_b193_messages_that_came_before_the_end_are_given_first() -> None:
    socket = (await opened(text("a"), text("b"), left(1001))).socket
    assert [message async for message in socket] == ["a", "b"]
    assert socket.close_code == 1001
    assert [message async for message in socket] == []


async def test_b192_sending_after_the_peers_end_says_so_and_sends_nothing() -> None:
    link = await opened(left(4001))
    with pytest.raises(WebSocketDisconnect):
        await link.socket.receive()
    with pytest.raises(WebSocketDisconnect) as caught:
        await link.socket.send("a")
    assert (caught.value.code, link.kinds) == (4001, ["accept"])


async def test_ws4_close_sends_code_and_reason() -> None:
    link = await opened()
    await link.socket.close(4001, "bye")
    assert link.sent[-1] == {"type": "websocket.close", "code": 4001, "reason": "bye"}
    assert (link.socket.close_code, link.socket.close_reason) == (4001, "bye")


async def test_b192_closing_twice_is_an_error_and_sends_nothing() -> None:
    link = await opened()
    await link.socket.close(1001)
    with pytest.raises(WebSocketStateError, match="closed with 1001"):
        await link.socket.close()
    assert link.kinds == ["accept", "close"]


async def test_closing_what_the_peer_has_left_does_nothing() -> None:
    link = await opened(left(1001))
    assert [message async for message in link.socket] == []
    await link.socket.close()
    await link.socket.close()
    assert (link.kinds, link.socket.close_code) == (["accept"], 1001)


@pytest.mark.parametrize("act", ["send", "receive", "iterate"])
async def test_b192_after_the_own_close_nothing_more_happens(act: str) -> None:
    link = await opened(text("late"))
    await link.socket.close(4001)
    if act == "iterate":
        assert [message async for message in link.socket] == []
    else:
        with pytest.raises(WebSocketDisconnect) as caught:
            await (link.socket.send("a") if act == "send" else link.socket.receive())
        assert caught.value.code == 4001
    assert link.kinds == ["accept", "close"]


async def test_the_peers_confirmation_does_not_replace_the_own_close() -> None:
    to_server, from_client = anyio.create_memory_object_stream[Message](1)
    wire = Wire(type="websocket", scheme="ws")
    socket = WebSocket(wire.scope, from_client.receive, wire.send, settings())
    caught: list[WebSocketDisconnect] = []

    async def receiver() -> None:
        try:
            await socket.receive()
        except WebSocketDisconnect as error:
            caught.append(error)

    with to_server, from_client:
        await to_server.send(CONNECT)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receiver)
            await anyio.wait_all_tasks_blocked()
            await socket.close(4001)
            await to_server.send(left(1006))
    assert (caught[0].code, socket.close_code) == (4001, 4001)
    with pytest.raises(WebSocketStateError):
        await socket.close()


@pytest.mark.parametrize("code", [999, 0, 1004, 1005, 1006, 1015, 1016, 2999, 5000, -1])
async def test_b195_a_code_that_may_not_be_sent_is_refused(code: int) -> None:
    link = await opened()
    with pytest.raises(ValueError, match="not a close code"):
        await link.socket.close(code)
    assert (link.kinds, link.socket.state) == (["accept"], State.OPEN)


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
async def test_b195_a_code_that_may_be_sent_is_sent(code: int) -> None:
    link = await opened()
    await link.socket.close(code)
    assert link.sent[-1]["code"] == code


@pytest.mark.parametrize("reason", ["x" * 124, "é" * 62, "a\nb", "a\0"])
async def test_b195_a_reason_that_may_not_be_sent_is_refused(reason: str) -> None:
    link = await opened()
    with pytest.raises(ValueError, match="longer than 123 bytes or has control"):
        await link.socket.close(1000, reason)
    assert link.kinds == ["accept"]


async def test_a_reason_of_123_bytes_is_sent() -> None:
    link = await opened()
    await link.socket.close(1000, "é" * 61 + "x")
    assert len(link.sent[-1]["reason"].encode()) == 123


async def test_ws4_a_close_before_the_accept_refuses_the_handshake() -> None:
    link = Link()
    await link.socket.close()
    assert (link.kinds, link.receive.calls) == (["close"], 1)


class Broken(Link):
    """A link whose server finds nobody from the second message on."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        keep: Callable[[Message], Any] = self.wire.send

        async def send(message: Message) -> None:
            await keep(message)
            if len(self.sent) > 1:
                raise BrokenPipeError

        self.socket = WebSocket(self.wire.scope, self.receive, send, settings())
        self.wire.send = send  # type: ignore[method-assign]  # this server is the test's


async def test_b327_a_send_that_finds_nobody_is_the_end_with_1006() -> None:
    link = Broken()
    await link.socket.accept()
    for _ in range(2):
        with pytest.raises(WebSocketDisconnect) as caught:
            await link.socket.send("a")
        assert caught.value.code == 1006
    assert link.kinds == ["accept", "send"]


async def test_b327_a_close_that_finds_nobody_is_a_close() -> None:
    link = Broken()
    await link.socket.accept()
    await link.socket.close(1001)
    assert link.socket.close_code == 1001


async def test_nobody_waits_for_the_end_of_what_is_not_served() -> None:
    with pytest.raises(WebSocketStateError, match="no exchange serves"):
        await Link().socket.wait_closed()


# --- refusing -------------------------------------------------------------------------------------


async def test_ws5_a_denial_is_a_whole_response() -> None:
    link = Link(extensions=DENIAL)
    await link.socket.deny(Response("no", 401, {"X-A": "1"}), link.wire)
    assert link.kinds == ["http.response.start", "http.response.body"]
    assert (link.sent[0]["status"], link.sent[1]["body"]) == (401, b"no")
    assert (b"x-a", b"1") in link.sent[0]["headers"]
    assert (link.socket.state, link.socket.close_code) == (State.CLOSED, 1006)


@pytest.mark.parametrize("extensions", [None, {}, {"other": {}}])
async def test_ws5_without_the_extension_a_denial_is_a_close_before_the_accept(
    extensions: Any,
) -> None:
    closed: list[bool] = []
    link = Link(extensions=extensions)
    response = Response("no", 401)
    response.call_on_close(lambda: closed.append(True))
    await link.socket.deny(response, link.wire)
    assert (link.kinds, closed) == (["close"], [True])


@pytest.mark.parametrize("kind", [list, iter], ids=["known", "streamed"])
async def test_a_denial_may_be_streamed(kind: Callable[..., Any]) -> None:
    link = Link(extensions=DENIAL)
    await link.socket.deny(Response(kind(["a", "b"]), 403), link.wire)
    assert b"".join(message.get("body", b"") for message in link.sent) == b"ab"
    assert not link.sent[-1].get("more_body", False)


async def test_a_streamed_denial_stops_when_the_client_leaves() -> None:
    link = Link([CONNECT, text("x"), left(1006)], extensions=DENIAL)

    async def forever() -> Any:
        yield "a"
        await anyio.sleep_forever()

    with anyio.fail_after(1), pytest.raises(ClientDisconnected):
        await link.socket.deny(Response(forever(), 403), link.wire)


async def test_b327_a_denial_that_finds_nobody_says_that_the_client_left() -> None:
    link = Broken(extensions=DENIAL)
    with pytest.raises(ClientDisconnected):
        await link.socket.deny(Response("no", 401), link.wire)


# --- WS-1 -----------------------------------------------------------------------------------------


def test_ws1_it_has_what_a_request_has() -> None:
    socket = Link(path="/a", query_string=b"q=1", scheme="wss").socket
    assert (socket.method, socket.scheme, socket.is_secure) == ("GET", "wss", True)
    assert (socket.url, socket.args["q"], socket.host) == (
        "wss://example.com/a?q=1", "1", "example.com",
    )  # fmt: skip
    assert repr(socket) == "<WebSocket 'wss://example.com/a?q=1' [GET]>"


def test_scope_of_a_websocket_needs_no_method() -> None:
    scope = scope_of(type="websocket")
    del scope["method"]
    assert WebSocket(scope, Feed(()), Wire().send, settings()).method == "GET"


async def test_sg1_each_message_is_told() -> None:
    told: list[Any] = []

    async def receive(message: str | bytes) -> None:
        told.append(("in", message))

    def send(message: str | bytes) -> None:
        told.append(("out", message))

    with websocket_received.connected_to(receive), websocket_sent.connected_to(send):
        link = await opened(text("hello"))
        await link.socket.send(await link.socket.receive())
    assert told == [("in", "hello"), ("out", "hello")]


async def test_sg1_each_message_of_a_loop_is_told() -> None:
    told: list[Any] = []

    def receive(message: str | bytes) -> None:
        told.append(message)

    with websocket_received.connected_to(receive):
        link = await opened(text("a"), binary(b"b"), left(1001))
        assert [message async for message in link.socket] == told == ["a", b"b"]


# --- the end of the application (pains 5, B-200) --------------------------------------------------

GOODBYE: Message = {"type": "websocket.close", "code": 1001, "reason": ""}


class Gate(Feed):
    """A server's ``receive`` that tells the end when the socket was closed by the application."""

    def __init__(self, link: Link) -> None:
        super().__init__([])
        self.link = link

    async def __call__(self) -> Message:
        while GOODBYE not in self.link.sent:
            await checkpoint()
        return left(1005)


async def test_who_waits_in_receive_gets_1001_when_the_application_ends() -> None:
    link = await opened()
    link.socket._receive = Gate(link)
    with anyio.CancelScope() as scope:
        link.socket.begin(scope, lambda _: None, None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.socket.go_away)
            with pytest.raises(WebSocketDisconnect) as caught:
                await link.socket.receive()
    assert (caught.value.code, link.socket.close_code, link.sent[-1]) == (1001, 1001, GOODBYE)
    assert scope.deadline == math.inf


async def test_who_is_busy_may_answer_and_gets_1001_at_the_next_receive() -> None:
    link = await opened(text("unread"))
    with anyio.CancelScope() as scope:
        link.socket.begin(scope, lambda _: None, None)
        await link.socket.go_away()
        assert scope.deadline - anyio.current_time() <= PATIENCE
        await link.socket.send("answer")
        with pytest.raises(WebSocketDisconnect, match="1001"):
            await link.socket.receive()
        await link.socket.release()
    assert link.kinds == ["accept", "send", "close"]
    assert (link.sent[-1], scope.deadline) == (GOODBYE, math.inf)


async def test_the_loop_over_messages_ends_when_the_application_does() -> None:
    link = await opened(text("unread"))
    await link.socket.go_away()
    assert [message async for message in link.socket] == []
    assert link.socket.close_code == 1001


async def test_being_told_twice_is_no_more_than_once() -> None:
    link = await opened()
    await link.socket.go_away()
    await link.socket.go_away()
    await link.socket.leave()
    await link.socket.leave()
    assert link.kinds == ["accept", "close"]


async def test_a_closed_socket_does_not_go_away() -> None:
    link = await opened()
    await link.socket.close(4000)
    await link.socket.go_away()
    assert (link.socket.going_away, link.kinds) == (False, ["accept", "close"])


async def test_closing_what_has_gone_away_does_nothing() -> None:
    link = await opened()
    await link.socket.leave()
    await link.socket.close()
    assert link.sent[-1] == GOODBYE
