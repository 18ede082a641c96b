"""WebSockets that stay open, over real sockets: who only sends, groups, floods, rates and rooms."""

import selectors
import socket as sockets
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from tests.integration.raw_client import LIMIT, UPGRADE, RawClient
from tests.integration.servers import KINDS, Server, serving
from tests.integration.websocket_app import RATE
from tests.integration.websocket_cases import dial, hear, talk

#: Seconds within which the end of the peer must be noticed.
NOTICED = 1.0
MESSAGE = 2**20
MESSAGES = 256
#: Bytes by which a server may grow that is offered MESSAGES of MESSAGE bytes, and whose view sleeps.
GROWTH = 16 * 2**20
MEMBERS = 99


@pytest.fixture(scope="module", params=KINDS, ids=[kind.name for kind in KINDS])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    # Its own queue has room for 32 messages of any size unless it is told otherwise.
    options = ("--ws-max-queue", "4") if request.param.name.endswith("-websockets") else ()
    with serving(request.param, folder, *options, application="websocket_app") as running:
        yield running


def leave(socket: Any, *, politely: bool) -> None:
    """Close, or lose the connection."""
    if politely:
        socket.close(4002)
    else:
        with suppress(OSError):
            socket.socket.shutdown(sockets.SHUT_RDWR)


# --- the end is noticed ---------------------------------------------------------------------------

politely = pytest.mark.parametrize("politely", [True, False], ids=["closes", "vanishes"])


@politely
@pytest.mark.parametrize("path", ["ticks", "once", "patient"])
def test_p26_a_view_that_does_not_receive_notices_that_the_peer_left(
    server: Server, run: str, path: str, politely: bool
) -> None:
    if path == "ticks":
        server.require("send to a closing peer")
    with dial(server.port, f"/ws/{path}/{run}") as socket:
        hear(socket)
        leave(socket, politely=politely)
        seen = server.notes(run, 2, patience=NOTICED)
    error = "NoneType" if path == "patient" else "WebSocketDisconnect"
    assert seen == ["view ended", f"teardown: {error}"]


def test_p26_a_view_that_only_accepts_notices_it_too(server: Server, run: str) -> None:
    with dial(server.port, f"/ws/mute/{run}"):
        pass
    assert server.notes(run, 2, patience=NOTICED) == ["view ended", "teardown: WebSocketDisconnect"]


@politely
def test_p27_the_end_of_the_peer_ends_the_tasks_after_its_messages(
    server: Server, run: str, politely: bool
) -> None:
    with dial(server.port, f"/ws/both/{run}") as socket:
        hear(socket)
        socket.send("last words")
        server.notes(run, 1)
        leave(socket, politely=politely)
        seen = server.notes(run, 4, patience=NOTICED)
    assert seen == ["message 'last words'", "sender ended", "block ended", "teardown: NoneType"]


@politely
def test_p27_tasks_of_which_none_receives_are_ended_too(
    server: Server, run: str, politely: bool
) -> None:
    with dial(server.port, f"/ws/apart/{run}") as socket:
        socket.send("subscribe")
        hear(socket)
        leave(socket, politely=politely)
        seen = server.notes(run, 2, patience=NOTICED)
    assert seen == ["block ended", "teardown: NoneType"]


# --- limits ---------------------------------------------------------------------------------------


def test_b191_a_flood_for_a_view_that_sleeps_is_held_back(server: Server, run: str) -> None:
    server.require("held back messages")
    before = memory(server)
    with RawClient(server.port, send_buffer=65536) as client:
        open_raw(client, f"/ws/deaf/{run}")
        head = b"\x82\xff" + MESSAGE.to_bytes(8) + bytes(4)  # final, binary, masked with zeros
        client.socket.settimeout(0.5)
        with suppress(TimeoutError):
            for _ in range(MESSAGES):
                client.socket.sendall(head + bytes(MESSAGE))
        grown = memory(server) - before
        with dial(server.port, f"/ws/echo/{run}-2") as other:
            other.send("is it well?")
            assert hear(other) == "is it well?"
    server.open_gate(run)
    assert grown <= GROWTH, grown


def test_a_peer_that_is_too_fast_is_closed_with_1008(server: Server, run: str) -> None:
    server.require("close codes")
    with dial(server.port, f"/ws/paced/{run}") as socket:
        seen = talk(socket, [str(number) for number in range(RATE + 5)])
    assert server.notes(run, 1)[0] == "closed 1008 'The messages come too fast.'"
    assert (seen.code, seen.reason) == (1008, "The messages come too fast.")
    assert len(seen.received) <= RATE + 1


# --- a room ---------------------------------------------------------------------------------------


def test_p30_a_member_that_never_reads_holds_up_nobody(server: Server) -> None:
    server.require("cancelled send")
    count, size = 64, 16 * 1024
    with ExitStack() as stack:
        stuck = stack.enter_context(RawClient(server.port))
        stuck.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        open_raw(stuck, "/ws/room")
        members = [stack.enter_context(RawClient(server.port)) for _ in range(MEMBERS)]
        for member in members:
            open_raw(member, "/ws/room")
        wait_for_members(server, MEMBERS + 1)
        poster = stack.enter_context(RawClient(server.port))
        poster.start("POST", f"/room/{count}/{size}", [("Content-Length", "0")])
        poster.end()
        slowest = read_all(members, count * (size + 4))
        assert poster.read().json["members"] in {MEMBERS, MEMBERS + 1}
    wait_for_members(server, 0)
    assert slowest < LIMIT, slowest


def wait_for_members(server: Server, count: int) -> None:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        with RawClient(server.port) as client:
            if client.request("GET", "/room").json["members"] == count:
                return
    raise AssertionError(count)


def read_all(members: list[RawClient], size: int) -> float:
    """Read *size* bytes from each; return the seconds until the last had them."""
    begun = time.monotonic()
    left = dict.fromkeys(members, size)
    with selectors.DefaultSelector() as selector:
        for member in members:
            selector.register(member.socket, selectors.EVENT_READ, member)
        while left:
            ready = selector.select(LIMIT)
            assert ready, left.values()
            for key, _ in ready:
                left[key.data] -= len(key.data.socket.recv(2**18))
                if left[key.data] <= 0:
                    selector.unregister(key.fileobj)
                    del left[key.data]
    return time.monotonic() - begun


def open_raw(client: RawClient, path: str) -> None:
    """Shake hands."""
    client.start("GET", path, UPGRADE)
    client.end()
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += client.socket.recv(65536)
    assert answer.startswith(b"HTTP/1.1 101")


def memory(server: Server) -> int:
    """Return the bytes that the server's process has."""
    with RawClient(server.port) as client:
        size: int = client.request("GET", "/memory").json["bytes"]
        return size
