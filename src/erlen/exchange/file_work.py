"""Floor 3: work on files beside the loop, in a bounded number of threads of its own."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
from anyio import to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Calls that may be at work at the same time in one event loop; others wait.
THREADS = 40

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("erlen-file-work")


async def in_thread(function: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
    """Call *function*, which reads or writes files, in a worker thread; return its result.

    The function of a ``def`` view cannot keep it waiting, nor it such a function: each has threads
    of its own.

    Cancellation: waits for the call to end; a thread cannot be stopped.
    """
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(THREADS)
        _limiter.set(limiter)
    return await to_thread.run_sync(function, *args, limiter=limiter)
