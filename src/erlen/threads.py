"""Floor 3: the one worker thread of an exchange, in which all its ``def`` functions run.

A thread-bound object that a ``def`` hook opens (a SQLite connection on ``g``) can be used by the
``def`` view and closed by the ``def`` teardown, as in Flask. Threads are kept for the next
exchange; an idle one ends after :data:`IDLE_SECONDS`.
"""

import contextlib
import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import anyio
from anyio import from_thread
from anyio.lowlevel import RunVar, current_token

# COMPAT: where sniffio is installed, anyio notes the running library in this variable. A thread
# runs none: with the note, ``anyio.run()`` in a ``def`` view would refuse to start.
_running_library: contextvars.ContextVar[str | None]
try:
    from sniffio import current_async_library_cvar as _running_library
except ImportError:
    _running_library = contextvars.ContextVar("erlen.no_library", default=None)

#: Seconds after which an unused thread ends.
IDLE_SECONDS = 5.0


class _Job(NamedTuple):
    """One call, on its way to the thread and back."""

    context: contextvars.Context
    function: Callable[..., Any]
    args: tuple[Any, ...]
    result: list[Any]
    done: anyio.Event
    token: Any


class _Thread(threading.Thread):
    """A thread that runs one job after another until it is idle for too long."""

    def __init__(self, idle: "deque[_Thread]") -> None:
        super().__init__(name="erlen-worker", daemon=True)
        self.jobs: queue.Queue[_Job | None] = queue.Queue()
        self._idle = idle

    def run(self) -> None:
        while True:
            try:
                job = self.jobs.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                if self._retire():
                    return
                continue
            if job is None:
                return
            _perform(job)
            del job  # its context and result must not live until the next one

    def _retire(self) -> bool:
        # Whoever removes the thread from the idle ones owns it: then no job can be on its way.
        try:
            self._idle.remove(self)
        except ValueError:
            return False
        return True


def _perform(job: _Job) -> None:
    try:
        job.result[:] = (job.context.run(_call, job), None)
    except BaseException as error:  # noqa: BLE001  # raised again by the waiting task
        job.result[:] = (None, error)
    # The event loop may have ended meanwhile; then nobody waits.
    with contextlib.suppress(RuntimeError):
        from_thread.run_sync(job.done.set, token=job.token)


def _call(job: _Job) -> Any:
    library = _running_library.set(None)
    try:
        return job.function(*job.args)
    finally:
        _running_library.reset(library)


class Threads:
    """The threads of one application: a bounded number at work at once.

    Attributes:
        size: How many calls may run at the same time; others wait.
    """

    def __init__(self, size: int) -> None:
        """*size* is at least 1."""
        self.size = size
        self._idle: deque[_Thread] = deque()
        self._limiter: RunVar[anyio.CapacityLimiter] = RunVar("erlen-threads")

    def worker(self) -> "Worker":
        """Return a worker, which takes a thread when it is first used."""
        return Worker(self)

    def close(self) -> None:
        """End the idle threads; one that is in use ends by itself after it was given back."""
        while self._idle:
            thread = self._idle.pop()
            thread.jobs.put(None)
            thread.join()

    def _places(self) -> anyio.CapacityLimiter:
        try:
            return self._limiter.get()
        except LookupError:
            limiter = anyio.CapacityLimiter(self.size)
            self._limiter.set(limiter)
            return limiter

    def _take(self) -> _Thread:
        try:
            return self._idle.pop()
        except IndexError:
            thread = _Thread(self._idle)
            thread.start()
            return thread


class Worker:
    """One thread, lent to one exchange."""

    def __init__(self, threads: Threads) -> None:
        """No thread is taken yet."""
        self._threads = threads
        self._thread: _Thread | None = None
        self._unfinished = 0

    async def run(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Call *function* in the thread with the caller's context variables; return its result.

        Variables that the function sets are set for the caller too, so that a ``def`` hook and a
        coroutine view see one another's.

        Cancellation: waits for the call to end; a thread cannot be stopped. Only asyncio's own
        ``task.cancel()`` does not wait; the thread then ends after the call.
        """
        # A place is held for the length of a call only: an exchange that waits, a WebSocket above
        # all, must not keep others from running.
        borrower = object()
        places = self._threads._places()
        await places.acquire_on_behalf_of(borrower)
        try:
            context = contextvars.copy_context()
            job = _Job(context, function, args, [], anyio.Event(), current_token())
            await self._perform(job)
        finally:
            places.release_on_behalf_of(borrower)
        _adopt(context)
        value, error = job.result
        if error is not None:
            try:
                raise error
            finally:
                del error  # a traceback that names itself would live until the next collection
        return value

    async def _perform(self, job: _Job) -> None:
        if self._thread is None:
            self._thread = self._threads._take()
        self._unfinished += 1
        self._thread.jobs.put(job)
        with anyio.CancelScope(shield=True):
            await job.done.wait()
        self._unfinished -= 1

    def release(self) -> None:
        """Give the thread back; does nothing when none was taken."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._unfinished:
            thread.jobs.put(None)  # it is lost to the others: it may never come back
        else:
            self._threads._idle.append(thread)


def _adopt(context: contextvars.Context) -> None:
    """Set for the caller what a function set in its copy of the context variables."""
    current = contextvars.copy_context()
    for variable, value in context.items():
        if current.get(variable, _MISSING) is not value:
            variable.set(value)


_MISSING: Any = object()
