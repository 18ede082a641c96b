"""Applications served by processes of their own, for tests over real sockets."""

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

#: Seconds after which a server that neither starts nor ends is killed, and the test fails.
LIMIT = 30.0

_ADDRESS = re.compile(r"https?://(\[[^]]+\]|[^\s:/]+):(\d+)")


class LiveServer:
    """A served application; ``with`` ends it.

    Attributes:
        process: The server's process, or that of the reloader.
        lines: What it has printed so far, as far as it was read; stdout and stderr are one stream.
        host: Where it listens.
        port: Where it listens.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Read the output of *process* until it says where it listens."""
        self.process = process
        self.lines: list[str] = []
        self.host, self.port = self.read_address()

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @property
    def output(self) -> str:
        """All that was read of what the server printed; complete after :meth:`stop`."""
        return "".join(self.lines)

    def read_address(self) -> tuple[str, int]:
        """Read on until the server says where it listens (again, after a reload)."""
        assert self.process.stdout is not None
        watchdog = threading.Timer(LIMIT, self.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                self.lines.append(line)
                if found := _ADDRESS.search(line):
                    return found[1], int(found[2])
        finally:
            watchdog.cancel()
            watchdog.join()
        self.stop()
        raise AssertionError(f"The server did not start. It printed:\n{self.output}")

    def get(self, path: str = "/", headers: Mapping[str, str] | None = None) -> Any:
        """Return the response to a GET; its body is ``.read()``."""
        request = urllib.request.Request(self.url + path, headers=dict(headers or {}))
        return urllib.request.urlopen(request, timeout=LIMIT)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal, read the rest of the output, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            rest, _ = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            rest, _ = self.process.communicate()
            self.lines.append(f"{rest}\n(killed: it did not end on signal {number})")
        else:
            self.lines.append(rest)
        return self.process.returncode

    def kill(self) -> None:
        """End the server and the processes that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self.process.returncode is None:
            self.stop()


def launch(*command: str, cwd: Path, env: Mapping[str, str] | None = None) -> LiveServer:
    """Run ``python *command`` in *cwd*, and return when it has said where it listens."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    return LiveServer(process)


def start_server(
    app: str, *args: str, cwd: Path, env: Mapping[str, str] | None = None
) -> LiveServer:
    """Serve *app* (``module:name``, found in *cwd*) by ``erlen run`` on any free port.

    *args* are further options of ``run``.
    """
    return launch("-m", "erlen", "--app", app, "run", "--port", "0", *args, cwd=cwd, env=env)
