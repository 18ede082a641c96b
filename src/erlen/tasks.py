"""Floor 5: background work: functions that go on after the request that started them.

A task is the application's, not the request's. It has an application context of its own and a
picture of the request: what can be read without the network, cut off from the connection.
"""

import functools
import inspect
import logging
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, NoReturn, Protocol
from weakref import WeakSet

import anyio

from erlen.callables import name_of
from erlen.context import Context, current_context
from erlen.exceptions import OutsideContextError
from erlen.exchange.body import Body
from erlen.exchange.request import Request
from erlen.exchange.websocket import State, WebSocket
from erlen.protocols import Application, Message
from erlen.signals import emit, got_background_exception
from erlen.spawning import Child, running_loop, spawn
from erlen.threads import Threads, await_in_task, in_worker
from erlen.wire.urls import printable

#: Seconds that a cancelled task has to clean up before it is left behind.
LAST_SECONDS = 1.0


class _App(Application, Protocol):
    """What background work needs of the application."""

    def app_context(self) -> Any:
        """Return an application context, for ``async with``."""
        ...


class Watcher(Protocol):
    """What wants to know what fails: a test client."""

    def note(self, context: "TaskContext", error: BaseException) -> None:
        """Called in the task, after the error was logged."""
        ...


class BackgroundTasks:
    """The background tasks of one application.

    Attributes:
        watchers: Told of every task that fails.
    """

    def __init__(self, app: _App) -> None:
        """None is running yet."""
        self._app = app
        self._running: set[Child] = set()
        self.watchers: WeakSet[Watcher] = WeakSet()

    def __len__(self) -> int:
        return len(self._running)

    @functools.cached_property
    def _threads(self) -> Threads:
        # SAFETY: a task may block for an hour; it must take no place from the views' functions.
        config = self._app.config
        return Threads(config["WORKER_THREADS"], config["TEARDOWN_THREADS"])

    def add(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Start *function* in the background, on the running event loop.

        See ``Erlen.add_background_task``, which is this.

        PERF: 22 µs from here to the end of an empty coroutine on asyncio, 31 µs on trio.

        Raises:
            RuntimeError: ``MAX_BACKGROUND_TASKS`` are running, or no event loop runs here.
            TypeError: *function* cannot be called.
        """
        _check(function)
        call = functools.partial(function, *args, **kwargs)
        if in_worker():
            await_in_task(self._start_in_task, function, call)
        else:
            self._start(function, call)

    async def _start_in_task(self, function: Callable[..., Any], call: Callable[[], Any]) -> None:
        self._start(function, call)

    def _start(self, function: Callable[..., Any], call: Callable[[], Any]) -> None:
        most: int = self._app.config["MAX_BACKGROUND_TASKS"]
        if len(self._running) >= most:
            raise RuntimeError(
                f"{most} background tasks are running, which is MAX_BACKGROUND_TASKS, so "
                f"{name_of(function)!r} was not started. Refuse the work (503), or hand it to a "
                "queue outside of the process."
            )
        manual = self._app.app_context()
        context = TaskContext(self._app, manual.context.line, name_of(function), self._threads)
        manual.context = context
        # Set in a copy of the variables before the task copies them: else the request's own
        # context would live as long as the task.
        variables = copy_context()
        variables.run(current_context.set, context)
        child = variables.run(lambda: spawn(self._run, manual, call, name=context.task))
        self._running.add(child)
        child.when_done(functools.partial(self._running.discard, child))

    # --- in the task ------------------------------------------------------------------------------

    async def _run(self, manual: Any, call: Callable[[], Any]) -> None:
        context: TaskContext = manual.context
        try:
            async with manual:
                try:
                    await _call(context, call)
                except BaseException as error:
                    await self._tell(context, error)
                    raise
        except BaseException as error:
            if error is not context.error:  # a teardown hook's, raised in tests
                await self._tell(context, error)
            if not isinstance(error, Exception | SystemExit):
                raise

    async def _tell(self, context: "TaskContext", error: BaseException) -> None:
        """Tell of the end of a task that did not return."""
        if isinstance(error, anyio.get_cancelled_exc_class()):
            self._logger.warning("Cancelled: %s.", context.description)
            return
        self._log(context, error)
        for watcher in tuple(self.watchers):
            watcher.note(context, error)
        # Where the context has ended nothing can run in its thread any more.
        run_sync = None if context.ended else context.run_sync
        with anyio.CancelScope(shield=True):
            try:
                await emit(got_background_exception, self._app, run_sync=run_sync, exception=error)
            except Exception as failure:  # noqa: BLE001  # a receiver's
                self._log(context, failure)

    def _log(self, context: "TaskContext", error: BaseException) -> None:
        try:
            self._app.log_exception(error)
        except Exception:  # an application's own; nothing above could tell of it
            self._logger.exception("log_exception() failed for %s.", context.description)

    @property
    def _logger(self) -> logging.Logger:
        return logging.getLogger(self._app.name)

    # --- the end ----------------------------------------------------------------------------------

    async def drain(self, *, hurried: bool = False) -> None:
        """Wait until every task of this event loop has ended; cancel what is late.

        They have ``BACKGROUND_TASK_SHUTDOWN_TIMEOUT`` seconds, and then :data:`LAST_SECONDS` to
        clean up. A ``def`` function that still blocks then is left behind in its thread.

        Args:
            hurried: Cancel at once.
        """
        seconds = 0.0 if hurried else self._app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"]
        try:
            with anyio.move_on_after(seconds):
                while running := self._here():
                    for child in running:
                        await child.wait()
        finally:
            await self._cancel()
            self._threads.close()

    async def _cancel(self) -> None:
        with anyio.move_on_after(LAST_SECONDS, shield=True):
            while running := self._here():
                for child in running:
                    child.cancel()
                for child in running:
                    await child.wait()
        for child in self._here():
            self._logger.error("Left behind: the background task %r, which goes on.", child.name)

    def _here(self) -> list[Child]:
        if not self._running:
            return []
        loop = running_loop()
        return [child for child in tuple(self._running) if child.loop is loop]


async def _call(context: Context, call: Callable[[], Any]) -> None:
    if inspect.iscoroutinefunction(call):
        await call()
        return
    result = await context.run_sync(call)
    if inspect.isawaitable(result):
        await result


def _check(function: Any) -> None:
    """Refuse what is no function; above all what a call of one has returned."""
    if callable(function):
        return
    if inspect.iscoroutine(function):
        function.close()
    raise TypeError(
        f"The background task {function!r} is no function. Give the function itself and then its "
        "arguments: app.add_background_task(send_mail, user), not send_mail(user)."
    )


# --- what a task sees -----------------------------------------------------------------------------


class TaskContext(Context):
    """The context of a background task.

    An application context, so that no request counts as running: ``url_for`` makes no link to
    whatever host a client has claimed, and no hook of requests runs. But ``request``, ``websocket``
    and ``session`` show how they were when the task was started.

    Attributes:
        task: Name of the function.
    """

    __slots__ = ("_picture", "task")

    def __init__(self, app: Application, line: Any, task: str, threads: Threads) -> None:
        """Take the picture; *line* and *threads* are those of its hooks and ``def`` functions."""
        super().__init__(app, line)
        self.task = task
        self.worker = threads.worker()
        self._picture = _picture_for(app)

    @property
    def description(self) -> str:
        """For messages: the background task 'send_mail', started by POST /orders."""
        what = f"the background task {self.task!r}"
        picture = self._picture
        if picture is None:
            return what
        kind = "WebSocket"
        if picture.scope["type"] == "http":
            kind = printable(picture.scope["method"])
        return f"{what}, started by {kind} {printable(picture.path)}"

    @property
    def exchange(self) -> Request | WebSocket:
        """The picture; ``OutsideContextError`` when no exchange started the task."""
        return super().exchange if self._picture is None else self._picture.exchange

    @property
    def session(self) -> Any:
        """The session as it was, closed; ``OutsideContextError`` as above."""
        return super().session if self._picture is None else self._picture.session


class _Picture(Context):
    """An exchange as it was, without its connection."""

    __slots__ = ()

    def open_exchange(self) -> Request | WebSocket:
        exchange = super().open_exchange()
        if isinstance(exchange, WebSocket):
            exchange.state = State.OPEN  # nothing must try to accept it
        else:
            vars(exchange)["body"] = _NoBody(_refuse)
        return exchange


class _NoBody(Body):
    """The body of a request that may be over."""

    __slots__ = ()

    def _start(self) -> NoReturn:
        raise OutsideContextError(
            "A background task cannot read the body of the request that started it, which may be "
            "over. Read it in the view and hand over what was read; an uploaded file by "
            "file.detach()."
        )


async def _refuse(*_message: Message) -> NoReturn:
    """What stands for ``receive`` and ``send``."""
    raise OutsideContextError(
        "A background task cannot use the connection of the exchange that started it, which may be "
        "over. Wait for the client, send and receive in the view."
    )


def _picture_for(app: Application) -> _Picture | None:
    """Return the picture of the running exchange, ``None`` where none of *app* runs."""
    source = current_context.get(None)
    if source is None or source.app is not app:
        return None
    if isinstance(source, TaskContext):
        return source._picture
    if source.scope is None:
        return None
    picture = _Picture(
        app,
        source.line,
        {**source.scope},
        _refuse,
        _refuse,
        source.path,
        source.rule,
        source.view_args and {**source.view_args},
    )
    picture.answering = True  # so that a session that is opened here is closed at once
    if source.opened_session is not None:
        from erlen.sessions import Session

        picture.opened_session = Session(source.opened_session)
        picture.opened_session.close()
    return picture
