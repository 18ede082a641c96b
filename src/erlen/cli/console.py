"""Floor 8: a Python prompt whose statements run on the event loop of a started application.

The loop runs in a thread beside, so that what the application does in the background goes on while
somebody types. All statements run there, as what they use may belong to that loop. The prompt is in
the main thread, where CTRL+C arrives.
"""

import ast
import code
import contextlib
import ctypes
import inspect
import os
import sys
import threading
import traceback
from collections.abc import AsyncGenerator, Coroutine
from contextvars import copy_context
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Protocol, Self

import anyio
import click
from anyio.from_thread import start_blocking_portal

from erlen.app import Erlen
from erlen.cli.group import started
from erlen.spawning import running_loop

#: Seconds in which an event loop that is not blocked does something.
_PATIENCE = 0.2


class Interact(Protocol):
    """Opens a prompt and returns when it was left."""

    def __call__(self, app: Erlen, names: dict[str, Any], banner: str) -> None:
        """*names* are those that statements can use; *banner* is shown first."""
        ...


def choose(*, plain: bool) -> Interact:
    """Return the best prompt that is installed; the one of Python itself when *plain*."""
    if not plain and find_spec("IPython") is not None:
        return interact_in_ipython
    if not plain and find_spec("ptpython") is not None:
        return interact_in_ptpython
    return interact


def interact(app: Erlen, names: dict[str, Any], banner: str) -> None:
    """Prompt by Python's own console, after the file that PYTHONSTARTUP names."""
    startup = os.environ.get("PYTHONSTARTUP")
    if startup and Path(startup).is_file():
        exec(compile(Path(startup).read_bytes(), startup, "exec"), names)  # noqa: S102  # as Python
    with contextlib.suppress(ImportError):  # Windows has no readline
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    with _Loop(app) as loop:
        _Console(names, loop).interact(banner=banner, exitmsg="")


def interact_in_ipython(app: Erlen, names: dict[str, Any], banner: str) -> None:
    """Prompt by IPython, with the profile of the user."""
    application: Any = import_module("IPython.terminal.ipapp").TerminalIPythonApp
    with _Loop(app) as loop:
        ipython = application.instance(user_ns=names, display_banner=False)
        ipython.initialize([])
        ipython.shell.should_run_async = lambda *_args, **_options: True
        ipython.shell.loop_runner = loop.run
        click.echo(banner, err=True)
        ipython.start()


def interact_in_ptpython(app: Erlen, names: dict[str, Any], banner: str) -> None:
    """Prompt by ptpython, which awaits its user in the event loop itself."""
    repl: Any = import_module("ptpython.repl")

    async def prompt() -> None:
        async with started(app):
            await repl.embed(globals=names, return_asyncio_coroutine=True)

    click.echo(banner, err=True)
    anyio.run(prompt)


class _Loop:
    """The event loop of a started application, in a thread of its own."""

    def __init__(self, app: Erlen) -> None:
        self._app = app

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal("asyncio"))
            stack.enter_context(self._portal.wrap_async_context_manager(self._started()))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @contextlib.asynccontextmanager
    async def _started(self) -> AsyncGenerator[None, None]:
        async with started(self._app):
            self._variables = copy_context()
            self._thread = threading.get_ident()
            self._native = running_loop()
            yield

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return what *coroutine* returns in the loop; CTRL+C ends it there."""
        statement = _Statement(coroutine)
        try:
            future = self._variables.run(self._portal.start_task_soon, statement.run)
            value, error = future.result()
        except KeyboardInterrupt:
            if self._is_blocked():
                _raise_in(self._thread)
            else:
                self._native.call_soon_threadsafe(statement.cancel)
            raise
        if error is not None:
            raise error
        return value

    def _is_blocked(self) -> bool:
        moves = threading.Event()
        self._native.call_soon_threadsafe(moves.set)
        return not moves.wait(_PATIENCE)


class _Statement:
    """A coroutine that runs in the loop and can be cancelled, even before it has begun."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._is_cancelled = False
        self._scope: anyio.CancelScope | None = None

    def cancel(self) -> None:
        """Cancel it; in the loop."""
        self._is_cancelled = True
        if self._scope is not None:
            self._scope.cancel()

    async def run(self) -> tuple[Any, BaseException | None]:
        """Return its value, or its error where that would end the whole loop."""
        value: Any = None
        error: BaseException | None = None
        scope = self._scope = anyio.CancelScope()
        with scope:
            if self._is_cancelled:
                scope.cancel()
            try:
                value = await self._coroutine
            except (SystemExit, KeyboardInterrupt) as raised:
                error = raised
        return value, error


def _raise_in(thread: int) -> None:
    """Raise ``KeyboardInterrupt`` in what another thread executes: a loop of the user's, say."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt)
    )


class _Console(code.InteractiveConsole):
    """Python's console; what it compiles may await, and runs in the loop."""

    def __init__(self, names: dict[str, Any], loop: _Loop) -> None:
        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._names = names
        self._loop = loop

    def runcode(self, code: CodeType) -> None:
        """Run one statement; show what it raises, from the frame of the statement on."""
        try:
            self._loop.run(self._execute(code))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # shown, as every prompt does
            trace = error.__traceback__
            while trace is not None and trace.tb_frame.f_code is not code:
                trace = trace.tb_next
            sys.last_value = error
            self.write("".join(traceback.format_exception(error.with_traceback(trace))))

    async def _execute(self, code: CodeType) -> None:
        value = FunctionType(code, self._names)()
        if inspect.iscoroutine(value):
            await value
