"""Floor 8: what a page tells of the exchange that failed, secrets masked."""

from contextvars import Context as Variables
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from erlen.context import current_context
from erlen.debugger.values import MASK, cut, is_secret, is_secret_argument, text_of
from erlen.exceptions import WireError
from erlen.protocols import Scope
from erlen.tasks import TaskContext
from erlen.wire.urls import parse_query, printable

#: Fields and arguments that are told.
_MOST = 100
_FIELD_LIMIT = 2048

Pairs = list[tuple[str, str]]


@dataclass(slots=True)
class Facts:
    """What was going on.

    Attributes:
        kind: ``"request"``, ``"websocket"``, ``"background task"`` or ``"lifespan"``.
        title: ``"GET /orders/7"``, ``"WebSocket /chat"``, or the name of a task.
        path: The path alone.
        endpoint: Name of the rule that matched, and the rule.
        view_args: Values of its variables.
        query: Arguments of the URL.
        headers: Fields of the request.
        connection: Client, server, protocol.
        at: When it failed.
    """

    kind: str
    title: str
    path: str = ""
    endpoint: str = ""
    rule: str = ""
    view_args: Pairs = field(default_factory=list)
    query: Pairs = field(default_factory=list)
    headers: Pairs = field(default_factory=list)
    connection: Pairs = field(default_factory=list)
    at: datetime = field(default_factory=lambda: datetime.now(UTC).astimezone())


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
        return Facts(kind or "lifespan", "Startup or shutdown" if not kind else kind.capitalize())
    facts = _of_scope(scope)
    if context is not None and context.rule is not None:
        facts.endpoint, facts.rule = context.rule.endpoint, context.rule.rule
        facts.view_args = [
            (name, MASK if is_secret(name) else text_of(value))
            for name, value in (context.view_args or {}).items()
        ]
    return facts


def title_of(scope: Scope) -> str:
    """Return ``"GET /orders/7"`` or ``"WebSocket /chat"``, control characters escaped."""
    method = scope["method"] if scope["type"] == "http" else "WebSocket"
    return f"{printable(method)} {printable(scope['path'])}"


def _of_scope(scope: Scope) -> Facts:
    return Facts(
        "request" if scope["type"] == "http" else "websocket",
        title_of(scope),
        path=printable(scope["path"]),
        query=_query(scope.get("query_string", b"")),
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


def _query(query: bytes) -> Pairs:
    try:
        pairs = parse_query(query)
    except WireError:
        return [("", cut(query.decode("latin-1"), _FIELD_LIMIT))]
    return [
        (cut(name, 200), MASK if is_secret_argument(name) else cut(value, _FIELD_LIMIT))
        for name, value in pairs[:_MOST]
    ]


def _address(address: Any) -> str:
    return "" if address is None else ":".join(str(part) for part in address if part is not None)
