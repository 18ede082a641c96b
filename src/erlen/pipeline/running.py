"""Floor 6: one run of an application: what is entered around serving, and left again."""

import functools
import inspect
import math
from collections.abc import AsyncGenerator, Callable, Coroutine, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import Context as Variables
from types import TracebackType
from typing import Any

import anyio

from erlen.callables import name_of
from erlen.context import Context, current, current_context
from erlen.exceptions import SetupError
from erlen.pipeline.adapt import adapt
from erlen.pipeline.deadline import TooLate, limited
from erlen.pipeline.guest import Guest
from erlen.pipeline.plan import Plan
from erlen.pipeline.readiness import Phase
from erlen.pipeline.teardown import tear_down
from erlen.protocols import Receive, Send


class Running:
    """One run: what was entered, and what failed.

    Attributes:
        phase: ``"startup"`` or ``"shutdown"``.
    """

    def __init__(self, plan: Plan, state: MutableMapping[str, Any], outside: Variables) -> None:
        """*state* is the server's; *outside* are the variables without a context of *plan*."""
        self.phase = "startup"
        self._plan = plan
        self._app = plan.app
        self._declared = plan.app.lifespan_declarations
        self._state = state
        self._outside = outside
        self._limit = math.inf
        self._failures: list[Exception] = []
        self._entered = AsyncExitStack()
        self._was_told = False

    async def run(self, receive: Receive, send: Send) -> None:
        """Start, serve and stop; raise what failed, several failures as a group."""
        async with self._entered:
            try:
                self._app.shutting_down.clear()
                await self._start()
                await self._serve(receive, send)
            except Exception as error:  # noqa: BLE001  # what was entered ends as it does otherwise
                self._failures.append(error)
            finally:
                if self.phase == "shutdown":
                    self._declared.readiness.change(Phase.ENDED)
                current().begin_teardown()
                await self._drain()
        await self._drain()  # what the functions after serving have started
        if len(self._failures) == 1:
            raise self._failures[0]
        if self._failures:
            raise ExceptionGroup(f"The application failed at its {self.phase}.", self._failures)

    # --- the startup ------------------------------------------------------------------------------

    async def _start(self) -> None:
        seconds = self._app.config["STARTUP_TIMEOUT"]
        if seconds is not None:
            self._limit = anyio.current_time() + seconds
        declared = self._declared
        for make in declared.lifespans:
            manager = _manager(make, self._app)
            values = await self._in_time(name_of(make), self._enter(manager))
            if values is not None:
                self._app.state.update(values)
                self._state.update(values)
        for function in declared.before_serving:
            await self._in_time(name_of(function), _call(function))
        for function in reversed(declared.after_serving):
            await self._enter(_afterwards(function))
        await self._start_mounted()
        for make in declared.while_serving:
            manager = _manager(make, self._app)
            await self._in_time(name_of(make), self._enter(manager))

    async def _start_mounted(self) -> None:
        """Start what is mounted, in order of declaration; the same application once."""
        guests: dict[int, Guest] = {}
        for mount in self._declared.mounts:
            guest = guests.get(id(mount.app))
            if guest is None:
                guest = guests[id(mount.app)] = Guest(
                    mount.app, mount.name, dict(self._state), self._outside
                )
                await self._in_time(mount.name, self._enter(guest))
            mount.state = guest.state

    async def _in_time(self, name: str, starting: Coroutine[Any, Any, Any]) -> Any:
        """Await one part of the startup; ``TimeoutError`` that names it when time is over."""
        if self._limit == math.inf:
            return await starting
        try:
            return await limited(starting, self._limit)
        except TooLate as late:
            seconds = self._app.config["STARTUP_TIMEOUT"]
            raise TimeoutError(
                f"The startup took longer than STARTUP_TIMEOUT, {seconds:g} seconds, and "
                f"{name!r} had not returned by then. Find out what it waits for, or allow more."
            ) from late

    async def _serve(self, receive: Receive, send: Send) -> None:
        try:
            await tear_down(self._plan.outside, current())
        finally:
            current_context.set(Context(self._app, self._plan.outside))
        self.phase = "shutdown"
        readiness = self._declared.readiness
        readiness.state = {**self._state}
        readiness.change(Phase.SERVING)
        await send({"type": "lifespan.startup.complete"})
        await expect("lifespan.shutdown", receive)
        self._was_told = True
        self._app.shutting_down.set()
        self._declared.tell_mounts()

    # --- the end ----------------------------------------------------------------------------------

    @property
    def last_phase(self) -> Phase:
        """What comes when all is over: a request starts nothing again that had ended by itself."""
        if self._was_told or (self.phase == "shutdown" and self._failures):
            return Phase.ENDED
        return Phase.NEW

    async def _drain(self) -> None:
        """Wait for background tasks; where nobody has asked for a shutdown, cancel them at once."""
        await self._app.background_tasks.drain(hurried=not self._was_told)

    async def _enter(self, manager: Any) -> Any:
        value = await manager.__aenter__()
        self._entered.push_async_exit(functools.partial(self._leave, manager))
        return value

    async def _leave(
        self,
        manager: Any,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Leave one context; its failure is noted, and is not the others' concern.

        Only a cancellation comes in as *error*; one that became the failure of a task group ends.
        """
        try:
            return bool(await manager.__aexit__(kind, error, trace))
        except Exception as failure:  # noqa: BLE001  # raised by run() when all have been left
            self._failures.append(failure)
            return True


async def expect(kind: str, receive: Receive) -> None:
    """Receive a message of the server, which must be of this kind; else ``RuntimeError``."""
    message = await receive()
    if message["type"] != kind:
        raise RuntimeError(
            f"The server sent {message['type']!r} where the lifespan protocol has {kind!r}. "
            "Report this to the makers of the server."
        )


async def _call(function: Callable[..., Any]) -> None:
    await adapt(function)()


@asynccontextmanager
async def _afterwards(function: Callable[..., Any]) -> AsyncGenerator[None, None]:
    """Call *function* on leaving."""
    yield
    await adapt(function)()


def _manager(make: Callable[..., Any], app: Any) -> Any:
    """Return the context manager of a declared function, which may take the application."""
    if inspect.isasyncgenfunction(make):
        make = asynccontextmanager(make)
    manager = make(app) if inspect.signature(make).parameters else make()
    if not hasattr(manager, "__aenter__"):
        if inspect.iscoroutine(manager):
            manager.close()
        raise SetupError(
            f"The function {name_of(make)!r} was declared to run around serving, but returned "
            f"{manager!r}, which is no asynchronous context manager. "
            "Write it as 'async def' with one 'yield'."
        )
    return manager
