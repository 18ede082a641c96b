"""Floor 3: work of erlen's own beside the loop: on files, and on large bodies.

It needs none of the places of ``def`` functions and none of anyio's own limit, so that nothing an
application does in threads can keep it waiting, nor it such a function.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
from anyio import to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Limit:
    """How many calls may be in threads at the same time, in each event loop; others wait.

    Attributes:
        size: How many.
    """

    __slots__ = ("_in_loop", "size")

    def __init__(self, size: int) -> None:
        """*size* is at least 1."""
        self.size = size
        self._in_loop: RunVar[anyio.CapacityLimiter] = RunVar("erlen-limit")

    async def run(self, function: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Call *function* in a worker thread; return its result.

        Cancellation: waits for the call to end; a thread cannot be stopped.
        """
        try:
            limiter = self._in_loop.get()
        except LookupError:
            limiter = anyio.CapacityLimiter(self.size)
            self._in_loop.set(limiter)
        return await to_thread.run_sync(function, *args, limiter=limiter)


#: Holds where no application is running.
DEFAULT = Limit(40)


def default_limit() -> Limit:
    """Return :data:`DEFAULT`."""
    return DEFAULT


#: Tells the limit of the running application; the floor that knows it puts its own here.
limit_of_application: Callable[[], Limit] = default_limit


async def in_thread(function: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
    """Call *function* in a worker thread, one of ``FILE_THREADS``; return its result.

    Cancellation: as of :meth:`Limit.run`.
    """
    return await limit_of_application().run(function, *args)
