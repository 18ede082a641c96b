"""Floor 6: answers that need no context: nothing of the application runs for them."""

from erlen.exceptions import reason_phrase
from erlen.protocols import Scope, Send


async def answer_bare(scope: Scope, send: Send, status: int, *headers: tuple[bytes, bytes]) -> None:
    """Answer an HTTP request, or refuse a WebSocket, with a status and nothing to say beside it.

    A server without the extension for refusals answers a WebSocket with 403.
    """
    body = b"%d %b\n" % (status, reason_phrase(status).encode())
    start = {
        "status": status,
        "headers": [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            *headers,
        ],
    }
    kind = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1013, "reason": ""})
            return
        kind = "websocket.http.response"
    if scope.get("method") == "HEAD":
        body = b""
    await send({"type": f"{kind}.start", **start})
    await send({"type": f"{kind}.body", "body": body})
