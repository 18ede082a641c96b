"""Floor 3: how many ``def`` functions run at the same time."""

from collections import deque

import anyio

#: Every so many times a place goes to who waits for a thread, so that these do not wait for ever.
TURN = 8


class Places:
    """The places of one event loop, taken and given back by its tasks.

    Who has a thread already goes before who needs one. A place is given back in the middle of an
    exchange, when its function awaits something. Were all in one line, 1,000 forms at once would
    have 1,000 threads at two places; so they have 6.
    """

    __slots__ = ("_free", "_given", "_size", "_waiting_with_thread", "_waiting_without")

    def __init__(self, size: int) -> None:
        """*size* is at least 1."""
        self._size = self._free = size
        self._given = 0
        self._waiting_with_thread: deque[anyio.Event] = deque()
        self._waiting_without: deque[anyio.Event] = deque()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._size - self._free

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting_with_thread) + len(self._waiting_without)

    @property
    def is_crowded(self) -> bool:
        """Whether as many threads wait for a place as there are places."""
        return len(self._waiting_with_thread) >= self._size

    async def take(self, *, has_thread: bool) -> None:
        """Wait for a place; as a rule there is one at once."""
        if self._free:  # then nobody waits
            self._free -= 1
            return
        mine = anyio.Event()
        line = self._waiting_with_thread if has_thread else self._waiting_without
        line.append(mine)
        try:
            await mine.wait()
        except BaseException:
            if mine.is_set():
                self.give()
            else:
                line.remove(mine)
            raise

    def give(self) -> None:
        """Give a place back, to who waits for one."""
        if not (self._waiting_with_thread or self._waiting_without):
            self._free += 1
            return
        self._given += 1
        line = self._waiting_with_thread or self._waiting_without
        if self._given % TURN == 0:
            line = self._waiting_without or line
        line.popleft().set()


class Place:
    """A place that one task takes and gives back, again and again.

    It is held only while a function runs: an exchange that waits, a WebSocket above all, must not
    keep others from running. So nobody who holds a place waits for one.

    Attributes:
        is_owed: Whether the function goes on as soon as the one above it in its thread has ended,
            whose place it then has.
    """

    __slots__ = ("_held", "_places", "is_owed")

    def __init__(self, places: Places) -> None:
        """It is not taken yet."""
        self._places = places
        self._held = False
        self.is_owed = False

    def take_free(self) -> bool:
        """Take the place, which is not held, if there is one at once."""
        places = self._places
        if not places._free:
            return False
        places._free -= 1
        self._held = True
        return True

    async def take(self, *, has_thread: bool) -> None:
        """Wait for the place, which is not held."""
        await self._places.take(has_thread=has_thread)
        self._held = True

    def give(self) -> None:
        """Give the place back, if it is held."""
        self.is_owed = False
        if self._held:
            self._held = False
            self._places.give()

    def hand_down(self, in_thread: "list[Place]") -> None:
        """Leave the place to the function below this one, if that goes on now.

        *in_thread* are the places of all functions of the thread, in the order of their sending.
        """
        if len(in_thread) > 1 and in_thread[-1] is self and in_thread[-2].is_owed:
            below = in_thread[-2]
            below._places = self._places
            below._held, self._held = self._held, False
            below.is_owed = False
