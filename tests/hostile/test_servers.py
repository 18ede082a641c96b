"""Catalogue 2.23: servers that misbehave."""

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen.context import current_context
from erlen.exceptions import ClientDisconnected
from erlen.protocols import Message
from tests.hostile.application import Hostile, make_app
from tests.hostile.harness import HOST, LEFT, Bare, captured, http_scope, part, run


async def test_b321_an_unknown_kind_of_scope_is_the_servers_fault(app: Hostile) -> None:
    with pytest.raises(ValueError, match="type 'gopher'"):
        await run(app, {"type": "gopher"}, [])


@pytest.mark.parametrize("kind", [list, tuple, iter], ids=["list", "tuple", "iterator"])
async def test_b322_headers_may_be_any_iterable(server: Bare, kind: Callable[[Any], Any]) -> None:
    fields = kind([(b"Host", b"Example.com"), [b"X-A", b"1"]])
    answer = await server.http("/headers", headers=fields)
    assert json.loads(answer.body) == [["host", "Example.com"], ["x-a", "1"]]


async def test_b322_headers_of_text_are_the_servers_fault(server: Bare) -> None:
    with pytest.raises(TypeError, match="server"):
        await server.http("/headers", headers=[("host", "example.com")])  # type: ignore[list-item]  # the wrong type is the case
    assert await server.is_well()


@pytest.mark.parametrize(
    ("client", "remote"),
    [
        (None, None), (("/run/a.sock", None), "/run/a.sock"), (("", 0), ""),
        (("fe80::1%eth0", 5), "fe80::1%eth0"), (["::1", "5"], "::1"),
    ],
)  # fmt: skip
async def test_b323_every_kind_of_peer_is_text_or_none(
    server: Bare, client: Any, remote: str | None
) -> None:
    answer = await server.http("/host", client=client, server=client)
    assert json.loads(answer.body)["remote"] == remote


@pytest.mark.parametrize(
    ("version", "status"),
    [("0.9", 200), ("1.0", 200), ("1.1", 400), ("1.10", 400), ("2", 400), ("3", 400)],
)
async def test_b324_versions_are_compared_by_their_meaning(
    server: Bare, version: str, status: int
) -> None:
    assert (await server.http("/c", headers=[], http_version=version)).status == status


async def test_b324_a_missing_version_is_1_1(app: Hostile) -> None:
    scope = http_scope("/c", [])
    del scope["http_version"]
    sent, _ = await run(app, scope, [])
    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    ("message", "size"),
    [
        pytest.param({"type": "http.request"}, 0, id="b325-no-keys"),
        pytest.param({"type": "http.request", "body": None}, 0, id="b325-none"),
        pytest.param({"type": "http.request", "body": b"a"}, 1, id="b325-no-more-body"),
        pytest.param(part(memoryview(b"ab")), 2, id="b325-memoryview"),
        pytest.param(part(bytearray(b"ab")), 2, id="b325-bytearray"),
        pytest.param({"type": "http.unknown"}, 0, id="b325-unknown"),
    ],
)
async def test_b325_odd_messages_are_read_as_far_as_they_go(
    server: Bare, message: Message, size: int
) -> None:
    answer = await server.http("/data", method="POST", body=[message])
    assert json.loads(answer.body) == {"size": size}


async def drive(
    app: Hostile, path: str, *, receive: Any = None, send: Any = None, **scope: Any
) -> tuple[list[Message], list[Any], BaseException | None]:
    """Call the application with a broken server; return messages, log records and what it raised."""
    sent: list[Message] = []

    async def silent() -> Message:
        await anyio.sleep_forever()
        raise NotImplementedError

    async def collect(message: Message) -> None:
        sent.append(message)
        if send is not None:
            await send(message)

    app.ran.clear()
    app.seen.clear()
    raised: BaseException | None = None
    with captured() as log, anyio.fail_after(5):
        try:
            await app(http_scope(path, [HOST], **scope), receive or silent, collect)
        except Exception as error:  # noqa: BLE001  # what reaches the server is what is asked here
            raised = error
    assert current_context.get(None) is None
    return sent, log.records, raised


async def test_b326_a_receive_that_raises_is_an_error_of_the_view_that_reads(app: Hostile) -> None:
    async def broken() -> Message:
        raise LookupError

    sent, log, raised = await drive(app, "/data", receive=broken, method="POST")
    assert (sent[0]["status"], len(log), raised) == (500, 1, None)


async def test_b326_a_receive_that_raises_breaks_a_stream_with_its_error(app: Hostile) -> None:
    failure = LookupError()

    async def broken() -> Message:
        raise failure

    _, _, raised = await drive(app, "/stream/for-ever", receive=broken)
    assert (raised, app.seen) == (failure, ["closed"])


async def test_b326_disconnects_without_end_end_the_request(app: Hostile) -> None:
    async def gone() -> Message:
        return LEFT

    for path in ("/data", "/stream/for-ever"):
        sent, log, raised = await drive(app, path, receive=gone, method="GET")
        assert (log, raised) == ([], None)
        assert not sent or sent[-1]["more_body"]


async def test_b326_a_receive_that_blocks_after_the_disconnect_ends_the_request(
    app: Hostile,
) -> None:
    told: list[bool] = []

    async def gone_once() -> Message:
        if told:
            await anyio.sleep_forever()
        told.append(True)
        return LEFT

    sent, log, raised = await drive(app, "/data", receive=gone_once, method="POST")
    assert (sent, log, raised) == ([], [], None)
    told.clear()
    _, log, raised = await drive(app, "/stream/for-ever", receive=gone_once)
    assert (log, raised, app.seen) == ([], None, ["closed"])


@pytest.mark.parametrize(
    "error", [OSError, BrokenPipeError, ConnectionResetError, ClientDisconnected]
)
@pytest.mark.parametrize("path", ["/c", "/stream", "/stream/for-ever"])
@pytest.mark.parametrize("kind", ["http.response.start", "http.response.body"])
async def test_b327_a_send_that_finds_nobody_is_not_repeated_and_not_logged(
    error: type[Exception], path: str, kind: str
) -> None:
    app = make_app()
    ended: list[Any] = []

    @app.teardown_request
    async def teardown(left: BaseException | None) -> None:
        ended.append(type(left).__name__)

    async def gone(message: Message) -> None:
        if message["type"] == kind:
            raise error

    sent, log, raised = await drive(app, path, send=gone)
    assert [message["type"] for message in sent].count(kind) == 1
    assert (log, raised, ended) == ([], None, ["ClientDisconnected"])
    if "stream" in path:
        assert app.seen in (["closed"], [])


async def test_b327_another_error_of_send_reaches_the_server_as_it_is(app: Hostile) -> None:
    failure = RuntimeError("send after close")

    async def broken(message: Message) -> None:
        raise failure

    sent, _, raised = await drive(app, "/c", send=broken)
    assert (len(sent), raised) == (1, failure)


async def test_b327_a_send_that_blocks_for_ever_ends_when_the_client_leaves(
    app: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erlen.exchange.outgoing.SEND_SECONDS", 0.01)

    async def block(message: Message) -> None:
        if message["type"] == "http.response.body":
            await anyio.sleep_forever()

    async def gone() -> Message:
        return LEFT

    _, log, raised = await drive(app, "/stream/for-ever", receive=gone, send=block)
    assert (log, raised, app.seen) == ([], None, ["closed"])


@pytest.mark.parametrize("path", ["/data", "/stream/for-ever", "/c"])
async def test_b329_a_cancelled_request_is_torn_down(path: str) -> None:
    app = make_app()
    ended: list[Any] = []

    @app.teardown_request
    async def teardown(error: BaseException | None) -> None:
        await checkpoint()
        ended.append(error is not None)

    async def block(message: Message) -> None:
        await anyio.sleep_forever()

    async def silent() -> Message:
        await anyio.sleep_forever()
        raise NotImplementedError

    with anyio.move_on_after(0.02) as scope:
        await app(http_scope(path, [HOST]), silent, block)
    assert (scope.cancelled_caught, ended) == (True, [True])
    assert current_context.get(None) is None


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"extensions": None}, id="b331-none"),
        pytest.param({"extensions": {"unknown": {}}}, id="b331-unknown"),
        pytest.param({"extensions": {"tls": None}}, id="b331-tls-none"),
        pytest.param({"extensions": {"http.response.push": None}}, id="b331-push-none"),
        pytest.param({"state": {}}, id="b331-state"),
    ],
)
async def test_b331_extensions_and_state_may_be_anything(server: Bare, more: Any) -> None:
    assert (await server.http("/c", **more)).status == 200


async def test_b331_optional_keys_may_be_missing(app: Hostile) -> None:
    scope = {"type": "http", "method": "GET", "path": "/c", "headers": [HOST]}
    sent, _ = await run(app, scope, [])
    assert sent[0]["status"] == 200


async def test_b332_a_scope_may_be_used_for_the_next_request(server: Bare) -> None:
    scope = http_scope("/x/a", [HOST])
    first, _ = await run(server.app, scope, [])
    scope.update(path="/x/b", raw_path=b"/x/b")
    second, _ = await run(server.app, scope, [])
    assert [json.loads(sent[1]["body"])["value"] for sent in (first, second)] == ["a", "b"]
