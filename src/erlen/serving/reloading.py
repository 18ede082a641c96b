"""Floor 8: serve in another process, and put a new one in its place when a file changes.

The process here imports nothing of the application's, so nothing of it can do any harm. It has the
socket, which stays open: clients that connect in between wait for the next process.
"""

import contextlib
import multiprocessing
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path
from types import FrameType
from typing import Any

from uvicorn.config import STARTUP_FAILURE

from erlen.app import Erlen
from erlen.serving.addresses import bind, new_listener
from erlen.serving.reloaded import BLOCKED_AFTER, KILL_AFTER, Start, deaf
from erlen.serving.reloaded import serve as serve_there
from erlen.serving.terminal import remember_terminal, say
from erlen.serving.watching import Watch, forget_bytecode

_spawning = multiprocessing.get_context("spawn")
#: Signals that end all; Windows lacks SIGHUP, the terminal that is gone.
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def serve(
    load: Callable[[], Erlen],
    host: str | None = None,
    port: int | None = None,
    *,
    debug: bool = False,
    watch: Iterable[str] = (),
    **options: Any,
) -> None:
    """Serve until CTRL+C or SIGTERM, anew whenever a file changes.

    Args:
        load: Returns the application; called in each process that serves, which unpickles it.
        host: Address to listen on; that of the application's ``SERVER_NAME``, else 127.0.0.1.
        port: 0 for any free one; that of ``SERVER_NAME``, else 5000.
        debug: Show an application that cannot be loaded as in debug mode, whatever
            ``ERLEN_DEBUG`` says.
        watch: Files that count besides Python's below the working directory, and besides those
            that the application imports from elsewhere; directories with all that is below them.
        options: Passed to uvicorn's ``Config``.

    Raises:
        SystemExit: With code 3: nothing can listen there.
    """
    start = Start(load, host, port, options, secrets.token_hex(16), debug)
    with new_listener(host) as listener:
        if host is not None and port is not None:
            bind(listener, host, port)
        code = Supervisor(start, listener, Watch(Path.cwd(), watch)).run()
    if code:
        raise SystemExit(code)


class Child:
    """A process that serves once it is told to.

    PERF: while the former one ends, this one starts Python and imports what it needs: 0.4 s.

    Attributes:
        has_served: Whether its application has started, as far as was heard.
    """

    def __init__(self, listener: socket.socket) -> None:
        """Start it; it has *listener*."""
        resource_tracker.ensure_running()  # else start() does, and ends what deaf() began
        self._line, theirs = _spawning.Pipe()
        self._process = _spawning.Process(target=serve_there, args=(listener, theirs))
        self._began = 0.0
        self.has_served = False
        with deaf():
            self._process.start()
        theirs.close()

    def begin(self, start: Start) -> None:
        """Tell it to load and serve the application."""
        self._began = time.time()
        with contextlib.suppress(OSError):  # it has died, which is found out by others
            self._line.send(start)

    @property
    def exit_code(self) -> int | None:
        """Its exit code; ``None`` while it lives."""
        return self._process.exitcode

    def words(self) -> Iterator[tuple[str, Any]]:
        """Give what it has said since the last time."""
        with contextlib.suppress(EOFError, OSError):  # it has ended
            while self._line.poll():
                yield self._line.recv()

    def watch_files(self, watch: Watch, files: set[str]) -> None:
        """Watch files that it has imported."""
        watch.add(files, self._began)

    def end(self) -> None:
        """End it in order; it kills itself when that cannot be."""
        self._line.close()
        self._process.join(BLOCKED_AFTER + KILL_AFTER + 1)
        self.kill()  # if it lives, not even a thread of its own runs there
        self._process.join()

    def kill(self) -> None:
        """End it where it stands."""
        self._process.kill()


class Supervisor:
    """One process that serves at a time, and what is done when it ends."""

    def __init__(self, start: Start, listener: socket.socket, watch: Watch) -> None:
        """*start* is for the first process; later ones are told what it has said."""
        self._start = start
        self._listener = listener
        self._watch = watch
        self._restore_terminal = remember_terminal()
        self._is_ending = False
        self._code: int | None = None
        self._is_judged = False
        self._children: list[Child] = []

    @property
    def _child(self) -> Child:
        """The one that serves, or is about to."""
        return self._children[-1]

    def run(self) -> int:
        """Serve until a signal comes, or the process ends by itself; return the exit code."""
        self._children.append(Child(self._listener))
        with self._signals():
            self._child.begin(self._start)
            try:
                while not self._is_ending and self._code is None:
                    self._attend()
            finally:
                self._end(self._child)
        return self._code or 0

    def _attend(self) -> None:
        """Do what there is to do, or wait a moment for that."""
        changed = self._watch.wait()
        code = self._child.exit_code  # asked first: its last words come before
        self._hear()
        if self._is_ending:
            return
        if changed:
            say(f" * Starting again: {_names(changed)} changed.")
            forget_bytecode(changed)
            self._replace()
        elif code is not None and not self._is_judged:
            self._judge(code)

    def _hear(self) -> None:
        for what, value in self._child.words():
            if what == "files":
                self._child.watch_files(self._watch, value)
            elif what == "serving":
                self._child.has_served = True
                is_told = value or self._start.is_told
                self._start = replace(self._start, debug=value, is_told=is_told)
            else:
                self._code = STARTUP_FAILURE  # it has nowhere to listen

    def _replace(self) -> None:
        """Put another process in the place of the one that serves, or has died."""
        former = self._child
        self._children.append(Child(self._listener))
        self._is_judged = False
        self._end(former)
        if not self._is_ending:
            self._child.begin(self._start)

    def _end(self, child: Child) -> None:
        child.end()
        self._children.remove(child)
        self._restore_terminal()

    def _judge(self, code: int) -> None:
        """Decide what follows when the process has ended by itself."""
        self._restore_terminal()
        self._is_judged = True
        if code == 0:
            self._code = self._code or 0  # the application ends itself, or somebody ends it
        elif self._child.has_served:
            say(f" * The server died with code {code} and is started again.")
            self._replace()
        else:
            say(f" * The server ended with code {code}. It is started again when a file changes.")

    # --- signals ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """End all at a signal; what was to be ignored, as by nohup, still is."""
        former = {
            number: signal.signal(number, self._handle)
            for number in _SIGNALS
            if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._is_ending and number == signal.SIGINT:
            for child in self._children:
                child.kill()
        self._is_ending = True


def _names(files: set[str]) -> str:
    """Return what has changed, for people."""
    here = f"{Path.cwd()}/"
    first, *others = sorted(file.removeprefix(here) for file in files)
    return first + (f" and {len(others)} more" if others else "")
