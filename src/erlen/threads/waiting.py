"""Floor 3: waiting in a thread for a coroutine."""

import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

import anyio

from erlen.threads.passing import Call, Inbox, here, host

P = ParamSpec("P")
T = TypeVar("T")


def in_worker() -> bool:
    """Whether the caller is a function that a worker runs, so that it may await in its task."""
    inbox = here.inbox
    return inbox is not None and inbox.job is not None


def await_in_task(
    function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Await *function* in the task that waits for the running ``def`` function; return its result.

    The coroutine has the function's context variables and the function gets those that it sets.
    The function gives its place among :attr:`Threads.size` back for as long as it waits.

    Raises:
        RuntimeError: No worker runs the caller, or the task has ended (its event loop is closed).
        BaseException: What the coroutine raised, itself; its cancellation too, which must be
            passed on.
    """
    inbox = here.inbox
    job = None if inbox is None else inbox.job
    if inbox is None or job is None:
        raise RuntimeError(
            f"The thread {threading.current_thread().name!r} has no task that could await "
            "something. Call it in a 'def' view or hook."
        )
    call = Call(partial(function, *args, **kwargs), inbox)
    job.ask(call)
    inbox.work_until(call)
    result: T = call.take(job.added)
    return result


def await_in_new_loop(
    function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Await *function* in an event loop of its own; the caller's thread is its worker meanwhile.

    For scripts and shells: ``def`` functions that the coroutine calls run in the caller's thread,
    where what they use was opened. Context variables and errors as in :func:`await_in_task`.
    """
    inbox = Inbox()
    call = Call(partial(function, *args, **kwargs), inbox)
    # The loop is in another thread, because a 'def' function must not run inside of a running one.
    loop = threading.Thread(
        target=copy_context().run,
        args=(_run_loop, call),
        name="erlen-loop",
        daemon=True,
    )
    outer, here.inbox = here.inbox, inbox
    try:
        loop.start()
        inbox.work_until(call)
        loop.join()
    finally:
        here.inbox = outer
    result: T = call.take({})
    return result


def _run_loop(call: "Call[Any]") -> None:
    try:
        anyio.run(_servehost, call)
    except BaseException as error:  # noqa: BLE001  # raised in the thread that waits
        call.answer(error=error)


async def _servehost(call: "Call[Any]") -> None:
    host.set(call.inbox)
    await call.perform()
    call.answer()
