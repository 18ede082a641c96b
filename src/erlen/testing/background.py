"""Floor 8: the background tasks of the application under test, as the test client sees them."""

from typing import Any

from erlen.tasks import BackgroundTasks, TaskContext

__all__ = ["BackgroundWork"]


class BackgroundWork:
    """What fails in the background while a client is used; the test is told when it leaves."""

    def __init__(self, app: Any) -> None:
        """Watch *app*; an application that is not erlen's has nothing to watch."""
        self._tasks: BackgroundTasks | None = getattr(app, "background_tasks", None)
        self._failures: list[BaseException] = []
        if self._tasks is not None:
            self._tasks.watchers.add(self)

    def note(self, context: TaskContext, error: BaseException) -> None:
        """Keep *error* until the test is told."""
        error.add_note(f"Raised in {context.description}.")
        self._failures.append(error)

    async def wait(self) -> None:
        """Wait until all tasks have ended, as a shutdown does."""
        if self._tasks is not None:
            await self._tasks.drain()

    def report(self, *, raises: bool, instead_of: BaseException | None = None) -> None:
        """Raise what failed, several failures as a group, each once.

        Args:
            raises: Whether the test wants to know.
            instead_of: With what it fails already; it is told the rest then.
        """
        failures, self._failures = self._failures, []
        if not raises or not failures:
            return
        if instead_of is not None:
            for failure in failures:
                instead_of.add_note(f"A background task failed, too: {failure!r}")
        elif len(failures) == 1:
            raise failures[0]
        else:
            raise BaseExceptionGroup("Background tasks of the application failed.", failures)
