"""Floor 3: the threads of an application, and the one that is lent to an exchange.

Threads are kept for the next exchange; an idle one ends after :data:`IDLE_SECONDS`.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import anyio
from anyio.lowlevel import RunVar, checkpoint_if_cancelled

from erlen.threads.passing import Call, Inbox, Job, here, host
from erlen.threads.places import Place, Places
from erlen.threads.variables import Added

#: Seconds after which an unused thread ends.
IDLE_SECONDS = 5.0


class _Thread(threading.Thread):
    """A thread that runs one job after another until it is idle for too long."""

    def __init__(self, idle: "deque[_Thread]") -> None:
        super().__init__(name="erlen-worker", daemon=True)
        self.inbox = Inbox()
        self._idle = idle

    def run(self) -> None:
        here.inbox = self.inbox
        while not self.inbox.is_closed:
            try:
                self.inbox.take(timeout=IDLE_SECONDS)
            except queue.Empty:
                if self._retire():
                    return

    def _retire(self) -> bool:
        # Whoever removes the thread from the idle ones owns it: then no job can be on its way.
        try:
            self._idle.remove(self)
        except ValueError:
            return False
        return True


class _Limits(NamedTuple):
    """The places of one event loop, for functions of exchanges and for those at their end."""

    views: Places
    ends: Places


class Threads:
    """The threads of one application: a bounded number at work at once.

    There are never more than ``size + 2 * ends``, and one for each exchange that has had a ``def``
    function called and now waits for something else.

    Attributes:
        size: How many calls may run at the same time; others wait.
        ends: The same for calls at the end of exchanges, which need none of those places: what
            blocks every view must not keep others from giving back what they hold.
    """

    def __init__(self, size: int, ends: int = 10) -> None:
        """*size* and *ends* are at least 1."""
        self.size = size
        self.ends = ends
        self._idle: deque[_Thread] = deque()
        self._in_loop: RunVar[_Limits] = RunVar("erlen-threads")

    def worker(self) -> "Worker":
        """Return a worker, which takes a thread when it is first used."""
        return Worker(self)

    def close(self) -> None:
        """End the idle threads; one that is in use ends by itself after it was given back."""
        with contextlib.suppress(IndexError):  # none is left; the last may have retired just now
            while True:
                thread = self._idle.pop()
                thread.inbox.queue.put(None)
                thread.join()

    def _limits(self) -> _Limits:
        try:
            return self._in_loop.get()
        except LookupError:
            limits = _Limits(Places(self.size), Places(self.ends))
            self._in_loop.set(limits)
            return limits

    def _take(self) -> _Thread:
        try:
            return self._idle.pop()
        except IndexError:
            thread = _Thread(self._idle)
            thread.start()
            return thread


class Worker:
    """One thread, lent to one exchange.

    Attributes:
        is_ending: Whether its functions take the places that are kept for the end of exchanges.
    """

    def __init__(self, threads: Threads) -> None:
        """No thread is taken yet."""
        self.is_ending = False
        self._threads = threads
        self._thread: _Thread | None = None
        self._unfinished = 0

    async def run(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Call *function* in the thread with the caller's context variables; return its result.

        Variables that the function sets are set for the caller too, so that a ``def`` hook and a
        coroutine view see one another's. What the function hands to :func:`await_in_task` is
        awaited here. A function that is sent while another one waits there runs at once.

        Cancellation: waits for the call to end; a thread cannot be stopped. What it awaits in this
        task is cancelled. Only asyncio's own ``task.cancel()`` does not wait; the thread then ends
        after the call.
        """
        await checkpoint_if_cancelled()
        limits = self._threads._limits()
        place = Place(limits.ends if self.is_ending else limits.views)
        await place.take(has_thread=self._thread is not None)
        if self._thread is None and limits.ends.is_crowded and not self.is_ending:
            await _let_others_end(place, limits.ends)
        try:
            job = Job(partial(function, *args))
            added: Added = {}
            await self._attend(job, place, added)
        finally:
            place.give()
        job.adopt(added)
        return job.take()

    async def _attend(self, job: Job, place: Place, added: Added) -> None:
        """Have the job done, and answer its calls."""
        inbox = self._inbox()
        inbox.queue.put(job)
        inbox.places.append(place)
        self._unfinished += 1
        try:
            while True:
                with anyio.CancelScope(shield=True):
                    await job.turn.wait()
                if job.call is None:
                    break
                await self._answer(job, job.call, inbox.places, place, added)
            place.hand_down(inbox.places)
        except BaseException:
            job.abandon()
            raise
        finally:
            inbox.places.remove(place)
        self._unfinished -= 1

    async def _answer(
        self, job: Job, call: Call[Any], in_thread: list[Place], place: Place, added: Added
    ) -> None:
        job.adopt(added)
        place.give()
        await call.perform()
        if in_thread[-1] is place:
            with anyio.CancelScope(shield=True):
                await place.take(has_thread=True)
        if in_thread[-1] is not place:
            # What was sent to the thread since has to end first, and may need this very place.
            place.give()
            place.is_owed = True
        job.turn = anyio.Event()
        job.call = None
        call.answer()

    def _inbox(self) -> Inbox:
        if self._thread is not None:
            return self._thread.inbox
        standing_in = host.get()
        if standing_in is not None:
            return standing_in
        self._thread = self._threads._take()
        return self._thread.inbox

    def release(self) -> None:
        """Give the thread back; does nothing when none was taken."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._unfinished:
            thread.inbox.queue.put(None)  # it is lost to the others: it may never come back
        else:
            self._threads._idle.append(thread)


async def _let_others_end(place: Place, ends: Places) -> None:
    """Wait behind those who wait for their end, and take *place* again.

    Were new exchanges begun while the old ones cannot end, there would be a thread for each.
    """
    while ends.is_crowded:
        place.give()
        await ends.take(has_thread=False)
        ends.give()
        await place.take(has_thread=False)
