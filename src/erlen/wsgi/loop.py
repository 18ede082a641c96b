"""Floor 8: the one event loop of a process whose server has none, and the lifespan that runs in it.

It is made at the first request, after a server has forked, and ends with the process.
"""

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any

import anyio

from erlen.protocols import ASGIApp, Message, Scope
from erlen.spawning import running_loop, spawn

#: Seconds that the process waits at its end for the lifespan and what runs in the background.
LAST_SECONDS = 10.0


class LoopThread:
    """An event loop in a thread of its own, with the lifespan of one application.

    Attributes:
        state: What the lifespan has put into its scope.
    """

    def __init__(self, app: ASGIApp, backend: str) -> None:
        """Start the thread and the application; return when that has started.

        Raises:
            Exception: What the startup raised.
        """
        self._app = app
        self._later: Any = None
        self._stop: anyio.Event | None = None
        self._started = threading.Event()
        self._failure: Exception | None = None
        self._was_asked = False
        self.state: dict[str, Any] = {}
        # A daemon: others are waited for before atexit functions run, and this one ends in one.
        self._thread = threading.Thread(
            target=anyio.run, args=(self._main,), kwargs={"backend": backend}, daemon=True,
            name="erlen-wsgi",
        )  # fmt: skip
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        atexit.register(self.stop)

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call *function* in the loop, soon; from any thread."""
        self._later(function, *args)

    def stop(self) -> None:
        """End the application and the loop, and wait for both."""
        atexit.unregister(self.stop)
        self._later(self._end)
        self._thread.join(LAST_SECONDS)

    # --- in the loop ------------------------------------------------------------------------------

    async def _main(self) -> None:
        loop = running_loop()
        self._later = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
        self._stop = anyio.Event()
        lifespan = spawn(self._run_lifespan)
        await self._stop.wait()
        await lifespan.wait()

    async def _run_lifespan(self) -> None:
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001  # told to who waits for the start
            # SPEC: ASGI lifespan 2.0: an application that just raises knows no lifespan.
            if self._failure is not None:
                self._failure = error
        if self._failure is not None:
            self._end()
        self._started.set()

    async def _receive(self) -> Message:
        if not self._was_asked:
            self._was_asked = True
            return {"type": "lifespan.startup"}
        assert self._stop is not None
        await self._stop.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._started.set()
        elif message["type"] == "lifespan.startup.failed":
            self._failure = RuntimeError(
                f"The application could not start: {message.get('message', '')} "
                "Correct what it does at startup."
            )

    def _end(self) -> None:
        assert self._stop is not None
        self._stop.set()


class Loops:
    """The loop of the running process, made when it is asked for."""

    def __init__(self, app: ASGIApp, backend: str) -> None:
        """*backend* is ``"asyncio"`` or ``"trio"``."""
        self._app = app
        self._backend = backend
        self._forget()
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        # SAFETY: of a forked process only one thread goes on, which has no loop, and perhaps locks
        # that nobody will ever release.
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None

    def get(self) -> LoopThread:
        """Return the loop; the first caller starts it while others wait.

        Raises:
            Exception: What the startup of the application raised; the next call tries again.
        """
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = LoopThread(self._app, self._backend)
        return self._thread

    def close(self) -> None:
        """End the loop; the next call of :meth:`get` makes another."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()
