"""Floor 3: one message of the server, waited for with a time limit that costs only who waits."""

from collections.abc import Awaitable, Coroutine, Generator
from sys import modules
from types import CoroutineType, coroutine
from typing import Any

import anyio

from erlen.protocols import Message, Receive
from erlen.spawning import running_loop, running_task


def ask(
    seconds: float | None, receive: Receive
) -> tuple[Message | None, Awaitable[Message | None] | None]:
    """Ask for the next message; return it if it is there, else what to await for it at once.

    That gives ``None`` when no message has come in *seconds*.

    PERF: on asyncio a message that is there already costs 0.2 µs beside ``receive()`` itself; with
    a scope of anyio around each call it is 6 µs, as much as the rest of a small request takes. Trio
    has no future to cancel, and always gets the scope.

    Args:
        seconds: ``None`` for no limit.
        receive: The server's.
    """
    if seconds is None:
        return None, receive()
    if "trio" in modules and not hasattr(running_loop(), "call_later"):
        return None, _in_scope(seconds, receive)
    awaitable = receive()
    steps = awaitable if type(awaitable) is CoroutineType else _awaited(awaitable)
    try:
        waits_for = steps.send(None)
    except StopIteration as end:
        return end.value, None
    return None, _rest_of(steps, _Limit(seconds, waits_for))


async def _in_scope(seconds: float, receive: Receive) -> Message | None:
    with anyio.move_on_after(seconds):
        return await receive()
    return None


async def _awaited(awaitable: Awaitable[Message]) -> Message:
    """COMPAT: what granian's ``receive()`` returns can be awaited, but nothing thrown into it."""
    return await awaitable


class _Limit:
    """The time that a task of asyncio may wait.

    SPEC: asyncio: a coroutine waits for the future that it yields, or by ``None`` for a turn.
    ``task.cancel()`` cancels that future; so does this, without a word to the task.

    Attributes:
        waits_for: What the task waits for now.
        is_late: Whether the time is over.
    """

    def __init__(self, seconds: float, waits_for: Any) -> None:
        """The time begins."""
        self.waits_for = waits_for
        self.is_late = False
        self._task = running_task()
        self._before = self._task.cancelling()
        self._timer = running_loop().call_later(seconds, self.strike)

    def strike(self) -> None:
        """Cancel what the task waits for."""
        self.is_late = True
        if self.waits_for is not None:
            self.waits_for.cancel()

    def lift(self) -> None:
        """Let the task wait."""
        self._timer.cancel()

    def has_cancelled(self) -> bool:
        """Whether a cancellation is this one's, and nobody else's."""
        return self.is_late and bool(self._task.cancelling() == self._before)


@coroutine
def _rest_of(
    steps: Coroutine[Any, Any, Message], limit: _Limit
) -> Generator[Any, None, Message | None]:
    """Await what has begun already; ``None`` when it takes too long."""
    cancelled = anyio.get_cancelled_exc_class()
    try:
        while True:
            try:
                yield limit.waits_for
            except BaseException as error:  # noqa: BLE001  # whatever it is, it is meant for them
                limit.waits_for = steps.throw(error)
            else:
                took_a_turn = limit.is_late and limit.waits_for is None
                limit.waits_for = steps.throw(cancelled()) if took_a_turn else steps.send(None)
            if limit.is_late:
                limit.strike()
    except StopIteration as end:
        message: Message = end.value
        return message
    except cancelled:
        if limit.has_cancelled():
            return None
        raise
    finally:
        limit.lift()
