"""What the benchmark asks, what it believes, and what it refuses to measure."""

import asyncio  # noqa: TID251  # the loop of the workers
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bench.driving import Conversation, Exchange, Load, Template, ask, lifespan
from bench.peers import bare, content
from bench.scenarios import BY_NAME, Ask
from bench.verifying import verify

App = Callable[[Any, Any, Any], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    """Workers run on asyncio."""
    return "asyncio"


def answering(body: bytes, *, status: int = 200, kind: bytes = b"text/html; charset=utf-8") -> App:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def refused(app: App, name: str) -> str:
    scenario = BY_NAME[name]
    with pytest.raises(AssertionError) as raised:
        await verify(app, scenario, [Template(each) for each in scenario.asks], ())
    return str(raised.value)


async def test_a_wrong_body_is_told() -> None:
    assert "got 'Hello!', expected 'Hello, World!'" in await refused(
        answering(b"Hello!"), "plaintext"
    )


async def test_a_wrong_status_is_told() -> None:
    assert "got [500" in await refused(answering(b"Hello, World!", status=500), "plaintext")


async def test_a_wrong_content_type_is_told() -> None:
    assert "text/plain" in await refused(answering(b"", kind=b"text/plain"), "plaintext")


async def test_a_hook_that_did_not_run_is_told() -> None:
    told = await refused(bare.plaintext(), "hooks")
    assert told == "It passed hooks (0, 0, 0), expected (5, 5, 0)."


async def test_a_stream_in_one_piece_is_told() -> None:
    app = answering(content.CHUNK * content.CHUNKS)
    assert await refused(app, "stream") == "The stream came in 1 messages."


async def test_a_forged_session_must_not_be_believed() -> None:
    scenario = BY_NAME["session-read"]
    fields = ((b"cookie", b"session=0123456789"),)
    app = answering(b"ann")
    with pytest.raises(AssertionError, match="/read with"):
        await verify(app, scenario, [Template(each, fields) for each in scenario.asks], fields)


async def test_a_response_without_its_end_is_told() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    with pytest.raises(AssertionError, match="not whole"):
        await ask(app, Template(Ask("/")))
    with pytest.raises(AssertionError, match="did not end"):
        await Load(app, [Template(Ask("/"))]).run(0.001)


async def test_a_body_comes_in_the_chunks_of_a_server() -> None:
    body = bytes(150_000)
    exchange = Exchange(Template(Ask("/", "POST", body=body)).chunks)
    events = [await exchange.receive() for _ in range(3)]
    assert [len(event["body"]) for event in events] == [65_536, 65_536, 18_928]
    assert [event["more_body"] for event in events] == [True, True, False]


async def test_every_request_is_made_anew() -> None:
    request = Template(Ask("/users/7", fields=((b"cookie", b"theme=dark"),)))
    one, two = request.scope(), request.scope()
    assert one == two
    for name in ("path", "raw_path", "method"):
        assert one[name] is not two[name]
    assert all(a[1] is not b[1] for a, b in zip(one["headers"], two["headers"], strict=True))


async def test_a_peer_that_talks_waits_for_each_echo() -> None:
    peer = Conversation(1)
    assert (await peer.receive())["type"] == "websocket.connect"
    next_event = asyncio.ensure_future(peer.receive())
    await asyncio.sleep(0)
    assert not next_event.done()
    await peer.send({"type": "websocket.accept"})
    assert (await next_event)["text"] == "message 0"


async def test_a_lifespan_that_fails_is_told() -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(AssertionError, match="no database"):
        async with lifespan(app):
            pass
