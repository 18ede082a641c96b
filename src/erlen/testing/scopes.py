"""Floor 8: the scope and the request body that a server would make of an httpx request."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

from erlen.protocols import Message, RawHeaders
from erlen.testing.binding import httpx

__all__ = ["http_scope", "request_events", "websocket_scope"]

#: What beside the response the client takes; it is found in the extensions of the response.
_EXTENSIONS = (
    "http.response.debug",
    "http.response.early_hint",
    "http.response.push",
    "http.response.trailers",
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def http_scope(
    request: httpx.Request,
    *,
    root_path: str,
    client: tuple[str, int] | None,
    state: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return an HTTP scope (ASGI HTTP message format, spec version 2.4).

    Args:
        request: Its extension ``"target"`` (bytes, as httpcore has it) replaces the request target,
            for paths that httpx would normalize.
        root_path: A prefix that the request's path is expected to have already.
        client: Address and port of the peer.
        state: The lifespan's state, copied for each request; ``None`` when no lifespan was run.
    """
    target: bytes = request.extensions.get("target", request.url.raw_path)
    raw_path, _, query = target.partition(b"?")
    scheme = request.url.scheme
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": scheme,
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": root_path,
        "headers": _raw_headers(request),
        "client": client,
        "server": (request.url.host, request.url.port or _DEFAULT_PORTS.get(scheme)),
        "extensions": {name: {} for name in _EXTENSIONS},
    }
    if state is not None:
        scope["state"] = dict(state)
    return scope


def websocket_scope(
    scope: dict[str, Any], subprotocols: Sequence[str], *, denial_response: bool
) -> dict[str, Any]:
    """Turn the HTTP scope of a handshake into a WebSocket scope.

    Args:
        scope: What :func:`http_scope` returned.
        subprotocols: What the client offers.
        denial_response: Whether the server can send an HTTP response in place of accepting.
    """
    scope = {key: value for key, value in scope.items() if key != "method"}
    scope["type"] = "websocket"
    scope["scheme"] = {"http": "ws", "https": "wss"}[scope["scheme"]]
    scope["subprotocols"] = list(subprotocols)
    scope["extensions"] = {"websocket.http.response": {}} if denial_response else {}
    return scope


def _raw_headers(request: httpx.Request) -> RawHeaders:
    return [(name.lower(), value) for name, value in request.headers.raw]


async def request_events(request: httpx.Request) -> AsyncGenerator[Message, None]:
    """Yield the ``http.request`` events of a body, one for each chunk that the client sends.

    A body of known length ends with its last byte; one without ends with an empty event, so that no
    chunk has to wait for the next. A body that is shorter than its Content-Length never ends.
    Nothing may be asked for after the event whose ``more_body`` is false.
    """
    declared = request.headers.get("content-length")
    if declared is None and "transfer-encoding" not in request.headers:
        declared = "0"
    missing = None if declared is None else int(declared)
    stream: Any = request.stream  # an async stream: AsyncClient has refused any other
    if missing != 0:
        async with aclosing(stream.__aiter__()) as chunks:
            async for chunk in chunks:
                body = chunk[:missing]
                missing = None if missing is None else missing - len(body)
                yield {"type": "http.request", "body": body, "more_body": missing != 0}
    if not missing:
        yield {"type": "http.request", "body": b"", "more_body": False}
