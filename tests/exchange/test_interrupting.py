"""A block that is cancelled once, wherever it waits."""

import asyncio  # noqa: TID251  # for what only it has

import anyio
import pytest
import trio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from erlen.exchange import closing, interrupting
from erlen.exchange.interrupting import Interruption
from erlen.spawning import running_loop

Log = list[str]


async def interrupted(tasks: TaskGroup, log: Log, interruption: Interruption) -> None:
    """Wait in the block until *interruption* ends it, and clean up."""
    with interruption:
        try:
            await anyio.sleep_forever()
        finally:
            await checkpoint()
            log.append("clean")
    log.append("left")


async def test_a_block_that_waits_is_cancelled_once() -> None:
    log: Log = []
    interruption = Interruption()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(interrupted, tasks, log, interruption)
        await anyio.wait_all_tasks_blocked()
        await interruption.cancel()
    assert log == ["clean", "left"]
    assert (interruption.is_cancelled, interruption.is_overdue) == (True, False)


async def test_a_block_that_waits_for_a_thing_of_its_event_loop_is_cancelled_once() -> None:
    log: Log = []
    interruption = Interruption()

    async def block() -> None:
        with interruption:
            try:
                # Trio's own notes whom it waits for, where others note nothing.
                await (asyncio if in_asyncio() else trio).Semaphore(0).acquire()
            finally:
                await checkpoint()
                log.append("clean")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(block)
        await anyio.wait_all_tasks_blocked()
        await interruption.cancel()
    assert (log, interruption.is_overdue) == (["clean"], False)


def in_asyncio() -> bool:
    return isinstance(running_loop(), asyncio.AbstractEventLoop)


async def test_what_follows_a_group_in_which_a_block_is_cancelled_is_not_reached() -> None:
    """Trio's group takes for its own a cancellation that is shielded off while it ends."""
    log: Log = []
    interruption = Interruption()

    async def block() -> None:
        with interruption:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(interrupted, tasks, log, Interruption())
                await anyio.sleep_forever()
            log.append("never")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(block)
        await anyio.wait_all_tasks_blocked()
        await interruption.cancel()
    assert "never" not in log
    assert (interruption.is_cancelled, interruption.is_overdue) == (True, False)


async def test_a_block_that_ends_itself_in_a_group_does_not_go_on_after_it() -> None:
    log: Log = []
    with Interruption() as interruption:
        async with anyio.create_task_group():
            await interruption.end()
        log.append("never")
    assert log == []


async def test_a_group_around_a_block_is_not_in_it() -> None:
    log: Log = []
    interruption = Interruption()

    async def block() -> None:
        async with anyio.create_task_group() as tasks:
            await interrupted(tasks, log, interruption)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(block)
        await anyio.wait_all_tasks_blocked()
        await interruption.cancel()
    assert log == ["clean", "left"]


async def test_a_block_that_waits_behind_a_shield_is_cancelled_after_that() -> None:
    log: Log = []
    interruption = Interruption()
    semaphore = (asyncio if in_asyncio() else trio).Semaphore(0)

    async def shielded() -> None:
        with interruption:
            with anyio.CancelScope(shield=True):
                await semaphore.acquire()
                log.append("finished")
            await anyio.sleep_forever()

    async def release() -> None:
        await anyio.sleep(0.03)
        semaphore.release()

    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shielded)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(release)
            await interruption.cancel()
    assert log == ["finished"]


async def test_a_block_that_shields_itself_is_cancelled_after_that() -> None:
    log: Log = []
    interruption = Interruption()

    async def shielded() -> None:
        with interruption:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.03)
                log.append("finished")
            await interrupted_inside()

    async def interrupted_inside() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await checkpoint()
            log.append("clean")

    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shielded)
            await anyio.wait_all_tasks_blocked()
            await interruption.cancel()
    assert log == ["finished", "clean"]


async def test_what_cannot_be_reached_is_cancelled_wherever_it_awaits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interrupting, "ATTEMPTS", 2)
    log: Log = []
    interruption, freed = Interruption(), anyio.Event()

    async def shielded() -> None:
        with interruption:
            with anyio.CancelScope(shield=True):
                await freed.wait()
            try:
                await checkpoint()
            finally:
                await checkpoint()
                log.append("never")

    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shielded)
            await anyio.wait_all_tasks_blocked()
            await interruption.cancel()
            freed.set()
    assert log == []


async def test_a_block_that_is_being_closed_is_not_cancelled() -> None:
    with Interruption() as interruption:
        interruption.limit()
        await interruption.cancel()
        await checkpoint()
    assert not interruption.is_overdue


async def test_a_block_that_is_not_entered_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupting, "ATTEMPTS", 1)
    interruption = Interruption()
    await interruption.cancel()
    with interruption:
        await checkpoint()


async def test_a_block_has_so_long_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "CLOSE_SECONDS", 0.01)
    interruption = Interruption()
    with anyio.fail_after(1), interruption:
        interruption.limit()
        await anyio.sleep_forever()
    assert interruption.is_overdue


async def test_a_block_ends_itself() -> None:
    log: Log = []
    with Interruption() as interruption:
        try:
            await interruption.end()
        finally:
            await checkpoint()
            log.append("clean")
    assert log == ["clean"]


async def test_a_block_that_shields_itself_ends_itself_later() -> None:
    with Interruption() as interruption:
        with anyio.CancelScope(shield=True):
            await interruption.end()
        await checkpoint()
        raise AssertionError


async def test_a_cancellation_from_elsewhere_is_not_swallowed() -> None:
    with anyio.move_on_after(0.01) as scope, Interruption():
        await anyio.sleep_forever()
    assert scope.cancelled_caught
