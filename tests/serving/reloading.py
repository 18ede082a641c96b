"""Serving in this process's children, for tests that look at what they do."""

import functools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from erlen.cli.loader import load_again
from erlen.serving import reloading

#: Seconds after which what a server should do is a failure.
LIMIT = 30.0


class Project:
    """A directory with an application, and its address once it is served.

    Attributes:
        folder: The directory.
        port: Where on 127.0.0.1 it is served.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    def save(self, source: str) -> None:
        """Write the application's module, whose first line is here."""
        (self.folder / "shop.py").write_text(f"from erlen import Erlen\n{source}")

    def get(self, path: str = "/", **headers: str) -> httpx.Response:
        """Return what is answered, as soon as somebody does."""
        until = time.monotonic() + LIMIT
        while True:
            try:
                return httpx.get(
                    f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=LIMIT
                )
            except httpx.TransportError:  # nobody listens yet, or the connection was not taken
                assert time.monotonic() < until, "Nobody answers."
                time.sleep(0.02)

    def wait_for(self, text: str) -> httpx.Response:
        """Ask until an answer has *text*."""
        until = time.monotonic() + LIMIT
        while text not in (answer := self.get()).text:
            assert time.monotonic() < until, answer.text
            time.sleep(0.02)
        return answer

    def serve(
        self, use: Callable[[], object], number: int = signal.SIGINT, **options: Any
    ) -> float:
        """Serve while *use* runs in a thread, then send this process a signal.

        Returns how many seconds it took then to end.
        """
        failures: list[BaseException] = []
        ends: list[float] = []

        def act() -> None:
            try:
                use()
            except BaseException as error:  # noqa: BLE001  # raised below, where somebody sees it
                failures.append(error)
            ends.append(time.monotonic())
            os.kill(os.getpid(), number)

        thread = threading.Thread(target=act)
        thread.start()
        load = functools.partial(load_again, "shop", None, None, {})
        try:
            reloading.serve(load, **{"host": "127.0.0.1", "port": self.port} | options)
        finally:
            ended = time.monotonic()
            thread.join()
        if failures:
            raise failures[0]
        return ended - ends[0]
