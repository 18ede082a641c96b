"""Floor 5: the stack of an event loop's thread: whose code runs there, and on whose behalf."""

import linecache
import os
import sys
import sysconfig
from collections.abc import Sequence
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE
from itertools import pairwise, takewhile
from pathlib import Path
from types import CodeType, FrameType

import anyio

from erlen.context import Context
from erlen.wire.urls import printable

#: Frames of one step of an event loop, the innermost first.
Stack = Sequence[FrameType]

_COROUTINE = CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR
_LOOPS = frozenset({"asyncio", "trio", "uvloop"})
_DEBUGGERS = frozenset({"bdb", "pydevd", "_pydevd_bundle"})

_OURS = tuple(
    f"{folder}{os.sep}" for folder in (Path(__file__).parents[1], Path(anyio.__file__).parent)
)
_IMPORT = "<frozen importlib"
_INSTALLED = ("site-packages", "dist-packages")
_STANDARD = ("<frozen ", f"{sysconfig.get_path('stdlib')}{os.sep}")

#: Functions of the pipeline that call others than the view, and what they call.
_CALLERS = {
    "call_before": "before hook",
    "follow": "after hook",
    "recover": "error handler",
    "tear_down": "teardown hook",
}
_LIFESPAN = frozenset({"erlen.pipeline.lifespan", "erlen.pipeline.running"})


def loop_code(frame: FrameType | None) -> CodeType:
    """Return the code by which an event loop runs its steps; *frame* is in one of them.

    All that is called by it is the step, and all outside of it is what has called the loop: in a
    script that calls ``app.run()`` that is code of the application, too.
    """
    plain = []
    while frame is not None:
        if not frame.f_code.co_flags & _COROUTINE:
            if _package(frame) in _LOOPS:
                return frame.f_code
            plain.append(frame.f_code)
        frame = frame.f_back
    return plain[0]  # a loop that is written in C


def stack_of(thread: int, loop: CodeType) -> Stack:
    """Return the step that the thread with the identity *thread* is in; empty for none."""
    frame = sys._current_frames().get(thread)  # documented for this very use
    stack = []
    while frame is not None and frame.f_code is not loop:
        stack.append(frame)
        frame = frame.f_back
    return [] if frame is None else stack


def root_of(stack: Stack) -> FrameType | None:
    """Return the frame by which two looks can tell whether they saw the same step.

    It is the outermost one that is not the loop's own; ``None`` where the loop waits.
    """
    return next((frame for frame in reversed(stack) if _package(frame) not in _LOOPS), None)


def is_excused(stack: Stack) -> bool:
    """Whether a debugger holds the thread, or erlen imports something, which it does once."""
    return any(_package(frame) in _DEBUGGERS for frame in stack) or any(
        inner.f_code.co_filename.startswith(_IMPORT) and outer.f_code.co_filename.startswith(_OURS)
        for inner, outer in pairwise(stack)
    )


def own_frames(stack: Stack) -> Stack:
    """Return the frames of the application's own code, in what the pipeline has called.

    Where no pipeline runs, it is all of its code. The application's middleware is not to blame for
    what goes on within.
    """
    return [frame for frame in _called(stack) if _distance(frame) == 0]


def exchange_of(stack: Stack) -> Context | None:
    """Return the context on whose behalf the innermost code of erlen runs, if there is one.

    It cannot be had of the context variable, which is another thread's.
    """
    for frame in stack:
        if _module(frame).startswith("erlen."):
            context = frame.f_locals.get("context")
            if isinstance(context, Context):
                return context
    return None


def describe(stack: Stack) -> str:
    """Say who is at work, in which line: ``the view 'report' (GET /report) at shop.py:12: …``."""
    frame = _scene(stack)
    file, line = frame.f_code.co_filename, frame.f_lineno
    linecache.checkcache(file)
    source = linecache.getline(file, line, frame.f_globals).strip()
    return f"{_actor(stack)} at {_shown(file)}:{line}{source and f': {source}'}"


def _actor(stack: Stack) -> str:
    """Name who is at work."""
    context = exchange_of(stack)
    called = _called(stack)
    kind = _calls(stack[len(called)]) if len(called) < len(stack) else "function"
    task = getattr(context, "description", None)
    if kind == "function" and task is not None:
        return str(task)
    line = _line_of(context)
    if kind == "view":
        if context is not None and context.rule is not None:
            return f"the view {context.rule.endpoint!r}{line}"
        kind = "function"
    # A hook is named by what the pipeline has called, not by what that calls in its turn.
    hook = (own_frames(stack) or called or stack)[-1]
    named = _scene(stack) if kind == "function" else hook
    return f"the {kind} {named.f_code.co_qualname!r}{line}"


def _scene(stack: Stack) -> FrameType:
    """Return the frame that is to be told of, the innermost of those closest to the application."""
    return min(own_frames(stack) or _called(stack) or stack, key=_distance)


def _line_of(context: Context | None) -> str:
    """Return ``" (GET /report)"``, nothing where no exchange is."""
    if context is None or context.scope is None:
        return ""
    method = context.scope["method"] if context.scope["type"] == "http" else "WebSocket"
    return f" ({printable(method)} {printable(context.path)})"


def _called(stack: Stack) -> Stack:
    """Return what the innermost part of the pipeline has called; all where no part is."""
    return list(takewhile(lambda frame: not _calls(frame), stack))


def _calls(frame: FrameType) -> str:
    """Return what this part of the pipeline calls, ``""`` when it is none."""
    module, function = _module(frame), frame.f_code.co_name
    if module in _LIFESPAN:
        return "lifespan function"
    if module == "erlen.pipeline.dispatch" and function in {"run", "serve"}:
        return "view"
    return _CALLERS.get(function, "") if module.startswith("erlen.pipeline.") else ""


def _distance(frame: FrameType) -> int:
    """Return 0 for code of the application, 1 for what it has installed, 2 for all below that."""
    file = frame.f_code.co_filename
    if file.startswith(_OURS):
        return 2
    if any(folder in file for folder in _INSTALLED):
        return 1
    return 2 if file.startswith(_STANDARD) else 0


def _module(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name


def _package(frame: FrameType) -> str:
    return _module(frame).partition(".")[0]


def _shown(file: str) -> str:
    """Return the name of a file as a person at work in this directory would write it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
