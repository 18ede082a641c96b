"""File work: beside the loop, and in no more threads than are allowed."""

import threading

import anyio
import pytest

from erlen.exchange import file_work
from erlen.exchange.file_work import in_thread


async def test_it_runs_in_another_thread_and_gives_the_result() -> None:
    assert await in_thread(threading.get_ident) != threading.get_ident()
    assert await in_thread(max, 1, 2) == 2


async def test_its_errors_are_those_of_the_function() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)


async def test_no_more_run_at_once_than_there_are_threads() -> None:
    running, most = 0, 0
    lock = threading.Lock()
    full = threading.Barrier(file_work.THREADS)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        full.wait(10)
        with lock:
            running -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(2 * file_work.THREADS):
            tasks.start_soon(in_thread, work)
    assert most <= file_work.THREADS
