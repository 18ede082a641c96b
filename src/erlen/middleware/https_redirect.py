"""Floor 8: what comes without TLS is sent to where it is encrypted."""

from collections.abc import Iterable

from erlen.exceptions import WireError
from erlen.middleware.responding import answer
from erlen.protocols import ASGIApp, Receive, Scope, Send
from erlen.wire.origins import field_values
from erlen.wire.urls import check_host, quote_path


class HTTPSRedirect:
    """Answers http by a redirect to https, and refuses WebSockets that are not encrypted.

    A script's WebSocket follows no redirect, so that one is 403. Behind a proxy that ends TLS,
    :class:`~erlen.middleware.ProxyFix` must stand before it, or everything is redirected for ever.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str | None = None,
        status: int = 308,
        exempt: Iterable[str] = (),
    ) -> None:
        """Wrap *app*.

        Args:
            app: The ASGI application.
            host: Where https is served, with its port; the request's host by default.
            status: Of the redirect; 307 and 308 keep method and body.
            exempt: Paths that are answered without TLS: where a load balancer looks.
        """
        self._app = app
        self._host = host
        self._status = status
        self._exempt = frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the exchange on, or answer it."""
        kind = scope["type"]
        is_open = kind in {"http", "websocket"} and scope.get("scheme", "http") in {"http", "ws"}
        if not is_open or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
        elif kind == "websocket":
            await answer(scope, receive, send, 403, "Use wss.\n")
        elif (host := self._host or _host_of(scope)) is None:
            await answer(scope, receive, send, 400, "Bad Request\n")
        else:
            location = f"https://{host}{_target_of(scope)}".encode()
            await answer(scope, receive, send, self._status, "", [(b"location", location)])


def _host_of(scope: Scope) -> str | None:
    """Return the host that the request is for, without its port, which is that of http.

    SAFETY: an unchecked one could lead the browser anywhere: ``example.com@evil.example``.
    """
    values = field_values(scope["headers"], b"host")
    try:
        (value,) = values
        host = check_host(value.encode("latin-1"))
    except (ValueError, WireError):
        return None
    end = host.find(":", host.find("]") + 1)
    return host if end < 0 else host[:end]


def _target_of(scope: Scope) -> str:
    path = quote_path(scope["path"])
    query: bytes = scope.get("query_string", b"")
    return f"{path}?{query.decode('latin-1')}" if query else path
