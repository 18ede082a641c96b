"""One performance of the application: what is to happen where, and what was seen."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.from_thread
from anyio.lowlevel import EventLoopToken, checkpoint, current_token

from erlen import Erlen
from erlen.context import current_context
from erlen.testing.conduct import ConductChecker
from tests.matrix.application import declare
from tests.matrix.server import Server, scope_of, settle

#: Seconds after which an exchange counts as hung.
PATIENCE = 20


@dataclass
class Run:
    """What is to happen in one exchange, and what was seen there.

    Attributes:
        position: Where it happens.
        happens: What happens: an outcome of the table.
        thrown: What is raised for it; ``None`` when it is no exception.
        trigger: What the view raises by itself, so that a handler is reached.
        in_thread: Whether hooks and views run in a thread.
        scope: The scope around the exchange.
        token: Its event loop.
        happened: Set when it happens, which it does once.
        in_the_middle: Set when a stream waits for what is to happen beside it.
        server: The server of the exchange.
        trace: Every position that was reached.
        handled: What handlers were given.
        torn: What teardown hooks were given.
        made: What must be closed: a response, a generator.
        closed: What was, with a word when that was not before the teardown.
        logged: The exceptions that were logged, and what was logged without one.
        raised: What the server got.
    """

    position: str
    happens: str
    thrown: BaseException | None = None
    trigger: Exception | None = None
    in_thread: bool = False
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    token: EventLoopToken = field(default_factory=current_token)
    happened: anyio.Event = field(default_factory=anyio.Event)
    in_the_middle: anyio.Event = field(default_factory=anyio.Event)
    server: Any = None
    trace: list[str] = field(default_factory=list)
    handled: list[BaseException] = field(default_factory=list)
    torn: list[BaseException | None] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    logged: list[Any] = field(default_factory=list)
    raised: BaseException | None = None

    def arrives(self, position: str) -> bool:
        """Note that *position* was reached; return whether it happens now, if it is no error."""
        self.trace.append(position)
        if position != self.position or self.happened.is_set():
            return False
        self.happened.set()
        if self.thrown is not None:
            raise self.thrown
        return True

    async def act(self) -> None:
        """Let happen what is not raised."""
        match self.happens:
            case "cancelled":
                self.scope.cancel()
            case "left, receive tells":
                self.server.leave("receive")
                if self.server.is_stream and ("chunk" in self.position or "send" in self.position):
                    await self.server.told.wait()
                    await self._wait_for_the_end()
            case "left, send tells":
                self.server.leave("send")
            case "nested cancellation":
                with anyio.CancelScope() as nested:
                    nested.cancel()
                    await anyio.sleep_forever()

    async def wait_beside(self, position: str) -> None:
        """Wait in the middle of a stream for what is to happen beside it."""
        if self.position == "receive (beside a stream)" and "after its first" in position:
            self.in_the_middle.set()
            await self.happened.wait()
            if self.happens not in {"ok", "left, send tells"}:
                await self._wait_for_the_end()

    async def _wait_for_the_end(self) -> None:
        """Wait to be cancelled, where that is possible; elsewhere let the others have noticed."""
        if self.in_thread or "send" in self.position:
            await settle()
        else:
            await anyio.sleep_forever()


class Stage:
    """One application, whose functions are all ``async def`` or all ``def``.

    Attributes:
        app: The application.
        run: What is being performed, ``None`` for an ordinary exchange.
    """

    def __init__(self, *, is_async: bool, propagates: bool) -> None:
        """*propagates* is PROPAGATE_EXCEPTIONS."""
        self.is_async = is_async
        self.propagates = propagates
        self.run: Run | None = None
        self.app = Erlen("matrix")
        self.app.config["PROPAGATE_EXCEPTIONS"] = propagates
        declare(self.app, self)
        self._asgi = ConductChecker(self.app)
        self._threads: set[threading.Thread] = set()

    def __str__(self) -> str:
        kind = "async def" if self.is_async else "def"
        return f"{kind}, PROPAGATE_EXCEPTIONS is {self.propagates}"

    # --- what the application tells ---------------------------------------------------------------

    async def reach(self, position: str) -> None:
        """Be at a position: whatever is to happen there happens."""
        await checkpoint()
        run = self.run
        if run is not None:
            if position == run.position == "receive (beside a stream)":
                await run.in_the_middle.wait()
            if run.arrives(position):
                await run.act()
                await checkpoint()
            await run.wait_beside(position)

    def reach_in_thread(self, position: str) -> None:
        """The same in a worker thread, which nothing can cancel."""
        self._threads.add(threading.current_thread())
        run = self.run
        if run is not None:
            if run.arrives(position):
                anyio.from_thread.run(run.act, token=run.token)
            if "chunk" in position:
                anyio.from_thread.run(run.wait_beside, position, token=run.token)

    def note(self, what: str, value: Any) -> None:
        """Note a value in the list of the run that is named *what*."""
        if self.run is not None:
            is_late = what == "closed" and self.run.torn
            getattr(self.run, what).append(f"{value}, late" if is_late else value)

    def trigger(self) -> None:
        """Raise what brings the exchange to a handler."""
        if self.run is not None and self.run.trigger is not None:
            raise self.run.trigger

    # --- what the test asks -----------------------------------------------------------------------

    async def perform(self, kind: str, path: str, run: Run, *, denial: bool) -> None:
        """Serve one exchange in which *run* happens, and assert that nothing is left of it."""
        tasks = len(anyio.get_running_tasks())
        scope = scope_of(kind, path, denial=denial)
        self.run, run.server, run.in_thread = run, Server(scope, self.reach), not self.is_async
        with captured(run.logged), anyio.fail_after(PATIENCE), run.scope:
            try:
                await self._asgi(scope, run.server.receive, run.server.send)
            except BaseException as error:
                run.raised = error
                if isinstance(error, anyio.get_cancelled_exc_class()):
                    raise
        self.run = None
        assert run.happened.is_set()
        assert current_context.get(None) is None
        assert len(anyio.get_running_tasks()) == tasks
        # One of the exchange and one of its child, which the next exchange gets again.
        assert sum(thread.is_alive() for thread in self._threads) <= 2

    async def is_well(self) -> bool:
        """Whether an ordinary request gets its ordinary answer."""
        scope = scope_of("http", "/well", denial=False)
        server = Server(scope, self.reach)
        await self._asgi(scope, server.receive, server.send)
        return server.seen == "200"


@contextmanager
def captured(kept: list[Any]) -> Iterator[None]:
    """Collect what any logger logs."""
    handler = _Log(kept)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


class _Log(logging.Handler):
    def __init__(self, kept: list[Any]) -> None:
        super().__init__()
        self._kept = kept
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self._kept.append(record.exc_info[1] if record.exc_info else text)
