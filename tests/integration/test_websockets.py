"""WebSockets over real sockets, and the same table of endings in the test client (pains 22)."""

import json
import socket as sockets
from contextlib import suppress
from typing import Any

import pytest

from tests.integration.app import make_app
from tests.integration.raw_client import LIMIT, UPGRADE, RawClient
from tests.integration.servers import Server
from tests.integration.websocket_cases import (
    ENDINGS,
    REFUSALS,
    SILENCE,
    Case,
    Ended,
    Outcome,
    dial,
    differs,
    ending_over_socket,
    hear,
    in_process,
    refusal_over_socket,
    talk,
)

#: Bytes that a server and two kernels may hold of messages that nobody receives.
HELD = 12 * 2**20
OFFERED = 48 * 2**20
#: Seconds without progress after which a peer counts as held back.
STILL = 0.5

refusals = pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.id)
endings = pytest.mark.parametrize("case", ENDINGS, ids=lambda case: case.id)


def check(seen: Outcome, expected: Outcome) -> None:
    assert not differs(seen, expected), f"seen {seen}, expected {expected}"


# --- refusals and endings -------------------------------------------------------------------------


@refusals
async def test_a_refusal_in_the_test_client(case: Case) -> None:
    async with make_app().test_client() as client:
        check(await in_process(client, case), case.expected)


@endings
async def test_an_ending_in_the_test_client(case: Case) -> None:
    async with make_app().test_client() as client:
        check(await in_process(client, case), case.expected)


@refusals
def test_a_refusal_is_that_http_response(server: Server, case: Case) -> None:
    expected = server.expects(f"refusal {case.id}", case.expected)
    check(refusal_over_socket(server.port, case), server.expects("denial response", expected))


@endings
def test_an_ending_has_its_close_code(server: Server, case: Case) -> None:
    assert isinstance(case.expected, Ended)
    usual = Ended(case.expected.received, case.expected.code, reason_of(server, case.expected))
    expected = server.expects(f"ending {case.id}", usual)
    if expected == usual and 1000 < usual.code < 3000:
        server.require("close codes")
    patience = STILL if expected == SILENCE else LIMIT
    check(ending_over_socket(server.port, case, patience), expected)


def reason_of(server: Server, expected: Ended) -> str:
    """Return the reason that the server passes on, if there is one."""
    reason: str = server.expects("close reasons", expected.reason) if expected.reason else ""
    return reason


def test_b188_text_that_is_no_utf8_is_1007(server: Server, run: str) -> None:
    with dial(server.port, f"/ws/listen/{run}") as socket:
        assert hear(socket) == "ready"
        socket.send(b"caf\xc3", text=True)
        seen = talk(socket)
    assert seen.code == server.expects("close code of bad text", 1007)
    assert server.notes(run, 2)[-1] == "teardown: NoneType"


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["text", "€🍵", "", b"\x00\xff", b"", "x" * 50_000])
def test_p33_messages_of_both_kinds_come_back_as_they_were(
    server: Server, message: str | bytes
) -> None:
    with dial(server.port, "/ws/echo") as socket:
        socket.send(message)
        socket.send("next")
        if message or server.expects("empty messages", usual=True):
            assert hear(socket) == message
        assert hear(socket) == "next"


def test_fragments_are_one_message(server: Server) -> None:
    with dial(server.port, "/ws/echo") as socket:
        socket.send(["one ", "two ", "three"])
        assert hear(socket) == "one two three"


def test_the_accept_carries_subprotocol_and_headers(server: Server) -> None:
    with dial(server.port, "/ws/subprotocol/tea", None, ["coffee", "tea"]) as socket:
        assert socket.subprotocol == "tea"
        header = socket.response.headers.get("X-Accepted")
        assert header == server.expects("headers of the accept", "yes")
        assert json.loads(hear(socket)) == ["coffee", "tea"]


def test_b199_two_tasks_may_send_at_once(server: Server) -> None:
    with dial(server.port, "/ws/crowd/200") as socket:
        seen = [str(message).split(" ") for message in talk(socket).received]
    for task in ("1", "2"):
        mine = [(int(number), text) for sender, number, text in seen if sender == task]
        assert mine == [(number, "x" * number) for number in range(200)]


# --- a peer that ends it --------------------------------------------------------------------------


def test_b193_b194_the_close_of_the_peer_is_seen_after_its_messages(
    server: Server, run: str
) -> None:
    with dial(server.port, f"/ws/listen/{run}") as socket:
        assert hear(socket) == "ready"
        socket.send("last words")
        socket.close(4002, "bye")
    closed = server.expects("close of the peer", "closed 4002 'bye'")
    assert server.notes(run, 3) == ["message 'last words'", closed, "teardown: NoneType"]


async def test_the_close_of_the_peer_in_the_test_client(run: str) -> None:
    async with make_app().test_client() as client:
        async with client.websocket(f"/ws/listen/{run}") as socket:
            assert await socket.receive() == "ready"
            await socket.send("last words")
            await socket.close(4002, "bye")
        notes = (await client.get(f"/notes/{run}/3")).get_json()
    assert notes == ["message 'last words'", "closed 4002 'bye'", "teardown: NoneType"]


def test_b193_a_peer_that_vanishes_ends_the_loop_and_teardown_runs_once(
    server: Server, run: str
) -> None:
    with dial(server.port, f"/ws/listen/{run}") as socket:
        assert hear(socket) == "ready"
        vanish(socket)
    closed = server.expects("lost peer", "closed 1006 ''")
    assert server.notes(run, 2) == [closed, "teardown: NoneType"]
    assert server.notes(run, 3, patience=0.1) == [closed, "teardown: NoneType"]


async def test_a_peer_that_vanishes_in_the_test_client(run: str) -> None:
    async with make_app().test_client() as client:
        async with client.websocket(f"/ws/listen/{run}") as socket:
            assert await socket.receive() == "ready"
            await socket.disconnect()
        notes = (await client.get(f"/notes/{run}/2")).get_json()
    assert notes == ["closed 1006 ''", "teardown: NoneType"]


def vanish(socket: Any) -> None:
    """Lose the connection, without a close frame."""
    with suppress(OSError):
        socket.socket.shutdown(sockets.SHUT_RDWR)


@pytest.mark.parametrize("politely", [True, False], ids=["closes", "vanishes"])
def test_p26_a_view_that_only_sends_notices_that_the_peer_left(
    server: Server, run: str, politely: bool
) -> None:
    server.require("send to a closing peer")
    with dial(server.port, f"/ws/talk/{run}") as socket:
        assert hear(socket) == "on and on"
        if politely:
            socket.close(4002)
        else:
            vanish(socket)
    seen = server.notes(run, 2, patience=1)
    server.open_gate(run)
    assert seen == ["talked", "teardown: WebSocketDisconnect"]


# --- back-pressure --------------------------------------------------------------------------------


def test_b191_messages_that_nobody_receives_hold_the_peer_back(server: Server, run: str) -> None:
    with RawClient(server.port, send_buffer=65536) as client:
        sent = flood(client, f"/ws/deaf/{run}")
    assert (sent < HELD) == server.expects("held back messages", usual=True), sent
    server.open_gate(run)


def flood(client: RawClient, path: str) -> int:
    """Open a WebSocket and send binary messages until the peer takes none; return their bytes."""
    client.start("GET", path, UPGRADE)
    client.end()
    received = b""
    while b"ready" not in received:
        received += client.socket.recv(65536)
    size = 32_768
    frame = b"\x82\xfe" + size.to_bytes(2) + bytes(4 + size)  # final, binary, masked with zeros
    client.socket.settimeout(STILL)
    sent = 0
    with suppress(TimeoutError):
        while sent < OFFERED:
            client.socket.sendall(frame)
            sent += size
    return sent
