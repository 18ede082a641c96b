"""Floor 6: how an exchange ends: a request with its response, a WebSocket by the table of codes."""

from erlen.context import Context
from erlen.exceptions import HTTPException, WebSocketMessageError
from erlen.exchange.response import Response
from erlen.exchange.websocket import State

#: Status → close code for an answer after the accept (RFC 6455 section 7.4.1 and the registry).
_CLOSE_CODES = {413: 1009, 503: 1013}


async def end_websocket(context: Context, response: Response | None) -> None:
    """Refuse the handshake, or close what is open.

    A response refuses only before the accept; after it, it has nowhere to go. A view that returns
    without accepting refuses with 403.
    """
    websocket = context.websocket
    if websocket.state is State.OPEN:
        await websocket.close(1001 if context.app.shutting_down.is_set() else 1000)
    elif websocket.state is State.CONNECTING:
        if response is not None:
            await websocket.deny(response, context)
        else:
            await websocket.close(1000)


async def close_for(context: Context, error: Exception) -> None:
    """Close an open WebSocket with the code that *error* stands for; do nothing otherwise."""
    if context.scope["type"] == "websocket" and context.websocket.state is State.OPEN:
        await context.websocket.close(close_code_of(error))


def close_code_of(error: Exception) -> int:
    """Return the close code of an error that nothing caught after the accept."""
    if isinstance(error, WebSocketMessageError):
        return error.code
    if not isinstance(error, HTTPException):
        return 1011
    status: int = getattr(error.response, "status_code", 500) if error.code is None else error.code
    return _CLOSE_CODES.get(status) or (1008 if 400 <= status < 500 else 1011)
