"""Floor 3: what a request has started beside its view: joined with it, or cancelled with it.

Whose an error is. A child's error belongs to who awaits its handle. What nobody has awaited is
raised where the children are joined, after the others were cancelled. Where nobody has kept the
handle, nobody can await it: then the others are cancelled at once, and the view too if a limit of
its route has a scope that can be cancelled.
"""

import inspect
from collections.abc import Awaitable, Callable, Generator
from contextvars import ContextVar
from typing import Any, Generic, TypeVar, TypeVarTuple
from weakref import ref

import anyio

from erlen.callables import name_of
from erlen.spawning import Child, spawn

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_NOTHING: Any = object()


class ChildTask(Generic[T]):
    """A function that ``request.start_soon`` has started; await it for what the function returns.

    Any number of tasks may await it, also when it has ended. An error of the function is raised
    there. A task that is cancelled while it awaits leaves the function running.
    """

    __slots__ = ("__weakref__", "_work")

    def __init__(self, work: "_Work[T]") -> None:
        """Made by :meth:`Children.start`."""
        self._work = work
        work.handle = ref(self)

    def __await__(self) -> Generator[Any, Any, T]:
        # A generator of its own, so that its frame keeps the handle that nobody else may keep.
        return (yield from self._work.result().__await__())

    @property
    def is_done(self) -> bool:
        """Whether the function has ended."""
        return self._work.task.is_done

    def cancel(self) -> None:
        """Cancel the function where it waits; a ``def`` function ends by itself.

        Its result can then not be awaited: that is a ``RuntimeError``.
        """
        self._work.task.cancel()

    def __repr__(self) -> str:
        state = "done" if self.is_done else "running"
        return f"<ChildTask {self._work.task.name!r} ({state})>"


class _Work(Generic[T]):
    """One child, as its siblings know it.

    Attributes:
        task: Where it runs.
        parent: The child that has started it, ``None`` when the view or the body has.
        handle: What the caller was given, if he has kept it.
        awaiters: How many await it at the moment.
        is_raised: Whether somebody was told of its error.
    """

    __slots__ = (
        "__weakref__", "_siblings", "_value", "awaiters", "handle", "is_raised", "parent", "task",
    )  # fmt: skip

    task: Child
    handle: "ref[ChildTask[T]]"

    def __init__(self, siblings: "Children", parent: "_Work[Any] | None") -> None:
        self._siblings = siblings
        self.parent = parent
        self._value: T = _NOTHING
        self.awaiters = 0
        self.is_raised = False

    async def run(self, function: Callable[[*Ts], Awaitable[T]], args: tuple[*Ts]) -> None:
        _innermost.set(ref(self))
        self._value = await function(*args)

    def is_below(self, other: "_Work[Any]") -> bool:
        """Whether *other* has started it, or one that has."""
        parent = self.parent
        return parent is not None and (parent is other or parent.is_below(other))

    async def result(self) -> T:
        self.awaiters += 1
        try:
            await self.task.wait()
        finally:
            self.awaiters -= 1
        if self.task.error is not None:
            raise self.tell()
        if self._value is _NOTHING:
            self._siblings.raise_failure()
            raise RuntimeError(
                f"The child {self.task.name!r} of the request was cancelled, so it has no result. "
                "Do not await what was cancelled."
            )
        return self._value

    def tell(self) -> BaseException:
        """Return the error, for somebody who raises or logs it."""
        assert self.task.error is not None
        self.is_raised = True
        return self.task.error


#: The child that the caller runs in. Weak, because what it starts in the background goes on.
_innermost: ContextVar["ref[_Work[Any]] | None"] = ContextVar("erlen.child", default=None)


class Children:
    """The tasks that ``request.start_soon`` has started, until they are joined.

    Attributes:
        scope: What a child cancels whose error nobody can await; ``None`` for nothing.
        deadline: The deadline of the view, ``None`` for none.
        is_closed: Whether no other can be started, because nobody would join it.
    """

    __slots__ = (
        "_failed", "_fatal", "_is_joining", "_running", "deadline", "is_closed", "scope",
    )  # fmt: skip

    def __init__(self, *, is_closed: bool = False) -> None:
        """None is running yet."""
        self.scope: anyio.CancelScope | None = None
        self.deadline: anyio.CancelScope | None = None
        self.is_closed = is_closed
        self._running: dict[_Work[Any], None] = {}
        self._failed: list[_Work[Any]] = []
        self._fatal: _Work[Any] | None = None
        self._is_joining = False

    @property
    def has_failed(self) -> bool:
        """Whether one has failed and nobody can await it, so that all are being cancelled."""
        return self._fatal is not None

    @property
    def need_end(self) -> bool:
        """Whether one runs, or has failed and was not joined."""
        return bool(self._running or self._failed)

    @property
    def caller(self) -> "_Work[Any] | None":
        """The child that the caller runs in, ``None`` in the view and in the streamed body."""
        reference = _innermost.get()
        work = None if reference is None else reference()
        return work if work in self._running else None

    def start(self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts, name: str) -> ChildTask[T]:
        """Start the coroutine function *function* beside the view.

        Raises:
            RuntimeError: The view, or what else would join it, has ended.
            BaseException: What another child has raised, when nobody can await that.
        """
        self.raise_failure()
        if self.is_closed:
            raise RuntimeError(
                f"request.start_soon() was given {name!r} after the view has ended, when nothing "
                "waits for it any more. Start it in a before hook, in the view or in the streamed "
                "body; what goes on after the request is app.add_background_task()'s."
            )
        work: _Work[T] = _Work(self, self.caller)
        handle = ChildTask(work)
        work.task = spawn(work.run, function, args, name=name)
        self._running[work] = None
        work.task.when_done(lambda: self._note_end(work))
        return handle

    def _note_end(self, work: _Work[Any]) -> None:
        del self._running[work]
        if work.task.error is not None:
            self._failed.append(work)
            if self._is_joining or work.handle() is None:
                self._judge(work)

    def _judge(self, work: _Work[Any]) -> None:
        """End everything for an error that is nobody's."""
        if self._fatal is None and not (work.awaiters or work.is_raised):
            self._fatal = work
            self.cancel()
            if self.scope is not None and not self._is_joining:
                self.scope.cancel()

    def raise_failure(self) -> None:
        """Raise what the first child has raised whose error nobody can await, if there is one."""
        if self._fatal is not None:
            raise self._fatal.tell()

    async def join(self) -> None:
        """Wait until all have ended, also those that they start; may be called again.

        In a child only those that it has started: it would wait for itself.

        Raises:
            BaseException: What a child has raised and nobody has awaited, itself; the others were
                cancelled then. A group where several have.
        """
        caller = self.caller
        if caller is not None:
            return await self._join_below(caller)
        self._is_joining = True
        for work in self._failed:
            self._judge(work)
        while self._running:
            await next(iter(self._running)).task.wait()
        self.is_closed = True
        lost = [work for work in self._failed if work is self._fatal or not work.is_raised]
        if len(lost) == 1:
            raise lost[0].tell()
        if lost:
            raise BaseExceptionGroup(
                "Several children of the request failed", [work.tell() for work in lost]
            )
        return self._forget()

    async def _join_below(self, caller: _Work[Any]) -> None:
        while below := [work for work in self._running if work.is_below(caller)]:
            await below[0].task.wait()
        for work in self._failed:
            if work.is_below(caller) and not work.is_raised:
                raise work.tell()

    def cancel(self) -> None:
        """Cancel those that run where they wait."""
        for work in self._running:
            work.task.cancel()

    async def end(self) -> list[BaseException]:
        """Cancel those that run, wait for their end, and return the errors nobody was told of."""
        self.is_closed = True
        self.cancel()
        with anyio.CancelScope(shield=True):
            while self._running:
                await next(iter(self._running)).task.wait()
        lost = [work.tell() for work in self._failed if not work.is_raised]
        self._forget()
        return lost

    def _forget(self) -> None:
        """Let go of errors: by its traceback each leads to its task, and that to the error."""
        for work in self._failed:
            work.task.error = None
        self._failed.clear()
        self._fatal = None


#: In the place of children where none can be started.
NO_CHILDREN = Children(is_closed=True)


def check_child(function: Callable[..., Any]) -> None:
    """Refuse what cannot be a child of a request.

    Raises:
        TypeError: *function* is no function, or one whose call only makes a generator.
    """
    if not callable(function):
        if inspect.iscoroutine(function):
            function.close()
        raise TypeError(
            f"request.start_soon() was given {function!r}, which is no function. Give the function "
            "itself and then its arguments: start_soon(load, 7), not start_soon(load(7))."
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"request.start_soon() was given the generator function {name_of(function)!r}, which "
            "nobody would iterate. Give a function that iterates it."
        )
