"""Floor 3: what passes between a task and a thread: jobs there, calls back, and their results."""

import contextlib
import queue
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

import anyio
from anyio.lowlevel import RunVar, current_token

from erlen.threads.places import Place
from erlen.threads.variables import Added, adopt, call_without_library

T = TypeVar("T")


class Job:
    """One function that the thread calls for a task; made in the task.

    Attributes:
        turn: Set when it is the task's turn: there is a call to answer, or the job is done.
        call: What the function waits for.
        added: Context variables that the function has only from its calls.
    """

    __slots__ = (
        "_abandoned", "_context", "_error", "_function", "_later", "_value", "added", "call",
        "turn",
    )  # fmt: skip

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._context = copy_context()
        self._value: Any = None
        self._error: BaseException | None = None
        self._abandoned = False
        self.added: Added = {}
        self.call: Call[Any] | None = None
        self.turn = anyio.Event()
        # PERF: 20 us less than anyio.from_thread, which waits for the loop to have done it. That
        # would also be for ever when the loop ends before.
        loop: Any = current_token().native_token
        self._later = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon

    def perform(self) -> None:
        """Call the function; in the thread."""
        try:
            self._value = self._context.run(call_without_library, self._function)
        except BaseException as error:  # noqa: BLE001  # raised again by the waiting task
            self._error = error
        # The event loop may have ended meanwhile; then nobody waits.
        with contextlib.suppress(RuntimeError):
            self._later(self.turn.set)

    def ask(self, call: "Call[Any]") -> None:
        """Give the task a call to answer; in the thread."""
        self.call = call
        # The task abandons the job first and then looks for a call: one of both sees the other.
        if not self._abandoned:
            with contextlib.suppress(RuntimeError):
                self._later(self.turn.set)
                return
        call.answer(error=_ended())

    def adopt(self, added: Added) -> None:
        """Set for the task what the function has set."""
        adopt(self._context, added)

    def take(self) -> Any:
        """Return what the function returned, or raise what it raised; in the task, once."""
        return _take(self)

    def abandon(self) -> None:
        """Let the function end by itself: nobody answers it any more."""
        self._abandoned = True
        if self.call is not None:
            self.call.answer(error=_ended())


class Call(Generic[T]):
    """One coroutine function that a task awaits for a thread; made in the thread.

    Attributes:
        inbox: The thread's.
        is_answered: Whether the result is there.
    """

    __slots__ = ("_context", "_error", "_function", "_value", "inbox", "is_answered")

    def __init__(self, function: Callable[[], Coroutine[Any, Any, T]], inbox: "Inbox") -> None:
        self._function = function
        self._context: Context | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        self.inbox = inbox
        self.is_answered = False

    async def perform(self) -> None:
        """Await the coroutine; in the task."""
        try:
            self._value = await self._function()
        except GeneratorExit:
            raise  # the task itself ends, unfinished
        except BaseException as error:  # noqa: BLE001  # raised again in the thread
            self._error = error
        self._context = copy_context()

    def answer(self, error: BaseException | None = None) -> None:
        """Let the thread go on; with *error* in the place of a result."""
        if not self.is_answered:
            self._error = error or self._error
            self.is_answered = True
            self.inbox.queue.put(self)

    def take(self, added: Added) -> T:
        """Return what the coroutine returned, or raise what it raised; in the thread, once."""
        if self._context is not None:
            adopt(self._context, added)
        value: T = _take(self)
        return value


def _take(outcome: "Job | Call[Any]") -> Any:
    """Return the value or raise the error."""
    value, outcome._value = outcome._value, None
    error, outcome._error = outcome._error, None
    if error is not None:
        try:
            raise error
        finally:
            del error  # a traceback that names itself would live until the next collection
    return value


def _ended() -> RuntimeError:
    return RuntimeError(
        "The task of a 'def' function has ended before the function, so nothing can be awaited "
        "for it any more. Let the function end."
    )


class Inbox:
    """What a thread is to do next, and what it is doing.

    Attributes:
        queue: Jobs, answered calls, and ``None`` for the end.
        job: The innermost job in hand.
        places: What its jobs take among those that run at once, in the order of their sending;
            known to the tasks that have sent them.
        is_closed: Whether the thread ends once nothing is in hand.
    """

    __slots__ = ("is_closed", "job", "places", "queue")

    def __init__(self) -> None:
        # PERF: 10 us less for each hop than queue.Queue.
        self.queue: queue.SimpleQueue[Job | Call[Any] | None] = queue.SimpleQueue()
        self.job: Job | None = None
        self.places: list[Place] = []
        self.is_closed = False

    def take(self, timeout: float | None = None) -> None:
        """Take one item and do it; ``queue.Empty`` when none comes for *timeout* seconds.

        An answered call was only put to wake the thread.
        """
        item = self.queue.get(timeout=timeout)
        if item is None:
            self.is_closed = True
        elif isinstance(item, Job):
            outer, self.job = self.job, item
            item.perform()
            self.job = outer

    def work_until(self, call: "Call[Any]") -> None:
        """Do what comes in until *call* is answered."""
        while not call.is_answered:
            self.take()


class Here(threading.local):
    """The inbox of the running thread, if it is or stands for a worker's."""

    inbox: Inbox | None = None


here = Here()
#: The inbox of the thread for which an event loop runs, in which then every worker works.
host: RunVar[Inbox | None] = RunVar("erlen-host", None)
