"""Floor 8: run a coroutine in the caller's task, but with context variables of its own.

A server gives each exchange a context of its own; in the test's task a variable that a view sets
would be seen by the next request and by the test. The coroutine is stepped here in a copy of the
context. What it yields is passed on to the event loop, as ``await`` does, so it is the same task
for whatever it calls.
"""

import contextvars
import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any

__all__ = ["in_own_context"]


@types.coroutine
def in_own_context(coroutine: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
    """Await *coroutine*; the variables that it sets are gone when it ends."""
    context = contextvars.copy_context()
    resume = partial(coroutine.send, None)
    while True:
        try:
            trap = context.run(resume)
        except StopIteration:
            return
        try:
            value = yield trap
        except BaseException as thrown:  # noqa: BLE001  # belongs to the coroutine
            resume = partial(coroutine.throw, thrown)
        else:
            resume = partial(coroutine.send, value)
