"""A terminal with a person at it: tmux, which shows what programs show there, and takes keys."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest

#: Seconds after which what should be seen is missing.
LIMIT = 30.0
T = TypeVar("T")
_PROMPT = "ready$ "


class Terminal:
    """One window with a shell in it."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def tmux(self, *args: str) -> str:
        """Run a command of tmux's on this terminal."""
        done = subprocess.run(
            ["tmux", "-f", os.devnull, "-L", self._socket, *args],
            capture_output=True, text=True, timeout=LIMIT, check=True,
        )  # fmt: skip
        return done.stdout

    def type(self, line: str) -> None:
        """Type a line, and Enter."""
        self.tmux("send-keys", "-l", line)
        self.press("Enter")

    def press(self, key: str) -> None:
        """Press a key by tmux's name for it: ``C-c``."""
        self.tmux("send-keys", key)

    @property
    def text(self) -> str:
        """All lines from the first, those that have left the window too; long ones are whole."""
        return self.tmux("capture-pane", "-p", "-J", "-S", "-")

    def wait_for(self, pattern: str, limit: float = LIMIT) -> re.Match[str]:
        """Return where the text of the terminal matches, once it does."""
        return until(lambda: re.search(pattern, self.text, re.MULTILINE), limit, lambda: self.text)

    def wait_for_prompt(self, limit: float = LIMIT) -> None:
        """Return when the shell asks for the next line."""
        until(lambda: self.text.rstrip().endswith(_PROMPT.strip()), limit, lambda: self.text)


def until(ask: Callable[[], T | None], limit: float, tell: Callable[[], str]) -> T:
    """Return the first answer that is true; fail with what *tell* says."""
    end = time.monotonic() + limit
    while not (answer := ask()):
        assert time.monotonic() < end, tell()
        time.sleep(0.02)  # another process decides; there is nothing to wait on
    return answer


@contextmanager
def opened(folder: Path) -> Iterator[Terminal]:
    """Open a terminal in *folder*, in which ``erlen`` and ``python`` are those of these tests."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    terminal = Terminal(f"erlen-{uuid4().hex}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "PS1": _PROMPT, "TERM": "screen", "HOME": str(folder)}
    shell = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
    size = ("-x", "120", "-y", "50")
    terminal.tmux("new-session", "-d", *size, "-c", str(folder), *shell, "sh", "-i")
    try:
        terminal.wait_for_prompt()
        yield terminal
    finally:
        terminal.tmux("kill-server")
