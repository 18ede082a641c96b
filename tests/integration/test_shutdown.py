"""The end of a served application: pains 5 and 6, B-200; every process is ended by its own pid."""

import contextlib
import os
import pty
import re
import signal
import socket
import statistics
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.raw_client import UPGRADE, RawClient
from tests.integration.websocket_cases import Ended, Refused, dial, hear, talk
from tests.live_server import LiveServer, launch

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "shutdown.md"
#: For applications outside of the project that import from it.
WITH_ROOT = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
MODULE = "tests.integration.shutdown_app"
#: Beginning of a program that serves the application as ``app.run()`` does.
RUN = f"from {MODULE} import app; app.run(port=0, access_log=False"

#: Beginning of a program that takes its stdin as the terminal it is controlled by.
IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "erlen", *sys.argv[1:], "--port", "0"])
"""

HTTP = pytest.mark.parametrize("http", ["h11", "httptools"])


def start(http: str = "h11", **env: str) -> LiveServer:
    """Serve the application as ``erlen run`` does."""
    return launch("-c", f"{RUN}, http='{http}')", cwd=ROOT, env=env)


def hypercorn(worker: str) -> LiveServer:
    return launch("-m", MODULE, worker, cwd=ROOT)


def read_until(server: LiveServer, line: str) -> None:
    """Read what the server prints until it is *line*."""
    assert server.process.stdout is not None
    for printed in server.process.stdout:
        server.lines.append(printed)
        if printed.strip() == f"[{line}]":
            return


def stop(server: LiveServer, number: int = signal.SIGTERM) -> float:
    """Send the server a signal, or none; return how many seconds it took to end."""
    begin = time.monotonic()
    code = server.stop(number)
    taken = time.monotonic() - begin
    assert code == 0, server.output
    return taken


def ask(client: RawClient, target: str) -> None:
    """Send a GET, without waiting for the answer."""
    client.start("GET", target)
    client.end()


def open_stream(client: RawClient) -> Iterator[bytes]:
    """Ask for the stream; return its chunks behind the first."""
    ask(client, "/stream")
    assert client.read_head().status == 200
    chunks = client.iter_chunks()
    assert next(chunks) == b"first\n"
    return chunks


@contextlib.contextmanager
def all_ends(server: LiveServer) -> Iterator[None]:
    """Have a stream and a WebSocket open, for the block to end the server."""
    with RawClient(server.port) as client, dial(server.port, "/ws/loop") as socket_:
        chunks = open_stream(client)
        yield
        assert b"".join(chunks) == b"last\n"
        assert talk(socket_) == Ended((), 1001)


# --- erlen run ------------------------------------------------------------------------------------


@HTTP
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_p5_streams_and_websockets_end_by_themselves(http: str, number: int) -> None:
    with start(http) as server, all_ends(server):
        assert stop(server, number) < 2
    printed = re.findall(r"^\[[a-z][^]]*\]$", server.output, re.MULTILINE)
    assert set(printed) >= {"[stream closed]", "[teardown of stream]", "[loop ended with 1001]"}
    assert printed[-1] == "[after serving]"


@HTTP
def test_p5_receive_raises_1001(http: str) -> None:
    with start(http) as server, dial(server.port, "/ws/receive") as socket_:
        socket_.ping().wait(5)
        server.process.send_signal(signal.SIGTERM)
        assert talk(socket_) == Ended((), 1001)
        assert stop(server, 0) < 2
    assert "[receive() raised 1001]" in server.output


def test_what_is_done_for_a_message_is_still_answered() -> None:
    with start() as server, dial(server.port, "/ws/busy") as socket_:
        socket_.send("message")
        assert hear(socket_) == "before message"
        server.process.send_signal(signal.SIGTERM)
        assert talk(socket_) == Ended(("after",), 1001)


def test_a_view_that_takes_no_notice_is_closed_with_1001() -> None:
    with start() as server, dial(server.port, "/ws/deaf") as socket_:
        server.process.send_signal(signal.SIGTERM)
        assert talk(socket_) == Ended((), 1001)
        assert stop(server, 0) < 2
    assert "[deaf one closed]" in server.output


def test_a_handshake_without_an_answer_is_refused_with_503() -> None:
    with start() as server, RawClient(server.port) as client:
        client.start("GET", "/ws/unanswered", UPGRADE)
        client.end()
        read_until(server, "handshake")
        server.process.send_signal(signal.SIGTERM)
        reply = client.read()
        assert Refused(reply.status, b"") == Refused(503, b"")
        assert stop(server, 0) < 2


def test_a_peer_that_does_not_answer_the_close_is_left_after_a_second() -> None:
    with start() as server, RawClient(server.port) as client:
        client.start("GET", "/ws/loop", UPGRADE)
        assert client.socket.recv(65536).startswith(b"HTTP/1.1 101 ")
        assert stop(server) < 2.5
        assert client.socket.recv(65536) == CLOSE_1001


@HTTP
@pytest.mark.parametrize("view", ["sleep", "block"])
def test_p5_a_request_in_flight_is_answered(http: str, view: str) -> None:
    with start(http) as server, RawClient(server.port) as client:
        ask(client, f"/{view}/1.0")
        read_until(server, "asleep")
        server.process.send_signal(signal.SIGTERM)
        reply = client.read()
        assert (reply.status, reply.body, reply.complete) == (200, b"slept", True)
        assert stop(server, 0) < 1


def test_nobody_new_is_accepted_meanwhile() -> None:
    with start() as server, RawClient(server.port) as client, RawClient(server.port) as other:
        ask(client, "/sleep/1.0")
        read_until(server, "asleep")
        chunks = open_stream(other)
        server.process.send_signal(signal.SIGTERM)
        assert b"".join(chunks) == b"last\n"
        assert other.socket.recv(1) == b""  # uvicorn's own shutdown has begun
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), 5)
        assert client.read().body == b"slept"


@pytest.mark.parametrize("view", ["sleep", "block"])
def test_p6_in_debug_mode_a_request_has_one_second(view: str) -> None:
    with start(ERLEN_DEBUG="1") as server, RawClient(server.port) as client:
        ask(client, f"/{view}/60.0")
        read_until(server, "asleep")
        assert 0.9 < stop(server) < 2
    assert "after serving" in server.output


@pytest.mark.parametrize("view", ["endless", "endless-in-a-thread"])
def test_p5_what_is_cancelled_is_torn_down_before_the_application_ends(view: str) -> None:
    with start(ERLEN_DEBUG="1") as server, RawClient(server.port) as client:
        ask(client, f"/{view}")
        assert client.read_head().status == 200
        assert 0.9 < stop(server) < 2
    printed = re.findall(r"^\[[a-z][^]]*\]$", server.output, re.MULTILINE)
    teardown = f"[teardown of {view.replace('-', '_')}]"
    assert printed == ["[stream closed]", teardown, "[after serving]"]


def test_the_second_interrupt_ends_at_once() -> None:
    with start() as server, RawClient(server.port) as client, RawClient(server.port) as other:
        ask(client, "/sleep/60.0")
        ask(other, "/block/60.0")
        read_until(server, "asleep")
        read_until(server, "asleep")
        with all_ends(server):
            server.process.send_signal(signal.SIGINT)
        assert stop(server, signal.SIGINT) < 1


HANGING = """
import anyio, erlen
app = erlen.Erlen("hanging")
@app.before_serving
async def hang():
    print("not yet at http://127.0.0.1:1", flush=True)
    await app.shutting_down.wait()
    print("[told]", flush=True)
    await anyio.sleep_forever()
app.run(port=0)
"""


def test_the_second_interrupt_ends_a_startup_that_hangs() -> None:
    with launch("-c", HANGING, cwd=ROOT) as server:
        server.process.send_signal(signal.SIGINT)
        read_until(server, "told")
        assert stop(server, signal.SIGINT) < 1


def test_the_third_interrupt_ends_what_holds_up_the_event_loop() -> None:
    with start() as server, RawClient(server.port) as client:
        ask(client, "/hold-up")
        read_until(server, "held up")
        for answer in ("told", "told again"):
            server.process.send_signal(signal.SIGINT)
            read_until(server, answer)
        assert stop(server, signal.SIGINT) < 1


# --- reload ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reloading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, Path]]:
    """A server that starts again when the file beside it is saved, and has done so once."""
    folder = tmp_path_factory.mktemp("reloading")
    source = folder / "reloaded.py"
    save(source, "as it was")
    command = ("-m", "erlen", "--app", "reloaded:app", "run", "--port", "0", "--reload")
    with launch(*command, cwd=folder, env=WITH_ROOT) as server:
        for attempt in range(10):  # the reloader may not have had its first look yet
            save(source, f"attempt {attempt}")
            with contextlib.suppress(AssertionError):
                wait_for_version(server, f"attempt {attempt}", 3)
                break
        yield server, source
        assert server.stop() == 0


def save(source: Path, version: str) -> None:
    """Save the application under another version."""
    source.write_text(
        f"from {MODULE} import app\n\n@app.get('/version')\ndef version():\n    return {version!r}\n"
    )


def wait_for_version(server: LiveServer, version: str, limit: float) -> float:
    """Return how many seconds it took until *version* answers."""
    begin = time.monotonic()
    while time.monotonic() - begin < limit:
        with RawClient(server.port) as client, contextlib.suppress(ConnectionError):
            if client.request("GET", "/version").body.decode() == version:
                return time.monotonic() - begin
        time.sleep(0.02)  # another process decides; there is nothing to wait on
    raise AssertionError(f"{version!r} was not served within {limit} s:\n{server.output}")


@pytest.fixture(scope="module")
def swaps() -> list[float]:
    """Seconds that each reload took."""
    return []


@pytest.mark.parametrize("turn", range(10))
def test_p6_reload_takes_its_time_whatever_is_connected(
    reloading: tuple[LiveServer, Path], swaps: list[float], turn: int
) -> None:
    server, source = reloading
    with contextlib.ExitStack() as clients:
        for target in ("/sleep/60.0", "/block/60.0"):
            ask(clients.enter_context(RawClient(server.port)), target)
            read_until(server, "asleep")
        deaf = clients.enter_context(dial(server.port, "/ws/deaf"))
        with all_ends(server):
            save(source, f"turn {turn}")
            swaps.append(wait_for_version(server, f"turn {turn}", 5))
        assert talk(deaf) == Ended((), 1001)


def test_p6_that_time_is_less_than_two_seconds(swaps: list[float]) -> None:
    """Of ten; one in between may meet other work of the machine."""
    assert len(swaps) == 10
    assert statistics.median(swaps) < 2


def test_ctrl_c_in_a_terminal_ends_the_reloader_and_leaves_the_terminal_as_it_was() -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(ours)
    server = LiveServer(
        subprocess.Popen(
            [sys.executable, "-c", IN_TERMINAL, "--app", f"{MODULE}:app", "run", "--reload"],
            cwd=ROOT,
            text=True,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    )
    os.write(ours, b"\x03")
    assert stop(server, 0) < 2  # nobody has the output open any more: all its processes have ended
    assert termios.tcgetattr(ours) == before
    os.close(ours)
    os.close(theirs)


# --- many at once ---------------------------------------------------------------------------------

CLOSE_1001 = b"\x88\x02\x03\xe9"
#: The same from the client, masked with zeros.
CLOSE_ANSWER = b"\x88\x82\x00\x00\x00\x00\x03\xe9"


@HTTP
def test_b200_a_thousand_websockets_get_1001(http: str) -> None:
    with contextlib.ExitStack() as clients, start(http) as server:
        opened = [clients.enter_context(RawClient(server.port)) for _ in range(1000)]
        for client in opened:
            client.start("GET", "/ws/loop", UPGRADE)
        assert all(b" 101 " in client.socket.recv(65536) for client in opened)
        server.process.send_signal(signal.SIGTERM)
        for client in opened:
            assert client.socket.recv(65536) == CLOSE_1001
            client.socket.sendall(CLOSE_ANSWER)
        assert stop(server, 0) < 2


class Loader:
    """Clients that ask and ask again, each on one connection, until the server closes it."""

    def __init__(self, port: int, clients: int) -> None:
        self.port = port
        self.clients = clients
        self.answered: set[int] = set()
        self.broken: list[Any] = []
        self.is_warm = threading.Event()
        self._connected = threading.Barrier(clients)

    def run(self, client_number: int) -> None:
        with RawClient(self.port) as client:
            self._connected.wait(10)  # who comes after the signal is refused, and has lost nothing
            for number in range(client_number, 10**9, self.clients):
                try:
                    reply = client.request("GET", f"/orders/{number}")
                except (ConnectionError, AssertionError):
                    return  # closed before the first byte of an answer
                whole = reply.complete and reply.body == b"%d\n" % number * 1000
                (self.answered.add if whole else self.broken.append)(number)
                if len(self.answered) > 2 * self.clients:
                    self.is_warm.set()
                if reply.get("connection") == "close":
                    return


@HTTP
def test_p5_under_load_nothing_that_was_begun_is_lost(http: str) -> None:
    with start(http) as server, ThreadPoolExecutor(200) as pool:
        loader = Loader(server.port, 200)
        asking = [pool.submit(loader.run, number) for number in range(loader.clients)]
        assert loader.is_warm.wait(10)
        assert stop(server) < 3
        for future in asking:
            future.result(10)
    begun = {int(line[1:-1]) for line in server.output.splitlines() if line.startswith("<")}
    assert begun - loader.answered == set()
    assert loader.broken == []


# --- servers of others ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the application and what the documentation tells to add for uvicorn."""
    folder = tmp_path_factory.mktemp("recipe")
    blocks = re.findall(r"^```python$(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    recipe = next(block for block in blocks if "signal.signal(" in block)
    (folder / "told.py").write_text(
        f"from collections.abc import AsyncIterator\nfrom {MODULE} import app\n{recipe}"
    )
    return folder


@HTTP
def test_p5_on_uvicorn_begin_shutdown_ends_streams_and_websockets(
    with_recipe: Path, http: str
) -> None:
    command = ("-m", "uvicorn", "told:app", "--port", "0", "--http", http)
    with launch(*command, cwd=with_recipe, env=WITH_ROOT) as server, all_ends(server):
        begin = time.monotonic()
        assert server.stop(signal.SIGTERM) == -signal.SIGTERM  # uvicorn raises it again
        assert time.monotonic() - begin < 2
    assert "[after serving]" in server.output


@pytest.mark.parametrize("worker", ["asyncio", "trio"])
def test_p5_on_hypercorn_begin_shutdown_ends_streams_and_websockets(worker: str) -> None:
    with hypercorn(worker) as server, all_ends(server):
        assert stop(server) < 3
    assert "[loop ended with 1001]" in server.output


@pytest.mark.parametrize("worker", ["asyncio", "trio"])
def test_on_hypercorn_a_view_that_takes_no_notice_is_closed_with_1001(worker: str) -> None:
    with hypercorn(worker) as server, dial(server.port, "/ws/deaf") as socket_:
        server.process.send_signal(signal.SIGTERM)
        assert talk(socket_) == Ended((), 1001)
        assert stop(server, 0) < 3
