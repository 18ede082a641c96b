"""The worker threads: SY-2, law 2, B-309's limits: who waits, who retires, what crosses."""

import contextvars
import importlib.util
import queue
import sys
import threading
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from anyio.lowlevel import current_token

import erlen.threads as module
from erlen import Erlen, websocket
from erlen.threads import Threads, Worker


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
    spec = importlib.util.spec_from_file_location("threads_without_sniffio", module.__file__)
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
        waiting = threads._places().statistics().tasks_waiting
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
    places = threads._places()
    for borrower in "ab":
        await places.acquire_on_behalf_of(borrower)
    with anyio.move_on_after(0):
        await lent(threads)
    for borrower in "ab":
        places.release_on_behalf_of(borrower)
    assert places.borrowed_tokens == 0
    (await lent(threads)).release()


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


# --- the end of threads -----------------------------------------------------------------------------


async def test_close_ends_idle_threads(threads: Threads) -> None:
    worker = threads.worker()
    thread = await thread_of(worker)
    worker.release()
    threads.close()
    assert not thread.is_alive()


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
    monkeypatch.setattr(queue, "Queue", Impatient)
    worker = threads.worker()
    thread: Any = await thread_of(worker)
    for _ in range(2):
        await anyio.to_thread.run_sync(thread.jobs.found_empty.acquire)
    assert await worker.run(str, "still here") == "still here"
    worker.release()


async def test_retiring_and_starting_at_once_lose_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that retire at once, and hundreds of jobs that meet them in any state."""
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
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
    async def token() -> Any:
        return current_token(), anyio.Event()

    ended, event = anyio.run(token)
    job = module._Job(contextvars.copy_context(), str, (1,), [], event, ended)
    module._perform(job)
    assert job.result == ["1", None]
