"""``erlen shell`` with the prompts of others, as far as they are installed, at a real terminal."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.live_server import LIMIT

pty = pytest.importorskip("pty", reason="Only POSIX has terminals of this kind.")

APP = """
from erlen import Erlen
app = Erlen("shop")

@app.lifespan
async def database():
    yield {"database": "rows"}
    print("closed", "it")
"""

#: What ends each of them; exit() of ptpython does not while it awaits.
LEAVE = {"IPython": "exit", "ptpython": "raise SystemExit"}

#: A terminal is asked where its cursor is, and answers.
_WHERE, _HERE = b"\x1b[6n", b"\x1b[1;1R"


class Terminal:
    """A terminal in which a command runs."""

    def __init__(self, *command: str, cwd: Path) -> None:
        """Start *command*."""
        self._own, its = pty.openpty()
        self._process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, "TERM": "xterm", "IPYTHONDIR": str(cwd)},
            stdin=its, stdout=its, stderr=its, start_new_session=True,
        )  # fmt: skip
        os.close(its)

    def until(self, words: bytes) -> bytes:
        """Return what is written up to *words*."""
        seen = b""
        end = time.monotonic() + LIMIT
        while words not in seen:
            assert select.select([self._own], [], [], max(0.0, end - time.monotonic()))[0], seen
            try:
                some = os.read(self._own, 65536)
            except OSError:  # Linux: the other end was closed
                some = b""
            assert some, seen
            os.write(self._own, _HERE * some.count(_WHERE))
            seen += some
        return seen

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._own, f"{line}\r".encode())

    def close(self) -> None:
        """End what runs there."""
        self._process.kill()
        self._process.wait(LIMIT)
        os.close(self._own)


@pytest.fixture(params=LEAVE)
def prompt(request: pytest.FixtureRequest) -> str:
    """The prompt that the command chooses here."""
    name: str = request.param
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed.")
    if name == "ptpython" and find_spec("IPython") is not None:
        pytest.skip("IPython is installed, too, and comes first.")
    return name


@pytest.fixture
def terminal(prompt: str, tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "app.py").write_text(APP)
    terminal = Terminal(sys.executable, "-m", "erlen", "shell", cwd=tmp_path)
    yield terminal
    terminal.close()


def test_cl12_a_shell_of_others_awaits_in_the_application(terminal: Terminal, prompt: str) -> None:
    terminal.until(b"'await' works")
    terminal.type("import anyio")
    terminal.type("print('rows', 'of', await anyio.to_thread.run_sync(lambda: app.name))")
    terminal.until(b"rows of shop")
    terminal.type("print('has', app.state.database)")
    terminal.until(b"has rows")
    terminal.type(LEAVE[prompt])
    terminal.until(b"closed it")
