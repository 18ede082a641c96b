"""Floor 3: what passes between a task and a thread: jobs there, calls back, and their results."""

import queue
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

from anyio.lowlevel import RunVar

from erlen.threads.places import Place
from erlen.threads.turns import Turn
from erlen.threads.variables import Added, adopt, without_library

T = TypeVar("T")


class Job:
    """One function that the thread calls for a task; made in the task.

    Attributes:
        turn: The task's: given when there is a call to answer, or the job is done.
        call: What the function waits for.
        added: Context variables that the function has only from its calls.
    """

    __slots__ = (
        "_abandoned", "_args", "_context", "_error", "_function", "_given", "_make_turn", "_value",
        "added", "call", "turn",
    )  # fmt: skip

    def __init__(
        self,
        make_turn: Callable[[], Turn],
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
    ) -> None:
        self._make_turn = make_turn
        self._function = without_library(function)
        self._args = args
        self._context = copy_context()
        self._value: Any = None
        self._error: BaseException | None = None
        self._abandoned = False
        self.added: Added = {}
        self._given: Added = {}
        self.call: Call[Any] | None = None
        self.turn = make_turn()

    def perform(self) -> None:
        """Call the function; in the thread."""
        try:
            self._value = self._context.run(self._function, *self._args)
        except BaseException as error:  # noqa: BLE001  # raised again by the waiting task
            self._error = error
        self._give_turn()

    def ask(self, call: "Call[Any]") -> None:
        """Give the task a call to answer; in the thread."""
        self.call = call
        # The task abandons the job first and then looks for a call: one of both sees the other.
        if self._abandoned or not self._give_turn():
            call.answer(error=_ended())

    def _give_turn(self) -> bool:
        """Let the task go on; False when its event loop has ended, so that nobody waits."""
        try:
            self.turn.give()
        except RuntimeError:
            return False
        return True

    def answer(self, call: "Call[Any]") -> None:
        """Let the function go on with its call, which is done; in the task."""
        self.turn = self._make_turn()
        self.call = None
        call.answer()

    def adopt(self) -> None:
        """Set for the task what the function has set."""
        adopt(self._context, self._given)

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
