"""Catalogue 2.14: WebSockets."""

from typing import Any

import anyio
import pytest

from erlen import abort, websocket
from erlen.exceptions import WebSocketDisconnect
from erlen.exchange.websocket_reading import MESSAGES, SOON
from erlen.protocols import Message
from tests.hostile.application import Hostile, before, make_app
from tests.hostile.harness import CONNECT, HOST, PATIENCE, Bare, Log, binary, captured, left, text


def from_origin(*origins: bytes, host: bytes = b"example.com") -> list[tuple[bytes, bytes]]:
    return [(b"host", host), *((b"origin", origin) for origin in origins)]


# --- handshakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("denial", [True, False])
@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        pytest.param(from_origin(b"http://evil.example"), "ws", id="b181"),
        pytest.param(from_origin(b"null"), "ws", id="b183-null"),
        pytest.param(from_origin(b""), "ws", id="b183-empty"),
        pytest.param(
            from_origin(b"http://example.com", b"http://evil.example"), "ws", id="b183-two"
        ),
        pytest.param(from_origin(b"http://example.com"), "wss", id="b183-http-on-wss"),
        pytest.param(from_origin(b"http://example.com:81"), "ws", id="b183-port"),
        pytest.param(from_origin(b"HTTP://EXAMPLE.COM"), "ws", id="b183-upper-case"),
        pytest.param(from_origin(b"http://example.com/"), "ws", id="b183-slash"),
        pytest.param(from_origin(b"http://u@example.com"), "ws", id="b183-userinfo"),
        pytest.param(from_origin(b"https://trusted.com.evil"), "ws", id="b184-suffix"),
        pytest.param(from_origin(b"https://trustedXcom"), "ws", id="b184-no-dot"),
        pytest.param(from_origin(b"https://trusted.com:444"), "ws", id="b184-port"),
    ],
)
async def test_a_handshake_of_a_foreign_page_is_403_before_any_hook(
    headers: Any, scheme: str, denial: bool
) -> None:
    app = make_app(WEBSOCKET_ORIGINS=["https://trusted.com"])
    before(app)
    answer = await Bare(app, app.ran).websocket(headers=headers, scheme=scheme, denial=denial)
    assert answer.ran == []
    if denial:
        assert (answer.status, answer.kinds[0]) == (403, "http.response.start")
    else:
        assert (answer.kinds, answer.close) == (["close"], 1000)


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        pytest.param([HOST], "ws", id="b182-none"),
        pytest.param(from_origin(b"http://example.com"), "ws", id="b183-same"),
        pytest.param(from_origin(b"https://example.com"), "wss", id="b183-same-wss"),
        pytest.param(from_origin(b"http://a:81", host=b"a:81"), "ws", id="b183-same-port"),
        pytest.param(from_origin(b"https://trusted.com"), "ws", id="b184-listed"),
    ],
)
async def test_a_handshake_of_the_own_or_a_listed_page_is_accepted(
    headers: Any, scheme: str
) -> None:
    app = make_app(WEBSOCKET_ORIGINS=["https://trusted.com"])
    answer = await Bare(app, app.ran).websocket("/ws/accepting", headers=headers, scheme=scheme)
    assert (answer.kinds, answer.close) == (["accept", "close"], 1000)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/c", 400, id="b185-http-only"),
        pytest.param("/nowhere", 404, id="b185-unknown"),
        pytest.param("/ws/int/x", 404, id="b185-conversion"),
        pytest.param("/ws/abort/401", 401, id="b185-b196-abort"),
        pytest.param("/ws/abort/503", 503, id="b196-abort-503"),
        pytest.param("/ws/refusing", 403, id="pain22-returned"),
        pytest.param("/x/%00", 400, id="b185-malformed"),
    ],
)
async def test_a_handshake_that_is_refused_is_an_http_response_or_403(
    server: Bare, path: str, status: int
) -> None:
    answer = await server.websocket(path)
    assert answer.kinds == ["http.response.start", "http.response.body"]
    assert answer.status == status
    closed = await server.websocket(path, denial=False)
    assert (closed.kinds, closed.close) == (["close"], 1000)


async def test_b185_a_hook_that_aborts_refuses_the_handshake() -> None:
    app = make_app()

    @app.before_websocket
    async def login() -> None:
        abort(401)

    answer = await Bare(app, app.ran).websocket()
    assert (answer.status, answer.ran) == (401, [])


@pytest.mark.parametrize(
    ("path", "offered", "chosen"),
    [
        pytest.param("/ws/accepting", [], None, id="b187-none"),
        pytest.param("/ws/accepting", ["unknown"], None, id="b187-unknown"),
        pytest.param("/ws/choosing", ["a", "a"], "a", id="b187-twice"),
        pytest.param("/ws/accepting", ["x"] * 1000, None, id="b187-1000"),
        pytest.param("/ws/accepting", ["\xe9"], None, id="b187-not-ascii"),
    ],
)
async def test_b187_odd_offers_are_harmless(
    server: Bare, path: str, offered: list[str], chosen: str | None
) -> None:
    answer = await server.websocket(path, subprotocols=offered)
    assert answer.sent[0]["subprotocol"] == chosen


async def test_b187_a_subprotocol_that_was_not_offered_is_the_views_error(server: Bare) -> None:
    answer = await server.websocket("/ws/inventing", subprotocols=["a"])
    assert (answer.status, len(answer.log)) == (500, 1)
    assert answer.log[0].exc_info
    assert answer.log[0].exc_info[0] is ValueError


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message", "close"),
    [
        pytest.param("/ws/echo", text("\ud800"), 1007, id="b188-surrogate"),
        pytest.param("/ws/text", binary(b"a"), 1003, id="b189-bytes-for-text"),
        pytest.param("/ws/bytes", text("a"), 1003, id="b189-text-for-bytes"),
        pytest.param("/ws/json", binary(b"[1]"), 1003, id="b189-bytes-for-json"),
        pytest.param("/ws/json", text("{"), 1007, id="b189-json"),
        pytest.param("/ws/json", text("[NaN]"), 1007, id="b189-nan"),
        pytest.param("/ws/json", text("[" * 100_000), 1007, id="b189-depth"),
        pytest.param("/ws/echo", text("x" * (1024**2 + 1)), 1009, id="b190-text"),
        pytest.param("/ws/echo", text("é" * (2**19 + 1)), 1009, id="b190-bytes-count"),
        pytest.param("/ws/echo", binary(b"x" * (1024**2 + 1)), 1009, id="b190-binary"),
    ],
)
async def test_a_bad_message_closes_with_its_code(
    server: Bare, path: str, message: Message, close: int
) -> None:
    answer = await server.websocket(path, message)
    assert (answer.kinds, answer.close) == (["accept", "close"], close)


async def test_b189_a_view_may_catch_what_a_bad_message_raises(server: Bare) -> None:
    answer = await server.websocket("/ws/forgiving", text("{"))
    assert (answer.kinds, answer.sent[1]["text"]) == (["accept", "send", "close"], '{"code":1007}')
    assert answer.close == 1000


@pytest.mark.parametrize("message", [text(""), binary(b"")], ids=["text", "binary"])
async def test_b189_an_empty_message_comes_back_as_it_was(server: Bare, message: Message) -> None:
    answer = await server.websocket("/ws/echo", message, left())
    sent = {key: value for key, value in message.items() if value is not None}
    assert answer.sent[1] == {**sent, "type": "websocket.send"}


async def test_b190_the_view_sees_the_code_of_an_oversized_message(
    server: Bare, app: Hostile
) -> None:
    await server.websocket("/ws/echo", text("x" * (1024**2 + 1)))
    assert app.seen == [1009]


async def test_b190_a_message_at_the_limit_is_delivered(server: Bare) -> None:
    answer = await server.websocket("/ws/echo", binary(b"x" * 1024**2), left())
    assert len(answer.sent[1]["bytes"]) == 1024**2


@pytest.mark.parametrize("count", [1, 3])
async def test_b191_no_message_is_taken_before_the_view_asks_for_it(
    server: Bare, count: int
) -> None:
    answer = await server.websocket("/ws/one", *[text("x")] * 100)
    assert answer.taken == 2


async def test_b191_a_flood_is_held_back_where_the_view_only_sends() -> None:
    app = make_app()
    released = anyio.Event()

    @app.view("/ws/sleeping", websocket=True)
    async def sleeping() -> None:
        await websocket.send("ready")
        await released.wait()

    taken = 1
    flooded = anyio.Event()

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        flooded.set()
        return CONNECT if taken == 2 else binary(bytes(2**16))

    async def send(message: Message) -> None:
        pass

    async def release() -> None:
        await flooded.wait()
        await anyio.sleep(SOON + 0.1)
        released.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(app, websocket_scope("/ws/sleeping"), receive, send)
            tasks.start_soon(release)
    assert taken == 2 + MESSAGES


async def test_b191_tiny_messages_let_others_run(app: Hostile) -> None:
    turns, left_over = 0, 100_000

    async def receive() -> Message:
        nonlocal left_over
        left_over -= 1
        if left_over % 100 == 0:
            await anyio.lowlevel.checkpoint()  # a server reads 64 KiB and gives the loop a turn
        return left() if left_over < 0 else text("x") if left_over < 99_999 else CONNECT

    async def send(message: Message) -> None:
        pass

    async def count() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(count)
            await app(websocket_scope("/ws/echo"), receive, send)
            tasks.cancel_scope.cancel()
    assert turns >= 900


@pytest.mark.parametrize("rate", [1, 50])
async def test_pain31_a_peer_that_is_too_fast_is_closed_with_1008(rate: int) -> None:
    app = make_app(MAX_WEBSOCKET_MESSAGE_RATE=rate)
    answer = await Bare(app, app.ran).websocket("/ws/echo", *[text("x")] * (rate + 5))
    assert (answer.close, answer.kinds.count("send")) == (1008, rate)
    assert (app.seen, answer.sent[-1]["reason"]) == ([1008], "The messages come too fast.")


# --- states ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["accept", "close"])
async def test_b192_twice_is_a_state_error_and_no_breach_of_the_protocol(
    server: Bare, app: Hostile, what: str
) -> None:
    answer = await server.websocket(f"/ws/twice/{what}")
    assert app.seen == ["WebSocketStateError"]
    assert answer.kinds == ["accept", "close"]


async def test_b192_sending_or_receiving_first_accepts(server: Bare) -> None:
    assert (await server.websocket("/ws/int/5")).kinds == ["accept", "send", "close"]
    assert (await server.websocket("/ws/one", text("a"))).kinds == ["accept", "close"]


async def test_b193_a_client_that_leaves_before_the_accept_is_no_error(server: Bare) -> None:
    answer = await server.websocket("/ws/echo", left(1006), connect=[])
    assert (answer.sent, answer.log) == ([], [])


async def test_b193_what_was_queued_is_delivered_before_the_end(server: Bare, app: Hostile) -> None:
    answer = await server.websocket("/ws/echo", *[text(str(n)) for n in range(100)], left(4001))
    assert [message["text"] for message in answer.sent[1:]] == [str(n) for n in range(100)]
    assert app.seen == [4001]


@pytest.mark.parametrize("asleep", ["sends first", "accepts first"])
async def test_b193_a_view_that_sleeps_is_cancelled_within_a_second(asleep: str) -> None:
    app = make_app()

    @app.view("/ws/asleep", websocket=True)
    async def sleeper() -> None:
        await (websocket.send("ready") if asleep == "sends first" else websocket.accept())
        await anyio.sleep_forever()

    @app.teardown_websocket
    async def teardown(error: BaseException | None) -> None:
        app.seen.append(getattr(error, "code", error))

    begun = anyio.current_time()
    answer = await Bare(app, app.ran).websocket("/ws/asleep", left(4001))
    assert (app.seen, answer.log) == ([4001], [])
    assert anyio.current_time() - begun < 2  # one second, and a machine at work


async def test_b193_a_view_whose_send_is_stuck_is_cancelled_when_the_peer_leaves() -> None:
    app = make_app()

    @app.view("/ws/stuck", websocket=True)
    async def stuck() -> None:
        await websocket.send("never taken")

    incoming = iter([CONNECT, left(1006)])

    async def receive() -> Message:
        return next(incoming)

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            await anyio.sleep_forever()

    with anyio.fail_after(2):
        await app(websocket_scope("/ws/stuck"), receive, send)


async def test_b193_an_uncaught_disconnect_is_no_error_and_teardown_runs_once() -> None:
    app = make_app()

    @app.teardown_websocket
    async def teardown(error: BaseException | None) -> None:
        app.seen.append(error)

    answer = await Bare(app, app.ran).websocket("/ws/text", left(1001, "bye"))
    (error,) = app.seen
    assert isinstance(error, WebSocketDisconnect)
    assert (error.code, error.reason, answer.log) == (1001, "bye", [])


@pytest.mark.parametrize("error", [OSError, BrokenPipeError])
async def test_b193_b327_a_send_that_finds_nobody_ends_the_view_quietly(
    app: Hostile, error: type[OSError]
) -> None:
    async def receive() -> Message:
        return next(incoming)

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            raise error

    incoming = iter([CONNECT, text("a")])
    app.ran.clear()
    log: Log
    with captured() as log, anyio.fail_after(1):
        await app(websocket_scope("/ws/echo"), receive, send)
    assert (log.records, app.ran) == ([], ["echo"])


def websocket_scope(path: str) -> dict[str, Any]:
    return {
        "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [HOST], "http_version": "1.1", "scheme": "ws",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "seen"),
    [(None, 1005), (1005, 1005), (1006, 1006), (1000, 1000), (4999, 4999)],
)
async def test_b194_the_peers_code_is_kept(
    server: Bare, app: Hostile, code: int | None, seen: int
) -> None:
    await server.websocket("/ws/echo", left(code, "x" * 123))
    assert app.seen == [seen]


@pytest.mark.parametrize("code", [999, 1004, 1005, 1006, 1015, 5000])
async def test_b195_a_code_that_may_not_be_sent_is_the_views_error(server: Bare, code: int) -> None:
    answer = await server.websocket(f"/ws/close-late/{code}")
    assert (answer.kinds, answer.close, len(answer.log)) == (["accept", "close"], 1011, 1)


async def test_b195_a_reason_that_is_too_long_is_the_views_error(server: Bare) -> None:
    assert (await server.websocket("/ws/close-late/4124")).close == 1011


async def test_b195_a_code_that_may_be_sent_is_sent(server: Bare) -> None:
    answer = await server.websocket("/ws/close-late/4001")
    assert (answer.close, answer.sent[-1]["reason"]) == (4001, "bye")


# --- endings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "close", "records"),
    [
        pytest.param("/ws/abort-late/401", 1008, 0, id="b196-401"),
        pytest.param("/ws/abort-late/403", 1008, 0, id="b196-403"),
        pytest.param("/ws/abort-late/404", 1008, 0, id="b196-404"),
        pytest.param("/ws/abort-late/413", 1009, 0, id="b196-413"),
        pytest.param("/ws/abort-late/500", 1011, 0, id="b196-500"),
        pytest.param("/ws/abort-late/503", 1013, 0, id="b196-503"),
        pytest.param("/ws/raise-late", 1011, 1, id="b196-pain23-error"),
        pytest.param("/ws/accepting", 1000, 0, id="b197-returned"),
    ],
)
async def test_what_ends_an_open_socket_has_its_close_code(
    server: Bare, path: str, close: int, records: int
) -> None:
    answer = await server.websocket(path)
    assert (answer.kinds, answer.close, len(answer.log)) == (["accept", "close"], close, records)
    assert [record.exc_info is not None for record in answer.log] == [True] * records


async def test_b196_an_error_before_the_accept_is_a_500_logged_once(server: Bare) -> None:
    answer = await server.websocket("/ws/raise")
    assert (answer.status, len(answer.log)) == (500, 1)
    assert answer.log[0].exc_info
    assert answer.log[0].exc_info[0] is LookupError


@pytest.mark.parametrize("denial", [True, False])
async def test_b197_a_view_that_does_not_accept_refuses(server: Bare, denial: bool) -> None:
    answer = await server.websocket("/ws/silent", denial=denial)
    assert (answer.kinds, answer.close) == (["close"], 1000)


async def test_b192_a_close_before_the_accept_refuses(server: Bare) -> None:
    assert (await server.websocket("/ws/close/1000")).kinds == ["close"]


async def test_pain24_error_handlers_see_errors_of_websockets() -> None:
    app = make_app()

    @app.errorhandler(LookupError)
    async def handler(error: LookupError) -> tuple[str, int]:
        return "handled", 418

    server = Bare(app, app.ran)
    answer = await server.websocket("/ws/raise")
    assert (answer.status, answer.body, answer.log) == (418, b"handled", [])
    assert (await server.websocket("/ws/raise-late")).close == 1011


async def test_b199_many_tasks_send_whole_messages_and_each_once() -> None:
    app = make_app()

    @app.view("/ws/many", websocket=True)
    async def many() -> None:
        async def send(start: int) -> None:
            for number in range(start, start + 100):
                await websocket.send(str(number))

        async with anyio.create_task_group() as tasks:
            for start in range(0, 1000, 100):
                tasks.start_soon(send, start)

    answer = await Bare(app, app.ran).websocket("/ws/many")
    assert (answer.kinds[0], answer.close) == ("accept", 1000)
    numbers = [int(message["text"]) for message in answer.sent[1:-1]]
    assert sorted(numbers) == list(range(1000))


async def test_b200_a_thousand_sockets_get_1001_when_the_application_ends() -> None:
    app = make_app()
    codes: list[int | None] = []
    opened = 0

    async def one() -> None:
        closed = anyio.Event()
        messages = iter([CONNECT])

        async def receive() -> Message:
            nonlocal opened
            for message in messages:
                return message
            opened += 1
            await closed.wait()
            return left(1005)

        async def send(message: Message) -> None:
            if message["type"] == "websocket.close":
                codes.append(message["code"])
                closed.set()

        await app(websocket_scope("/ws/echo"), receive, send)

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            for _ in range(1000):
                tasks.start_soon(one)
            while opened < 1000:
                await anyio.lowlevel.checkpoint()
            begun = anyio.current_time()
            app.begin_shutdown()
    assert codes == [1001] * 1000
    assert anyio.current_time() - begun < 5  # it takes 0.1 s


async def test_b199_a_second_receiver_gets_an_error() -> None:
    app = make_app()

    @app.view("/ws/both", websocket=True)
    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(websocket.receive)
            await anyio.wait_all_tasks_blocked()
            try:
                await websocket.receive()
            except RuntimeError as error:
                app.seen.append(type(error).__name__)
            tasks.cancel_scope.cancel()

    await Bare(app, app.ran).websocket("/ws/both")
    assert app.seen == ["WebSocketStateError"]
