"""Server-sent events over real sockets: at once, kept alive, left, and ended with the server."""

from collections.abc import Iterator

import pytest

from tests.integration.raw_client import Pairs, RawClient
from tests.integration.servers import KINDS, Server, serving

FIRST = b'data: {"after":null}\nid: 1\n\n'
SIGN = b":\n\n"


@pytest.fixture(scope="module", params=KINDS, ids=[kind.name for kind in KINDS])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of the application with events."""
    with serving(
        request.param, tmp_path_factory.mktemp("server"), application="events_app"
    ) as running:
        yield running


def listen(client: RawClient, target: str, headers: Pairs | None = None) -> Iterator[bytes]:
    """Ask for events; give what arrives."""
    client.start("GET", target, headers)
    client.end()
    reply = client.read_head()
    assert reply.get("content-type") == "text/event-stream"
    return client.iter_chunks()


def read_until(chunks: Iterator[bytes], end: bytes) -> bytes:
    """Return what arrives up to *end*."""
    seen = b""
    while not seen.endswith(end):
        seen += next(chunks)
    return seen


def test_st6_the_first_event_arrives_before_the_second_is_made(
    server: Server, client: RawClient, run: str
) -> None:
    chunks = listen(client, f"/events/{run}")
    assert read_until(chunks, b"\n\n") == FIRST
    server.open_gate(run)
    assert read_until(chunks, b"\n\n") == b"data: second\n\n"


def test_st6_the_last_event_id_is_seen(client: RawClient, run: str) -> None:
    chunks = listen(client, f"/events/{run}", [("Last-Event-ID", "7")])
    assert b'{"after":"7"}' in read_until(chunks, b"\n\n")


def test_p55_comments_arrive_while_nothing_happens_and_between_events(
    server: Server, client: RawClient, run: str
) -> None:
    chunks = listen(client, f"/events/{run}?keep_alive=0.02")
    assert read_until(chunks, SIGN * 2) == FIRST + SIGN * 2
    server.open_gate(run)
    seen = read_until(chunks, b"data: second\n\n" + SIGN)
    assert seen.replace(SIGN, b"") == b"data: second\n\n"


def test_p55_a_stream_that_has_no_event_yet_is_open(
    server: Server, client: RawClient, run: str
) -> None:
    chunks = listen(client, f"/quiet/{run}")
    assert read_until(chunks, b"\n\n") == SIGN
    server.open_gate(run)
    assert b"".join(chunks) == b"data: late\n\n"


def test_p37_a_client_that_leaves_closes_the_generator(
    server: Server, client: RawClient, run: str
) -> None:
    read_until(listen(client, f"/events/{run}"), b"\n\n")
    client.socket.close()
    assert server.notes(run, 2) == ["closed", "teardown: ClientDisconnected"]


def test_p5_at_shutdown_a_stream_of_events_is_completed(
    server: Server, client: RawClient, run: str
) -> None:
    chunks = listen(client, f"/events/{run}")
    read_until(chunks, b"\n\n")
    with RawClient(server.port) as other:
        other.request("POST", "/shutdown")
        try:
            assert b"".join(chunks) == b"event: shutdown\ndata\n\n"
            assert server.notes(run, 2) == ["closed", "teardown: NoneType"]
        finally:
            other.request("POST", "/resume")
