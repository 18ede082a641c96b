"""Floor 6: the lifespan of an ASGI application, played from the server's side.

Source: ASGI lifespan specification 2.0.
"""

from contextvars import Context as Variables
from contextvars import copy_context
from types import TracebackType
from typing import Any, Self

import anyio

from erlen.protocols import ASGIApp, Message
from erlen.spawning import Child, spawn

#: Seconds that a cancelled application has to clean up before it is left behind.
LAST_SECONDS = 1.0


class Guest:
    """One lifespan of an application, in a task of its own: what it enters it leaves there.

    The task ends by the shutdown's message alone. The end of the event loop is one, too, so that
    what is to be closed is closed.

    Attributes:
        state: Its ``scope["state"]``.
        is_supported: Whether it takes part in the protocol; known when it has started.
    """

    def __init__(
        self, app: ASGIApp, name: str, state: dict[str, Any], variables: Variables | None = None
    ) -> None:
        """*name* is for messages; *variables* are those of the task, the caller's if not given."""
        self.state = state
        self._variables = variables or copy_context()
        self.is_supported = False
        self._app = app
        self._name = name
        self._was_asked = False
        self._failure: str | None = None
        self._settled = anyio.Event()
        self._stopping = anyio.Event()
        self._scope = anyio.CancelScope(shield=True)
        self._child: Child | None = None

    async def start(self) -> None:
        """Return when the application has started, or takes no part in the protocol.

        Raises:
            RuntimeError: It reported a failure and raised nothing.
            BaseException: What it raised, after it had asked for the first message.
        """
        name = f"erlen: the lifespan of {self._name}"
        child = self._child = self._variables.run(lambda: spawn(self._run, name=name))
        child.when_done(self._settled.set)
        try:
            await self._settled.wait()
            if self._failure is not None:
                self._stopping.set()
                await child.wait()
        except BaseException:
            await self.abort()
            raise
        if self._was_asked:
            self._raise("startup")
        self.is_supported = not child.is_done

    async def stop(self) -> None:
        """Return when the application has shut down; does nothing where it has ended already.

        Raises:
            RuntimeError: It reported a failure and raised nothing.
            BaseException: What it raised, now or while it was serving.
        """
        self._stopping.set()
        if not self.is_supported:
            return
        assert self._child is not None
        try:
            await self._child.wait()
        except BaseException:
            await self.abort()
            raise
        self._raise("shutdown")

    async def abort(self) -> None:
        """Cancel it where it waits, and wait for its end; only after the start."""
        assert self._child is not None
        self._stopping.set()
        self._scope.cancel()
        with anyio.move_on_after(LAST_SECONDS, shield=True):
            await self._child.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, GeneratorExit):  # nothing can be awaited here any more
            self._stopping.set()
            self._scope.cancel()
        else:
            await self.stop()

    # --- in the task ------------------------------------------------------------------------------

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        with self._scope:
            await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if not self._was_asked:
            self._was_asked = True
            return {"type": "lifespan.startup"}
        try:
            await self._stopping.wait()
        except anyio.get_cancelled_exc_class():
            self._stopping.set()  # the event loop is ending
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if message["type"].endswith(".failed"):
            self._failure = message.get("message") or "(it gave no message)"
        self._settled.set()

    def _raise(self, phase: str) -> None:
        assert self._child is not None
        error = self._child.error
        if error is None and self._failure is not None:
            error = RuntimeError(
                f"The {phase} of {self._name} failed: {self._failure} "
                f"Correct what it does at {phase}."
            )
        elif error is not None:
            error.add_note(f"Raised at the {phase} of {self._name}.")
        if error is not None:
            raise error
