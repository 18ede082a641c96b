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

from erlen.spawning import running_loop
from erlen.threads.passing import Call, Inbox, Job, here, host
from erlen.threads.places import Place, Places
from erlen.threads.turns import Turn, is_cancelled, turns_of

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
    """The places of one event loop, by what takes them."""

    views: Places
    ends: Places
    calls: Places


class _InLoop(NamedTuple):
    """What is the same for all functions of one event loop."""

    loop: Any
    make_turn: Callable[[], Turn]
    shield: Callable[[], anyio.CancelScope]
    host: Inbox | None
    limits: _Limits


class Threads:
    """The threads of one application: a bounded number at work at once.

    There are never more than ``size + 2 * ends + calls``, and one for each exchange that has had a
    ``def`` function called and now waits for something else.

    Attributes:
        size: How many functions of exchanges may run at the same time; others wait.
        ends: The same for functions at the end of exchanges, which need none of those places: what
            blocks every view must not keep others from giving back what they hold.
        calls: The same for what :meth:`call` calls, which needs no place of theirs either.
    """

    def __init__(self, size: int, ends: int = 10, calls: int = 40) -> None:
        """Each number is at least 1."""
        self.size = size
        self.ends = ends
        self.calls = calls
        self._idle: deque[_Thread] = deque()
        self._by_loop: RunVar[_InLoop] = RunVar("erlen-threads")
        self._latest: _InLoop | None = None

    def worker(self) -> "Worker":
        """Return a worker, which takes a thread when it is first used."""
        return Worker(self)

    async def call(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Call *function* in any thread with the caller's context variables; return its result.

        For work that belongs to no exchange. Cancellation: as of :meth:`Worker.run`.
        """
        if is_cancelled():
            await checkpoint_if_cancelled()
        there = self._in_loop()
        place = Place(there.limits.calls)
        if not place.take_free():
            await place.take(has_thread=False)
        try:
            worker = Worker(self)
            job = Job(there.make_turn, function, args)
            try:
                await worker._attend(job, place, there, worker._own_inbox())
            finally:
                worker.release()
        finally:
            place.give()
        return job.take()

    def close(self) -> None:
        """End the idle threads; one that is in use ends by itself after it was given back."""
        with contextlib.suppress(IndexError):  # none is left; the last may have retired just now
            while True:
                thread = self._idle.pop()
                thread.inbox.queue.put(None)
                thread.join()

    def _in_loop(self) -> _InLoop:
        """Return what the running event loop has."""
        loop = running_loop()
        latest = self._latest
        if latest is not None and latest.loop is loop:  # PERF: anyio's variables take 1.2 µs each
            return latest
        try:
            there = self._by_loop.get()
        except LookupError:
            limits = _Limits(Places(self.size), Places(self.ends), Places(self.calls))
            # PERF: ``anyio.CancelScope()`` finds out each time which event loop runs, 1.5 µs.
            shield = partial(type(anyio.CancelScope()), shield=True)
            make_turn = partial(turns_of(loop), loop)
            there = _InLoop(loop, make_turn, shield, host.get(), limits)
            self._by_loop.set(there)
        self._latest = there
        return there

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

    __slots__ = ("_thread", "_threads", "_unfinished", "is_ending")

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
        if is_cancelled():
            await checkpoint_if_cancelled()
        there = self._threads._in_loop()
        ends = there.limits.ends
        place = Place(ends if self.is_ending else there.limits.views)
        if not place.take_free():
            await place.take(has_thread=self._thread is not None)
        if self._thread is None and ends.is_crowded and not self.is_ending:
            await _let_others_end(place, ends)
        try:
            job = Job(there.make_turn, function, args)
            await self._attend(job, place, there, there.host or self._own_inbox())
        finally:
            place.give()
        job.adopt()
        return job.take()

    async def _attend(self, job: Job, place: Place, there: _InLoop, inbox: Inbox) -> None:
        """Have the job done, and answer its calls."""
        inbox.queue.put(job)  # PERF: first of all: while the thread wakes up, the rest is done
        inbox.places.append(place)
        self._unfinished += 1
        try:
            with there.shield():
                await job.turn
            while job.call is not None:
                await self._answer(job, job.call, inbox.places, place)
                with there.shield():
                    await job.turn
            place.hand_down(inbox.places)
        except BaseException:
            job.abandon()
            raise
        finally:
            inbox.places.remove(place)
        self._unfinished -= 1

    async def _answer(
        self, job: Job, call: Call[Any], in_thread: list[Place], place: Place
    ) -> None:
        job.adopt()
        place.give()
        await call.perform()
        if in_thread[-1] is place:
            with anyio.CancelScope(shield=True):
                await place.take(has_thread=True)
        if in_thread[-1] is not place:
            # What was sent to the thread since has to end first, and may need this very place.
            place.give()
            place.is_owed = True
        job.answer(call)

    def _own_inbox(self) -> Inbox:
        if self._thread is None:
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
