"""Floor 6: what answers an error: the nearest handler, else a plain page, never a traceback."""

from typing import Any

from erlen.context import Context
from erlen.exceptions import (
    BadRequest,
    BadRequestKeyError,
    HTTPException,
    InternalServerError,
    RoutingException,
    WebSocketMessageError,
    WireError,
    default_exceptions,
    leaves,
)
from erlen.exchange.response import Response
from erlen.pipeline.adapt import Async
from erlen.pipeline.coerce import plain_error
from erlen.pipeline.endings import close_for
from erlen.pipeline.plan import Pipeline
from erlen.pipeline.registry import Handlers

_OFFERED = ("text/html", "application/json", "application/problem+json")


async def recover(line: Pipeline, context: Context, error: Exception) -> Response | None:
    """Return the answer to what hooks or view raised; an open WebSocket is closed here.

    Raises:
        Exception: *error* itself, unhandled, in tests and debug mode.
    """
    try:
        return await _answer(line, context, _translate(error))
    finally:
        await close_for(context, error)


async def recover_from_after(line: Pipeline, context: Context, error: Exception) -> Response:
    """Return the answer to what an after hook raised; no hook sees it, so none fails again."""
    return await _answer_unhandled(line, context, error)


def _translate(error: Exception) -> Exception:
    """Return what handlers are looked up for: the leaf of a group of one kind, a 4xx for bytes."""
    if isinstance(error, BaseExceptionGroup):
        ends = leaves(error)
        if len({type(end) for end in ends}) == 1 and isinstance(ends[0], Exception):
            return _translate(ends[0])
    if isinstance(error, WireError):
        answer = default_exceptions[error.status]()
        answer.__cause__ = error
        return answer
    return error


async def _answer(line: Pipeline, context: Context, error: Exception) -> Response | None:
    if isinstance(error, HTTPException) and not _is_trapped(context, error):
        if error.code is None or isinstance(error, RoutingException):
            return line.coerce(error)
    elif isinstance(error, WebSocketMessageError):
        if (handler := find_handler(line.handlers, error)) is not None:
            await handler(error)
        return None
    handler = find_handler(line.handlers, error)
    if handler is None:
        if isinstance(error, HTTPException) and not _is_trapped(context, error):
            return _page(line, context, error)
        return await _answer_unhandled(line, context, error)
    try:
        return line.coerce(await handler(error), context.rule)
    except HTTPException as again:
        return _page(line, context, again)
    except Exception as again:  # noqa: BLE001  # a failing handler is answered like a failing view
        return await _answer_unhandled(line, context, again)


async def _answer_unhandled(line: Pipeline, context: Context, error: Exception) -> Response:
    """Log an error that nothing took and answer 500; in tests and debug mode raise it instead."""
    context.error = error
    if _propagates(context):
        raise error
    context.app.log_exception(error)
    wrapped = InternalServerError(original_exception=error)
    handler = find_handler(line.handlers, wrapped)
    if handler is None:
        return _page(line, context, wrapped)
    try:
        return line.coerce(await handler(wrapped), context.rule)
    except Exception as again:  # noqa: BLE001  # the second failure ends here: no recursion
        context.app.log_exception(again)
        return plain_error(line.coerce.response_class)


def find_handler(scopes: tuple[Handlers, ...], error: Exception) -> Async | None:
    """Return the handler of an error: its code first, then its class; inner scope, then nearer class.

    So a handler of the code, even the application's, beats any handler of a class (ER-2).
    """
    code = error.code if isinstance(error, HTTPException) else None
    for key in (code, None) if code is not None else (None,):
        for scope in scopes:
            by_class = scope.get(key)
            if by_class:
                for cls in type(error).__mro__:
                    if cls in by_class:
                        return by_class[cls]
    return None


def _page(line: Pipeline, context: Context, error: HTTPException) -> Response:
    accept = context.exchange.accept_mimetypes
    prefers_json = accept.best_match(_OFFERED, "text/html") != "text/html"
    return line.coerce.error(error, prefers_json=prefers_json, debug=context.app.config["DEBUG"])


def _is_trapped(context: Context, error: HTTPException) -> bool:
    config = context.app.config
    if config["TRAP_HTTP_EXCEPTIONS"]:
        return True
    trap = config["TRAP_BAD_REQUEST_ERRORS"]
    if trap is None:
        return bool(config["DEBUG"]) and isinstance(error, BadRequestKeyError)
    return bool(trap) and isinstance(error, BadRequest)


def _propagates(context: Context) -> bool:
    config: Any = context.app.config
    if config["PROPAGATE_EXCEPTIONS"] is not None:
        return bool(config["PROPAGATE_EXCEPTIONS"])
    return bool(config["TESTING"] or config["DEBUG"])
