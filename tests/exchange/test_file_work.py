"""File work: beside the loop, in no more threads than are allowed, and in nobody's way: P-19."""

import threading
from typing import Any

import anyio
import pytest
from anyio import to_thread

from erlen import Erlen, request
from erlen.exchange import file_work
from erlen.exchange.file_work import DEFAULT, in_thread


async def test_it_runs_in_another_thread_and_gives_the_result() -> None:
    assert await in_thread(threading.get_ident) != threading.get_ident()
    assert await in_thread(max, 1, 2) == 2


async def test_its_errors_are_those_of_the_function() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)


class Work:
    """Work that waits until a number of threads are at it; notes how many were at most."""

    def __init__(self, together: int) -> None:
        self.most = self._running = 0
        self._lock = threading.Lock()
        self._full = threading.Barrier(together)

    def __call__(self) -> None:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        self._full.wait(10)
        with self._lock:
            self._running -= 1


async def at_once(work: Work, times: int) -> int:
    """Start the work so many times; return how many were at work at once."""
    async with anyio.create_task_group() as tasks:
        for _ in range(times):
            tasks.start_soon(in_thread, work)
    return work.most


async def test_no_more_run_at_once_than_there_are_threads() -> None:
    assert file_work.threads_of_application() is DEFAULT
    assert await at_once(Work(DEFAULT.calls), 2 * DEFAULT.calls) == DEFAULT.calls


@pytest.mark.parametrize("threads", [1, 3, 50])
async def test_p19_it_obeys_the_configuration_of_the_running_application(threads: int) -> None:
    app = Erlen("files")
    app.config["FILE_THREADS"] = threads
    async with app.app_context():
        assert file_work.threads_of_application().calls == threads
        assert await at_once(Work(threads), 2 * threads) == threads


async def test_p19_one_application_keeps_no_other_waiting() -> None:
    busy, free, finish = Erlen("busy"), Erlen("free"), threading.Event()
    busy.config["FILE_THREADS"] = free.config["FILE_THREADS"] = 1
    async with anyio.create_task_group() as tasks:
        async with busy.app_context():
            tasks.start_soon(in_thread, finish.wait, 10)
            await anyio.wait_all_tasks_blocked()
        async with free.app_context():
            with anyio.fail_after(5):
                assert await in_thread(max, 1, 2) == 2
        finish.set()


async def test_p19_what_users_do_in_threads_keeps_it_waiting_no_more() -> None:
    limiter, finish = to_thread.current_default_thread_limiter(), threading.Event()
    async with anyio.create_task_group() as tasks:
        for _ in range(int(limiter.total_tokens)):
            tasks.start_soon(to_thread.run_sync, finish.wait, 10)
        await anyio.wait_all_tasks_blocked()
        try:
            with anyio.fail_after(5):
                assert await read_large_bodies() == [200, 200]
        finally:
            finish.set()


async def read_large_bodies() -> list[int]:
    """Send JSON and a form that are so large that they are read beside the loop."""
    app = Erlen("bodies")
    app.testing = True

    @app.post("/")
    async def view() -> str:
        form: Any = await (request.get_json() if request.is_json else request.form)
        return str(len(form["a"]))

    client, text = app.test_client(), "x" * 300_000
    answers = [await client.post("/", json={"a": text}), await client.post("/", data={"a": text})]
    assert [answer.text for answer in answers] == ["300000", "300000"]
    return [answer.status_code for answer in answers]
