"""The servers of the experiments: processes that are started here and ended by their own ids."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.lifetimes.ledger import Ledger

ROOT = Path(__file__).parents[2]
#: Seconds after which a server that neither starts nor ends is killed.
LIMIT = 30.0
#: Seconds that requests in flight have at the end, where a server must be told.
GRACE = 4

#: Seconds after which a connection without a request is closed. Until then a server keeps the timer
#: for it, and with that the context variables of the last request.
IDLE = 1

#: A server is started with one of these applications; the second is the control.
APPLICATIONS = ("erlen", "bare ASGI")


def _erlen_run(http: str) -> tuple[str, ...]:
    options = (
        f"port={{port}}, http={http!r}, access_log=False, timeout_graceful_shutdown={GRACE}, "
        f"timeout_keep_alive={IDLE}"
    )
    return ("-c", f"from bench.lifetimes.app import app; app.run({options})")


def _uvicorn(http: str, application: str) -> tuple[str, ...]:
    module = "on_uvicorn" if application == "erlen" else "control"
    return (
        *("-m", "uvicorn", f"bench.lifetimes.{module}:app", "--port", "{port}", "--http", http),
        *("--loop", "asyncio", "--log-level", "warning", "--no-access-log"),
        *("--timeout-graceful-shutdown", str(GRACE), "--timeout-keep-alive", str(IDLE)),
    )


def _hypercorn(worker: str, application: str) -> tuple[str, ...]:
    module = "app" if application == "erlen" else "control"
    return ("-m", "bench.lifetimes.on_hypercorn", worker, module, "{port}", str(GRACE), str(IDLE))


#: (server, application) → arguments of Python.
COMMANDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("erlen run", "erlen"): _erlen_run("h11"),
    ("erlen run httptools", "erlen"): _erlen_run("httptools"),
    **{
        (f"uvicorn {http}", application): _uvicorn(http, application)
        for http in ("h11", "httptools")
        for application in APPLICATIONS
    },
    **{
        (f"hypercorn {worker}", application): _hypercorn(worker, application)
        for worker in ("asyncio", "trio")
        for application in APPLICATIONS
    },
}
SERVERS = tuple(dict.fromkeys(server for server, _ in COMMANDS))


@dataclass(frozen=True)
class Running:
    """A server at work.

    Attributes:
        ledger: What the application notes; it can be read when the process has ended.
        folder: Where it keeps temporary files, and nobody else.
    """

    process: subprocess.Popen[bytes]
    port: int
    ledger: Ledger
    folder: Path
    log: Path

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    @property
    def memory(self) -> int:
        """Bytes that it occupies."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ProcessLookupError(f"The server has ended. It printed:\n{self.output}")

    def end(self) -> tuple[int, float]:
        """Send SIGTERM; return the exit code and how many seconds it took."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.wait(begin)

    def wait(self, begin: float) -> tuple[int, float]:
        """Return the exit code and the seconds since *begin*; what does not end is killed."""
        try:
            code = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return code, time.monotonic() - begin


@contextmanager
def serving(command: tuple[str, ...], folder: Path, **env: str) -> Iterator[Running]:
    """Run a server for the length of the block; its files are in *folder*."""
    temporary = folder / "temporary"
    temporary.mkdir(parents=True)
    log = folder / "log"
    ledger = folder / "ledger"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *(part.format(port=port) for part in command)],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                # Else the allocator keeps an area for each thread that ever ran, and the memory
                # grows for many rounds with nothing more in it.
                "MALLOC_ARENA_MAX": "2",
                "TMPDIR": str(temporary),
                "LIFETIMES_LEDGER": str(ledger),
                **env,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    running = Running(process, port, Ledger(ledger), temporary, log)
    try:
        _wait_until_it_listens(running)
        yield running
    finally:
        if process.poll() is None:
            running.end()


def _wait_until_it_listens(running: Running) -> None:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", running.port), LIMIT).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"The server did not start. It printed:\n{running.output}")
