"""Floor 3: fields that follow the body of a response: what is known once all of it was made."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias

from erlen.callables import is_async
from erlen.exchange.response_conditions import ResponseConditions
from erlen.protocols import Exchange, Message, RawHeaders, Scope
from erlen.wire.headers import Headers

Fields: TypeAlias = Headers | Mapping[str, str] | Iterable[tuple[str, str]]
Trailers: TypeAlias = Fields | Callable[[], Fields | Awaitable[Fields]]

TRAILERS = "http.response.trailers"

#: SPEC: RFC 9110 section 6.5.1: fields that frame, route or control must come before the body.
_FORBIDDEN = {
    "age", "authorization", "cache-control", "connection", "content-encoding", "content-length",
    "content-range", "content-type", "date", "expires", "host", "keep-alive", "location",
    "proxy-authenticate", "retry-after", "set-cookie", "te", "trailer", "transfer-encoding",
    "upgrade", "vary", "www-authenticate",
}  # fmt: skip


class ResponseTrailers(ResponseConditions):
    """What a response sends after its body."""

    _trailers: Trailers | None = None

    @property
    def trailers(self) -> Trailers | None:
        """Fields that follow the body, or a function that returns them once the body is made.

        They are sent where the server offers it (over HTTP/2) and the client has asked by
        ``TE: trailers``; else they are not sent, and the function is not called. It may be
        ``async def``. The field ``Trailer`` announces their names, if you set it. A response that
        the view sends by ``stream()`` has none.

        ::

            response.trailers = lambda: {"Digest": sha.hexdigest()}

        Raises:
            ValueError: One of the fields must come before the body, or is malformed.
        """
        return self._trailers

    @trailers.setter
    def trailers(self, value: Trailers | None) -> None:
        self._trailers = value if value is None or callable(value) else _checked(value)
        _ = self.headers  # PERF: a response without a headers object is not asked for trailers

    def _carried(self, exchange: Exchange) -> Exchange:
        """Return *exchange*, or one that adds the trailers where they can be sent."""
        if self._trailers is None or not (self.has_body(exchange) and _can_follow(exchange.scope)):
            return exchange
        return TrailedExchange(exchange, self._trailers)

    def has_body(self, exchange: Exchange) -> bool:
        """Whether a body follows the start."""
        raise NotImplementedError


class TrailedExchange:
    """An exchange that announces the trailers in the start and sends them after the body."""

    def __init__(self, exchange: Exchange, trailers: Trailers) -> None:
        """Nothing is asked of *trailers* before the end of the body."""
        # A server that sends a file by itself says not when it has: the body is streamed.
        kept = {name: value for name, value in exchange.scope["extensions"].items()
                if name != "http.response.pathsend"}  # fmt: skip
        self.scope: Scope = {**exchange.scope, "extensions": kept}
        self.run_sync = exchange.run_sync
        self.send_timeout = exchange.send_timeout
        self.wait_disconnected = exchange.wait_disconnected
        self.join_children = exchange.join_children
        self.started = False
        self._exchange = exchange
        self._trailers = trailers

    async def send(self, message: Message) -> None:
        """Send one message, and after the last of the body the trailers."""
        if message["type"] == "http.response.start":
            self._exchange.started = True
            message = {**message, "trailers": True}
        elif not message.get("more_body", False):
            pairs = await self._made()
            await self._exchange.send(message)
            message = {"type": TRAILERS, "headers": pairs, "more_trailers": False}
        await self._exchange.send(message)

    async def _made(self) -> RawHeaders:
        make = self._trailers
        if not callable(make):
            return _checked(make).raw()
        try:
            made: Any = make() if is_async(make) else await self.run_sync(make)
            if inspect.isawaitable(made):
                made = await made
        except OSError as error:  # that of send() alone says that the client is gone
            raise RuntimeError(
                f"The trailers of a response could not be made: {error}. The connection is broken "
                "off; let the function return no fields where it has none."
            ) from error
        return _checked(made).raw()


def _can_follow(scope: Scope) -> bool:
    """Whether the server sends trailers, and the client takes them (RFC 9110 section 10.1.4)."""
    if TRAILERS not in (scope.get("extensions") or ()):
        return False
    wanted = b",".join(value for name, value in scope["headers"] if name == b"te")
    return any(each.strip().lower() == b"trailers" for each in wanted.split(b","))


def _checked(fields: Any) -> Headers:
    headers = Headers(fields)
    for name in headers.keys(lower=True):
        if name in _FORBIDDEN:
            raise ValueError(
                f"The field {name!r} cannot be a trailer: clients need it before the body. Set it "
                "in response.headers."
            )
    return headers
