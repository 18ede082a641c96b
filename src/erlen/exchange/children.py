"""Floor 3: what a request has started beside its view: joined with it, or cancelled with it."""

from collections.abc import Awaitable, Callable
from typing import TypeVarTuple

import anyio

from erlen.spawning import Child, spawn

Ts = TypeVarTuple("Ts")


class Children:
    """The tasks that ``request.start_soon`` has started, until the view has returned."""

    def __init__(self) -> None:
        """None is running yet."""
        self._running: list[Child] = []

    def start(self, function: Callable[[*Ts], Awaitable[object]], *args: *Ts) -> Child:
        """Start *function* beside the view."""
        child = spawn(function, *args)
        self._running.append(child)
        return child

    async def join(self) -> None:
        """Wait until all have ended.

        Raises:
            BaseException: What the first that failed has raised; the others are cancelled then.
        """
        while self._running:
            child = self._running[0]
            await child.wait()
            self._running.remove(child)
            if child.error is not None:
                raise child.error

    async def end(self) -> None:
        """Cancel those that run, and wait for their end."""
        running, self._running = self._running, []
        for child in running:
            child.cancel()
        with anyio.CancelScope(shield=True):
            for child in running:
                await child.wait()
