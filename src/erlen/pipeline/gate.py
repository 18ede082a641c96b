"""Floor 6: what stands before an application that must start first, as long as it has not.

A server with the lifespan protocol has run the startup before the first request. For one without
it the first request begins the startup here, and plays the server's part.
"""

from collections.abc import Callable

import anyio

from erlen.pipeline.bare import answer_bare
from erlen.pipeline.guest import Guest
from erlen.pipeline.plan import Plan
from erlen.pipeline.readiness import Phase
from erlen.protocols import Application, ASGIApp, Receive, Scope, Send
from erlen.spawning import running_loop, spawn

#: Seconds that the end has, when nobody waits for it but the end of the event loop.
LAST_SECONDS = 5.0
#: RFC 9110 section 10.2.3: seconds after which another process may serve.
_LATER = (b"retry-after", b"5")


class Gate:
    """The application while it is not serving; while it is, its stack is called in its place.

    ==========  ================================================================
    it is new   the request starts it and waits, and so do all others
    starting    the request waits
    serving     the request is served
    ended       503 with ``Retry-After``: what was started has been closed
    ==========  ================================================================
    """

    def __init__(self, plan: Plan, stack: ASGIApp, use: Callable[[ASGIApp], None]) -> None:
        """*use* is told which of the two, the gate or *stack*, servers are to call from now on."""
        self._app = plan.app
        self._stack = stack
        self._use = use
        self._readiness = plan.app.lifespan_declarations.readiness
        self._readiness.changed = self.change
        self._attempt: _Attempt | None = None

    def change(self) -> None:
        """Stand aside while the application serves."""
        self._use(self._stack if self._readiness.phase is Phase.SERVING else self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope when the application has started."""
        if scope["type"] not in {"http", "websocket"}:
            return await self._stack(scope, receive, send)
        phase = await self._readiness.settled(self._app.name)
        if phase is Phase.NEW:
            phase = await self._start()
        if phase is Phase.SERVING:
            self._readiness.check_loop(self._app.name)
            return await self._stack(scope, receive, send)
        if phase is Phase.ENDED:
            return await answer_bare(scope, send, 503, _LATER, *_end_of_connection(scope))
        return await answer_bare(scope, send, 500)

    async def _start(self) -> Phase:
        """Start the application, unless a request has begun to; return what came of it."""
        attempt = self._attempt
        if attempt is None or attempt.settled.is_set() or attempt.loop is not running_loop():
            attempt = self._attempt = _Attempt(self._app, self._stack)
            spawn(attempt.run, name=f"erlen: {self._app.name} without a lifespan")
        await attempt.settled.wait()
        return self._readiness.phase


class _Attempt:
    """One startup that no server has asked for, and the shutdown after it."""

    def __init__(self, app: Application, stack: ASGIApp) -> None:
        self.loop = running_loop()
        self.settled = anyio.Event()
        self._app = app
        self._guest = Guest(stack, f"the application {app.name!r}", {})

    async def run(self) -> None:
        """Start; stop at ``app.shutting_down`` or at the end of the event loop."""
        try:
            await self._guest.start()
            self._check()
        except (GeneratorExit, anyio.get_cancelled_exc_class()):
            raise
        except BaseException as error:  # noqa: BLE001  # told once; the next request tries again
            self._app.log_exception(error)
            return
        finally:
            self.settled.set()
        try:
            await self._app.shutting_down.wait()
        except anyio.get_cancelled_exc_class():
            await self._stop()
            raise
        await self._stop()

    async def _stop(self) -> None:
        with anyio.move_on_after(LAST_SECONDS, shield=True):
            try:
                await self._guest.stop()
            except Exception as error:  # noqa: BLE001  # nobody is there to be told
                self._app.log_exception(error)

    def _check(self) -> None:
        if not self._guest.is_supported:
            raise RuntimeError(
                f"The middleware of the application {self._app.name!r} did not pass the scope "
                "'lifespan' on, so nothing could be started. Have it call the application for "
                "scopes of every type."
            )


def _end_of_connection(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the header field that ends a connection; RFC 9113 section 8.2.2 forbids it later."""
    is_old = scope.get("http_version", "1.1").startswith("1")
    return [(b"connection", b"close")] if is_old else []
