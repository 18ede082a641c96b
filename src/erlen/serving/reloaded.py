"""Floor 8: the process that serves while another one, the supervisor, watches the files.

The two have a pipe. When the supervisor closes its end, or dies, this process ends.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import uvicorn

from erlen.app import Erlen
from erlen.config import DEFAULTS, get_debug_flag
from erlen.serving.addresses import bind, choose, is_bound, start_line
from erlen.serving.debugging import debugged
from erlen.serving.server import Server
from erlen.serving.start import uvicorn_settings
from erlen.serving.terminal import reopen_stdin, say
from erlen.serving.unloaded import files_of, in_its_place, without_ours
from erlen.serving.watching import module_files

#: Seconds after which a process that was told to end, and has not begun to, is no longer waited
#: for: something holds up its event loop.
BLOCKED_AFTER = 1.5
#: Seconds after which one that has begun is not waited for. Longer than its grace and the time
#: that background tasks have after it.
KILL_AFTER = 10.0
#: Seconds between two looks at what was imported.
_LOOK = 1.0


@dataclass(frozen=True)
class Start:
    """What a process is told that serves.

    Attributes:
        load: Returns the application.
        host: Where to listen, when that was given.
        port: The same.
        options: Passed to uvicorn's ``Config``.
        token: What unlocks the debugger's consoles.
        debug: Whether the application was in debug mode when it could be loaded.
        is_told: Whether the terminal has the token.
    """

    load: Callable[[], Erlen]
    host: str | None
    port: int | None
    options: Mapping[str, Any]
    token: str
    debug: bool = False
    is_told: bool = False


class Line:
    """The pipe to the supervisor.

    Attributes:
        is_ending: Set when this process ends in order.
    """

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        """*connection* is this process's end."""
        self._connection = connection
        self._sending = threading.Lock()
        self._told: set[str] = set()
        self.is_ending = threading.Event()

    def tell(self, what: str, value: object = None) -> None:
        """Send word to the supervisor; if it is gone, nobody hears."""
        with self._sending, contextlib.suppress(OSError):
            self._connection.send((what, value))

    def tell_files(self, files: Iterable[str] = ()) -> None:
        """Tell what is to be watched, too: what was imported since the last time, and *files*."""
        new = module_files().union(files) - self._told
        if new:
            self._told |= new
            self.tell("files", new)

    def follow(self) -> None:
        """End this process when the supervisor says so, or is gone; runs in a thread."""
        while not self._connection.poll(_LOOK):
            self.tell_files()
        if not self.is_ending.is_set():  # by CTRL+C, which both have heard
            signal.raise_signal(signal.SIGTERM)
        if not self.is_ending.wait(BLOCKED_AFTER):
            _die(BLOCKED_AFTER)
        time.sleep(KILL_AFTER)
        _die(KILL_AFTER)


def _die(seconds: float) -> None:
    """End this process where it stands, as nothing else ends it."""
    say(f" * The server did not end within {seconds:g} seconds and is killed.")
    os._exit(1)


def serve(listener: socket.socket, connection: "Connection[Any, Any]") -> None:
    """Serve in this process, from when the supervisor says how until it closes *connection*."""
    reopen_stdin()
    try:
        start: Start = connection.recv()
    except EOFError:  # it has ended before
        return
    line = Line(connection)
    threading.Thread(target=line.follow, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        heed_signals()
        serve_application(start, listener, line)


def heed_signals() -> None:
    """Take CTRL+C from now on; the supervisor is the one that hears of a lost terminal."""
    _mask(signal.SIG_UNBLOCK)
    if hasattr(signal, "SIGHUP"):
        # Not SIG_IGN, which programs would inherit that the application starts.
        signal.signal(signal.SIGHUP, lambda *_: None)


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Let a process that is started here take no CTRL+C before :func:`heed_signals`.

    It is of no use while Python starts, but for a traceback.
    """
    _mask(signal.SIG_BLOCK)
    try:
        yield
    finally:
        _mask(signal.SIG_UNBLOCK)


def _mask(how: int) -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(how, {signal.SIGINT})


def serve_application(start: Start, listener: socket.socket, line: Line) -> None:
    """Load the application and serve it; serve what went wrong when it cannot be loaded."""
    loaded = _load(start.load)
    line.tell_files(set() if isinstance(loaded, Erlen) else files_of(loaded))
    if not is_bound(listener):
        _bind(listener, loaded, start, line)
    host = listener.getsockname()[0]
    say_token = _say_nothing if start.is_told else say
    config: Mapping[str, Any]
    if isinstance(loaded, Erlen):
        what, debug, config = f"erlen app {loaded.name!r}", loaded.debug, loaded.config
        served = debugged(loaded, host, token=start.token, say=say_token)
    else:
        what, debug = "an error", start.debug or get_debug_flag()
        config = {**DEFAULTS, "DEBUG": debug}
        served = in_its_place(loaded, host, token=start.token, say_token=say_token, debug=debug)
    settings = uvicorn.Config(
        served, **{**uvicorn_settings(config, in_haste=True), **start.options}
    )
    said = start_line(what, listener, tls=settings.is_ssl)
    _Server(settings, said, line, debug=debug).run(sockets=[listener])


def _load(load: Callable[[], Erlen]) -> Erlen | BaseException:
    """Return the application, or what was raised in its place."""
    try:
        return load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # the user's modules may raise anything
        return without_ours(error)


def _say_nothing(_line: str) -> None:
    """Keep what the terminal has already."""


def _bind(listener: socket.socket, loaded: Erlen | BaseException, start: Start, line: Line) -> None:
    """Listen where the application says, for this process and those after it."""
    try:
        name = loaded.config["SERVER_NAME"] if isinstance(loaded, Erlen) else None
        bind(listener, *choose(name, start.host, start.port))
    except SystemExit:
        line.tell("refused")
        raise


class _Server(Server):
    """A server that tells the supervisor how far it is."""

    def __init__(self, config: uvicorn.Config, start_line: str, line: Line, *, debug: bool) -> None:
        super().__init__(config, start_line)
        self._line = line
        self._debug = debug

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._line.tell("serving", self._debug)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._line.is_ending.set()
        await super().shutdown(sockets)
