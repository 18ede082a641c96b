"""What must be as it was: tasks, threads, descriptors, files, variables, generators, limits."""

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from pathlib import Path
from types import AsyncGeneratorType
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from erlen import Erlen
from tests.sweep.limits import busy_workers, taken

#: Turns of the loop after which a task or thread counts as left behind, most of a millisecond.
TURNS = 2000


class Watch:
    """Watches one run.

    Attributes:
        log: Messages of errors that were logged.
    """

    def __init__(self, app: Erlen) -> None:
        """Take stock; called in the event loop, in the task that will call :meth:`complaints`."""
        self._app = app
        self._tasks = set(map(_id, anyio.get_running_tasks()))
        self._descriptors = _descriptors()
        self._threads = busy_workers(app)  # of other tests, that end some seconds later
        self._unraised: list[str] = []
        self._generators: list[AsyncGeneratorType[Any, Any]] = []
        self.log: list[str] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See what is only told by hooks: records, generators, and what no one can raise."""
        handler = _Errors(self.log)
        logging.getLogger().addHandler(handler)
        hook, sys.unraisablehook = sys.unraisablehook, self._note_unraised
        hooks = sys.get_asyncgen_hooks()

        def note_first(generator: AsyncGenerator[Any, Any]) -> None:
            assert isinstance(generator, AsyncGeneratorType)
            self._generators.append(generator)
            if hooks.firstiter is not None:
                hooks.firstiter(generator)

        sys.set_asyncgen_hooks(firstiter=note_first)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                yield
        finally:
            sys.set_asyncgen_hooks(*hooks)
            sys.unraisablehook = hook
            logging.getLogger().removeHandler(handler)

    def _note_unraised(self, unraised: Any) -> None:
        self._unraised.append(f"{unraised.exc_value!r} in {unraised.object!r}")

    async def complaints(self) -> list[str]:
        """Return what is not as it was; called inside of :meth:`watching`, when the run is over."""
        tasks = await self._tasks_left()
        open_generators = [g.__qualname__ for g in self._generators if g.ag_frame is not None]
        found = [
            *(f"the task {name} is left" for name in tasks),
            *(f"the generator {name} is not closed" for name in open_generators),
            *await self._threads_left(),
            *(f"the file {path} is left" for path in _temporary_files()),
            *(f"{name} is left open" for name in _opened_since(self._descriptors)),
        ]
        self._generators.clear()
        return found + [f"raised, and nobody saw it: {text}" for text in self._unraised]

    async def _tasks_left(self) -> list[str]:
        """Let tasks end that are about to, or that wait for a thread."""
        for turn in range(TURNS):
            left = [task for task in anyio.get_running_tasks() if _id(task) not in self._tasks]
            if not left:
                return []
            await (checkpoint() if turn < 20 else anyio.sleep(0.001))
        return [str(task.name) for task in left]

    async def _threads_left(self) -> list[str]:
        """Let threads end that asyncio's own ``task.cancel()`` has left behind."""
        for _ in range(TURNS):
            busy, counts = busy_workers(self._app) - self._threads, taken(self._app)
            if not (busy or counts):
                return []
            await anyio.sleep(0.001)
        return [f"the thread {thread.name} is still at work" for thread in busy] + [
            f"{count} of {name} are taken" for name, count in counts.items()
        ]


def _temporary_files() -> list[Path]:
    return sorted(Path(tempfile.gettempdir()).iterdir())


def _descriptors() -> set[str]:
    names = set(os.listdir("/proc/self/fd"))  # noqa: PTH208  # PERF: 25 us, where a Path takes 150
    spare = os.open(os.devnull, os.O_RDONLY)  # gets the number by which they were listed
    os.close(spare)
    return names - {str(spare)}


def _opened_since(before: set[str]) -> list[str]:
    """Return what descriptors are open that were not."""
    found = []
    for name in _descriptors() - before:
        with suppress(FileNotFoundError):
            found.append(f"descriptor {name} of {Path('/proc/self/fd', name).readlink()}")
    return found


def variables() -> dict[Any, Any]:
    """Return the context variables of the running task."""
    return dict(copy_context().items())


def _id(task: anyio.TaskInfo) -> int:
    return task.id


class _Errors(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(f"{record.getMessage()} {record.exc_info and record.exc_info[1]!r}")
