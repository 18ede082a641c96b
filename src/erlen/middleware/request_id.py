"""Floor 8: each request has a name by which logs of several programs can be put together."""

import logging
from uuid import uuid4

from erlen.logs import request_id as _current
from erlen.middleware.responding import editing
from erlen.protocols import ASGIApp, RawHeaders, Receive, Scope, Send
from erlen.wire.origins import field_values
from erlen.wire.patterns import late

# SAFETY: it is written into logs and sent back.
_SOUND = late(r"[A-Za-z0-9._~+/=:-]{1,128}")


def current_request_id() -> str | None:
    """Return the name of the running request, ``None`` outside of one."""
    return _current.get()


class RequestID:
    """Names each request and WebSocket, and tells the name in the response."""

    def __init__(self, app: ASGIApp, *, header: str = "X-Request-ID", trust: bool = False) -> None:
        """Wrap *app*.

        Args:
            app: The ASGI application.
            header: Field of the response, and of the request.
            trust: Keep the name that a request brings, when it is at most 128 letters, digits and
                ``. _ ~ + / = : -``. Behind a proxy that sets the field; anybody else could make
                two requests look like one.
        """
        self._app = app
        self._name = header.lower().encode()
        self._trusts = trust

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the exchange on under its name."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        name = self._brought(scope) or uuid4().hex
        field = (self._name, name.encode())

        def add(_status: int, headers: RawHeaders) -> RawHeaders:
            return [*(pair for pair in headers if pair[0] != self._name), field]

        token = _current.set(name)
        try:
            await self._app(scope, receive, editing(send, add))
        finally:
            _current.reset(token)

    def _brought(self, scope: Scope) -> str | None:
        values = field_values(scope["headers"], self._name) if self._trusts else []
        return values[0] if len(values) == 1 and _SOUND.fullmatch(values[0]) else None


class RequestIDFilter(logging.Filter):
    """Gives each log record the attribute ``request_id``, ``-`` outside of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attribute; every record passes."""
        record.request_id = current_request_id() or "-"
        return True
