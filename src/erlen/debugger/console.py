"""Floor 8: the console of one frame: Python that is typed in, evaluated where the frame stood.

Plain statements run in a thread of their own, so that they hold up nobody. What awaits runs on the
event loop, because only there it can; a step of it that holds up the loop is interrupted.
"""

import inspect
import traceback
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import suppress
from contextvars import Context as Variables
from dataclasses import asdict, dataclass, field
from time import perf_counter
from types import CodeType
from typing import Any

import anyio

from erlen.debugger.compiling import VALUE, compile_input, is_incomplete
from erlen.debugger.completion import complete
from erlen.debugger.interrupts import Aside, Interrupted, Stretch
from erlen.debugger.output import Output
from erlen.debugger.values import cut, text_of
from erlen.spawning import spawn

#: Seconds that an evaluation may take, and one step of it on the event loop.
SECONDS = 30.0
STEP_SECONDS = 2.0
#: Seconds that an interrupted evaluation has to end before it is left behind.
LAST_SECONDS = 1.0
#: Seconds for the properties that a completion runs.
COMPLETION_SECONDS = 1.0
#: Characters of a value, and of a traceback.
_VALUE_LIMIT = 8 * 1024
_TRACE_LIMIT = 16 * 1024


@dataclass(slots=True)
class Outcome:
    """What became of an input.

    Attributes:
        state: ``"done"``; ``"more"``: lines are missing; ``"busy"``: another input runs still.
        output: What it printed.
        value: The last expression, ``None`` when there is nothing to show.
        error: Traceback, or a sentence, of what went wrong.
        milliseconds: How long it took.
    """

    state: str = "done"
    output: str = ""
    value: str | None = None
    error: str | None = None
    milliseconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return it as the page gets it."""
        return asdict(self)


class Console:
    """A namespace that begins as a copy of a frame's, and what runs in it."""

    def __init__(self, names: Mapping[str, Any], variables: Variables) -> None:
        """*names* are the frame's, *variables* those of the exchange when it failed."""
        # SAFETY: the builtin exit() closes the server's stdin before it raises.
        self._names: dict[str, Any] = {"exit": _leave, "quit": _leave, **names}
        self._variables = variables
        self._count = 0
        self._running: _Evaluation | None = None

    async def evaluate(self, source: str) -> Outcome:
        """Run *source* and return what became of it; never raises an ``Exception``."""
        if self._running is not None:
            return Outcome("busy", error="The input before runs still. Interrupt it, or wait.")
        try:
            if is_incomplete(source):
                return Outcome("more")
            code = compile_input(source, f"<input {self._count + 1}>")
        except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError) as error:
            return Outcome(error="".join(traceback.format_exception_only(error)))
        self._count += 1
        running = self._running = _Evaluation(code, self._names, self._variables)
        try:
            return await running.run()
        finally:
            self._running = None

    def interrupt(self) -> bool:
        """End what runs; return whether anything did."""
        if self._running is None:
            return False
        self._running.interrupt()
        return True

    async def complete(self, text: str) -> tuple[int, list[str]]:
        """Return how the word at the end of *text* may go on; see :func:`complete`."""
        found: tuple[int, list[str]] = (len(text), [])
        stretch = Stretch()

        def look() -> None:
            nonlocal found
            with suppress(Interrupted), stretch.limited(COMPLETION_SECONDS):
                found = stretch.call(complete, text, self._names)

        await Aside(look, self._variables).wait(COMPLETION_SECONDS * 2)
        return found


@dataclass(slots=True)
class _Evaluation:
    """One input at work."""

    code: CodeType
    names: dict[str, Any]
    variables: Variables
    outcome: Outcome = field(default_factory=Outcome)
    output: Output = field(default_factory=Output)
    stretch: Stretch = field(default_factory=Stretch)
    waiting: anyio.CancelScope | None = None

    async def run(self) -> Outcome:
        began = perf_counter()
        awaits = self.code.co_flags & inspect.CO_COROUTINE
        await (self._run_on_loop() if awaits else self._run_aside())
        # What is left behind may still write into its own; the answer is what it is now.
        outcome = Outcome(**self.outcome.as_json())
        outcome.output = self.output.text()
        outcome.milliseconds = round((perf_counter() - began) * 1000, 2)
        return outcome

    def interrupt(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()

    async def _wait(self, event_of_end: Callable[[], Coroutine[Any, Any, Any]]) -> bool:
        """Wait for the end, an interruption or the deadline; return whether the end came."""
        with anyio.move_on_after(SECONDS) as self.waiting:
            await event_of_end()
        return not self.waiting.cancelled_caught

    # --- in a thread ------------------------------------------------------------------------------

    async def _run_aside(self) -> None:
        aside = Aside(lambda: self._note(self._evaluate), self.variables)
        if await self._wait(aside.ended.wait):
            return
        for _ in range(10):  # code may catch it
            self.stretch.interrupt()
            if await aside.wait(LAST_SECONDS / 10):
                return
        self.outcome.error = (
            "Interrupted, but it did not end: it blocks within a function that Python cannot "
            "interrupt. It is left behind in its thread."
        )

    def _evaluate(self) -> None:
        self.stretch.call(eval, self.code, self.names)

    # --- on the event loop ------------------------------------------------------------------------

    async def _run_on_loop(self) -> None:
        child = self.variables.copy().run(spawn, self._await_capturing)
        with self.stretch.limited(STEP_SECONDS):
            if not await self._wait(child.wait):
                self.outcome.error = "Interrupted."  # while the value was written, if it stays so
                child.cancel()
                with anyio.move_on_after(LAST_SECONDS):
                    await child.wait()
        if not child.is_done:
            self.outcome.error = "Cancelled, but it did not end: it catches its cancellation."

    async def _await_capturing(self) -> None:
        with self.output.capturing():
            try:
                await _Steps(eval(self.code, self.names), self.stretch)  # noqa: S307  # its purpose
            except anyio.get_cancelled_exc_class():
                self.outcome.error = "Cancelled."
                raise
            except BaseException as error:  # noqa: BLE001  # SystemExit must not end the server
                self.outcome.error = _explain(error, STEP_SECONDS)
            else:
                await Aside(self._note, self.variables).wait(SECONDS)

    # --- the end ----------------------------------------------------------------------------------

    def _note(self, evaluate: Callable[[], None] | None = None) -> None:
        """Note the value that the code has left, or what it raised; the repr is the user's, too."""
        try:
            with self.output.capturing(), self.stretch.limited(SECONDS):
                if evaluate is not None:
                    evaluate()
                value = self.names.pop(VALUE, None)
                if value is not None:
                    self.names["_"] = value
                    self.outcome.value = self.stretch.call(text_of, value, _VALUE_LIMIT)
        except BaseException as error:  # noqa: BLE001  # SystemExit must not end the server
            self.outcome.error = _explain(error, SECONDS)


class _Steps:
    """Awaits a coroutine each step of which can be interrupted from another thread."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], stretch: Stretch) -> None:
        self._coroutine = coroutine
        self._stretch = stretch

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Callable[[Any], Any] = self._coroutine.send
        value: Any = None
        while True:
            try:
                awaited = self._stretch.call(step, value)
            except StopIteration as end:
                return end.value
            try:
                value, step = (yield awaited), self._coroutine.send
            except BaseException as error:  # noqa: BLE001  # it is raised in the coroutine
                value, step = error, self._coroutine.throw


def _explain(error: BaseException, seconds: float) -> str:
    """Return the traceback of an error from the input on, or a sentence."""
    if isinstance(error, Interrupted):
        return f"Interrupted: you asked for it, or it took more than {seconds:g} seconds."
    if isinstance(error, SystemExit):
        return "".join(traceback.format_exception_only(error))
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith("<input "):
        trace = trace.tb_next
    try:
        lines = traceback.format_exception(type(error), error, trace)
    except Exception:  # noqa: BLE001  # an exception that cannot even be told
        return text_of(error)
    return cut("".join(lines), _TRACE_LIMIT)


def _leave(code: object = None) -> None:
    """What ``exit()`` does in a console."""
    raise SystemExit(code)
