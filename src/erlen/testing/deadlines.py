"""Floor 8: deadlines whose error says what was awaited."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

__all__ = ["GRACE", "DeadlineExceeded", "deadline"]

#: Seconds an application gets to end by itself after its client has left.
GRACE = 1.0


class DeadlineExceeded(TimeoutError):
    """The application kept a test waiting for longer than the client's deadline."""

    def __init__(self, seconds: float, awaited: str) -> None:
        """*awaited* completes the sentence ``Waited 5 s for …``."""
        super().__init__(
            f"Waited {seconds:g} s for {awaited}. "
            "Make the application answer, or give the call a longer deadline=."
        )


@contextmanager
def deadline(seconds: float | None, awaited: Callable[[], str]) -> Iterator[None]:
    """Limit what is awaited in the block.

    Args:
        seconds: The limit; ``None`` waits for ever.
        awaited: Called only when the limit is reached; describes what did not come.

    Raises:
        DeadlineExceeded: The limit was reached. A ``TimeoutError`` of the block itself is passed on
            unchanged.
    """
    with anyio.move_on_after(seconds) as scope:
        yield
    if seconds is not None and scope.cancelled_caught:
        raise DeadlineExceeded(seconds, awaited())
