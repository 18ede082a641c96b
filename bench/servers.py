"""uvicorn with one application, as a process that is started here and ended by its own id."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from bench.interpreters import environment
from bench.peers import ROOT

#: Seconds after which a server that neither starts nor ends is given up.
LIMIT = 60.0
#: The cores of the server and of the load, where there are two and ``taskset``.
SERVER_CORE, LOAD_CORE = 0, 1
LOOP = "uvloop"
_TICK = os.sysconf("SC_CLK_TCK")


def pinned(core: int, command: list[str]) -> list[str]:
    """Return *command* for one core; unchanged where there is only one, or no ``taskset``."""
    if (os.cpu_count() or 1) < 2 or shutil.which("taskset") is None:
        return command
    return ["taskset", "--cpu-list", str(core), *command]


@dataclass(frozen=True)
class Server:
    """A server at work."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def cpu(self) -> float:
        """Seconds of the processor that it has taken, in all its threads, the kernel's included."""
        # The name of the program, in parentheses, may hold spaces.
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    @property
    def precise_cpu(self) -> float:
        """The same to the nanosecond, but only of the threads that have not ended."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    @property
    def memory(self) -> int:
        """Bytes that it occupies."""
        lines = self._read("status").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))

    def _read(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text("ascii", "replace")


@contextmanager
def serving(python: Path, app: str, *options: str) -> Iterator[Server]:
    """Run uvicorn with *app*, ``module:name``, for the length of the block.

    The loop is :data:`LOOP`, the parser httptools, one worker, no access log.

    Raises:
        RuntimeError: It did not start; what it printed is in the message.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(python), "-m", "uvicorn", app, "--port", str(port), *options]
    command += ["--loop", LOOP, "--http", "httptools", "--no-access-log"]
    command += ["--log-level", "warning"]
    with TemporaryFile() as log:
        process = subprocess.Popen(
            pinned(SERVER_CORE, command),
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_it_listens(process, port, log)
            yield Server(process, port)
        finally:
            _end(process)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), LIMIT).close()
        except ConnectionRefusedError:
            time.sleep(0.005)
        else:
            return
    log.seek(0)
    raise RuntimeError(f"The server did not start:\n{log.read().decode(errors='replace')}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
