"""Tasks beside all task groups, on both event loops."""

import asyncio  # noqa: TID251  # what this stands on
import functools
import gc
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from weakref import ref

import anyio
import pytest
import trio
from anyio import to_thread
from anyio.lowlevel import checkpoint

from erlen import spawning
from erlen.spawning import Child, call_later, running_loop, spawn

name: ContextVar[str] = ContextVar("name", default="nobody")


async def fail(error: BaseException) -> None:
    raise error


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Any:
    before = set(spawning._tasks)  # of event loops that another test has closed under them
    yield
    assert spawning._tasks <= before


async def test_the_function_runs_with_its_arguments() -> None:
    seen: list[object] = []

    async def note(*args: object) -> None:
        await checkpoint()
        seen.extend(args)

    child = spawn(note, 1, "two")
    assert (seen, child.is_done) == ([], False)
    await child.wait()
    assert (seen, child.is_done, child.error) == ([1, "two"], True, None)


async def test_any_number_may_wait_and_late_ones_too() -> None:
    child = spawn(checkpoint)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(child.wait)
        tasks.start_soon(child.wait)
    await child.wait()


async def test_who_asked_is_called_at_its_end_or_at_once() -> None:
    log: list[str] = []
    child = spawn(checkpoint)
    child.when_done(lambda: log.append("ended"))
    assert log == []
    await child.wait()
    child.when_done(lambda: log.append("is over"))
    assert log == ["ended", "is over"]


async def test_it_is_outside_of_the_callers_task_group() -> None:
    release = anyio.Event()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group():
            child = spawn(release.wait)
            scope.cancel()
    await checkpoint()
    assert not child.is_done
    release.set()
    await child.wait()
    assert child.error is None


async def test_it_has_a_copy_of_the_callers_variables() -> None:
    seen = []

    async def look() -> None:
        seen.append(name.get())
        name.set("child")

    name.set("caller")
    child = spawn(look)
    name.set("changed")
    await child.wait()
    assert (seen, name.get()) == (["caller"], "changed")


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), ExceptionGroup("no", [OSError()])]
)
async def test_an_error_is_kept_and_raised_nowhere(error: BaseException) -> None:
    child = spawn(fail, error)
    await child.wait()
    assert child.error is error


async def test_what_cannot_be_called_is_an_error_like_any() -> None:
    child = spawn(fail)  # type: ignore[arg-type]  # the mistake that is shown
    await child.wait()
    assert isinstance(child.error, TypeError)


async def test_cancel_ends_it_where_it_waits() -> None:
    log = []

    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("cleaned up")

    child = spawn(work)
    await anyio.wait_all_tasks_blocked()
    child.cancel()
    await child.wait()
    child.cancel()
    assert (log, child.error) == (["cleaned up"], None)


async def test_cancelled_before_its_start_it_gets_to_where_it_waits() -> None:
    log = []

    async def work() -> None:
        log.append("started")
        await checkpoint()
        log.append("not here")

    child = spawn(work)
    child.cancel()
    await child.wait()
    assert log == ["started"]


async def test_it_lives_without_anybody_who_knows_it() -> None:
    done = anyio.Event()

    async def work() -> None:
        await anyio.Event().wait()  # to which nothing refers but the task

    async def end() -> None:
        try:
            await work()
        finally:
            done.set()

    weak = ref(spawn(end))
    await anyio.wait_all_tasks_blocked()
    gc.collect()
    child = weak()
    assert child is not None
    assert not done.is_set()
    child.cancel()
    await child.wait()


async def test_it_bears_the_functions_name_or_the_given_one() -> None:
    names: list[str | None] = []

    async def work() -> None:
        names.append(anyio.get_current_task().name)

    await spawn(work).wait()
    await spawn(work, name="mine").wait()
    await spawn(functools.partial(work)).wait()  # which has none
    assert names == [work.__qualname__, "mine", names[2]]
    assert str(names[2]).startswith("functools.partial(")


# --- the loops --------------------------------------------------------------------------------------


def test_without_a_loop_it_says_where_to_call_it() -> None:
    with pytest.raises(RuntimeError, match=r"runs in the thread 'MainThread'.*in a coroutine"):
        spawn(checkpoint)


def test_where_no_library_of_loops_is_loaded_none_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asyncio")
    monkeypatch.delitem(sys.modules, "trio.lowlevel", raising=False)
    with pytest.raises(RuntimeError, match="No event loop runs in the thread"):
        running_loop()


async def test_in_another_thread_it_says_so_too() -> None:
    def start() -> None:
        with pytest.raises(RuntimeError, match="No event loop runs in the thread"):
            threading.Thread(target=spawn, args=[checkpoint]).run()

    thread = threading.Thread(target=start)
    thread.start()
    await to_thread.run_sync(thread.join)


async def test_the_child_knows_its_loop() -> None:
    assert spawn(checkpoint).loop is running_loop()
    await checkpoint()
    await checkpoint()


def test_a_callback_of_asyncio_may_spawn() -> None:
    started: list[Child] = []

    async def work() -> None:
        done = asyncio.Event()

        def begin() -> None:
            started.append(spawn(checkpoint))
            done.set()

        asyncio.get_running_loop().call_soon(begin)
        await done.wait()
        await started[0].wait()

    asyncio.run(work())
    assert started[0].is_done


def in_asyncio(work: Callable[[], Any]) -> None:
    asyncio.run(work())


@pytest.mark.parametrize("run", [in_asyncio, trio.run])
def test_the_end_of_the_loop_cancels_it(run: Callable[[Any], None]) -> None:
    children = []

    async def work() -> None:
        children.append(spawn(anyio.sleep_forever))
        await checkpoint()

    run(work)
    assert (children[0].is_done, children[0].error) == (True, None)


def test_the_end_of_asyncio_before_its_first_step_ends_it_too() -> None:
    children = []

    async def work() -> None:
        children.append(spawn(anyio.sleep_forever))

    asyncio.run(work())
    assert children[0].is_done


def test_ctrl_c_is_for_the_loop_of_asyncio() -> None:
    async def work() -> None:
        await spawn(fail, KeyboardInterrupt()).wait()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(work())


def test_no_error_whatsoever_reaches_the_loop_of_trio() -> None:
    async def work() -> BaseException | None:
        child = spawn(fail, KeyboardInterrupt())
        await child.wait()
        return child.error

    assert isinstance(trio.run(work), KeyboardInterrupt)


async def test_a_call_comes_later() -> None:
    called = anyio.Event()
    call_later(0.01, called.set)
    assert not called.is_set()
    with anyio.fail_after(5):
        await called.wait()


async def test_a_cancelled_timer_does_not_call() -> None:
    called: list[str] = []
    call_later(0, lambda: called.append("no")).cancel()
    last = anyio.Event()
    call_later(0.01, last.set)
    await last.wait()
    assert called == []
