"""Startup and shutdown on real servers: B-307, B-308, B-309, pains 51 and 52."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.raw_client import RawClient
from tests.integration.servers import KINDS, LIMIT, Kind, serving
from tests.live_server import launch

ROOT = Path(__file__).parents[2]
#: What the application prints.
OURS = re.compile(r"\[(database|mounted|after) \w+]")
APP = "tests.integration.lifespan_app:app"

#: One setting of each server and event loop: parsers have no part in it.
SERVERS = [
    kind
    for kind in KINDS
    if kind.name in {"uvicorn-h11-websockets", "hypercorn-asyncio", "hypercorn-trio", "granian"}
]
ERLEN = Kind("erlen", (), ("-m", "erlen", "--app", APP, "run", "--port", "{port}"))

#: Server → the code with which it ends when the application cannot start. Hypercorn with worker
#: processes ends with 0 all the same; it is started without here.
CODES = {"uvicorn-h11-websockets": 3, "hypercorn-asyncio": 1, "hypercorn-trio": 1, "granian": 1, "erlen": 3}  # fmt: skip


def serve_in_vain(kind: Kind, fail: str) -> tuple[int, str]:
    """Start a server whose application cannot start; return its exit code and what it printed."""
    if kind.missing is not None:
        pytest.skip(f"{kind.name} needs {kind.missing}, which is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        part.format(port=port).replace("integration.app:", "integration.lifespan_app:")
        for part in kind.command
    ]
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "FAIL": fail, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("kind", [*SERVERS, ERLEN], ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    ("fail", "line"),
    [
        ("startup", "LookupError: no database today"),
        ("mounted", "Raised at the startup of the application mounted at '/sub'."),
        (
            "hang",
            "TimeoutError: The startup took longer than STARTUP_TIMEOUT, 0.2 seconds, and 'co",
        ),
    ],
)
def test_b307_a_failing_startup_is_reported_and_ends_the_server(
    kind: Kind, fail: str, line: str
) -> None:
    code, printed = serve_in_vain(kind, fail)
    assert code == CODES[kind.name]
    assert "Traceback (most recent call last)" in printed
    assert line in printed
    assert "[database closes]" in printed


# On trio Hypercorn without worker processes lets the interrupt out in whatever task runs, and then
# cancels the lifespan.
@pytest.mark.parametrize(
    "kind",
    [kind for kind in SERVERS if kind.name != "hypercorn-trio"],
    ids=lambda kind: kind.name,
)
def test_p51_mounted_applications_start_and_end_with_the_outer_one(
    kind: Kind, tmp_path: Path
) -> None:
    running = serving(kind, tmp_path, application="lifespan_app")
    with running as server, RawClient(server.port) as client:
        assert client.request("GET", "/").body == b"integration-lifespan has pool"
        assert client.request("GET", "/sub/").body == b"integration-mounted has pool"
    assert [line for line in server.output.splitlines() if OURS.fullmatch(line)] == [
        "[database opens]", "[mounted starts]", "[mounted ends]", "[after serving]",
        "[database closes]",
    ]  # fmt: skip


def test_b309_on_a_server_without_a_lifespan_the_first_request_starts_everything(
    tmp_path: Path,
) -> None:
    daphne = next(kind for kind in KINDS if kind.name == "daphne")
    running = serving(daphne, tmp_path, application="lifespan_app")
    with running as server, RawClient(server.port) as client:
        for _ in range(2):
            assert client.request("GET", "/").body == b"integration-lifespan has pool"
            assert client.request("GET", "/sub/").body == b"integration-mounted has pool"
    assert server.output.count("[database opens]") == 1
    assert server.output.count("[mounted starts]") == 1


def test_b308_a_failing_shutdown_is_reported_and_ends_erlen_run_with_3() -> None:
    command = ("-m", "erlen", "--app", APP, "run", "--port", "0")
    with launch(*command, cwd=ROOT, env={"FAIL": "shutdown"}) as server:
        assert server.stop() == 3
    assert "LookupError: no peace today" in server.output
    assert "[database closes]" in server.output
