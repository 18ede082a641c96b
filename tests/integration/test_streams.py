"""Streams over real sockets: chunks, back-pressure, and clients that leave."""

import contextlib
import time
from collections.abc import Iterator
from uuid import uuid4

import h11
import pytest

from tests.integration.raw_client import RawClient
from tests.integration.servers import KINDS, Server, serving

#: Bytes that a server and two kernels may hold of a body that nobody reads; a server without
#: back-pressure takes all of OFFERED.
HELD = 12 * 2**20
OFFERED = 48 * 2**20
#: Seconds without progress after which a peer counts as held back.
STILL = 0.5
#: The quirk of a server that keeps a body until it has all of it.
STARTS_EARLY = "application starts before the body has come"


# --- responses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/streams", "/pushed/streams"])
def test_a_chunk_arrives_before_the_next_is_made(
    server: Server, client: RawClient, run: str, target: str
) -> None:
    client.start("GET", f"{target}/{run}")
    client.end()
    assert client.read_head().status == 200
    chunks = client.iter_chunks()
    assert next(chunks) == b"first\n"
    server.open_gate(run)
    assert b"".join(chunks) == f"last of {target}/{run}\n".encode()
    assert server.notes(run, 1) == ["teardown: NoneType"]


def test_a_view_that_fails_after_its_first_chunk_breaks_the_connection(
    server: Server, client: RawClient
) -> None:
    server.require("broken off response")
    assert not client.request("GET", "/pushed/fail-midway").complete


@pytest.mark.parametrize("stream", ["silent", "pushed/silent"])
def test_st5_what_waits_is_cancelled_within_100_ms_and_its_cleanup_awaits(
    server: Server, stream: str
) -> None:
    """The best of some attempts: this machine may be at work."""
    seconds = []
    for _ in range(10):
        run = uuid4().hex
        with RawClient(server.port) as client:
            client.start("GET", f"/{stream}/{run}")
            client.end()
            client.read_head()
            assert next(client.iter_chunks())
            client.socket.close()
        left = time.perf_counter()
        assert server.notes(run, 2) == ["closed", "teardown: ClientDisconnected"]
        seconds.append(time.perf_counter() - left)
        if seconds[-1] < 0.1:
            return
    raise AssertionError(seconds)


@pytest.mark.parametrize("stream", ["endless", "silent", "pushed/silent", "pushed/endless"])
def test_p37_a_client_that_leaves_closes_the_stream_and_teardown_runs_once(
    server: Server, client: RawClient, run: str, stream: str
) -> None:
    client.start("GET", f"/{stream}/{run}")
    client.end()
    client.read_head()
    assert next(client.iter_chunks())
    client.socket.close()
    ended = ["closed", "teardown: ClientDisconnected"]
    assert server.notes(run, 2) == ended
    assert server.notes(run, 2) == ended


def test_head_of_an_endless_stream_ends(server: Server, client: RawClient, run: str) -> None:
    assert client.request("HEAD", f"/endless/{run}").complete
    assert server.notes(run, 1) == ["teardown: NoneType"]


def test_a_client_that_does_not_read_holds_the_stream_back(
    server: Server, client: RawClient, run: str
) -> None:
    """Until the client reads on, the view makes no more than what two kernels and a server hold."""
    client.start("GET", f"/flood/{run}/{OFFERED}")
    client.end()
    client.read_head()
    held = server.notes(run, 1, patience=STILL) == []
    assert held == server.expects("held back stream", usual=True)


@pytest.fixture(scope="module", params=KINDS, ids=[kind.name for kind in KINDS])
def impatient(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of the application that does not wait long for clients."""
    with serving(
        request.param, tmp_path_factory.mktemp("server"), application="impatient_app"
    ) as running:
        yield running


@pytest.mark.parametrize("stream", ["flood", "pushed/flood"])
def test_a_client_that_does_not_read_is_broken_off(
    impatient: Server, run: str, stream: str
) -> None:
    impatient.require("held back stream")
    with RawClient(impatient.port) as client:
        client.start("GET", f"/{stream}/{run}/{OFFERED}")
        client.end()
        ended = impatient.expects("stalled response", ["teardown: SendTimeout"])
        assert impatient.notes(run, 1, patience=2) == ended
        assert not client.read().complete
    assert f"GET /{stream}/{run}/{OFFERED} is broken off" in impatient.output


# --- request bodies -------------------------------------------------------------------------------


def test_a_chunked_upload_is_read_while_it_comes(
    server: Server, client: RawClient, run: str
) -> None:
    client.start("POST", f"/uploads/{run}", [("Transfer-Encoding", "chunked")])
    client.send(h11.Data(data=b"first"))
    started = server.expects(STARTS_EARLY, ["first chunk"])
    assert server.notes(run, 1, patience=1) == started
    client.send(h11.Data(data=b"second"))
    client.end()
    server.open_gate(run)
    assert client.read().json == {"size": 11}


def test_an_upload_that_nobody_reads_is_held_back(server: Server, run: str) -> None:
    with RawClient(server.port, send_buffer=65536) as client:
        client.start("POST", f"/uploads/{run}", [("Content-Length", str(OFFERED))])
        sent = send_until_held(client)
        held = sent < HELD
        assert held == server.expects("held back upload", usual=True), f"{sent} bytes were taken"
    server.open_gate(run)


def send_until_held(client: RawClient) -> int:
    """Send up to OFFERED bytes, until the peer takes none for a while; return how many it took."""
    client.socket.settimeout(STILL)
    chunk = b"x" * 65536
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < OFFERED:
            sent += client.socket.send(chunk)
    return sent


def test_b062_an_upload_that_is_broken_off_is_never_taken_for_whole(
    server: Server, client: RawClient, run: str
) -> None:
    server.require(STARTS_EARLY)
    client.start("POST", f"/uploads/{run}", [("Content-Length", "100")])
    client.send(h11.Data(data=b"only this"))
    assert server.notes(run, 1) == ["first chunk"]
    client.socket.close()
    server.open_gate(run)
    error = server.expects("aborted upload", "ClientDisconnected")
    assert server.notes(run, 3)[1] == error


def test_b070_an_upload_that_stands_still_is_408(
    server: Server, client: RawClient, run: str
) -> None:
    server.open_gate(run)
    server.require(STARTS_EARLY)
    client.start("POST", f"/uploads/{run}", [("Content-Length", "100")])
    client.send(h11.Data(data=b"only this"))
    assert client.read_head().status == 408
    assert server.notes(run, 3)[1] == "RequestTimeout"
