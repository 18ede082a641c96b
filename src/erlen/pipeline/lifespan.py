"""Floor 6: startup and shutdown, by the ASGI lifespan protocol.

Source: ASGI lifespan specification 2.0.
"""

import inspect
import traceback
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from erlen.context import Context, current_context
from erlen.exceptions import SetupError
from erlen.pipeline.adapt import adapt
from erlen.pipeline.plan import Plan
from erlen.protocols import Receive, Scope, Send


async def serve_lifespan(plan: Plan, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the lifespan messages of the server.

    A startup that fails is reported with its traceback, so that the server can end with an error;
    what had started is unwound in reverse. The exception is raised again.

    Raises:
        ValueError: The scope is of a type that ASGI does not have; the server's fault.
    """
    if scope["type"] != "lifespan":
        raise ValueError(
            f"The ASGI scope has the type {scope['type']!r}. "
            "http, websocket and lifespan are served; report this to the makers of the server."
        )
    phase = "startup"
    token = current_context.set(Context(plan.app, plan.outside))
    try:
        await receive()
        async with AsyncExitStack() as running:
            await _start(running, plan)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            phase = "shutdown"
        await send({"type": "lifespan.shutdown.complete"})
    except BaseException as error:
        message = "".join(traceback.format_exception(error))
        await send({"type": f"lifespan.{phase}.failed", "message": message})
        raise
    finally:
        current_context.get().release()
        current_context.reset(token)
        plan.app.threads.close()


async def _start(running: AsyncExitStack, plan: Plan) -> None:
    """Enter everything; the stack leaves in reverse, whatever fails."""
    declared, state = plan.app.lifespan_declarations, plan.app.state
    for make in declared.lifespans:
        values = await running.enter_async_context(_as_context_manager(make, plan.app))
        if values is not None:
            state.update(values)
    for function in reversed(declared.after_serving):
        running.push_async_callback(adapt(function))
    for function in declared.before_serving:
        await adapt(function)()
    for function in declared.while_serving:
        await running.enter_async_context(asynccontextmanager(function)())


def _as_context_manager(make: Callable[..., Any], app: Any) -> Any:
    """Return the context manager of a lifespan function, which may take the application."""
    if inspect.isasyncgenfunction(make):
        make = asynccontextmanager(make)
    manager = make(app) if inspect.signature(make).parameters else make()
    if not hasattr(manager, "__aenter__"):
        raise SetupError(
            f"The lifespan {make!r} returned {manager!r}, which is no asynchronous context manager. "
            "Write it as 'async def' with one 'yield'."
        )
    return manager
