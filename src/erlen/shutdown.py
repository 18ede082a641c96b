"""Floor 0: the event that tells exchanges that the application is about to end."""

import contextlib
from collections.abc import Callable, Generator
from typing import Any

import anyio
from anyio.lowlevel import current_token


class ShuttingDown:
    """The event ``app.shutting_down``; may be set from any thread and from a signal handler.

    It is waited for in any number of event loops at once.
    """

    def __init__(self) -> None:
        """It is not set."""
        self._is_set = False
        self._waiting: set[tuple[Callable[..., Any], Callable[[], object]]] = set()

    def is_set(self) -> bool:
        """Whether the application is about to end."""
        return self._is_set

    def set(self) -> None:
        """Tell everybody who waits; does nothing when it is set."""
        if self._is_set:
            return
        self._is_set = True
        for later, tell in tuple(self._waiting):
            # The event loop may have ended meanwhile; then nobody waits.
            with contextlib.suppress(RuntimeError):
                later(tell)

    def clear(self) -> None:
        """Begin anew: the application starts again."""
        self._is_set = False

    @contextlib.contextmanager
    def telling(self, tell: Callable[[], object]) -> Generator[None, None, None]:
        """Have *tell* called when it is set, or now if it is, as long as the block runs.

        It is called in the event loop of the caller and must not raise. A call that is on its way
        when the block ends comes after it, and one may come twice.
        """
        # Events and scopes are for their own loop only, and a signal handler stands outside of it.
        loop: Any = current_token().native_token
        later = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
        waiting = (later, tell)
        self._waiting.add(waiting)
        try:
            # Noted first and looked at then: set() sees the one or is seen by the other.
            if self._is_set:
                tell()
            yield
        finally:
            self._waiting.discard(waiting)

    async def wait(self) -> None:
        """Return when it is set."""
        event = anyio.Event()
        with self.telling(event.set):
            await event.wait()
