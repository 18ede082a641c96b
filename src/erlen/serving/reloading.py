"""Floor 8: start the serving process again when a file changes."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from uvicorn.supervisors import ChangeReload

from erlen.serving.terminal import say

#: Seconds after which a process that was told to end is killed. Longer than its grace and the
#: time that background tasks have after it.
KILL_AFTER = 10.0


class Reloader(ChangeReload):  # type: ignore[misc, valid-type]  # one of two, as is installed
    """uvicorn's reloader, which waits for a process only so long.

    One that holds up its event loop never hears that it should end.
    """

    def restart(self) -> None:
        """End the process and start another."""
        with self._killed_after(KILL_AFTER):
            super().restart()

    def shutdown(self) -> None:
        """End the process."""
        with self._killed_after(KILL_AFTER):
            super().shutdown()

    @contextmanager
    def _killed_after(self, seconds: float) -> Generator[None, None, None]:
        process = self.process

        def kill() -> None:
            say(f" * The server did not end within {seconds:g} seconds and is killed.")
            process.kill()

        timer = threading.Timer(seconds, kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
