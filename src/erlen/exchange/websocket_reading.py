"""Floor 3: messages of a WebSocket that nobody has asked for yet, and how fast they may come."""

from collections.abc import Awaitable, Callable
from time import monotonic

import anyio

from erlen.exceptions import WebSocketDisconnect
from erlen.spawning import spawn

#: Messages that are read before anybody asks for them. Enough that a view which answers the next
#: one late costs its peer no round trip, and too few to hide that nobody listens.
MESSAGES = 16
#: Bytes after which no further message is read: one of the largest that are allowed, unless the
#: limit is changed. Servers have queues of their own, of up to 32 messages, which come on top.
BYTES = 1024 * 1024
#: Seconds without a receiver after which messages are read ahead.
SOON = 0.25


class ReadAhead:
    """Takes the server's messages in a task of its own, so that the end is seen when it comes.

    Back-pressure: where there is no room it takes nothing, and the server stops reading the
    connection. Then the end is not seen either, until somebody receives.

    Attributes:
        is_paused: Whether the task has ended, because somebody receives again.
    """

    __slots__ = (
        "_bytes", "_changed", "_error", "_has_taker", "_messages", "_over", "_pull", "_task",
        "is_paused",
    )  # fmt: skip

    def __init__(self, pull: Callable[[], Awaitable[str | bytes]]) -> None:
        """Begin. *pull* waits for one message and raises ``WebSocketDisconnect`` at the end."""
        self._pull = pull
        self._messages: list[str | bytes] = []
        self._bytes = 0
        self._over = False
        self._error: Exception | None = None
        self._changed: anyio.Event | None = None  # only one side can have to wait
        self._has_taker = False
        self.resume()

    def resume(self) -> None:
        """Go on after a pause."""
        self.is_paused = False
        self._task = spawn(self._run, name="erlen: reading ahead")

    def __bool__(self) -> bool:
        """Whether there are messages to take."""
        return bool(self._messages)

    async def _run(self) -> None:
        try:
            while not self._over:
                data = await self._pull()
                self._messages.append(data)
                self._bytes += len(data)
                self._wake()
                if self._has_taker:
                    # PERF: who takes message after message does so for half the price without it.
                    self.is_paused = True
                    return
                while self._is_full() and not self._over:
                    await self._change()
        except WebSocketDisconnect:
            pass  # the socket has noted it
        except Exception as error:  # noqa: BLE001  # raised where it would be without this task
            self._error = error
        self.stop()

    def _is_full(self) -> bool:
        return len(self._messages) >= MESSAGES or self._bytes >= BYTES

    async def take(self) -> str | bytes | None:
        """Return the next message, or ``None`` when there is none and none will come.

        Raises:
            Exception: What the server's ``receive`` raised.
        """
        while not self._messages:
            if self._error is not None:
                raise self._error
            if self._over:
                return None
            self._has_taker = True
            try:
                await self._change()
            finally:
                self._has_taker = False
        data = self._messages.pop(0)
        self._bytes -= len(data)
        self._wake()
        return data

    def stop(self, *, forget: bool = False) -> None:
        """Take nothing more; what was taken can be had still unless it is to be forgotten."""
        self._over = True
        if forget:
            self._messages.clear()
        self._wake()

    async def end(self) -> None:
        """End the task."""
        self._task.cancel()
        with anyio.CancelScope(shield=True):
            await self._task.wait()

    async def _change(self) -> None:
        self._changed = anyio.Event()
        await self._changed.wait()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None


class Pace:
    """Whether messages come faster than a rate: a token bucket with room for one second.

    Time in which nobody asks for a message is no haste of the peer's: what piled up in it is paid
    for by it. The bucket is cut to one second only where a reader had to wait.
    """

    __slots__ = ("_allowance", "_last")

    def __init__(self, rate: float) -> None:
        """Begin with one second's worth of *rate*."""
        self._allowance = float(rate)
        self._last = monotonic()

    def allows(self, rate: float, asked: float) -> bool:
        """Count a message that has come now, and was asked for at the time *asked*."""
        now = monotonic()
        self._allowance += (now - self._last) * rate
        self._last = now
        if (now - asked) * rate >= 1:
            self._allowance = min(self._allowance, float(rate))
        self._allowance -= 1
        return self._allowance >= 0
