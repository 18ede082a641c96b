"""Waking a task that waits in vain, even where a shield keeps every cancellation off."""

import asyncio  # noqa: TID251  # its tasks are woken by its own means
from typing import Any

import outcome
import trio

from tests.sweep.stepping import HangError


class Sleeper:
    """The running task, to be woken from another one."""

    def __init__(self) -> None:
        """Called in the task."""
        self._task: Any = None
        if backend() == "trio":
            self._task = trio.lowlevel.current_task()
        else:
            self._task = asyncio.current_task()

    def rouse(self) -> None:
        """Raise in the task where it waits. What it waited for may come to harm: it has failed."""
        if isinstance(self._task, asyncio.Task):
            self._task.cancel()
        else:
            trio.lowlevel.reschedule(self._task, outcome.Error(HangError()))


def backend() -> str:
    """Return the name of the event loop that runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return "trio"
    return "asyncio"
