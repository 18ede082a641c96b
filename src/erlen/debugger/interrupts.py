"""Floor 8: code that may never end: run aside, watched, interrupted, or left behind.

An interruption is an exception that CPython raises in another thread
(``PyThreadState_SetAsyncExc``). It comes between two steps of Python; what blocks within a function
in C hears nothing of it until that returns.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import Context as Variables
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVarTuple

import anyio
from anyio import from_thread
from anyio.lowlevel import current_token

from erlen.debugger.places import kind_of

Ts = TypeVarTuple("Ts")

#: Seconds between two looks whether a stretch of code takes too long.
_LOOK = 0.05
#: Looks after which code is interrupted wherever it is.
_PATIENCE = 20
_PACKAGE = str(Path(__file__).parent)


class Interrupted(BaseException):
    """Raised in code that was told to end."""


class Stretch:
    """A stretch of code that another thread can interrupt while it runs, and at no other time."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._since = 0.0
        self._is_told = False
        self._was_sent = False

    def call(self, function: Callable[[*Ts], Any], *args: *Ts) -> Any:
        """Call *function* and return what it returns.

        Raises:
            Interrupted: It has taken too long, or somebody has called :meth:`interrupt`.
        """
        self._since = monotonic()
        self._is_told = False
        self._thread = threading.get_ident()
        try:
            try:
                return function(*args)
            finally:
                self._leave()
        except Interrupted:
            self._leave()  # where it came in the middle of leaving
            raise

    def _leave(self) -> None:
        with self._lock:
            self._thread = None
            was_sent, self._was_sent = self._was_sent, False
        if was_sent:
            # SAFETY: an interruption must not hit whatever the thread does next. A thread that
            # takes the GIL again is shown what is pending for it, so that it is raised here.
            sleep(0)

    def interrupt(self) -> None:
        """Have what runs interrupted by whoever looks on; does nothing when nothing runs."""
        self._is_told = True

    @contextmanager
    def limited(self, seconds: float) -> Generator[None, None, None]:
        """Look on from a thread, and interrupt each call that takes longer than *seconds*."""
        done = threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(done, seconds), name="erlen debugger watch", daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _watch(self, done: threading.Event, seconds: float) -> None:
        used: float | None = None
        looks = 0
        while not done.wait(_LOOK):
            with self._lock:
                if self._thread is None or not self._is_overdue(seconds):
                    used, looks = None, 0
                    continue
                before, used = used, _cpu_seconds(self._thread)
                looks += 1
                # SAFETY: one that waits within C cannot be interrupted. To try it has CPython 3.11
                # look for the interruption at every step of all threads; under a tracer of
                # functions (pdb, coverage) they would stand still.
                is_at_work = before is not None and before != used
                if is_at_work and (looks > _PATIENCE or _is_in_own_code(self._thread)):
                    self._send()

    def _is_overdue(self, seconds: float) -> bool:
        return self._is_told or monotonic() - self._since > seconds

    def _send(self) -> None:
        """Raise :class:`Interrupted` in the thread; the lock is held."""
        if self._thread is not None:
            self._was_sent = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread), ctypes.py_object(Interrupted)
            )


def _is_in_own_code(thread: int) -> bool:
    """Whether a thread is in code that was typed, of the application, or of this package.

    SAFETY: libraries have locks that nobody would ever release if they were interrupted between
    taking one and the ``with`` or ``try`` that gives it back.
    """
    frame = sys._current_frames().get(thread)  # documented for this very use
    file = "" if frame is None else frame.f_code.co_filename
    return kind_of(file) == "own" or file.startswith(_PACKAGE)


def _cpu_seconds(thread: int) -> float:
    """Return how long a living thread has been at work; where that is unknown, a new number."""
    clock_of = getattr(time, "pthread_getcpuclockid", None)
    return monotonic() if clock_of is None else time.clock_gettime(clock_of(thread))


class Aside:
    """A function at work in a daemon thread of its own, which nobody has to wait for.

    Attributes:
        ended: Set when it has returned or raised.
    """

    def __init__(self, function: Callable[[], object], variables: Variables) -> None:
        """Start *function*, which handles its own errors, with a copy of *variables*."""
        self.ended = anyio.Event()
        self._token = current_token()
        # SAFETY: the process can end without it; a thread of anyio's would be waited for.
        threading.Thread(
            target=variables.copy().run,
            args=(self._run, function),
            name="erlen debugger",
            daemon=True,
        ).start()

    def _run(self, function: Callable[[], object]) -> None:
        try:
            function()
        finally:
            with suppress(RuntimeError):  # the event loop may have ended, and nobody waits
                from_thread.run_sync(self.ended.set, token=self._token)

    async def wait(self, seconds: float) -> bool:
        """Wait so long for its end; return whether it came."""
        with anyio.move_on_after(seconds):
            await self.ended.wait()
        return self.ended.is_set()
