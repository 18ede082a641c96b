"""Floor 6: startup and shutdown, by the ASGI lifespan protocol.

Source: ASGI lifespan specification 2.0.
"""

import traceback
from collections.abc import MutableMapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from typing import Any

import anyio

from erlen.context import Context, current, current_context
from erlen.pipeline.plan import Plan
from erlen.pipeline.readiness import Phase
from erlen.pipeline.running import Running, expect
from erlen.pipeline.teardown import tear_down
from erlen.protocols import Receive, Scope, Send
from erlen.signals import emit, got_serving_exception


async def serve_lifespan(plan: Plan, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the lifespan messages of the server.

    Startup and shutdown each have an application context of their own. What fails is reported with
    its traceback, so that the server can end with an error, and raised again; what had started is
    ended in reverse, each part whatever the others did.

    A second server of the same event loop shares what the first has started and ends with it.

    Raises:
        ValueError: The scope is of a type that ASGI does not have; the server's fault.
        RuntimeError: The application was started in another event loop.
    """
    if scope["type"] != "lifespan":
        raise ValueError(
            f"The ASGI scope has the type {scope['type']!r}. "
            "http, websocket and lifespan are served; report this to the makers of the server."
        )
    state: MutableMapping[str, Any] = scope.get("state", {})
    try:
        await expect("lifespan.startup", receive)
        leads = plan.app.lifespan_declarations.readiness.claim(plan.app.name)
    except Exception as error:
        await _report("startup", error, send)
        raise
    if leads:
        await _lead(plan, state, receive, send)
    else:
        await _share(plan, state, receive, send)


async def _lead(plan: Plan, state: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Start the application and end it."""
    running = Running(plan, state, copy_context())
    token = current_context.set(Context(plan.app, plan.outside))
    try:
        with _watching(plan):
            await running.run(receive, send)
        await send({"type": "lifespan.shutdown.complete"})
    except (GeneratorExit, anyio.get_cancelled_exc_class()):
        raise
    except BaseException as error:
        current().error = error
        await _announce(plan, error)
        await _report(running.phase, error, send)
        raise
    finally:
        try:
            await tear_down(plan.outside, current())
        finally:
            current_context.reset(token)
            plan.app.threads.close()
            plan.app.lifespan_declarations.readiness.change(running.last_phase)


def _watching(plan: Plan) -> AbstractContextManager[None]:
    """Return what watches the loop, in debug mode. PERF: 2 ms to load, else."""
    if not plan.app.config["DEBUG"]:
        return nullcontext()
    from erlen.stalls import watching

    return watching(plan.app)


async def _share(plan: Plan, state: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Tell a server that the application has started already."""
    readiness = plan.app.lifespan_declarations.readiness
    if await readiness.settled(plan.app.name) is not Phase.SERVING:
        error = RuntimeError(
            f"The application {plan.app.name!r} was being started by another server, which failed. "
            "See what that server reports."
        )
        await _report("startup", error, send)
        raise error
    state.update(readiness.state)
    await send({"type": "lifespan.startup.complete"})
    await expect("lifespan.shutdown", receive)
    await send({"type": "lifespan.shutdown.complete"})


async def report_failed_freeze(
    scope: Scope, receive: Receive, send: Send, error: Exception
) -> None:
    """Tell a server that is starting the application why it cannot start.

    Without this it would take the exception for a lack of lifespan support, and serve.
    """
    if scope["type"] == "lifespan":
        await expect("lifespan.startup", receive)
        await _report("startup", error, send)


async def _report(phase: str, error: BaseException, send: Send) -> None:
    message = "".join(traceback.format_exception(error))
    await send({"type": f"lifespan.{phase}.failed", "message": message})


async def _announce(plan: Plan, error: BaseException) -> None:
    """Send the signal; a receiver that fails is logged."""
    try:
        await emit(got_serving_exception, plan.app, run_sync=current().run_sync, exception=error)
    except Exception as failure:  # noqa: BLE001  # must not stand in for what has failed first
        plan.app.log_exception(failure)
