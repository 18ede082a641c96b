"""Floor 8: what a page tells of the exchange that failed, secrets masked."""

from contextvars import Context as Variables
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from erlen.context import current_context
from erlen.debugger.bodies import Pairs, body_of, pairs_of
from erlen.debugger.live import current_exchange, method_of, title_of
from erlen.debugger.values import MASK, cut, is_secret, text_of
from erlen.debugger.veil import Veil
from erlen.protocols import Scope
from erlen.tasks import TaskContext
from erlen.wire.origins import field_values
from erlen.wire.urls import printable

#: Fields and arguments that are told.
_MOST = 100
_FIELD_LIMIT = 2048

_TITLES = {"startup": "Startup", "lifespan": "Lifespan", "import": "Import of the application"}


@dataclass(slots=True)
class Facts:
    """What was going on.

    Attributes:
        kind: ``"request"``, ``"websocket"``, ``"background task"``, ``"lifespan"`` or ``"import"``.
        title: ``"GET /orders/7"``, ``"WebSocket /chat"``, or the name of a task.
        method: ``"GET"``; ``"WebSocket"``.
        url: As the client has asked for it, without the values of its arguments.
        endpoint: Name of the rule that matched, and the rule.
        view_args: Values of its variables.
        query: Arguments of the URL.
        headers: Fields of the request.
        body_kind: ``"Form"``, ``"JSON"``, ``"Body"``; ``""`` where none has come.
        body: What has come of it; nothing is read for it.
        connection: Client, server, protocol.
        at: When it failed.
    """

    kind: str
    title: str
    method: str = ""
    url: str = ""
    endpoint: str = ""
    rule: str = ""
    view_args: Pairs = field(default_factory=list)
    query: Pairs = field(default_factory=list)
    headers: Pairs = field(default_factory=list)
    body_kind: str = ""
    body: Pairs = field(default_factory=list)
    connection: Pairs = field(default_factory=list)
    at: datetime = field(default_factory=lambda: datetime.now(UTC).astimezone())

    def veiled(self, veil: Veil) -> "Facts":
        """Return the same with secrets masked in all that a client has sent."""

        def over(pairs: Pairs) -> Pairs:
            return [(name, veil(value)) for name, value in pairs]

        return replace(
            self,
            title=veil(self.title),
            url=veil(self.url),
            view_args=over(self.view_args),
            query=over(self.query),
            headers=over(self.headers),
            body=over(self.body),
        )


def facts_of(variables: Variables, scope: Scope | None, kind: str = "") -> Facts:
    """Return the facts of an exchange, a task, or a lifespan.

    Args:
        variables: Those of what has failed; erlen's context is looked for there.
        scope: The ASGI scope, where one is known; that of the context otherwise.
        kind: What it is, where neither tells.
    """
    context = variables.get(current_context)
    if isinstance(context, TaskContext):
        return Facts("background task", context.description)
    if scope is None and context is not None:
        scope = context.scope
    if scope is None or scope["type"] == "lifespan":
        return Facts(kind or "lifespan", _TITLES.get(kind, "Startup or shutdown"))
    facts = _of_scope(scope)
    exchange = variables.get(current_exchange)
    if exchange is not None and exchange.arriving is not None:
        arriving = exchange.arriving
        types = field_values(scope["headers"], b"content-type")
        facts.body_kind, facts.body = body_of("".join(types[:1]), arriving.body, arriving.size)
    if context is not None and context.rule is not None:
        facts.endpoint, facts.rule = context.rule.endpoint, context.rule.rule
        facts.view_args = [
            (name, MASK if is_secret(name) else text_of(value))
            for name, value in (context.view_args or {}).items()
        ]
    return facts


def _of_scope(scope: Scope) -> Facts:
    return Facts(
        "request" if scope["type"] == "http" else "websocket",
        title_of(scope),
        method=method_of(scope),
        url=_url(scope),
        query=pairs_of(scope.get("query_string", b"")),
        headers=[
            _header(name.decode("latin-1"), value.decode("latin-1"))
            for name, value in list(scope["headers"])[:_MOST]
        ],
        connection=[
            ("client", _address(scope.get("client"))),
            ("server", _address(scope.get("server"))),
            ("protocol", f"{scope.get('scheme', 'http')}, HTTP/{scope.get('http_version', '1.1')}"),
        ],
    )


def _header(name: str, value: str) -> tuple[str, str]:
    return printable(name), MASK if is_secret(name) else cut(value, _FIELD_LIMIT)


def _url(scope: Scope) -> str:
    """Return the URL as the client knows it; its arguments are told apart."""
    host = "".join(field_values(scope["headers"], b"host")[:1]) or _address(scope.get("server"))
    scheme = scope.get("scheme", "http")
    query = "?…" if scope.get("query_string") else ""
    return cut(f"{scheme}://{printable(host)}{printable(scope['path'])}{query}", _FIELD_LIMIT)


def _address(address: Any) -> str:
    return "" if address is None else ":".join(str(part) for part in address if part is not None)
