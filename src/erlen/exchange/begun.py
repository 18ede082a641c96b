"""Floor 3: the rest of a coroutine that has begun, so that nothing is prepared for a quick one."""

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def attended(work: Coroutine[Any, Any, T], attend: Callable[[], object]) -> T:
    """Await *work*; call *attend* when it waits for the first time, and never if it does not.

    PERF: 0.3 µs, where a timer that is set and cancelled is 2 µs on asyncio and 15 on trio.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    attend()
    return await _rest_of(work, waits_for)


@coroutine
def _rest_of(steps: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Go on where *steps* waits, with whatever the event loop sends or throws."""
    sent: Any = None
    try:
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001  # a cancellation, say: it is for the work
                waits_for = steps.throw(error)
            else:
                waits_for = steps.send(sent)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        del sent  # trio sends errors, and their tracebacks name this frame
