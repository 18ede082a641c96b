"""Floor 6: a time limit for code that leaves a context open behind it."""

import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


#: Seconds that a late coroutine has to clean up, before its next wait is broken off as well.
GRACE = 2.0


class TooLate(BaseException):
    """Raised where a coroutine waits; no ``except Exception`` of a loop that retries keeps it."""


@types.coroutine
def limited(coroutine: Coroutine[Any, Any, T], limit: float) -> Generator[Any, Any, T]:
    """Await *coroutine*; at the time *limit* what it waits for raises :class:`TooLate`.

    A cancel scope around the whole would have to be left before the scopes and task groups that the
    coroutine has opened and left open, as the startup of a lifespan does. So it is open only while
    the coroutine waits.

    Raises:
        TooLate: The coroutine had not returned by then.
    """
    resume: partial[Any] = partial(coroutine.send, None)
    was_late = False
    value: Any = None
    while True:
        try:
            trap = resume()
        except StopIteration as end:
            result: T = end.value
            return result
        except BaseException as error:
            if was_late:  # what a task group has made of it
                raise TooLate from error
            raise
        try:
            with anyio.CancelScope(deadline=limit) as scope:
                value = yield trap
        except BaseException as thrown:  # noqa: BLE001  # belongs to the coroutine
            resume = partial(coroutine.throw, thrown)
            continue
        if scope.cancel_called:
            was_late, limit = True, anyio.current_time() + GRACE
            resume = partial(coroutine.throw, TooLate())
        else:
            resume = partial(coroutine.send, value)
