"""Floor 6: a WebSocket ends when the application does."""

import functools
from collections.abc import Awaitable

import anyio

from erlen.context import Context
from erlen.exceptions import ServiceUnavailable, WebSocketDisconnect
from erlen.exchange.response import Response
from erlen.exchange.websocket import State
from erlen.spawning import spawn


async def until_shutdown(context: Context, running: Awaitable[Response | None]) -> Response | None:
    """Await *running*, the hooks and the view of a WebSocket, but not beyond the application's end.

    When ``app.shutting_down`` is set, the socket ends as
    :meth:`~erlen.exchange.websocket.WebSocket.go_away` says. What takes no notice is cancelled, and
    the socket closed with 1001; a handshake that was not answered yet is refused with 503.

    Raises:
        WebSocketDisconnect: It was cancelled.
    """
    websocket = context.websocket
    with anyio.CancelScope() as scope:
        # PERF: a task for each socket only at the end, none while it is open.
        tell = functools.partial(spawn, websocket.go_away, scope, name="erlen: going away")
        with context.app.shutting_down.telling(tell):
            return await running
    if websocket.state is State.CONNECTING:
        refusal: Response = context.line.coerce.error(ServiceUnavailable())
        return refusal
    await websocket.leave()
    raise WebSocketDisconnect(1001)
