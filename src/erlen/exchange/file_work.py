"""Floor 3: work of erlen's own beside the loop: on files, and on large bodies.

It needs none of the places of ``def`` functions and none of anyio's own limit, so that nothing an
application does in threads can keep it waiting, nor it such a function.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

from erlen.threads import Threads

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Hold where no application is running.
DEFAULT = Threads(40)


def default_threads() -> Threads:
    """Return :data:`DEFAULT`."""
    return DEFAULT


#: Tells the threads of the running application; the floor that knows it puts its own here.
threads_of_application: Callable[[], Threads] = default_threads


async def in_thread(function: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
    """Call *function* in a worker thread, one of ``FILE_THREADS``; return its result.

    Cancellation: waits for the call to end; a thread cannot be stopped.
    """
    result: T = await threads_of_application().call(function, *args)
    return result
