"""Clients that do not read, under ``erlen run``: what waits for them does not wait for ever."""

import time
from pathlib import Path

import pytest

from tests.integration.raw_client import UPGRADE, RawClient
from tests.live_server import LiveServer, launch
from tests.unread_app import SIZE

ROOT = Path(__file__).parents[1]
HTTP = pytest.mark.parametrize("http", ["h11", "httptools"])
ABORTED = "A connection was aborted: its client "


def start(timeout: float | None = 0.4, http: str = "h11", ws: str = "auto") -> LiveServer:
    program = (
        "from tests.unread_app import app\n"
        f"app.config['SEND_TIMEOUT'] = {timeout}\n"
        f"app.run(port=0, http={http!r}, ws={ws!r})"
    )
    return launch("-c", program, cwd=ROOT)


def ask(client: RawClient, target: str) -> None:
    client.start("GET", target)
    client.end()


def read_on(client: RawClient) -> None:
    """Read what has come, up to the end."""
    while client.socket.recv(65536):
        pass


def wait(server: LiveServer, seconds: float) -> None:
    with RawClient(server.port) as client:
        assert client.request("GET", f"/sleep/{seconds}").body == b"slept"


@HTTP
def test_an_answer_that_nobody_reads_is_aborted_with_its_connection(http: str) -> None:
    """The view has returned long ago; the client finds a reset, no end."""
    with start(http=http) as server, RawClient(server.port) as client:
        ask(client, "/whole")
        wait(server, 1.5)
        with pytest.raises(ConnectionResetError):
            read_on(client)
        begin = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begin < 2
    assert server.output.count(ABORTED) == 1
    assert "bytes in 0.4 seconds, which is SEND_TIMEOUT." in server.output


@HTTP
@pytest.mark.parametrize("view", ["whole", "stream"])
def test_a_client_that_reads_slowly_gets_all(http: str, view: str) -> None:
    with start(http=http) as server, RawClient(server.port) as client:
        ask(client, f"/{view}")
        assert client.read_head().status == 200
        begin = time.monotonic()
        received = paused = 0
        for chunk in client.iter_chunks():
            received += len(chunk)
            if received // (SIZE // 8) > paused:
                paused += 1
                wait(server, 0.2)
        assert received == SIZE
        assert time.monotonic() - begin > 3 * 0.4
        assert server.stop() == 0
    assert ABORTED not in server.output


@pytest.mark.parametrize("ws", ["websockets-sansio", "websockets", "wsproto"])
def test_a_message_that_nobody_reads_is_aborted_with_its_connection(ws: str) -> None:
    with start(ws=ws) as server, RawClient(server.port) as client:
        client.start("GET", "/message", UPGRADE)
        client.end()
        wait(server, 1.5)
        with pytest.raises(ConnectionResetError):
            read_on(client)
        assert server.stop() == 0
    assert server.output.count(ABORTED) == 1


def test_without_a_timeout_a_client_may_read_when_it_likes() -> None:
    with start(None) as server, RawClient(server.port) as client:
        ask(client, "/whole")
        wait(server, 1.0)
        assert len(client.read().body) == SIZE
        assert server.stop() == 0
    assert ABORTED not in server.output


def test_a_client_that_leaves_in_place_of_reading_is_nothing_to_tell_of() -> None:
    with start() as server:
        with RawClient(server.port) as client:
            ask(client, "/whole")
            wait(server, 0.05)
        wait(server, 0.6)
        assert server.stop() == 0
    assert ABORTED not in server.output


OTHER = """
import uvicorn
from erlen.serving.addresses import listen
from erlen.serving.server import Server

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})

listener = listen("127.0.0.1", 0)
line = f"at http://127.0.0.1:{listener.getsockname()[1]}"
Server(uvicorn.Config(app, lifespan="off"), line).run([listener])
"""


def test_an_application_of_another_kind_has_no_timeout_and_is_served() -> None:
    with launch("-c", OTHER, cwd=ROOT) as server:
        with RawClient(server.port) as client:
            assert client.request("GET", "/").status == 204
        assert server.stop() == 0
