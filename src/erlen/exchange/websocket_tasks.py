"""Floor 3: tasks side by side that end with their WebSocket."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVarTuple

import anyio
from anyio.abc import TaskGroup

from erlen.exceptions import WebSocketDisconnect
from erlen.exchange.websocket_ending import Ending, State

Ts = TypeVarTuple("Ts")


class WebSocketTasks:
    """A group of tasks, as anyio has them, that ends with the WebSocket; ``websocket.tasks()``.

    Leaving the block waits for the tasks. Once the socket is closed, whoever closed it, the block
    ends without an error as soon as one task or the block itself has returned or got
    :class:`WebSocketDisconnect`: the others are cancelled. Where nothing in the block has received
    they are cancelled half a second after the end, for nothing would tell them.

    Any other error of a task cancels the others and leaves the block: the very object that was
    raised, or an ``ExceptionGroup`` of several.
    """

    def __init__(self, socket: Ending) -> None:
        """Made by :meth:`WebSocket.tasks`."""
        self._socket = socket
        self._group: TaskGroup = anyio.create_task_group()

    @property
    def cancel_scope(self) -> anyio.CancelScope:
        """Cancels every task, and the block."""
        return self._group.cancel_scope

    def start_soon(
        self, function: Callable[[*Ts], Awaitable[Any]], *args: *Ts, name: object = None
    ) -> None:
        """Start ``function(*args)`` beside the block; *name* is for debuggers."""
        self._group.start_soon(self._run, function, args, name=name or _name_of(function))

    async def _run(self, function: Callable[[*Ts], Awaitable[Any]], args: tuple[*Ts]) -> None:
        try:
            await function(*args)
        except WebSocketDisconnect:
            if not self._is_closed():
                raise  # it is another socket's
        self._socket._conclude(self.cancel_scope)

    def _is_closed(self) -> bool:
        return self._socket.state is State.CLOSED

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._socket._attend(self.cancel_scope)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        ended = isinstance(error, WebSocketDisconnect) and self._is_closed()
        if ended or error is None:
            self._socket._conclude(self.cancel_scope)
        failed: BaseExceptionGroup[Any] | None = None
        absorbed = False
        try:
            given = (None, None, None) if ended else (kind, error, traceback)
            absorbed = bool(await self._group.__aexit__(*given))
        except BaseExceptionGroup as group:
            failed = group
        finally:
            self._socket._dismiss(self.cancel_scope)
        if failed is None:
            return ended or absorbed
        # Raised out here, so that the group does not become the context of what is in it.
        only: BaseException = failed.exceptions[0] if len(failed.exceptions) == 1 else failed
        if only is error:
            return False
        raise only


def _name_of(function: Callable[..., Any]) -> object:
    return getattr(function, "__qualname__", function)
