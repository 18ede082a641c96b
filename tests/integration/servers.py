"""The servers of the conformance suite: how each is started, ended, and where it differs."""

import importlib.util
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
from typing import Any

import pytest

from tests.integration.quirks import QUIRKS, Quirk
from tests.integration.raw_client import RawClient

#: Seconds after which a server that neither starts nor ends is killed, and the test fails.
LIMIT = 20.0

#: What an event loop or the interpreter prints about work that somebody has lost.
_LEFT = ("never retrieved", "never awaited", "was destroyed", "Exception ignored", "unclosed")

_ROOT = Path(__file__).parents[2]
_APP = "tests.integration.app:app"


@dataclass(frozen=True)
class Kind:
    """A server in one of its settings.

    Attributes:
        name: Server and setting, separated by hyphens; quirks are noted for names that begin so.
        needs: Modules without which it cannot run.
        command: Arguments of Python; ``{port}`` is put in.
        mounted: Further arguments that mount the application below ``/mounted``.
        strips: Whether the client leaves the prefix out, as behind a proxy that takes it off.
    """

    name: str
    needs: tuple[str, ...]
    command: tuple[str, ...]
    mounted: tuple[str, ...] = ("--root-path", "/mounted")
    strips: bool = False

    @property
    def missing(self) -> str | None:
        """The first module that is not installed."""
        return next((name for name in self.needs if importlib.util.find_spec(name) is None), None)


def _uvicorn(http: str, ws: str) -> Kind:
    return Kind(
        f"uvicorn-{http}-{ws}",
        ("uvicorn", http, ws),
        (
            *("-m", "uvicorn", _APP, "--port", "{port}", "--loop", "asyncio"),
            *("--http", http, "--ws", ws, "--timeout-graceful-shutdown", "5"),
        ),
        strips=True,
    )


def _hypercorn(worker: str) -> Kind:
    return Kind(
        f"hypercorn-{worker}",
        ("hypercorn", worker),
        (
            *("-m", "hypercorn", _APP, "--bind", "127.0.0.1:{port}", "--workers", "0"),
            # It waits in vain for a connection whose messages nobody received.
            *("--worker-class", worker, "--graceful-timeout", "1"),
        ),
    )


KINDS = (
    _uvicorn("h11", "websockets"),
    _uvicorn("h11", "wsproto"),
    _uvicorn("httptools", "websockets"),
    _uvicorn("httptools", "wsproto"),
    _hypercorn("asyncio"),
    _hypercorn("trio"),
    Kind(
        "granian",
        ("granian",),
        (
            *("-m", "granian", _APP, "--interface", "asgi", "--port", "{port}"),
            *("--loop", "asyncio", "--workers-kill-timeout", "5"),
        ),
        mounted=("--url-path-prefix", "/mounted"),
    ),
    Kind(
        "daphne",
        ("daphne",),
        ("-m", "daphne", "--port", "{port}", "--verbosity", "0", _APP),
    ),
)


class Server:
    """A running server.

    Attributes:
        kind: Which one it is.
        port: Where on 127.0.0.1 it listens.
    """

    def __init__(self, kind: Kind, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.kind = kind
        self.port = port
        self._process = process
        self._log = log

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text()

    def quirk(self, topic: str) -> Quirk | None:
        """Return where this server is known to differ on *topic*."""
        found = [
            quirk
            for quirk in QUIRKS
            if topic.startswith(quirk.topic) and self.kind.name.startswith(quirk.servers)
        ]
        assert len(found) <= 1, found
        return found[0] if found else None

    def expects(self, topic: str, usual: Any) -> Any:
        """Return what a test must see: *usual*, or what this server is known to do in its place."""
        quirk = self.quirk(topic)
        return usual if quirk is None else quirk.instead

    def require(self, topic: str) -> None:
        """Skip a test that has nothing to show on a server with this quirk."""
        quirk = self.quirk(topic)
        if quirk is not None:
            pytest.skip(f"{self.kind.name}: {quirk.reason}")

    def notes(self, run: str, count: int, patience: float | None = None) -> list[str]:
        """Return what the application noted of *run*, once there are *count* notes.

        *patience* is the number of seconds after which fewer are returned.
        """
        query = "" if patience is None else f"?patience={patience}"
        with RawClient(self.port) as client:
            found: list[str] = client.request("GET", f"/notes/{run}/{count}{query}").json
            return found

    def open_gate(self, run: str) -> None:
        """Let the view of *run* go on."""
        with RawClient(self.port) as client:
            assert client.request("POST", f"/gates/{run}").status == 200

    def wait_until_it_listens(self) -> None:
        """Return when a connection is accepted."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), LIMIT).close()
            except ConnectionRefusedError:
                time.sleep(0.02)  # another process decides; there is nothing to wait on
            else:
                return
        raise AssertionError(f"{self.kind.name} did not start. It printed:\n{self.output}")

    def stop(self) -> None:
        """Interrupt it; kill what has not ended in time, and fail."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            # COMPAT: hypercorn 0.18 may wait for ever for a connection that was flooded, with any
            # application; whether it does is chance, so it is no row of the quirks.
            if not self.kind.name.startswith("hypercorn"):
                raise AssertionError(f"{self.kind.name} did not end:\n{self.output}") from None
        finally:
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


@contextmanager
def serving(kind: Kind, folder: Path, *options: str, application: str = "app") -> Iterator[Server]:
    """Serve by *kind* for the length of the block; what it prints is in *folder*.

    *application* is a module of this directory. Where the server is not installed the test is
    skipped.
    """
    if kind.missing is not None:
        pytest.skip(f"{kind.name} needs {kind.missing}, which is not installed")
    command = [
        part.replace("integration.app:", f"integration.{application}:") for part in kind.command
    ]
    log = folder / f"{kind.name}.log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *(part.format(port=port) for part in command), *options],
            cwd=_ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(kind, process, port, log)
    try:
        server.wait_until_it_listens()
        yield server
    finally:
        server.stop()
    left = [line for line in server.output.splitlines() if any(sign in line for sign in _LEFT)]
    assert not left, server.output
