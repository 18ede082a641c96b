"""What real servers leave in their output; nobody has configured anything."""

import http.client
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.live_server import LIMIT, LiveServer, launch

ROOT = Path(__file__).parents[2]
APP = "tests.integration.logs_app:app"
RUN = ("-m", "erlen", "--app", APP, "run", "--port", "0")
UVICORN = ("-m", "uvicorn", APP, "--port", "0")
HYPERCORN = ("-m", "hypercorn", APP, "--bind", "127.0.0.1:0", "--workers", "0")
SERVERS = {
    "erlen": (RUN, False),
    "erlen --debug": ((*RUN, "--debug", "--no-reload"), True),
    "erlen --workers": ((*RUN, "--workers", "2"), False),
    "uvicorn": (UVICORN, False),
    "uvicorn, debug mode": (UVICORN, True),
    "hypercorn": (HYPERCORN, False),
}

#: What a client sends to forge a record and to steer the terminal.
EVIL = "%1b%5b31m%0d%0a%5b2026-11-20%5d%20ERROR%20in%20app:%20forged%c2%85"


class Run(NamedTuple):
    """What a server has printed in its life."""

    output: str
    debug: bool

    @property
    def records(self) -> list[str]:
        """The records, each with the lines that belong to it."""
        return re.split(r"\n(?! )", self.output)


@pytest.fixture(scope="module", params=SERVERS)
def ran(request: pytest.FixtureRequest) -> Run:
    """A server that has seen everything fail, and has ended."""
    command, debug = SERVERS[request.param]
    environment = {"ERLEN_DEBUG": "1" if debug else "0", "NO_COLOR": "1"}
    with launch(*command, cwd=ROOT, env=environment) as server:
        provoke(server)
        server.stop()
    return Run(server.output, debug)


def provoke(server: LiveServer) -> None:
    for path in (
        f"/?q={EVIL}", f"/view/a%E2%80%A8b?q={EVIL}", "/thread", "/stream", "/background", "/child",
        "/teardown", "/handler", "/nothing", "/%1b[2J", "/%0AERROR",
    ):  # fmt: skip
        connection = http.client.HTTPConnection(server.host, server.port, timeout=LIMIT)
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except (http.client.HTTPException, ConnectionError):
            assert path == "/stream"  # broken off, so that it does not look whole
        finally:
            connection.close()
    address = f"ws://{server.host}:{server.port}/socket"
    with connect(address) as peer, pytest.raises(ConnectionClosed):
        peer.recv(timeout=LIMIT)


def test_pain_75_what_the_application_logs_is_visible(ran: Run) -> None:
    assert any(" INFO in logs_app: seen: " in record for record in ran.records)
    assert ("DEBUG in logs_app: in debug mode only" in ran.output) is ran.debug


@pytest.mark.parametrize(
    ("word", "where"),
    [
        ("view of a", r"on GET /view/a\\u2028b"),
        ("thread", "on GET /thread"),
        ("stream", "on GET /stream"),
        ("background", "in the background task 'fail', started by GET /background"),
        ("child", "on GET /child"),
        ("teardown", "on GET /teardown"),
        ("handler", "on GET /handler"),
        ("socket", r"on WebSocket /socket of 127\.0\.0\.1"),
    ],
)
def test_a_failure_has_one_traceback_with_its_request(ran: Run, word: str, where: str) -> None:
    told = [each for each in ran.records if f"UniqueError: {word}" in each]
    assert len(told) == 1, ran.output
    assert told[0].count("Traceback (most recent call last)") == 1
    assert re.search(rf"ERROR in \w+: Exception {where} \(request [0-9a-f]{{32}}\)\n", told[0])


def test_nothing_else_has_a_traceback(ran: Run) -> None:
    assert ran.output.count("Traceback (most recent call last)") == 8, ran.output


def test_a118_clients_neither_forge_records_nor_steer_the_terminal(ran: Run) -> None:
    assert not [char for char in ran.output if not (char.isprintable() or char == "\n")]
    forged = [line for line in ran.output.split("\n") if "ERROR in app: forged" in line]
    assert len(forged) == 2  # of a message, and of an exception
    assert all(line.startswith("  [2026-11-20] ERROR in app: forged") for line in forged)


# --- access lines ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ran", ["erlen", "erlen --debug", "erlen --workers"], indirect=True)
def test_an_access_line_can_be_read(ran: Run) -> None:
    start = r"\d\d:\d\d:\d\d" if ran.debug else r"\[[\d-]{10} \d\d:\d\d:\d\d\] 127\.0\.0\.1"
    name = r"\(request [0-9a-f]{32}\)"
    for line in (
        "GET /nothing 404", "GET /thread 500", "GET /%0AERROR 400", "WEBSOCKET /socket 101",
    ):  # fmt: skip
        shown = rf"^{start} {re.escape(line)}( {name})?$"
        assert re.search(shown, ran.output, re.MULTILINE), ran.output


def test_an_application_that_cannot_start_has_one_traceback() -> None:
    for command in (
        ("-m", "erlen", "--app", "tests.integration.logs_app:unstartable", "run", "--port", "0"),
        ("-m", "uvicorn", "tests.integration.logs_app:unstartable", "--port", "0"),
    ):
        with pytest.raises(AssertionError) as failed:
            launch(*command, cwd=ROOT, env={"ERLEN_DEBUG": "0"})
        assert str(failed.value).count("Traceback (most recent call last)") == 1
        assert "UniqueError: startup" in str(failed.value)
