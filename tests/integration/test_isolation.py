"""Nothing of one exchange is seen by the next on its connection, on real servers: pains 7, E-07."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h11
import pytest

from tests.integration.raw_client import UPGRADE, RawClient
from tests.integration.servers import KINDS, Kind, Server, serving

#: Above what servers buffer before they stop to read, and below.
LARGE, SMALL = 300_000, 10

#: Where asyncio gives a request the variables of the one before: server and option → how the second
#: one came and the size of the bodies.
LEAKS = {
    ("uvicorn",): {
        ("kept alive", LARGE), ("pipelined", SMALL), ("pipelined", LARGE), ("upgraded", LARGE),
    },
    # COMPAT: uvicorn 0.54 does not reset the variables of a connection that becomes a WebSocket.
    ("uvicorn", "--reset-contextvars"): {("upgraded", LARGE)},
    ("daphne",): {("pipelined", SMALL)},
}  # fmt: skip
SERVERS: list[tuple[Kind, tuple[str, ...]]] = [
    *((kind, ()) for kind in KINDS),
    *((kind, ("--reset-contextvars",)) for kind in KINDS if kind.name.startswith("uvicorn")),
]


@dataclass
class Case:
    """A way in which two exchanges come on one connection of a server.

    Attributes:
        leaks: Whether the server lets variables of the first through.
    """

    server: Server
    way: str
    size: int
    leaks: bool


@pytest.fixture(scope="module", params=SERVERS, ids=lambda each: "".join((each[0].name, *each[1])))
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, set[tuple[str, int]]]]:
    kind, options = request.param
    folder = tmp_path_factory.mktemp("server")
    with serving(kind, folder, *options, application="isolation_app") as server:
        yield server, LEAKS.get((kind.name.partition("-")[0], *options), set())


def post(client: RawClient, name: str, size: int, trace: str) -> bytes:
    """Return a whole request that sets everything to *name*."""
    head = f"POST /{name} HTTP/1.1\r\nHost: {client.host}\r\nX-Trace: {trace}\r\n"
    return f"{head}Content-Length: {size}\r\n\r\n".encode() + b"x" * size


def kept_alive(client: RawClient, size: int) -> Any:
    client.request("POST", "/ann", [("X-Trace", "1")], b"x" * size)
    return client.request("POST", "/bob", [("X-Trace", "2")], b"x" * size).json


def pipelined(client: RawClient, size: int) -> Any:
    both = post(client, "ann", size, "1") + post(client, "bob", size, "2")
    sender = threading.Thread(target=client.socket.sendall, args=(both,))
    sender.start()
    replies = []
    for _ in range(2):
        client.wire.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        client.wire.send(h11.EndOfMessage())
        replies.append(client.read())
        client.wire.start_next_cycle()
    sender.join()
    return replies[1].json


def upgraded(client: RawClient, size: int) -> Any:
    client.request("POST", "/ann", [("X-Trace", "1")], b"x" * size)
    client.wire.start_next_cycle()
    client.start("GET", "/socket", [*UPGRADE, ("X-Trace", "2")])
    received = b""
    while b'"user"' not in received or b"}" not in received.partition(b'"user"')[2]:
        received += client.socket.recv(65536)
    start = received.index(b"{", received.index(b"\r\n\r\n"))
    return json.JSONDecoder().raw_decode(received[start:].decode("latin-1"))[0]


WAYS = {"kept alive": kept_alive, "pipelined": pipelined, "upgraded": upgraded}


@pytest.fixture(params=[(way, size) for way in WAYS for size in (SMALL, LARGE)], ids=str)
def case(request: pytest.FixtureRequest, running: tuple[Server, set[tuple[str, int]]]) -> Case:
    server, leaks = running
    way, size = request.param
    return Case(server, way, size, leaks=(way, size) in leaks)


@pytest.fixture
def second(case: Case) -> dict[str, Any]:
    """What the second exchange on a connection saw."""
    with RawClient(case.server.port) as client:
        seen: dict[str, Any] = WAYS[case.way](client, case.size)
        return seen


def test_e07_the_second_has_its_own_request_g_and_session(second: dict[str, Any]) -> None:
    assert second["path"] in {"/bob", "/socket"}
    assert (second["g"], second["session"]) == ([], {})


def test_e07_what_middleware_outside_sets_is_seen_inside(second: dict[str, Any]) -> None:
    assert second["trace"] == "2"


def test_e07_middleware_of_the_application_sees_no_context_of_the_first(
    second: dict[str, Any],
) -> None:
    assert second["inside"] == [False, False]


def test_e07_variables_of_the_first_are_seen_where_the_server_lets_them(
    case: Case, second: dict[str, Any]
) -> None:
    """The whole table, so that a server that begins to do so, or stops, is noticed."""
    assert second["user"] == ("ann" if case.leaks else "nobody")
    assert second["outside"] == [case.leaks, case.leaks]
