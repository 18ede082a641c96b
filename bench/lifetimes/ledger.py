"""Who began and who ended, in a file that outlives the process that writes it."""

import mmap
from collections import Counter
from enum import IntEnum
from pathlib import Path


class What(IntEnum):
    """What is noted of a number; each has a byte, which counts."""

    BEGUN = 0
    ENDED = 1
    TORN_DOWN = 2
    TASK_BEGUN = 3
    TASK_ENDED = 4
    TASK_CANCELLED = 5
    AFTER_SERVING = 6


class Ledger:
    """A table of bytes: a line for each kind of note, a column for each number."""

    #: Numbers from 0 to this one, which is left out.
    NUMBERS = 1 << 17

    def __init__(self, path: Path) -> None:
        """Open *path*; make it when it is not there."""
        with path.open("a+b") as file:
            file.truncate(self.NUMBERS * len(What))
            self._bytes = mmap.mmap(file.fileno(), 0)

    def note(self, number: int, what: What) -> None:
        """Count one more; shared memory, so that nothing is lost however the process ends."""
        self._bytes[what * self.NUMBERS + number] += 1

    def count(self, what: What) -> Counter[int]:
        """Return number → how often, for those that were noted."""
        begin = what * self.NUMBERS
        line = self._bytes[begin : begin + self.NUMBERS]
        return Counter({number: times for number, times in enumerate(line) if times})
