"""One run of a scenario, and what must not come of it."""

import asyncio  # noqa: TID251  # its own cancellation is one of those that are swept
import enum
import time
from collections.abc import Callable
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from erlen import Erlen
from erlen.exceptions import leaves
from erlen.protocols import ASGIApp
from tests.sweep.leaks import variables
from tests.sweep.notes import CleanupError
from tests.sweep.rousing import Sleeper, backend
from tests.sweep.scenario import Scenario
from tests.sweep.server import Server
from tests.sweep.stepping import Stepping

#: Seconds after which a run counts as hung.
PATIENCE = 10.0


class Way(enum.Enum):
    """What happens at the n-th wait."""

    #: The scope around the exchange is cancelled.
    CANCEL = "cancel"
    #: The same at the n-th turn of the event loop, whichever task of the exchange waits then.
    TURN = "cancel at a turn"
    #: asyncio's own cancellation, which comes once and passes any shield.
    NATIVE = "task.cancel()"
    #: The same when a thread has done what is waited for, and the task does not know it yet.
    LATE = "late task.cancel()"
    #: asyncio's own cancellation comes a second time, while the first one is being cleaned up.
    TWICE = "task.cancel() twice"
    #: The client leaves: send() raises from then on, receive() tells.
    GONE = "disconnect"
    #: The same with a server of ASGI before 2.4, whose send() does nothing then.
    SILENT = "silent disconnect"
    #: ``app.shutting_down`` is set.
    SHUTDOWN = "shutdown"


#: The ways that only asyncio has.
NATIVE = {Way.NATIVE, Way.LATE, Way.TWICE}
#: Those that need a client.
_BY_CLIENT = {Way.GONE, Way.SILENT}
#: Seconds that threads get, while the loop stands still, to do what is waited for.
_THREAD_SECONDS = 0.002


def ways_of(scenario: Scenario, *, pairs: bool = False) -> list[Way]:
    """Return the ways in which *scenario* can be ended on the running event loop."""
    impossible = set(NATIVE) if backend() == "trio" else set()
    if scenario.kind == "lifespan":
        impossible |= _BY_CLIENT
    if not pairs:
        impossible.add(Way.TWICE)
    if not scenario.uses_threads:
        impossible.add(Way.LATE)
    if not scenario.has_tasks:
        impossible.add(Way.TURN)
    if not scenario.ends_early:
        impossible.add(Way.SHUTDOWN)
    return [way for way in Way if way not in impossible]


class Trial:
    """One run.

    Attributes:
        server: What the scenario talks to.
        stepping: What counts its waits.
        problems: What is wrong.
        is_hung: Whether it had to be ended by force.
        may_raise: Whether a cleanup fails, whose error may come in the place of a cancellation.
    """

    def __init__(
        self, app: ASGIApp, core: Erlen, scenario: Scenario, way: Way, at: int, again: int = 0
    ) -> None:
        """*app* is *core* under watch. The strike comes at the waits *at* and *again*, if any."""
        self.server = Server(scenario.messages, kind=scenario.kind)
        scope = {**scenario.scope}
        coroutine: Any = app(scope, self.server.receive, self.server.send)
        self._turn = at if way is Way.TURN else 0
        self.stepping = Stepping(coroutine, at - self._turn, self._strike, again)
        self.problems: list[str] = []
        self.is_hung = False
        self.may_raise = False
        self._core = core
        self._way = way
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()

    async def run(self) -> None:
        """Run in a task of its own, to the end, or until it hangs."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._call)
            if self._turn:
                tasks.start_soon(self._take_turns)
            with anyio.move_on_after(PATIENCE):
                await self._ended.wait()
            while not self._ended.is_set():
                self.is_hung = True
                self.problems.append(f"hung in {self.stepping.give_up()}")
                self._sleeper.rouse()
                with anyio.move_on_after(1):
                    await self._ended.wait()

    @property
    def has_struck(self) -> bool:
        """Whether it was ended before its own end."""
        return self.stepping.has_struck or self._scope.cancel_called

    async def _take_turns(self) -> None:
        for _ in range(self._turn):
            await checkpoint()
        if not self._ended.is_set():
            self._strike()

    def _strike(self) -> None:
        strikes: dict[Way, Callable[[], Any]] = {
            Way.CANCEL: self._scope.cancel,
            Way.TURN: self._scope.cancel,
            Way.NATIVE: _cancel_natively,
            Way.LATE: _cancel_late,
            Way.TWICE: _cancel_natively,
            Way.GONE: lambda: self.server.leave(is_told=True),
            Way.SILENT: lambda: self.server.leave(is_told=False),
            Way.SHUTDOWN: self._core.shutting_down.set,
        }
        strikes[self._way]()

    async def _call(self) -> None:
        self._sleeper = Sleeper()
        before = variables()
        error: BaseException | None = None
        try:
            with self._scope:
                await self.stepping.run()
        except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001  # judged below
            error = raised
        if not self.is_hung:
            self._judge(error)
        if variables() != before:
            self.problems.append("a context variable is not what it was")
        self._ended.set()

    def _judge(self, error: BaseException | None) -> None:
        """Only asyncio's own cancellation leaves an exchange, and it must; or a failed cleanup."""
        ends = leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
        if all(isinstance(each, CleanupError) for each in ends):
            return
        is_native = self._way in NATIVE and self.has_struck
        # COMPAT: anyio's own group takes a cancellation for its own while it ends its last tasks.
        is_swallowed = error is None and self.stepping.innermost != "TaskGroup.__aexit__"
        if is_native and is_swallowed and not self.may_raise:
            self.problems.append("the cancellation was swallowed")
        if error is not None and not (is_native and isinstance(error, asyncio.CancelledError)):
            self.problems.append(f"raised {error!r}")


def _cancel_late() -> None:
    time.sleep(_THREAD_SECONDS)
    _cancel_natively()


def _cancel_natively() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
