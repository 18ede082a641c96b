"""Floor 8: the one event loop of a process whose server has none, and the lifespan that runs in it.

It is made at the first request, after a server has forked, and ends with the process.
"""

import atexit
import contextlib
import logging
import os
import queue
import threading
import weakref
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Protocol

import anyio

from erlen.protocols import ASGIApp, Message, Scope
from erlen.spawning import running_loop, spawn
from erlen.threads.passing import Inbox, here, host

#: Seconds that the process waits at its end for the application.
LAST_SECONDS = 10.0
#: Seconds of these that are left to exchanges.
EXCHANGE_SECONDS = 3.0

_logger = logging.getLogger("erlen")


class Exchange(Protocol):
    """A request that is served in the loop."""

    def note_gone(self) -> None:
        """End it early; in the loop."""
        ...

    def lose(self) -> None:
        """Let go who waits for it: the loop has ended."""
        ...


class LoopThread:
    """An event loop in a thread of its own, with the lifespan of one application.

    Attributes:
        state: What the lifespan has put into its scope.
        has_ended: Whether the loop is no more.
    """

    def __init__(self, app: ASGIApp, backend: str) -> None:
        """Start the thread and the application; return when that has started.

        Raises:
            Exception: What the startup raised.
        """
        self._app = app
        self._later: Callable[..., object]
        self._stop: anyio.Event
        self._is_ending: anyio.Event
        self._idle: anyio.Event | None = None
        self._inbox = Inbox()
        self._exchanges: set[Exchange] = set()
        self._started = threading.Event()
        self._is_serving = False
        self._failure: BaseException | None = None
        self._was_asked = False
        self._has_told = False
        self.state: dict[str, Any] = {}
        self.has_ended = False
        # A daemon: others are waited for before atexit functions run, and this one ends in one.
        self._thread = threading.Thread(
            target=self._run, args=(backend,), daemon=True, name="erlen-wsgi"
        )
        self._thread.start()
        self._started.wait()
        if not self._is_serving:
            self._thread.join()
            self._raise_failure()

    def enter(self, exchange: Exchange, function: Callable[..., object], *args: Any) -> None:
        """Begin an exchange by calling *function* in the loop."""
        self._exchanges.add(exchange)
        self.call(function, *args)
        if self.has_ended:
            exchange.lose()

    def leave(self, exchange: Exchange) -> None:
        """Note that an exchange has ended; in the loop."""
        self._exchanges.discard(exchange)
        if self._idle is not None and not self._exchanges:
            self._idle.set()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call *function* in the loop, soon, unless that has ended; from any thread."""
        with contextlib.suppress(RuntimeError):
            self._later(function, *args)

    def stop(self) -> None:
        """End the application and the loop, and wait for both.

        ``def`` functions of the end run in the calling thread.
        """
        # COMPAT: when a process of Python 3.12 ends, no thread can be started any more.
        inbox = Inbox()
        deadline = monotonic() + LAST_SECONDS
        self.call(self._end, inbox)
        outer, here.inbox = here.inbox, inbox
        while self._thread.is_alive() and not inbox.is_closed and monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                inbox.take(timeout=0.05)
        here.inbox = outer
        self._thread.join(max(deadline - monotonic(), 0))

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if isinstance(failure, Exception):
            raise failure
        raise RuntimeError(
            f"The application could not start: it ended with {failure!r}. "
            "Correct what it does at startup."
        ) from failure

    # --- in the thread ----------------------------------------------------------------------------

    def _run(self, backend: str) -> None:
        try:
            anyio.run(self._main, backend=backend)
        except BaseException as error:  # told to who waits for the start
            if self._is_serving:
                _logger.critical("The event loop broke down; a request begins one.", exc_info=error)
            self._failure = self._failure or error
        finally:
            # Noted first and looked at then: who enters meanwhile sees the one or is seen here.
            self.has_ended = True
            self._inbox.queue.put(None)
            self._started.set()
            for exchange in tuple(self._exchanges):
                exchange.lose()

    async def _main(self) -> None:
        loop = running_loop()
        self._later = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
        self._stop, self._is_ending = anyio.Event(), anyio.Event()
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}
        lifespan = spawn(self._app, scope, self._receive, self._send, name="erlen-lifespan")
        lifespan.when_done(lambda: self._note_end_of_lifespan(lifespan.error))
        await self._stop.wait()
        host.set(self._inbox)
        await self._end_exchanges()
        self._is_ending.set()
        await lifespan.wait()

    async def _end_exchanges(self) -> None:
        """Let the exchanges end, as servers do before the shutdown of the lifespan."""
        begin_shutdown = getattr(self._app, "begin_shutdown", None)
        if begin_shutdown is not None:
            begin_shutdown()
        await self._wait_for_exchanges()
        for exchange in tuple(self._exchanges):
            exchange.note_gone()
        await self._wait_for_exchanges()

    async def _wait_for_exchanges(self) -> None:
        with anyio.move_on_after(EXCHANGE_SECONDS):
            while self._exchanges:
                self._idle = anyio.Event()
                await self._idle.wait()

    async def _receive(self) -> Message:
        if not self._was_asked:
            self._was_asked = True
            return {"type": "lifespan.startup"}
        await self._is_ending.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._begin_serving()
        elif message["type"] == "lifespan.startup.failed":
            self._failure = RuntimeError(
                f"The application could not start: {message.get('message', '')} "
                "Correct what it does at startup."
            )
        elif message["type"] == "lifespan.shutdown.failed":
            self._has_told = True
            _logger.error("The application failed at its end: %s", message.get("message", ""))

    def _note_end_of_lifespan(self, error: BaseException | None) -> None:
        if self._is_serving:
            if error is not None and not self._has_told:
                _logger.error("The lifespan of the application failed.", exc_info=error)
        elif self._failure is None and (error is None or isinstance(error, Exception)):
            # SPEC: ASGI lifespan 2.0: an application that just raises knows no lifespan.
            self._begin_serving()
        else:
            self._failure = error or self._failure
            self._stop.set()

    def _begin_serving(self) -> None:
        self._is_serving = True
        self._started.set()

    def _end(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._stop.set()


class Loops:
    """The loop of the running process, made when it is asked for."""

    def __init__(self, app: ASGIApp, backend: str) -> None:
        """*backend* is ``"asyncio"`` or ``"trio"``."""
        self._app = app
        self._backend = backend
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._is_exiting = False
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=partial(_forget, weakref.ref(self)))

    def forget(self) -> None:
        """Begin anew in a process that was forked."""
        # SAFETY: of a forked process only one thread goes on, which has no loop, and perhaps locks
        # that nobody will ever release.
        self._lock = threading.Lock()
        self._thread = None
        atexit.unregister(self._exit)

    def get(self) -> LoopThread:
        """Return the loop; the first caller starts it while others wait.

        Raises:
            Exception: What the startup of the application raised; the next call tries again.
            RuntimeError: The process is ending.
        """
        thread = self._thread
        if thread is None or thread.has_ended:
            with self._lock:
                thread = self._thread
                if thread is None or thread.has_ended:
                    thread = self._thread = self._begin()
        return thread

    def _begin(self) -> LoopThread:
        # Threads of a server may go on while the process ends; nothing would end what they began.
        if self._is_exiting:
            raise RuntimeError(
                "A request came while the process was ending, after the application had ended. "
                "Nothing is to be done: it is not answered."
            )
        thread = LoopThread(self._app, self._backend)
        atexit.register(self._exit)
        return thread

    def _exit(self) -> None:
        """The process is ending."""
        self._is_exiting = True
        self.close()

    def close(self) -> None:
        """End the loop; the next call of :meth:`get` makes another, when this one has ended."""
        with self._lock:
            thread, self._thread = self._thread, None
            atexit.unregister(self._exit)
            if thread is not None:
                thread.stop()


def _forget(loops: "weakref.ref[Loops]") -> None:
    """Called in a forked process; it cannot be unregistered, so it must not keep what it is for."""
    alive = loops()
    if alive is not None:
        alive.forget()
