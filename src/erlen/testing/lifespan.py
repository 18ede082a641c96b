"""Floor 8: run an application's lifespan by hand, in the task of the test.

A server runs the lifespan in a task of its own. A test client must not: a task group that spans a
fixture and its test is not allowed everywhere, and what the application opens at startup should
belong to the task that uses it. So the lifespan's coroutine is stepped here. What it yields is
passed on to the event loop, as ``await`` does; when it sends ``lifespan.startup.complete`` it is
left where it is, and resumed when the client is left. That needs neither task nor thread and knows
nothing of the loop.
"""

import contextvars
import math
import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any

import anyio

from erlen.exceptions import ErlenError
from erlen.protocols import ASGIApp, Message
from erlen.testing.conduct import ConductChecker, ConductError
from erlen.testing.deadlines import GRACE, DeadlineExceeded

__all__ = ["Lifespan", "LifespanError"]

_PAUSE = object()


class LifespanError(ErlenError, RuntimeError):
    """The application's lifespan failed, or was needed and not run."""


class Lifespan:
    """The lifespan of one application, from startup to shutdown.

    Attributes:
        state: ``scope["state"]``: what the application puts there at startup.
    """

    def __init__(self, app: ASGIApp, seconds: float | None) -> None:
        """*seconds* is the deadline of startup and of shutdown, each; ``None`` for none."""
        self._app = ConductChecker(app)
        self._seconds = seconds
        self._events = iter(["lifespan.startup", "lifespan.shutdown"])
        self._asked = False
        self._failure: str | None = None
        self._steps: _Steps | None = None
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        """Run the application up to ``lifespan.startup.complete``.

        Raises:
            LifespanError: It sent ``lifespan.startup.failed`` and raised nothing.
            DeadlineExceeded: It took too long.
            Exception: What it raised. Before it asked for the first event an exception only says
                that it takes no part in the protocol.
        """
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        self._steps = _Steps(self._app(scope, self._receive, self._send))
        try:
            await self._steps.advance(None, self._seconds, "the startup")
        except ConductError:
            raise
        except Exception:
            if self._asked:
                raise
        self._raise_failure("startup")

    async def shutdown(self, cancelled: BaseException | None = None) -> None:
        """Resume the application and let it end; does nothing when it has ended already.

        Args:
            cancelled: What cancelled the block between, raised where the application waits: a task
                group that it opened at startup cancels the block when one of its tasks fails.

        Raises:
            LifespanError: It sent ``lifespan.shutdown.failed``, or cancelled the block for no
                reason.
            DeadlineExceeded: It took too long.
            Exception: What it raised.
        """
        if self._steps is None or self._steps.ended:
            return
        await self._steps.advance(cancelled, self._seconds, "the shutdown")
        if cancelled is not None:
            raise LifespanError(
                "The application's lifespan cancelled the block in which the client was used. "
                "Let the task group that it opens at startup end at shutdown only."
            )
        self._raise_failure("shutdown")

    async def _receive(self) -> Message:
        self._asked = True
        return {"type": next(self._events)}

    async def _send(self, message: Message) -> None:
        if message["type"].endswith(".failed"):
            self._failure = message.get("message", "")
        elif message["type"] == "lifespan.startup.complete" and self._steps is not None:
            await self._steps.pause()

    def _raise_failure(self, phase: str) -> None:
        if self._failure is not None:
            raise LifespanError(
                f"The application reported that its {phase} failed: "
                f"{self._failure or '(it gave no message)'}. Correct what it does at {phase}."
            )


class _Steps:
    """A coroutine that is run piece by piece, each piece awaited by whoever is there."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self._context = contextvars.copy_context()  # what it sets is not for the test to see
        self._stepping = False
        self.ended = False

    @types.coroutine
    def pause(self) -> Generator[object, None, None]:
        """Leave the coroutine here until the next :meth:`advance`; awaited inside of it."""
        if not self._stepping:
            raise LifespanError(
                "'lifespan.startup.complete' was sent in another task than the one in which the "
                "application was called, and the test client cannot stop it there. "
                "Send it in the coroutine that received 'lifespan.startup'."
            )
        yield _PAUSE

    @types.coroutine
    def advance(
        self, error: BaseException | None, seconds: float | None, awaited: str
    ) -> Generator[Any, Any, None]:
        """Run until the coroutine pauses or ends, after raising *error* in it if there is one.

        A late coroutine gets :class:`DeadlineExceeded` where it waits and a grace to clean up.
        """
        resume = partial(self._coroutine.send, None)
        if error is not None:
            resume = partial(self._coroutine.throw, error)
        limit = math.inf if seconds is None else anyio.current_time() + seconds
        late: DeadlineExceeded | None = None
        value: Any = None
        while True:
            trap = self._step(resume)
            if self.ended or trap is _PAUSE:
                break
            try:
                # The scope is open only while the coroutine is not running: scopes that the
                # application enters at startup and leaves at shutdown stay properly nested.
                with anyio.CancelScope(deadline=limit) as scope:
                    value = yield trap
            except BaseException as thrown:  # noqa: BLE001  # belongs to the coroutine
                resume = partial(self._coroutine.throw, thrown)
                continue
            if not scope.cancel_called:
                resume = partial(self._coroutine.send, value)
            elif late is None:
                late = DeadlineExceeded(seconds or 0, f"{awaited} of the application")
                limit = anyio.current_time() + GRACE
                resume = partial(self._coroutine.throw, late)
            else:
                self.ended = True
                self._context.run(self._coroutine.close)
                break
        if late is not None:
            raise late

    def _step(self, resume: partial[Any]) -> Any:
        self._stepping = True
        try:
            return self._context.run(resume)
        except StopIteration:
            self.ended = True
        except BaseException:
            self.ended = True
            raise
        finally:
            self._stepping = False
        return None
