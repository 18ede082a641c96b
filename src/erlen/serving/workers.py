"""Floor 8: serve with several processes on one socket."""

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from erlen.app import Erlen
from erlen.protocols import ASGIApp
from erlen.serving.addresses import choose, listen, start_line
from erlen.serving.debugging import debugged
from erlen.serving.server import Server
from erlen.serving.start import uvicorn_settings
from erlen.serving.terminal import say

#: Seconds between two looks at whether a worker has died.
_PAUSE = 0.1
#: Seconds that a worker has to end beyond the grace of its requests.
_LAST_SECONDS = 10.0

_spawning = multiprocessing.get_context("spawn")


def serve(
    app: Erlen,
    host: str | None = None,
    port: int | None = None,
    *,
    load: Callable[[], Erlen],
    workers: int,
    **options: Any,
) -> None:
    """Serve until CTRL+C or SIGTERM; a worker that dies is replaced.

    Args:
        app: The application, for its configuration; it serves nothing itself.
        host: As ``erlen.serving.run`` takes it.
        port: The same.
        load: Returns the application; called in each worker, which unpickles it.
        workers: How many.
        options: Passed to uvicorn's ``Config``.

    Raises:
        SystemExit: With code 3: nothing can listen there, debug mode is on in production, or a
            worker could not start.
    """
    with listen(*choose(app.config["SERVER_NAME"], host, port)) as listener:
        made = _Made(load, listener.getsockname()[0], workers)
        settings = uvicorn_settings(app.config, in_haste=app.debug)
        config = uvicorn.Config(made, factory=True, **settings | options)
        line = start_line(f"erlen app {app.name!r}", listener, tls=config.is_ssl)
        say(f"{line} with {workers} workers")
        code = _Workers(config, listener, workers).run()
    if code:
        raise SystemExit(code)


@dataclass(frozen=True)
class _Made:
    """Makes what a worker serves; in debug mode pages without consoles."""

    load: Callable[[], Erlen]
    host: str
    workers: int

    def __call__(self) -> ASGIApp:
        return debugged(self.load(), self.host, workers=self.workers, say=lambda _line: None)


def work(config: uvicorn.Config, listener: socket.socket) -> None:
    """Serve in this process; what a worker does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config.configure_logging()  # which it did where it was made, in the first process
    with contextlib.suppress(KeyboardInterrupt):  # CTRL+C, again
        Server(config, f" * Worker {os.getpid()} is ready.").run(sockets=[listener])


def _end_with_parent() -> None:
    """End this worker in order when the process that started it has died."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


class _Workers:
    """The processes, and the signals that end them."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, count: int) -> None:
        self._config = config
        self._listener = listener
        self._is_ending = False
        self._processes = [self._start() for _ in range(count)]

    def _start(self) -> Any:
        process = _spawning.Process(target=work, args=(self._config, self._listener))
        process.start()
        return process

    def run(self) -> int:
        """Keep them alive until a signal comes; return the exit code."""
        former = {
            number: signal.signal(number, self._handle)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            code = 0
            while not self._is_ending and not code:
                time.sleep(_PAUSE)
                code = self._replace_dead()
            return code
        finally:
            self._end()
            for number, handler in former.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._is_ending and number == signal.SIGINT:
            for process in self._processes:
                process.kill()
        self._is_ending = True

    def _replace_dead(self) -> int:
        """Start others for workers that died; return the code of one that could not start."""
        for index, process in enumerate(self._processes):
            if process.exitcode == STARTUP_FAILURE:
                return STARTUP_FAILURE
            if process.exitcode is not None and not self._is_ending:
                say(f" * Worker {process.pid} died with code {process.exitcode} and is replaced.")
                self._processes[index] = self._start()
        return 0

    def _end(self) -> None:
        _each(self._processes, "terminate")
        grace = (self._config.timeout_graceful_shutdown or 0) + _LAST_SECONDS
        until = time.monotonic() + grace
        for process in self._processes:
            process.join(max(0.0, until - time.monotonic()))
        _each((each for each in self._processes if each.exitcode is None), "kill")
        for process in self._processes:
            process.join()


def _each(processes: Iterable[Any], call: str) -> None:
    for process in processes:
        getattr(process, call)()
