"""Floor 6: startup and shutdown, by the ASGI lifespan protocol.

Source: ASGI lifespan specification 2.0.
"""

import functools
import inspect
import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any

import anyio

from erlen.context import Context, current, current_context
from erlen.exceptions import SetupError
from erlen.pipeline.adapt import adapt, name_of
from erlen.pipeline.plan import Plan
from erlen.pipeline.teardown import tear_down
from erlen.protocols import Receive, Scope, Send


async def serve_lifespan(plan: Plan, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the lifespan messages of the server.

    Startup and shutdown each have an application context of their own. What fails is reported with
    its traceback, so that the server can end with an error, and raised again; what had started is
    ended in reverse, each part whatever the others did.

    Raises:
        ValueError: The scope is of a type that ASGI does not have; the server's fault.
    """
    if scope["type"] != "lifespan":
        raise ValueError(
            f"The ASGI scope has the type {scope['type']!r}. "
            "http, websocket and lifespan are served; report this to the makers of the server."
        )
    token = current_context.set(Context(plan.app, plan.outside))
    serving = _Serving(plan, scope)
    try:
        await serving.run(receive, send)
        await send({"type": "lifespan.shutdown.complete"})
    except (GeneratorExit, anyio.get_cancelled_exc_class()):
        raise
    except BaseException as error:
        current().error = error
        message = "".join(traceback.format_exception(error))
        await send({"type": f"lifespan.{serving.phase}.failed", "message": message})
        raise
    finally:
        try:
            await tear_down(plan.outside, current())
        finally:
            current_context.reset(token)
            plan.app.threads.close()


class _Serving:
    """One run of the application: what was entered, and what failed.

    Attributes:
        phase: ``"startup"`` or ``"shutdown"``.
    """

    def __init__(self, plan: Plan, scope: Scope) -> None:
        self.phase = "startup"
        self._plan = plan
        self._scope = scope
        self._declared = plan.app.lifespan_declarations
        self._failures: list[Exception] = []
        self._entered = AsyncExitStack()
        self._was_told = False

    async def run(self, receive: Receive, send: Send) -> None:
        """Start, serve and stop; raise what failed, several failures as a group."""
        async with self._entered:
            try:
                await _expect("lifespan.startup", receive)
                self._plan.app.shutting_down.clear()
                await self._start()
                await self._serve(receive, send)
            except Exception as error:  # noqa: BLE001  # what was entered ends as it does otherwise
                self._failures.append(error)
            finally:
                self._declared.running = False
                await self._drain()
        await self._drain()  # what the functions after serving have started
        if len(self._failures) == 1:
            raise self._failures[0]
        if self._failures:
            raise ExceptionGroup(f"The application failed at its {self.phase}.", self._failures)

    async def _start(self) -> None:
        for make in self._declared.lifespans:
            values = await self._enter(_manager(make, self._plan.app))
            if values is not None:
                self._plan.app.state.update(values)
                self._scope.get("state", {}).update(values)
        for function in self._declared.before_serving:
            await adapt(function)()
        for function in reversed(self._declared.after_serving):
            await self._enter(_afterwards(function))
        for make in self._declared.while_serving:
            await self._enter(_manager(make, self._plan.app))

    async def _serve(self, receive: Receive, send: Send) -> None:
        try:
            await tear_down(self._plan.outside, current())
        finally:
            current_context.set(Context(self._plan.app, self._plan.outside))
        self.phase = "shutdown"
        self._declared.running = True
        await send({"type": "lifespan.startup.complete"})
        await _expect("lifespan.shutdown", receive)
        self._was_told = True
        self._plan.app.shutting_down.set()

    async def _drain(self) -> None:
        """Wait for background tasks; where nobody has asked for a shutdown, cancel them at once."""
        await self._plan.app.background_tasks.drain(hurried=not self._was_told)

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


async def report_failed_freeze(
    scope: Scope, receive: Receive, send: Send, error: Exception
) -> None:
    """Tell a server that is starting the application why it cannot start.

    Without this it would take the exception for a lack of lifespan support, and serve.
    """
    if scope["type"] == "lifespan":
        await _expect("lifespan.startup", receive)
        message = "".join(traceback.format_exception(error))
        await send({"type": "lifespan.startup.failed", "message": message})


async def _expect(kind: str, receive: Receive) -> None:
    message = await receive()
    if message["type"] != kind:
        raise RuntimeError(
            f"The server sent {message['type']!r} where the lifespan protocol has {kind!r}. "
            "Report this to the makers of the server."
        )


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
