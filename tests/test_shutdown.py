"""The event of the end: pains 5, LS-3."""

import os
import signal
import threading
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen.shutdown import ShuttingDown


@pytest.fixture
def shutting_down() -> ShuttingDown:
    return ShuttingDown()


async def test_everybody_who_waits_is_told(shutting_down: ShuttingDown) -> None:
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(shutting_down.wait)
            await anyio.wait_all_tasks_blocked()
            assert not shutting_down.is_set()
            shutting_down.set()
    assert shutting_down.is_set()


async def test_who_comes_late_does_not_wait(shutting_down: ShuttingDown) -> None:
    shutting_down.set()
    with anyio.fail_after(5):
        await shutting_down.wait()


async def test_another_thread_may_set_it(shutting_down: ShuttingDown) -> None:
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shutting_down.wait)
            await anyio.wait_all_tasks_blocked()
            thread = threading.Thread(target=shutting_down.set)
            thread.start()
    thread.join()


async def test_a_signal_handler_may_set_it(shutting_down: ShuttingDown) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: shutting_down.set())
    try:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(shutting_down.wait)
                await anyio.wait_all_tasks_blocked()
                os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


async def test_it_begins_anew(shutting_down: ShuttingDown) -> None:
    shutting_down.set()
    shutting_down.clear()
    with anyio.move_on_after(0) as scope:
        await shutting_down.wait()
    assert scope.cancelled_caught
    assert not shutting_down._waiting


async def test_a_callback_is_called_in_the_loop_of_who_gave_it(
    shutting_down: ShuttingDown,
) -> None:
    threads: list[int] = []
    with shutting_down.telling(lambda: threads.append(threading.get_ident())):
        thread = threading.Thread(target=shutting_down.set)
        thread.start()
        thread.join()
        while not threads:
            await checkpoint()
    assert threads == [threading.get_ident()]


async def test_a_callback_that_comes_late_is_called_at_once(shutting_down: ShuttingDown) -> None:
    shutting_down.set()
    told: list[bool] = []
    with shutting_down.telling(lambda: told.append(True)):
        assert told == [True]


async def test_a_callback_is_not_called_after_its_block(shutting_down: ShuttingDown) -> None:
    told: list[bool] = []
    with shutting_down.telling(lambda: told.append(True)):
        pass
    shutting_down.set()
    await checkpoint()
    assert told == []


async def test_setting_it_twice_tells_once(shutting_down: ShuttingDown) -> None:
    told: list[bool] = []
    with shutting_down.telling(lambda: told.append(True)):
        shutting_down.set()
        shutting_down.set()
        await anyio.sleep(0.01)
    assert told == [True]


def test_a_loop_that_has_ended_is_no_obstacle(shutting_down: ShuttingDown) -> None:
    async def leave_behind() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shutting_down.wait)
            await anyio.wait_all_tasks_blocked()
            ended.update(shutting_down._waiting)
            tasks.cancel_scope.cancel()

    ended: set[Any] = set()
    anyio.run(leave_behind)
    shutting_down._waiting |= ended
    shutting_down.set()
    assert shutting_down.is_set()
