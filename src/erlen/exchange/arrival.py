"""Floor 3: one message of the server, waited for with a time limit that costs only who waits."""

from collections.abc import Awaitable, Coroutine, Generator
from sys import modules
from types import CoroutineType, coroutine
from typing import Any

import anyio

from erlen.protocols import Message, Receive
from erlen.spawning import running_loop, running_task


async def receive_within(seconds: float | None, receive: Receive) -> Message | None:
    """Return the next message, or ``None`` when none has come in *seconds*.

    PERF: on asyncio a message that is there already costs 0.3 µs beside ``receive()`` itself; with
    a scope of anyio around each call it is 4.7 µs, more than what the whole of a small request
    takes. Trio has no future to cancel, and always gets the scope.

    Args:
        seconds: ``None`` for no limit.
        receive: The server's.
    """
    if seconds is None:
        return await receive()
    if "trio" in modules and not hasattr(running_loop(), "call_later"):
        with anyio.move_on_after(seconds):
            return await receive()
        return None
    awaitable = receive()
    steps = awaitable if type(awaitable) is CoroutineType else _awaited(awaitable)
    try:
        waits_for = steps.send(None)
    except StopIteration as end:
        message: Message = end.value
        return message
    return await _rest_of(steps, waits_for, seconds)


async def _awaited(awaitable: Awaitable[Message]) -> Message:
    """COMPAT: what granian's ``receive()`` returns can be awaited, but nothing thrown into it."""
    return await awaitable


@coroutine
def _rest_of(
    steps: Coroutine[Any, Any, Message], waits_for: Any, seconds: float
) -> Generator[Any, None, Message | None]:
    """Await what has begun already, and cancel in *seconds* what it waits for then.

    SPEC: asyncio: a coroutine waits for the future that it yields, or by ``None`` for a turn.
    ``task.cancel()`` cancels that future; so does this, without a word to the task.
    """
    is_late = False

    def strike() -> None:
        nonlocal is_late
        is_late = True
        if waits_for is not None:
            waits_for.cancel()

    timer = running_loop().call_later(seconds, strike)
    before = running_task().cancelling()
    try:
        while True:
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001  # whatever it is, it is meant for them
                waits_for = steps.throw(error)
            else:
                waits_for = steps.send(None)
            if is_late:
                strike()
    except StopIteration as end:
        message: Message = end.value
        return message
    except anyio.get_cancelled_exc_class():
        if is_late and running_task().cancelling() == before:
            return None
        raise
    finally:
        timer.cancel()
