"""The command line in processes of its own, as a person uses it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_server import LIMIT, LiveServer, launch

#: Seconds within which a server has ended after CTRL+C.
AT_ONCE = 5.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that ``erlen new`` has made."""
    folder = tmp_path_factory.mktemp("projects")
    assert erlen(folder, "new", "shop").returncode == 0
    return folder / "shop"


def erlen(folder: Path, *args: str, **options: str) -> subprocess.CompletedProcess[str]:
    """Run the command; *options* are its ``input``."""
    return python(folder, "-m", "erlen", *args, **options)


def python(folder: Path, *args: str, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args], cwd=folder, text=True, capture_output=True, timeout=LIMIT,
        check=False, **({"stdin": subprocess.DEVNULL} if "input" not in options else options),
    )  # fmt: skip


@pytest.fixture
def server(project: Path, request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    args = getattr(request, "param", ())
    with launch("-m", "erlen", "run", "--port", "0", *args, cwd=project) as server:
        yield server


def test_the_tests_of_a_new_project_pass(project: Path) -> None:
    done = python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert (done.returncode, "4 passed" in done.stdout) == (0, True), done.stdout


def test_a_new_project_is_without_findings(project: Path) -> None:
    assert erlen(project, "check").stdout == "Nothing found in 'shop'.\n"


@pytest.mark.parametrize("server", [(), ("--debug",), ("--workers", "2")], indirect=True, ids=str)
def test_a_new_project_is_served_and_ends_at_once(server: LiveServer) -> None:
    answer(server)
    began = time.monotonic()
    assert server.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < AT_ONCE
    assert "Traceback" not in server.output


def answer(server: LiveServer) -> None:
    with server.get("/hello/Ada") as response:
        assert response.read() == b'{"hello":"Ada"}'


@pytest.mark.parametrize("server", [("--workers", "2")], indirect=True, ids=str)
def test_b340_workers_end_with_their_parent(server: LiveServer) -> None:
    answer(server)
    assert server.process.stdout is not None
    os.kill(server.process.pid, signal.SIGKILL)
    began = time.monotonic()
    server.process.stdout.read()  # until the last of them has closed its end
    assert time.monotonic() - began < AT_ONCE


def test_a_shell_awaits(project: Path) -> None:
    lines = "import anyio\nprint(await anyio.to_thread.run_sync(lambda: app.name))\n"
    done = erlen(project, "shell", "--plain", input=lines)
    assert (done.returncode, "shop\n" in done.stdout) == (0, True), done.stderr


def test_mistakes_are_found_with_their_place(project: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from erlen import Erlen, url_for\napp = Erlen(__name__)\n"
        "@app.get('/')\ndef index():\n    return url_for('indx')\n"
    )
    done = erlen(tmp_path, "check")
    assert done.returncode == 1
    assert done.stdout == (
        "app.py:5: url_for('indx'): there is no such endpoint. Did you mean 'index'?\n"
    )


def test_what_answers_a_request_is_told(project: Path) -> None:
    done = erlen(project, "routes", "--match", "GET /hello/Ada")
    assert done.stdout.startswith("GET /hello/Ada: pages.hello(name='Ada')\n")


def test_b335_debug_in_production_binds_nothing(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "erlen", "run", "--debug", "--port", "0"], cwd=project, text=True,
        env={**os.environ, "ERLEN_ENV": "production"}, capture_output=True, timeout=LIMIT,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Serving" not in done.stderr
