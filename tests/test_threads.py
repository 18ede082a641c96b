"""The worker threads: SY-2, law 2, B-309's limits: who waits, who retires, what crosses."""

import contextlib
import contextvars
import gc
import importlib.util
import queue
import sys
import threading
import weakref
from collections import deque
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

import erlen.threads.worker as module
from erlen import Erlen, websocket
from erlen.threads import (
    Threads,
    Worker,
    await_in_new_loop,
    await_in_task,
    in_worker,
    passing,
    variables,
)
from erlen.threads.places import Places


@pytest.fixture
async def threads() -> Any:
    threads = Threads(2)
    yield threads
    threads.close()


async def lent(threads: Threads) -> Worker:
    """Return a worker that has its thread."""
    worker = threads.worker()
    await worker.run(threading.get_ident)
    return worker


async def thread_of(worker: Worker) -> threading.Thread:
    """Return the thread of a worker, in which it runs once."""
    thread: threading.Thread = await worker.run(threading.current_thread)
    return thread


async def ident(worker: Worker) -> int:
    found: int = await worker.run(threading.get_ident)
    return found


# --- one thread for one worker ----------------------------------------------------------------------


async def test_worker_runs_everything_in_its_thread(threads: Threads) -> None:
    worker = await lent(threads)
    assert await ident(worker) == await ident(worker) != threading.get_ident()
    worker.release()


async def test_two_workers_have_two_threads(threads: Threads) -> None:
    first, second = await lent(threads), await lent(threads)
    assert await ident(first) != await ident(second)
    first.release()
    second.release()


async def test_thread_is_used_again(threads: Threads) -> None:
    worker = await lent(threads)
    before = await ident(worker)
    worker.release()
    worker = await lent(threads)
    assert await ident(worker) == before
    worker.release()


async def test_arguments_and_result_cross(threads: Threads) -> None:
    worker = await lent(threads)
    assert await worker.run(divmod, 7, 2) == (3, 1)
    worker.release()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, ExceptionGroup])
async def test_exception_crosses_with_its_identity(threads: Threads, kind: Any) -> None:
    error = kind("group", [OSError()]) if kind is ExceptionGroup else kind("text")

    def fail() -> None:
        raise error

    worker = await lent(threads)
    with pytest.raises(kind) as caught:
        await worker.run(fail)
    assert caught.value is error
    worker.release()


async def test_two_tasks_share_the_workers_thread(threads: Threads) -> None:
    worker, idents = threads.worker(), []

    async def use() -> None:
        idents.append(await ident(worker))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(use)
        tasks.start_soon(use)
    worker.release()
    assert len(idents) == 2
    assert len(set(idents)) == 1


async def test_worker_that_was_never_used_has_nothing_to_give_back(threads: Threads) -> None:
    worker = threads.worker()
    worker.release()
    worker.release()


# --- context variables: CX-13 -----------------------------------------------------------------------

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def test_cx13_variables_go_in_and_come_back(threads: Threads) -> None:
    def append() -> None:
        variable.set(variable.get() + " function")

    worker = await lent(threads)
    variable.set("task")
    await worker.run(append)
    assert variable.get() == "task function"
    worker.release()


async def test_cx13_variables_come_back_from_a_function_that_fails(threads: Threads) -> None:
    def fail() -> None:
        variable.set("set")
        raise ValueError

    worker = await lent(threads)
    with pytest.raises(ValueError, match=r"^$"):
        await worker.run(fail)
    assert variable.get() == "set"
    worker.release()


async def test_thread_runs_no_event_loop_and_the_task_still_does(threads: Threads) -> None:
    worker = await lent(threads)
    assert await worker.run(anyio.run, anyio.lowlevel.checkpoint) is None
    await anyio.lowlevel.checkpoint()
    worker.release()


def test_without_sniffio_there_is_nothing_to_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sniffio", None)
    spec = importlib.util.spec_from_file_location("threads_without_sniffio", variables.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    assert copy._running_library.get() is None


# --- the limit --------------------------------------------------------------------------------------


async def test_more_calls_than_the_limit_wait(threads: Threads) -> None:
    finish, log = threading.Event(), list[str]()

    async def call(name: str) -> None:
        worker = threads.worker()
        await worker.run(finish.wait, 5)
        log.append(name)
        worker.release()

    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(call, name)
        await anyio.wait_all_tasks_blocked()
        waiting = threads._in_loop().limits.views.waiting
        finish.set()
    assert (waiting, sorted(log)) == (1, ["a", "b", "c"])


async def test_a_thread_that_waits_for_its_exchange_keeps_nobody_from_running() -> None:
    threads = Threads(1)
    waiting, other = await lent(threads), await lent(threads)
    assert await ident(waiting) != await ident(other)
    waiting.release()
    other.release()
    threads.close()


async def test_open_websockets_keep_no_def_view_from_running() -> None:
    """Each has a thread since its ``def`` hook, and holds a place only while that runs."""
    app = Erlen("chat")
    app.config["WORKER_THREADS"] = 2
    app.before_websocket(lambda: None)
    app.get("/")(lambda: "view")
    app.websocket("/")(say_and_wait)
    client = app.test_client()
    async with AsyncExitStack() as sessions:
        for _ in range(41):
            session = await sessions.enter_async_context(client.websocket("/"))
            assert await session.receive() == "open"
        with anyio.fail_after(5):
            assert (await client.get("/")).text == "view"


async def say_and_wait() -> None:
    await websocket.send("open")
    await websocket.receive()


async def test_waiting_can_be_cancelled_and_takes_no_place(threads: Threads) -> None:
    places = threads._in_loop().limits.views
    for _ in range(2):
        await places.take(has_thread=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lent, threads)
        await anyio.wait_all_tasks_blocked()
        assert places.waiting == 1
        tasks.cancel_scope.cancel()
    assert places.waiting == 0
    for _ in range(2):
        places.give()
    (await lent(threads)).release()


async def test_place_that_came_with_the_cancellation_is_passed_on() -> None:
    places, scope = Places(1), anyio.CancelScope()
    await places.take(has_thread=False)

    async def wait() -> None:
        with scope:
            await places.take(has_thread=False)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        places.give()
    assert (places.taken, places.waiting) == (0, 0)


async def test_who_has_a_thread_goes_first_but_for_every_eighth_time() -> None:
    places, log = Places(1), list[str]()
    await places.take(has_thread=False)

    async def wait(name: str) -> None:
        await places.take(has_thread=name == "with")
        log.append(name)

    async with anyio.create_task_group() as tasks:
        for name in ["without"] * 2 + ["with"] * 10:
            tasks.start_soon(wait, name)
            await anyio.wait_all_tasks_blocked()
        for _ in range(12):
            places.give()
            await anyio.wait_all_tasks_blocked()
    assert log == ["with"] * 7 + ["without"] + ["with"] * 3 + ["without"]


async def test_place_is_given_back_when_no_thread_can_start(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="can't start"):
                await lent(threads)
    (await lent(threads)).release()


def test_each_event_loop_has_its_own_limit() -> None:
    threads = Threads(1)

    async def use() -> int:
        worker = await lent(threads)
        found = await ident(worker)
        worker.release()
        return found

    assert anyio.run(use) == anyio.run(use, backend="trio")
    threads.close()


# --- the end of exchanges ---------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def all_places_taken(threads: Threads) -> Any:
    """Block as many functions as there are places, for the length of the block."""
    finish, workers = threading.Event(), [await lent(threads) for _ in range(threads.size)]
    async with anyio.create_task_group() as tasks:
        for worker in workers:
            tasks.start_soon(worker.run, finish.wait, 10)
        await anyio.wait_all_tasks_blocked()
        try:
            with anyio.fail_after(5):
                yield
        finally:
            finish.set()
    for worker in workers:
        worker.release()


def number_of(threads: Threads) -> int:
    """Return how many threads there are."""
    return sum(getattr(each, "_idle", 0) is threads._idle for each in threading.enumerate())


async def test_p19_an_end_needs_none_of_the_places_and_runs_in_the_same_thread(
    threads: Threads,
) -> None:
    worker = threads.worker()
    before = await ident(worker)
    async with all_places_taken(threads):
        worker.is_ending = True
        assert await ident(worker) == before
    worker.release()


async def test_p19_an_end_without_a_thread_gets_one(threads: Threads) -> None:
    worker = threads.worker()
    worker.is_ending = True
    async with all_places_taken(threads):
        assert await ident(worker) != threading.get_ident()
    worker.release()


async def test_p19_an_end_that_awaits_takes_its_place_again(threads: Threads) -> None:
    worker = threads.worker()
    worker.is_ending = True
    async with all_places_taken(threads):
        assert await worker.run(await_in_task, give, 1) == 1
    worker.release()


async def test_no_more_ends_run_at_once_than_their_limit() -> None:
    threads, lock, at_work, most = Threads(8, ends=2), threading.Lock(), 0, 0

    def work() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.001)
        with lock:
            at_work -= 1

    async def end() -> None:
        worker = await lent(threads)
        worker.is_ending = True
        await worker.run(work)
        worker.release()

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(end)
    assert most == 2
    threads.close()


async def test_e16_exchanges_that_end_slowly_do_not_pile_up_threads() -> None:
    """Two places and one for ends; 100 exchanges, each with a slow end."""
    threads, seen = Threads(2, ends=1), list[int]()

    def end() -> None:
        seen.append(number_of(threads))
        threading.Event().wait(0.001)

    async def serve() -> None:
        worker = await lent(threads)
        worker.is_ending = True
        await worker.run(end)
        worker.release()

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(serve)
    assert (len(seen), max(seen) <= 2 + 2 * 1) == (100, True)
    assert [(each.taken, each.waiting) for each in threads._in_loop().limits] == [(0, 0)] * 3
    threads.close()


async def test_who_waits_for_others_to_end_can_be_cancelled() -> None:
    threads, finish = Threads(1, ends=1), threading.Event()
    ending = [await lent(threads), await lent(threads)]
    for worker in ending:
        worker.is_ending = True
    async with anyio.create_task_group() as tasks:
        for worker in ending:
            tasks.start_soon(worker.run, finish.wait, 10)
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01) as scope:
            await lent(threads)
        assert scope.cancelled_caught
        assert threads._in_loop().limits.views.taken == 0
        finish.set()
    for worker in ending:
        worker.release()
    threads.close()


# --- cancellation -----------------------------------------------------------------------------------


async def test_cancellation_waits_for_the_function(threads: Threads) -> None:
    started, finish, log = threading.Event(), threading.Event(), []

    def work() -> None:
        started.set()
        finish.wait(5)
        log.append("work")

    worker = await lent(threads)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.run, work)
        await anyio.to_thread.run_sync(started.wait)
        tasks.cancel_scope.cancel()
        finish.set()
    log.append("left")
    assert log == ["work", "left"]
    worker.release()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_thread_abandoned_by_asyncios_own_cancel_is_not_given_to_others() -> None:
    """Joined while its function runs it would wait for the loop, and the loop for it."""
    import asyncio  # noqa: TID251  # the one thing that passes a shielded scope

    threads, finish, started = Threads(1), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(started.set)
        finish.wait(5)

    worker = threads.worker()
    thread = await thread_of(worker)
    task = loop.create_task(worker.run(work))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    worker.release()
    threads.close()
    finish.set()
    await anyio.to_thread.run_sync(thread.join)


# --- calls of no exchange ---------------------------------------------------------------------------


async def test_call_runs_in_a_thread_that_is_used_again(threads: Threads) -> None:
    first = await threads.call(threading.get_ident)
    assert first == await threads.call(threading.get_ident) != threading.get_ident()


async def test_call_gives_arguments_variables_and_errors(threads: Threads) -> None:
    variable.set("task")
    assert await threads.call(divmod, 7, 2) == (3, 1)
    assert await threads.call(variable.get) == "task"
    with pytest.raises(ZeroDivisionError):
        await threads.call(divmod, 1, 0)


async def test_cancelled_task_calls_nothing(threads: Threads) -> None:
    log = list[str]()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await threads.call(log.append, "called")
    assert log == []


async def test_call_waits_for_its_own_places_alone() -> None:
    threads, finish = Threads(1, calls=1), threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(threads.call, finish.wait, 10)
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01) as scope:
            await threads.call(str)
        worker = await lent(threads)
        finish.set()
    assert scope.cancelled_caught
    assert [(each.taken, each.waiting) for each in threads._in_loop().limits] == [(0, 0)] * 3
    worker.release()
    threads.close()


def test_threads_serve_one_event_loop_after_another_and_two_in_turn() -> None:
    threads, limits = Threads(1), list[Any]()

    async def use() -> None:
        assert await threads.call(max, 1, 2) == 2
        limits.append(threads._in_loop().limits)

    async def use_around() -> None:
        await use()
        other = threading.Thread(target=anyio.run, args=(use,))
        other.start()
        other.join()
        await use()

    anyio.run(use_around)
    assert limits[0] is limits[2] is not limits[1]
    threads.close()


# --- the end of threads -----------------------------------------------------------------------------


async def test_close_ends_idle_threads(threads: Threads) -> None:
    worker = threads.worker()
    thread = await thread_of(worker)
    worker.release()
    threads.close()
    assert not thread.is_alive()


async def test_the_last_idle_thread_may_retire_while_it_is_closed(threads: Threads) -> None:
    class Emptied(deque[Any]):
        """Has a thread when it is looked at, and none when it is to be taken."""

        def __len__(self) -> int:
            return 1

    threads._idle = Emptied()
    threads.close()


async def test_threads_work_again_after_close(threads: Threads) -> None:
    threads.close()
    worker = await lent(threads)
    assert await worker.run(str, 1) == "1"
    worker.release()


async def test_idle_thread_retires(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.001)
    worker = threads.worker()
    thread = await worker.run(threading.current_thread)
    worker.release()
    await anyio.to_thread.run_sync(thread.join)
    assert len(threads._idle) == 0


class Impatient(queue.Queue[Any]):
    """A queue that tells how often somebody has found it empty."""

    def __init__(self) -> None:
        super().__init__()
        self.found_empty = threading.Semaphore(0)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return super().get(block, timeout)
        except queue.Empty:
            self.found_empty.release()
            raise


async def test_lent_thread_does_not_retire(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.001)
    monkeypatch.setattr(queue, "SimpleQueue", Impatient)
    worker = threads.worker()
    thread: Any = await thread_of(worker)
    for _ in range(2):
        await anyio.to_thread.run_sync(thread.inbox.queue.found_empty.acquire)
    assert await worker.run(str, "still here") == "still here"
    worker.release()


async def test_retiring_and_starting_at_once_lose_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that retire at once, and hundreds of jobs that meet them in any state."""
    monkeypatch.setattr(module, "IDLE_SECONDS", 1e-5)
    threads = Threads(4)

    async def use(number: int) -> None:
        for step in range(100):
            worker = await lent(threads)
            assert await worker.run(divmod, number, 7) == divmod(number, 7), step
            worker.release()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(use, number)
    threads.close()


def test_result_for_an_event_loop_that_has_ended_is_dropped() -> None:
    async def make() -> passing.Job:
        return passing.Job(Threads(1)._in_loop().make_turn, lambda: "result")

    job = anyio.run(make)
    job.perform()
    assert job.take() == "result"


# --- back into the task -----------------------------------------------------------------------------


async def task_id() -> int:
    return anyio.get_current_task().id


async def give(value: Any, *, twice: bool = False) -> Any:
    await checkpoint()
    return (value, value) if twice else value


async def test_coroutine_runs_in_the_task_that_waits(threads: Threads) -> None:
    worker = threads.worker()
    assert await worker.run(await_in_task, task_id) == await task_id()
    worker.release()


async def test_arguments_and_result_cross_back(threads: Threads) -> None:
    worker = threads.worker()
    assert await worker.run(lambda: await_in_task(give, 1, twice=True)) == (1, 1)
    worker.release()


async def test_function_knows_that_it_may_await(threads: Threads) -> None:
    worker = threads.worker()
    assert (await worker.run(in_worker), in_worker()) == (True, False)
    worker.release()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, ExceptionGroup])
async def test_exception_crosses_both_ways_with_its_identity(threads: Threads, kind: Any) -> None:
    error = kind("group", [OSError()]) if kind is ExceptionGroup else kind("text")
    seen = []

    async def fail() -> None:
        raise error

    def work() -> None:
        try:
            await_in_task(fail)
        except BaseException as found:
            seen.append(found)
            raise

    worker = threads.worker()
    with pytest.raises(kind) as caught:
        await worker.run(work)
    worker.release()
    assert caught.value is seen[0] is error


async def test_function_may_go_on_after_an_error(threads: Threads) -> None:
    async def fail() -> None:
        raise ValueError

    def work() -> str:
        with pytest.raises(ValueError, match=r"^$"):
            await_in_task(fail)
        result: str = await_in_task(give, "went on")
        return result

    worker = threads.worker()
    assert await worker.run(work) == "went on"
    worker.release()


class Marked(Exception):
    """An exception to which weak references point."""


@pytest.mark.parametrize("depth", [0, 1, 2])
async def test_error_is_gone_without_a_collection(threads: Threads, depth: int) -> None:
    worker = threads.worker()

    async def fail_in_task(depth: int) -> None:
        await worker.run(fail, depth - 1)

    def fail(depth: int) -> None:
        if depth:
            await_in_task(fail_in_task, depth)
        raise Marked

    gc.disable()
    try:
        await worker.run(fail, depth)
    except Marked as error:
        reference = weakref.ref(error)
    finally:
        gc.enable()
    worker.release()
    assert reference() is None


def test_where_no_worker_runs_there_is_nothing_to_await_in() -> None:
    with pytest.raises(RuntimeError, match=r"MainThread.* has no task.*'def' view"):
        await_in_task(task_id)


# --- back into the task: context variables: CX-13 ---------------------------------------------------


async def test_cx13_variables_go_in_and_come_back_with_every_call(threads: Threads) -> None:
    async def append(text: str) -> None:
        variable.set(variable.get() + text)

    def work() -> str:
        variable.set(variable.get() + " function")
        await_in_task(append, " coroutine")
        variable.set(variable.get() + " function")
        await_in_task(append, " coroutine")
        return variable.get()

    worker = threads.worker()
    variable.set("task")
    expected = "task function coroutine function coroutine"
    assert (await worker.run(work), variable.get()) == (expected, expected)
    worker.release()


async def test_cx13_what_the_function_unsets_is_unset_in_the_task(threads: Threads) -> None:
    async def read() -> str:
        return variable.get()

    def work() -> tuple[str, str]:
        token = variable.set("set")
        before = await_in_task(read)
        variable.reset(token)
        return before, await_in_task(read)

    worker = threads.worker()
    assert await worker.run(work) == ("set", "unset")
    worker.release()


async def test_cx13_what_the_coroutine_unsets_is_unset_in_the_function(threads: Threads) -> None:
    tokens: list[contextvars.Token[str]] = []

    async def enter() -> None:
        tokens.append(variable.set("set"))

    async def leave() -> None:
        variable.reset(tokens.pop())

    def work() -> tuple[str, str]:
        await_in_task(enter)
        before = variable.get()
        await_in_task(leave)
        return before, variable.get()

    worker = threads.worker()
    assert await worker.run(work) == ("set", "unset")
    worker.release()


async def test_thread_runs_no_event_loop_after_a_call_either(threads: Threads) -> None:
    def work() -> None:
        await_in_task(checkpoint)
        anyio.run(checkpoint)

    worker = threads.worker()
    await worker.run(work)
    await checkpoint()
    worker.release()


# --- back into the task: what the thread does meanwhile ---------------------------------------------


async def test_functions_of_the_coroutine_run_in_the_thread_to_any_depth(threads: Threads) -> None:
    worker = threads.worker()

    def descend(depth: int) -> set[int]:
        below = await_in_task(across, depth - 1) if depth else set()
        return {threading.get_ident(), *below}

    async def across(depth: int) -> set[int]:
        found: set[int] = await worker.run(descend, depth)
        return found

    assert await across(20) == {await ident(worker)}
    worker.release()


async def test_function_of_another_task_runs_while_the_thread_waits(threads: Threads) -> None:
    worker, waiting, done = threads.worker(), anyio.Event(), anyio.Event()

    async def wait() -> None:
        waiting.set()
        await done.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.run, await_in_task, wait)
        await waiting.wait()
        assert await worker.run(str, 1) == "1"
        done.set()
    worker.release()


async def test_answers_reach_their_functions_in_any_order(threads: Threads) -> None:
    """The outer function's answer is there before the inner one's."""
    worker, log, names = threads.worker(), list[str](), ("outer", "inner")
    waiting = {name: anyio.Event() for name in names}
    answer = {name: anyio.Event() for name in names}

    async def wait(name: str) -> None:
        waiting[name].set()
        await answer[name].wait()

    def work(name: str) -> None:
        await_in_task(wait, name)
        log.append(name)

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(worker.run, work, name)
            await waiting[name].wait()
        for name in names:
            answer[name].set()
            await anyio.wait_all_tasks_blocked()
    worker.release()
    assert log == ["inner", "outer"]


async def test_functions_that_await_keep_no_other_from_running() -> None:
    threads, finish, log = Threads(1), anyio.Event(), list[int]()

    async def serve(number: int) -> None:
        worker = threads.worker()
        await worker.run(await_in_task, finish.wait)
        log.append(number)
        worker.release()

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(serve, number)
        await anyio.wait_all_tasks_blocked()
        other = await lent(threads)
        finish.set()
    other.release()
    assert sorted(log) == list(range(100))
    threads.close()


async def test_no_more_functions_than_the_limit_work_at_once(threads: Threads) -> None:
    lock, at_work, most = threading.Lock(), 0, 0

    def step() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        threading.Event().wait(0.001)
        with lock:
            at_work -= 1

    def work() -> None:
        step()
        await_in_task(checkpoint)
        step()

    async def serve() -> None:
        worker = threads.worker()
        await worker.run(work)
        worker.release()

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(serve)
    assert most == 2


# --- back into the task: cancellation ---------------------------------------------------------------


async def test_cancellation_reaches_the_coroutine_and_unwinds_the_function(
    threads: Threads,
) -> None:
    worker, log = threads.worker(), list[object]()

    def work() -> None:
        try:
            await_in_task(anyio.sleep_forever)
        except BaseException as error:
            log.append(error)
            raise

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_when_blocked, scope)
            await worker.run(work)
    worker.release()
    assert scope.cancelled_caught
    assert isinstance(log[0], anyio.get_cancelled_exc_class())


async def cancel_when_blocked(scope: anyio.CancelScope) -> None:
    await anyio.wait_all_tasks_blocked()
    scope.cancel()


async def test_function_that_is_cancelled_can_await_in_a_shielded_scope(threads: Threads) -> None:
    worker, log = threads.worker(), list[str]()

    async def clean_up() -> None:
        with anyio.CancelScope(shield=True):
            await checkpoint()
            log.append("cleaned up")

    def work() -> None:
        try:
            await_in_task(anyio.sleep_forever)
        finally:
            await_in_task(clean_up)

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_when_blocked, scope)
            await worker.run(work)
    worker.release()
    assert log == ["cleaned up"]


async def test_scope_in_the_coroutine_ends_the_coroutine_only(threads: Threads) -> None:
    async def wait() -> str:
        with anyio.move_on_after(0):
            await anyio.sleep_forever()
        return "went on"

    worker = threads.worker()
    assert await worker.run(await_in_task, wait) == "went on"
    worker.release()


async def test_cancelled_task_calls_no_function(threads: Threads) -> None:
    worker, log = threads.worker(), list[str]()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await worker.run(log.append, "called")
    assert log == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_function_that_was_abandoned_cannot_await_any_more() -> None:
    """Before it asks, and while it waits: only asyncio's own cancellation passes the shield."""
    import asyncio  # noqa: TID251  # as above

    threads, asked, go_on = Threads(1), asyncio.Event(), threading.Event()
    loop, errors = asyncio.get_running_loop(), list[str]()

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asked.set()
            await anyio.sleep_forever()

    def work() -> None:
        await_in_task(stubborn)
        loop.call_soon_threadsafe(asked.set)
        go_on.wait(5)
        for _ in range(2):
            try:
                await_in_task(checkpoint)
            except RuntimeError as error:
                errors.append(str(error))

    worker = threads.worker()
    thread = await thread_of(worker)
    task = loop.create_task(worker.run(work))
    for _ in range(2):
        await asked.wait()
        asked.clear()
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    worker.release()
    go_on.set()
    await anyio.to_thread.run_sync(thread.join)
    assert ["has ended before the function" in each for each in errors] == [True, True]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_function_of_a_coroutine_that_is_thrown_away_is_told(threads: Threads) -> None:
    """As at the end of a loop that is closed around its tasks."""
    worker, errors, asked = threads.worker(), queue.SimpleQueue[str](), threading.Event()

    async def wait() -> None:
        asked.set()
        await anyio.sleep_forever()

    def work() -> None:
        try:
            await_in_task(wait)
        except RuntimeError as error:
            errors.put(str(error))

    running = worker.run(work)
    waits_for: Any = running.send(None)
    while not asked.is_set():
        if waits_for.done():
            waits_for = running.send(None)
        await anyio.sleep(0.001)
    running.close()
    worker.release()
    assert "has ended before the function" in await anyio.to_thread.run_sync(errors.get)


def test_function_that_outlives_its_event_loop_cannot_await() -> None:
    import asyncio  # noqa: TID251  # as above

    threads, go_on, errors = Threads(1), threading.Event(), queue.SimpleQueue[str]()
    left_behind: list[asyncio.Task[Any]] = []

    def work() -> None:
        go_on.wait(5)
        try:
            await_in_task(checkpoint)
        except RuntimeError as error:
            errors.put(str(error))

    async def main() -> None:
        worker = threads.worker()
        left_behind.append(asyncio.get_running_loop().create_task(worker.run(work)))
        await anyio.wait_all_tasks_blocked()
        left_behind[0].cancel()
        worker.release()

    asyncio.run(main())
    go_on.set()
    assert "has ended before the function" in errors.get(timeout=5)


def test_call_for_an_event_loop_that_has_ended_is_refused() -> None:
    async def make() -> passing.Job:
        return passing.Job(Threads(1)._in_loop().make_turn, str)

    job = anyio.run(make)
    call = passing.Call(checkpoint, passing.Inbox())
    job.ask(call)
    with pytest.raises(RuntimeError, match="has ended before the function"):
        call.take({})


def test_first_answer_of_a_call_counts() -> None:
    call = passing.Call(checkpoint, passing.Inbox())
    call.answer(error=ValueError("first"))
    call.answer(error=ValueError("second"))
    with pytest.raises(ValueError, match="first"):
        call.take({})


# --- in an event loop of its own --------------------------------------------------------------------


def test_new_loop_awaits_and_has_the_callers_thread_as_its_worker() -> None:
    threads = Threads(1)

    def descend(depth: int) -> set[int]:
        below = await_in_task(across, depth - 1) if depth else set()
        return {threading.get_ident(), *below}

    async def across(depth: int) -> set[int]:
        found: set[int] = await threads.worker().run(descend, depth)
        return found

    assert await_in_new_loop(across, 5) == {threading.get_ident()}
    assert not in_worker()


def test_new_loop_gives_errors_and_variables_as_they_are() -> None:
    error = KeyError("text")

    async def fail() -> None:
        variable.set(variable.get() + " coroutine")
        raise error

    def work() -> str:
        variable.set("function")
        with pytest.raises(KeyError) as caught:
            await_in_new_loop(fail)
        assert caught.value is error
        return variable.get()

    assert contextvars.copy_context().run(work) == "function coroutine"


def test_new_loop_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise OSError("no descriptor left")

    monkeypatch.setattr(anyio, "run", refuse)
    with pytest.raises(OSError, match="no descriptor left"):
        await_in_new_loop(task_id)
