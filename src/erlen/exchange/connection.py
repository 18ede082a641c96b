"""Floor 3: what a request and a WebSocket handshake have in common: a typed view of the ASGI scope.

Nothing here does I/O, and nothing is parsed before it is asked for.
"""

from typing import Any, Self, TypedDict

from erlen.exceptions import HTTPException, WireError
from erlen.exchange.fields import RequestFields
from erlen.exchange.lazy import lazy
from erlen.exchange.settings import Settings
from erlen.exchange.tls import TLS, tls_of
from erlen.protocols import Scope
from erlen.routing.rule import Rule
from erlen.wire.multidict import ImmutableMultiDict
from erlen.wire.urls import check_host, get_current_url, read_query, strip_default_port

_SECURE = {"https", "wss"}


class RoutingFacts(TypedDict, total=False):
    """What routing knows of a connection; the attributes of these names say more."""

    path: str
    url_rule: Rule | None
    view_args: dict[str, Any] | None
    routing_exception: HTTPException | None


class Connection(RequestFields):
    """The shared, synchronous part of :class:`Request` and :class:`WebSocket`.

    Attributes:
        scope: The ASGI scope, as the server gave it.
        settings: Limits and seats of the application.
        path: Decoded path below :attr:`root_path`; starts with ``/``.
        url_rule: The rule that matched, ``None`` when none did.
        view_args: Values of the rule's variables, ``None`` when none matched.
        routing_exception: Why no rule matched, ``None`` when one did.
        must_close: Whether there is something to close at the end: uploaded files, a listener.
    """

    settings: Settings
    path: str
    url_rule: Rule | None
    view_args: dict[str, Any] | None
    routing_exception: HTTPException | None
    must_close: bool = False

    def __init__(
        self,
        scope: Scope,
        settings: Settings,
        path: str | None = None,
        url_rule: Rule | None = None,
        view_args: dict[str, Any] | None = None,
        routing_exception: HTTPException | None = None,
    ) -> None:
        """What follows *settings* the router has found; without a path the scope's own is taken."""
        self.scope = scope
        self.settings = settings
        self.path = scope["path"] if path is None else path
        self.url_rule = url_rule
        self.view_args = view_args
        self.routing_exception = routing_exception

    def _get_current_object(self) -> Self:
        """Return itself: through a proxy, ``request`` or ``websocket``, the object behind it.

        That one can be kept. A WebSocket can be used from any task of its event loop until it is
        closed; of a request what was read.
        """
        return self

    def let_go(self) -> None:
        """Give up what need not be kept beyond the exchange; here nothing is."""

    # --- routing ----------------------------------------------------------------------------------

    @property
    def endpoint(self) -> str | None:
        """Endpoint of the matched rule, with the dotted blueprint in front."""
        return None if self.url_rule is None else self.url_rule.endpoint

    @property
    def blueprint(self) -> str | None:
        """Dotted name of the blueprint, ``None`` for the application's own endpoints."""
        endpoint = self.endpoint
        return endpoint.rpartition(".")[0] or None if endpoint else None

    @property
    def blueprints(self) -> list[str]:
        """Dotted names from the innermost blueprint to the outermost."""
        names = []
        name = self.blueprint
        while name:
            names.append(name)
            name = name.rpartition(".")[0]
        return names

    # --- where it came from -----------------------------------------------------------------------

    @property
    def method(self) -> str:
        """Request method as sent, case-sensitive (RFC 9110 section 9.1); a WebSocket has GET."""
        method: str = self.scope.get("method", "GET")
        return method

    @property
    def scheme(self) -> str:
        """``http``, ``https``, ``ws`` or ``wss``."""
        scheme: str = self.scope.get("scheme") or (
            "ws" if self.scope["type"] == "websocket" else "http"
        )
        return scheme

    @property
    def is_secure(self) -> bool:
        """Whether the scheme is encrypted."""
        return self.scheme in _SECURE

    @lazy
    def tls(self) -> TLS | None:
        """The encryption of the connection, with the client's certificate if it has sent one.

        ``None`` without encryption, and with a server that does not tell.
        """
        return tls_of(self.scope)

    @property
    def http_version(self) -> str:
        """``1.0``, ``1.1``, ``2`` or ``3``."""
        version: str = self.scope.get("http_version", "1.1")
        return version

    @property
    def server(self) -> tuple[str, int | None] | None:
        """Host and port, or path and ``None`` of a Unix socket; ``None`` when unknown."""
        return _address(self.scope.get("server"))

    @property
    def remote_addr(self) -> str | None:
        """Address of the peer, ``None`` when the server does not say (a Unix socket)."""
        client = _address(self.scope.get("client"))
        return client[0] if client else None

    @property
    def access_route(self) -> list[str]:
        """The peer's address; proxies are only believed by the proxy middleware."""
        return [self.remote_addr] if self.remote_addr else []

    @property
    def root_path(self) -> str:
        """Prefix under which the application is mounted, without a trailing slash."""
        prefix = (self.scope.get("root_path") or "").strip("/")
        return f"/{prefix}" if prefix else ""

    @property
    def script_root(self) -> str:
        """Flask's name of :attr:`root_path`."""
        return self.root_path

    # --- the address ------------------------------------------------------------------------------

    @lazy
    def host(self) -> str:
        """Host header, lower case, without a default port; the server's address when missing."""
        sent = self.headers.get("host")
        if sent is None and self.server is not None and self.server[1] is not None:
            name, port = self.server
            sent = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        try:
            return strip_default_port(check_host((sent or "").encode()), self.scheme)
        except WireError:
            return ""

    @property
    def query_string(self) -> bytes:
        """The query, as sent, without the question mark."""
        query: bytes = self.scope.get("query_string", b"")
        return query

    @property
    def full_path(self) -> str:
        """Path, a question mark and the query; the mark is there even without a query."""
        return f"{self.path}?{self.query_string.decode('latin-1')}"

    @property
    def url(self) -> str:
        """The whole address, with the query."""
        return get_current_url(self.scheme, self.host, self.root_path, self.path, self.query_string)

    @property
    def base_url(self) -> str:
        """The address without the query."""
        return get_current_url(self.scheme, self.host, self.root_path, self.path)

    @property
    def url_root(self) -> str:
        """Scheme, host and root path, with a trailing slash."""
        return get_current_url(self.scheme, self.host, self.root_path)

    @property
    def root_url(self) -> str:
        """The same as :attr:`url_root`."""
        return self.url_root

    @property
    def host_url(self) -> str:
        """Scheme and host, with a trailing slash."""
        return get_current_url(self.scheme, self.host)

    @lazy
    def args(self) -> ImmutableMultiDict[str, str]:
        """The query's pairs.

        Raises:
            WireError: More pairs than MAX_QUERY_ARGS; the exchange answers 400.
        """
        return read_query(self.query_string, max_fields=self.settings.max_query_args)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url!r} [{self.method}]>"


def _address(value: Any) -> tuple[str, int | None] | None:
    # COMPAT: granian gives ports as text and daphne gives lists.
    if not value or value[0] is None:
        return None
    port = value[1]
    return str(value[0]), None if port is None else int(port)
