"""Threads and stalls over real servers: P-19, P-20."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration import threads_app
from tests.integration.raw_client import Pairs, RawClient
from tests.integration.servers import KINDS, Kind, Server, serving
from tests.live_server import start_server

ROOT = Path(__file__).parents[2]
SERVERS = [kind for kind in KINDS if kind.name.startswith(("uvicorn-h11-websockets", "hypercorn"))]
EACH = pytest.mark.parametrize("kind", SERVERS, ids=lambda kind: kind.name)
#: What a file must be to be saved on disk.
LARGE = 2_000_000


def get(server: Server, target: str) -> bytes:
    with RawClient(server.port) as client:
        return client.request("GET", target).body


def post(server: Server, target: str, body: bytes = b"", headers: Pairs | None = None) -> bytes:
    with RawClient(server.port) as client:
        return client.request("POST", target, headers, body).body


@pytest.fixture
def blocked(kind: Kind, tmp_path: Path) -> Iterator[Server]:
    """A server all of whose places for ``def`` functions are taken."""
    with serving(kind, tmp_path, application="threads_app") as server, ExitStack() as clients:
        for _ in range(threads_app.PLACES):
            block(clients.enter_context(RawClient(server.port)))
        assert get(server, "/blocked") == b"all"
        yield server
        post(server, "/release")


def block(client: RawClient) -> None:
    """Ask for what blocks, without waiting for the answer."""
    client.start("GET", "/block")
    client.end()


@EACH
def test_p19_all_goes_on_while_every_def_view_blocks(blocked: Server) -> None:
    assert get(blocked, "/free") == b"free"
    assert get(blocked, "/torn-down") == b"/free"
    assert get(blocked, "/static/threads_app.py") == Path(threads_app.__file__).read_bytes()
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = b"%b%b\r\n--b--\r\n" % (head, b"x" * LARGE)
    kind = [("Content-Type", "multipart/form-data; boundary=b")]
    assert post(blocked, "/upload", body, kind) == str(LARGE).encode()


def test_p19_the_shutdown_goes_on_while_every_def_view_blocks() -> None:
    """In debug mode requests in flight have a second; the threads are left behind."""
    with (
        start_server(f"{threads_app.__name__}:app", cwd=ROOT, env={"ERLEN_DEBUG": "1"}) as server,
        ExitStack() as clients,
    ):
        for _ in range(threads_app.PLACES):
            block(clients.enter_context(RawClient(server.port)))
        assert server.get("/blocked").read() == b"all"
        assert server.stop(signal.SIGTERM) == 0, server.output
    assert "[after serving]" in server.output


@EACH
def test_p20_a_stall_is_named_once(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERLEN_DEBUG", "1")
    with serving(kind, tmp_path, application="threads_app") as server:
        assert get(server, "/stall") == b"stalled"
        assert get(server, "/free") == b"free"
    line = threads_app.stall.__code__.co_firstlineno + 2
    told = [line for line in server.output.splitlines() if "event loop was held" in line]
    assert len(told) == 1
    assert (
        "The event loop was held for more than 100 ms by the view 'stall' (GET /stall) at "
        f"tests/integration/threads_app.py:{line}: time.sleep(0.3)" in told[0]
    )
    assert told[0].endswith("Await the work, or run it by run_sync().")


@EACH
def test_p20_nothing_is_said_of_it_otherwise(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ERLEN_DEBUG", raising=False)
    with serving(kind, tmp_path, application="threads_app") as server:
        assert get(server, "/stall") == b"stalled"
    assert "event loop" not in server.output
