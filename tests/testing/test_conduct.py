"""Every rule of the conduct checker has an application that breaks it."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from erlen.protocols import ASGIApp, Message, Receive, Scope, Send
from erlen.testing import Client, ConductChecker, ConductError

HTTP: Scope = {"type": "http", "method": "GET", "extensions": {"http.response.debug": {}}}
HEAD: Scope = {"type": "http", "method": "HEAD"}
FILES: Scope = {**HTTP, "extensions": {"http.response.pathsend": {}}}
EXTRA: Scope = {
    **HTTP,
    "extensions": {
        f"http.response.{name}": {} for name in ("early_hint", "push", "trailers", "pathsend")
    },
}
HINT = {"type": "http.response.early_hint", "links": [b"</a>"]}
PUSH = {"type": "http.response.push", "path": "/a", "headers": [(b"a", b"b")]}
ANNOUNCED = {"type": "http.response.start", "status": 200, "trailers": True}
TRAILERS = {"type": "http.response.trailers", "headers": [(b"a", b"b")]}
PATH = {"type": "http.response.pathsend", "path": "/srv/file"}
SOCKET: Scope = {
    "type": "websocket",
    "subprotocols": ["chat"],
    "extensions": {"websocket.http.response": {}},
}
LIFESPAN: Scope = {"type": "lifespan"}


def start(status: Any = 200, headers: Any = ()) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(data: Any = b"", more: Any = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def deny(status: Any = 401) -> dict[str, Any]:
    return {"type": "websocket.http.response.start", "status": status, "headers": []}


def deny_body(data: Any = b"", more: Any = False) -> dict[str, Any]:
    return {"type": "websocket.http.response.body", "body": data, "more_body": more}


def close(code: Any = 1000, reason: Any = "") -> dict[str, Any]:
    return {"type": "websocket.close", "code": code, "reason": reason}


ACCEPT = {"type": "websocket.accept"}
TEXT = {"type": "websocket.send", "text": "x"}


async def run(scope: Scope, messages: Iterable[Any], events: Iterable[str] = ()) -> None:
    """Send *messages* under the checker after taking *events*."""
    waiting = iter(events)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in events:
            await receive()
        for message in messages:
            await send(message)

    async def receive() -> Message:
        return {"type": next(waiting)}

    async def send(message: Message) -> None:
        list(message.get("headers", ()))

    await ConductChecker(app)(scope, receive, send)


BROKEN_HTTP = [
    ("a message must be a dict", HTTP, ["http.response.start"]),
    ("no message of this type", HTTP, [{"type": "websocket.accept"}]),
    ("no message of this type", HTTP, [{}]),
    ("must start before its body", HTTP, [body()]),
    ("starts exactly once", HTTP, [start(), start()]),
    ("nothing may follow the end", HTTP, [start(), body(), body()]),
    ("status must be an integer", HTTP, [start("200")]),
    ("status must be an integer", HTTP, [start(True)]),
    ("status must be an integer", HTTP, [start(99)]),
    ("status must be an integer", HTTP, [start(600)]),
    ("headers must be an iterable", HTTP, [start(headers=7)]),
    ("headers must be an iterable", HTTP, [start(headers=b"a: b")]),
    ("must be a pair", HTTP, [start(headers=[(b"a",)])]),
    ("must be a pair", HTTP, [start(headers=[b"ab"])]),
    ("must be byte strings", HTTP, [start(headers=[("a", b"b")])]),
    ("must be byte strings", HTTP, [start(headers=[(b"a", "b")])]),
    ("lower-cased token", HTTP, [start(headers=[(b"X-A", b"b")])]),
    ("lower-cased token", HTTP, [start(headers=[(b"", b"b")])]),
    ("lower-cased token", HTTP, [start(headers=[(b"a b", b"b")])]),
    ("CR, LF or NUL", HTTP, [start(headers=[(b"a", b"b\r\nc: d")])]),
    ("CR, LF or NUL", HTTP, [start(headers=[(b"a", b"\n")])]),
    ("CR, LF or NUL", HTTP, [start(headers=[(b"a", b"\0")])]),
    ("one decimal number", HTTP, [start(headers=[(b"content-length", b"+1")])]),
    ("one decimal number", HTTP, [start(headers=[(b"content-length", b"1")] * 2)]),
    ("must not have a content-length", HTTP, [start(204, [(b"content-length", b"0")])]),
    ("body must be a byte string", HTTP, [start(), body("text")]),
    ("body must be a byte string", HTTP, [start(), body(bytearray(b"x"))]),
    ("more_body must be a bool", HTTP, [start(), body(b"", 1)]),
    ("must not have a body", HEAD, [start(), body(b"x")]),
    ("must not have a body", HTTP, [start(204), body(b"x")]),
    ("must not have a body", HTTP, [start(304), body(b"x")]),
    ("2 bytes were sent", HTTP, [start(headers=[(b"content-length", b"1")]), body(b"xy")]),
    ("1 bytes were sent", HTTP, [start(headers=[(b"content-length", b"2")]), body(b"x")]),
    ("a complete response", HTTP, []),
    ("a complete response", HTTP, [start()]),
    ("a complete response", HTTP, [start(), body(b"x", True)]),
    ("does not advertise", HTTP, [{"type": "http.response.push"}]),
    ("does not advertise", HEAD, [{"type": "http.response.debug"}]),
    ("does not advertise", HTTP, [start(), PATH]),
    ("must start before its body", FILES, [PATH]),
    ("nothing may follow the end", FILES, [start(), PATH, body()]),
    ("does not advertise", HTTP, [HINT]),
    ("links must be an iterable", EXTRA, [{**HINT, "links": "</a>"}]),
    ("must be byte strings", EXTRA, [{**HINT, "links": ["</a>"]}]),
    ("CR, LF or NUL", EXTRA, [{**HINT, "links": [b"</a>\r\n"]}]),
    ("come before the response", EXTRA, [start(), HINT]),
    ("path must be", EXTRA, [{**PUSH, "path": b"/a"}]),
    ("path must be", EXTRA, [{**PUSH, "path": "a"}]),
    ("path must be", EXTRA, [{**PUSH, "path": "/ä"}]),
    ("lower-cased token", EXTRA, [{**PUSH, "headers": [(b"A", b"b")]}]),
    ("nothing may follow the end", EXTRA, [start(), body(), PUSH]),
    ("does not advertise", HTTP, [ANNOUNCED]),
    ("has announced them", EXTRA, [start(), body(b"", True), TRAILERS]),
    ("has announced them", EXTRA, [ANNOUNCED, body(b"", True), TRAILERS]),
    ("follow the end of the body", EXTRA, [ANNOUNCED, body(), body()]),
    ("lower-cased token", EXTRA, [ANNOUNCED, body(), {**TRAILERS, "headers": [(b"A", b"b")]}]),
    ("a complete response", EXTRA, [ANNOUNCED, body()]),
    ("a complete response", EXTRA, [ANNOUNCED, body(), {**TRAILERS, "more_trailers": True}]),
    ("nothing may follow the end", EXTRA, [ANNOUNCED, body(), TRAILERS, TRAILERS]),
]

BROKEN_WEBSOCKET = [
    ("no message of this type", SOCKET, [start()]),
    ("accepted once", SOCKET, [ACCEPT, ACCEPT]),
    ("accepted once", SOCKET, [close(), ACCEPT]),
    ("none of the offered", SOCKET, [{**ACCEPT, "subprotocol": "other"}]),
    ("lower-cased token", SOCKET, [{**ACCEPT, "headers": [(b"X", b"y")]}]),
    ("between accept and close", SOCKET, [TEXT]),
    ("between accept and close", SOCKET, [ACCEPT, close(), TEXT]),
    ("exactly one of text and bytes", SOCKET, [ACCEPT, {"type": "websocket.send"}]),
    ("exactly one of text and bytes", SOCKET, [ACCEPT, {**TEXT, "bytes": b"x"}]),
    ("text must be str", SOCKET, [ACCEPT, {**TEXT, "text": b"x"}]),
    ("bytes must be bytes", SOCKET, [ACCEPT, {"type": "websocket.send", "bytes": "x"}]),
    ("is not closed", SOCKET, [ACCEPT, close(), close()]),
    ("is not closed", SOCKET, [deny(), deny_body(), close()]),
    *[("may not be sent", SOCKET, [ACCEPT, close(code)]) for code in (999, 1004, 1005, 1006)],
    *[("may not be sent", SOCKET, [ACCEPT, close(code)]) for code in (1015, 2999, 5000, "1000")],
    ("may not be sent", SOCKET, [ACCEPT, close(True)]),
    ("reason must be text", SOCKET, [ACCEPT, close(1000, b"x")]),
    ("at most 123 bytes", SOCKET, [ACCEPT, close(1000, "é" * 62)]),
    ("does not advertise", {**SOCKET, "extensions": {}}, [deny()]),
    ("does not advertise", {**SOCKET, "extensions": None}, [deny_body()]),
    ("denied once", SOCKET, [ACCEPT, deny()]),
    ("denied once", SOCKET, [deny(), deny()]),
    ("status must be an integer", SOCKET, [deny("401")]),
    ("must start before its body", SOCKET, [deny_body()]),
    ("ends once", SOCKET, [deny(), deny_body(), deny_body()]),
    ("must answer the handshake", SOCKET, []),
    ("must answer the handshake", SOCKET, [deny(), deny_body(b"x", True)]),
]

STARTED = {"type": "lifespan.startup.complete"}
BROKEN_LIFESPAN: list[tuple[str, list[str], list[dict[str, Any]]]] = [
    ("no message of this type", ["lifespan.startup"], [start()]),
    ("no message of this type", ["lifespan.startup"], [{"type": "lifespan.startup.done"}]),
    ("answered once", [], [STARTED]),
    ("answered once", ["lifespan.startup"], [STARTED, STARTED]),
    ("answered once", ["lifespan.startup"], [{"type": "lifespan.shutdown.complete"}]),
    ("message must be text", ["lifespan.startup"], [{**STARTED, "message": b"x"}]),
    ("answer each lifespan event", [], []),
    ("answer each lifespan event", ["lifespan.startup"], []),
    ("answered first", ["lifespan.startup", "lifespan.shutdown"], []),
]


@pytest.mark.parametrize(("rule", "scope", "messages"), BROKEN_HTTP + BROKEN_WEBSOCKET)
async def test_a_broken_rule_is_named(rule: str, scope: Scope, messages: list[Any]) -> None:
    with pytest.raises(ConductError, match=rule):
        await run(scope, messages)


@pytest.mark.parametrize(("rule", "events", "messages"), BROKEN_LIFESPAN)
async def test_a_broken_lifespan_rule_is_named(
    rule: str, events: list[str], messages: list[Any]
) -> None:
    with pytest.raises(ConductError, match=rule):
        await run(LIFESPAN, messages, events)


@pytest.mark.parametrize(
    ("scope", "messages", "events"),
    [
        (HTTP, [start(headers=[(b"a", b"\xff"), [b"b", b""]]), body(b"x")], []),
        (HTTP, [{"type": "http.response.debug"}, start(), body(b"x", True), body()], []),
        (HTTP, [start(304, [(b"content-length", b"9")]), body()], []),
        (HEAD, [start(200, [(b"content-length", b"9")]), body()], []),
        (HTTP, [start()], ["http.disconnect"]),
        (FILES, [start(200, [(b"content-length", b"9")]), PATH], []),
        (EXTRA, [HINT, PUSH, start(), PUSH, body()], []),
        (EXTRA, [ANNOUNCED, body(), {**TRAILERS, "more_trailers": True}, TRAILERS], []),
        (EXTRA, [ANNOUNCED, PATH, TRAILERS], []),
        (SOCKET, [{**ACCEPT, "subprotocol": "chat"}, TEXT, close(4000, "é" * 61)], []),
        (SOCKET, [ACCEPT, {"type": "websocket.send", "bytes": b""}, close(1000, None)], []),
        (SOCKET, [ACCEPT], []),
        (SOCKET, [close()], ["websocket.connect"]),
        (SOCKET, [deny(), deny_body(b"x", True), deny_body()], []),
        (SOCKET, [], ["websocket.connect", "websocket.disconnect"]),
        (LIFESPAN, [STARTED], ["lifespan.startup"]),
        (LIFESPAN, [{"type": "lifespan.startup.failed", "message": "x"}], ["lifespan.startup"]),
        ({"type": "other"}, [start(), start()], []),
    ],
)
async def test_good_conduct_passes(scope: Scope, messages: list[Any], events: list[str]) -> None:
    await run(scope, messages, events)


async def test_headers_from_an_iterator_are_checked_and_still_arrive() -> None:
    headers = iter([(b"content-length", b"1")])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(headers=headers))
        await send(body(b"x"))

    assert (await Client(app).get("/")).headers["content-length"] == "1"


async def test_nothing_is_received_after_websocket_disconnect() -> None:
    with pytest.raises(ConductError, match=r"nothing comes after websocket\.disconnect"):
        await run(SOCKET, [], ["websocket.disconnect", "websocket.receive"])


async def test_the_error_names_rule_message_and_state() -> None:
    with pytest.raises(ConductError) as caught:
        await run(HTTP, [start(), start()])
    error = caught.value
    assert (error.rule, error.message_type, error.state) == (
        "a response starts exactly once",
        "http.response.start",
        "response started",
    )
    assert all(part in str(error) for part in (error.rule, error.message_type, error.state))


async def test_a_swallowed_violation_still_fails_the_test() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(ConductError):
            await send(body())
        await send(start())
        await send(body())

    with pytest.raises(ConductError, match="must start before"):
        await Client(app).get("/")


async def test_a_violation_wins_over_what_the_application_makes_of_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(body())
        except ConductError:
            raise ValueError from None

    with pytest.raises(ConductError) as caught:
        await Client(app, raise_app_exceptions=False).get("/")
    assert isinstance(caught.value.__cause__, ValueError)


async def test_an_application_may_stop_when_send_says_that_the_client_left() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(OSError, match="left"):
            await send(start())

    async def send(message: Message) -> None:
        raise OSError("the client left")

    await ConductChecker(app)(HTTP, lambda: pytest.fail("not called"), send)


async def test_an_exception_of_the_application_passes_unchanged(
    answering: Callable[..., ASGIApp],
) -> None:
    with pytest.raises(NotImplementedError):
        await ConductChecker(answering())({"type": "websocket"}, *[lambda: None] * 2)  # type: ignore[arg-type]  # never called
