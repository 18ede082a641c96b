"""What a scenario notes of itself: what it holds, what it has let go of, and where it may fail."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class CleanupError(Exception):
    """What the one cleanup raises that a sweep lets fail."""


class Notes:
    """The notes of one run; they begin anew with each.

    Attributes:
        cleanups: How many cleanups have begun.
    """

    def __init__(self) -> None:
        """Nothing happened yet."""
        self.begin()

    def begin(self, failing: int = 0) -> None:
        """Forget all; the cleanup *failing* will raise, from 1 on, none for 0."""
        self.cleanups = 0
        self._failing = failing
        self._begun: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Hold something for the length of the block, which must be left, and once."""
        self._begun[name] += 1
        try:
            yield
        finally:
            self._ended[name] += 1
            self.clean_up()

    def clean_up(self) -> None:
        """Mark a place that cleans up; it raises when it is its turn to fail."""
        self.cleanups += 1
        if self.cleanups == self._failing:
            raise CleanupError(f"cleanup {self.cleanups} failed")

    def expect(self, name: str) -> None:
        """Promise that something will be done, once, whatever happens."""
        self._begun[name] += 1

    def done(self, name: str) -> None:
        """Keep the promise."""
        self._ended[name] += 1

    def complaints(self) -> list[str]:
        """Return what was not done as often as it was begun."""
        return [
            f"{name} was begun {self._begun[name]} times and ended {self._ended[name]} times"
            for name in self._begun | self._ended
            if self._begun[name] != self._ended[name]
        ]
