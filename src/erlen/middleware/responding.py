"""Floor 8: what middleware answers by itself, and how it adds to what others answer."""

from collections.abc import Callable, Iterable

from erlen.protocols import Message, RawHeaders, Receive, Scope, Send

#: The messages that begin a response: to a request, and to a handshake that is refused.
STARTS = frozenset({"http.response.start", "websocket.http.response.start"})

Pair = tuple[bytes, bytes]


async def answer(
    scope: Scope,
    receive: Receive,
    send: Send,
    status: int,
    text: str = "",
    headers: Iterable[Pair] = (),
) -> None:
    """Answer a request, or refuse a handshake, with a line of text.

    A server that cannot send the answer to a handshake closes it, which is 403.
    """
    prefix = ""
    if scope["type"] == "websocket":
        prefix = "websocket."
        await receive()  # websocket.connect
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
            return
    body = text.encode()
    fields = [*headers, (b"content-length", b"%d" % len(body))]
    if body:
        fields.append((b"content-type", b"text/plain; charset=utf-8"))
    await send({"type": f"{prefix}http.response.start", "status": status, "headers": fields})
    body = b"" if scope.get("method") == "HEAD" else body
    await send({"type": f"{prefix}http.response.body", "body": body, "more_body": False})


def editing(send: Send, edit: Callable[[int, RawHeaders], RawHeaders]) -> Send:
    """Return *send* in which the header section of each response passes through *edit*."""

    async def send_edited(message: Message) -> None:
        if message["type"] in STARTS:
            headers = edit(message["status"], list(message.get("headers") or ()))
            message = {**message, "headers": headers}
        await send(message)

    return send_edited


def add_vary(headers: RawHeaders, name: bytes) -> RawHeaders:
    """Return *headers* in which Vary names the request field *name*, once."""
    values = [value for key, value in headers if key == b"vary"]
    named = {entry.strip().lower() for value in values for entry in value.split(b",")}
    if named & {name.lower(), b"*"}:
        return headers
    others = [pair for pair in headers if pair[0] != b"vary"]
    return [*others, (b"vary", b", ".join([*values, name]))]
