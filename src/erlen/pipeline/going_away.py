"""Floor 6: a WebSocket's view runs until it returns, its peer is gone, or the application ends."""

import functools
from collections.abc import Awaitable

import anyio

from erlen.context import Context, current_context
from erlen.exceptions import ServiceUnavailable, WebSocketDisconnect
from erlen.exchange.response import Response
from erlen.exchange.websocket import State, WebSocket
from erlen.spawning import spawn


async def until_shutdown(context: Context, running: Awaitable[Response | None]) -> Response | None:
    """Await *running*, the hooks and the view of a WebSocket, but not beyond its end.

    When ``app.shutting_down`` is set, the socket ends as
    :meth:`~erlen.exchange.websocket.WebSocket.go_away` says. What takes no notice is cancelled, and
    the socket closed with 1001; a handshake that was not answered yet is refused with 503. A view
    that takes no notice of its peer's end is cancelled too.

    Raises:
        WebSocketDisconnect: It was cancelled.
    """
    websocket = context.websocket
    try:
        with anyio.CancelScope() as scope:
            websocket.begin(scope, current_context.get, context)
            # PERF: a task for each socket only at the end, none while it is open.
            tell = functools.partial(spawn, websocket.go_away, name="erlen: going away")
            with context.app.shutting_down.telling(tell):
                return await running
        return await _cut_off(context, websocket)
    except BaseException:
        websocket.cut_off()
        raise
    finally:
        await websocket.release()


async def _cut_off(context: Context, websocket: WebSocket) -> Response | None:
    """End what was cancelled."""
    if websocket.state is State.CONNECTING:
        refusal: Response = context.line.coerce.error(ServiceUnavailable())
        return refusal
    await websocket.leave()
    assert websocket.close_code is not None
    raise WebSocketDisconnect(websocket.close_code, websocket.close_reason)
