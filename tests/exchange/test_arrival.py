"""Waiting for one message: what comes in time, what does not, and who is cancelled meanwhile."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen.exchange.arrival import ask
from erlen.protocols import Message, Receive

MESSAGE: Message = {"type": "http.request"}


async def receive_within(seconds: float | None, receive: Receive) -> Message | None:
    message, coming = ask(seconds, receive)
    return message if coming is None else await coming


async def at_once() -> Message:
    return MESSAGE


async def after_turns() -> Message:
    for _ in range(3):
        await checkpoint()
    return MESSAGE


async def after_a_while() -> Message:
    await anyio.sleep(0.001)
    await anyio.sleep(0.001)
    return MESSAGE


async def never() -> Message:
    await anyio.sleep_forever()
    raise NotImplementedError


class Bare:
    """COMPAT: what granian gives: it can be awaited, and has neither ``send`` nor ``throw``."""

    def __init__(self, receive: Callable[[], Awaitable[Message]]) -> None:
        self._steps = receive().__await__()

    def __await__(self) -> Generator[Any, None, Message]:
        return self._steps


@pytest.mark.parametrize("receive", [at_once, after_turns, after_a_while])
@pytest.mark.parametrize("seconds", [None, 5.0])
async def test_what_comes_in_time_is_returned(receive: Any, seconds: float | None) -> None:
    assert await receive_within(seconds, receive) is MESSAGE
    assert await receive_within(seconds, lambda: Bare(receive)) is MESSAGE


async def test_b070_what_does_not_come_in_time_is_none() -> None:
    assert await receive_within(0.001, never) is None
    assert await receive_within(0.001, lambda: Bare(never)) is None


async def test_b070_it_is_late_also_between_two_waits() -> None:
    async def in_steps() -> Message:
        while True:
            await checkpoint()

    assert await receive_within(0.001, in_steps) is None


async def test_b070_a_server_that_does_not_listen_is_told_again() -> None:
    attempts = 0

    async def stubborn() -> Message:
        nonlocal attempts
        while attempts < 3:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                attempts += 1
        await anyio.sleep_forever()
        raise NotImplementedError

    assert await receive_within(0.001, stubborn) is None
    assert attempts == 3


async def test_what_the_server_raises_comes_out() -> None:
    async def failing() -> Message:
        await anyio.sleep(0.001)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await receive_within(5.0, failing)


async def test_a_cancellation_is_not_taken_for_lateness() -> None:
    with anyio.move_on_after(0.001) as scope:
        await receive_within(5.0, never)
    assert scope.cancelled_caught


async def test_a_cancellation_of_a_late_one_is_a_cancellation() -> None:
    with anyio.CancelScope() as scope:

        async def cancelling() -> Message:
            try:
                await anyio.sleep_forever()
            finally:
                scope.cancel()
            raise NotImplementedError

        assert await receive_within(0.001, cancelling) is None
        await checkpoint()
    assert scope.cancelled_caught


async def test_scopes_of_a_middleware_around_receive_stay_in_order() -> None:
    async def patient() -> Message:
        with anyio.fail_after(5):
            return await after_a_while()

    assert await receive_within(5.0, patient) is MESSAGE
    assert await receive_within(0.001, _patiently_never) is None


async def _patiently_never() -> Message:
    with anyio.fail_after(5):
        return await never()


async def test_a_task_that_ends_unfinished_closes_what_waits() -> None:
    closed = False

    async def watching() -> Message:
        nonlocal closed
        try:
            return await never()
        finally:
            closed = True

    coroutine = receive_within(5.0, watching)
    if _is_trio():
        coroutine.close()
        return
    coroutine.send(None)
    coroutine.close()
    assert closed


def _is_trio() -> bool:
    return anyio.get_cancelled_exc_class().__module__.startswith("trio")
