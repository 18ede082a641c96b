"""Floor 6: what answers an error: the nearest handler, else a plain page, never a traceback."""

from erlen.callables import name_of
from erlen.context import Context
from erlen.exceptions import (
    BadRequest,
    BadRequestKeyError,
    ClientDisconnected,
    HTTPException,
    InternalServerError,
    RoutingException,
    WebSocketDisconnect,
    WebSocketMessageError,
    WireError,
    default_exceptions,
    leaves,
)
from erlen.exchange.response import Response
from erlen.logs import note_logged
from erlen.pipeline.adapt import Async
from erlen.pipeline.announce import announce, heard
from erlen.pipeline.coerce import plain_error
from erlen.pipeline.endings import close_for
from erlen.pipeline.plan import Pipeline

# PERF: tuples, because ``A | B`` in a call would be built anew for each error, 0.1 µs a bar.
_PEER_IS_GONE = (ClientDisconnected, WebSocketDisconnect)
_SEEN_BY_NO_HANDLER = (*_PEER_IS_GONE, RoutingException)
_MEANS_ANOTHER = (ExceptionGroup, WireError)


async def recover(line: Pipeline, context: Context, raised: Exception) -> Response | None:
    """Return the answer to what a hook or the view raised; an open WebSocket is closed here.

    A handler that fails in its turn is answered like a failing view, but by no other handler of
    its kind: nothing here can go in circles.

    Raises:
        ClientDisconnected, WebSocketDisconnect: Nobody is left to answer.
        Exception: *raised* itself, when nothing handled it, in tests and debug mode.
    """
    error = _meaning(raised)
    try:
        handler, handled = _choose(line, error, raised)
        if handler is not None:
            try:
                return await _call(handler, line, context, handled)
            except Exception as again:  # noqa: BLE001  # a handler's error has no handler
                error, raised = _meaning(again), again
        return await _answer(line, context, error, raised)
    finally:
        if line.is_websocket:
            await close_for(context, error)
        del error, raised  # a traceback that names itself would hold the exchange until collected


def _choose(line: Pipeline, error: Exception, raised: Exception) -> tuple[Async | None, Exception]:
    """Return a handler and what it is given: the leaf of a group, else the group itself."""
    if _is_final(error):
        return None, error
    handler = line.handlers.find(error)
    if handler is None and isinstance(raised, ExceptionGroup):
        return line.handlers.find(raised), raised
    return handler, error


def _meaning(raised: Exception) -> Exception:
    """Return what handlers are looked up for.

    That is the first end of a group whose ends are all of one kind, and for bad bytes of the peer
    the 4xx that they are answered with.
    """
    if not isinstance(raised, _MEANS_ANOTHER):
        return raised
    if isinstance(raised, ExceptionGroup):
        first, *others = leaves(raised)
        assert isinstance(first, Exception)
        return (
            raised if any(type(other) is not type(first) for other in others) else _meaning(first)
        )
    answer = default_exceptions[raised.status]()
    answer.__cause__ = raised
    return answer


def _is_final(error: Exception) -> bool:
    """Whether no handler sees *error*: the client left, a redirect, or ``abort(response)``."""
    if isinstance(error, _SEEN_BY_NO_HANDLER):
        return True
    return isinstance(error, HTTPException) and error.code is None and error.response is not None


async def _call(
    handler: Async, line: Pipeline, context: Context, error: Exception
) -> Response | None:
    value = await handler(error)
    if value is None and (context.scope["type"] == "websocket" or context.started):
        return None
    return line.coerce.respond(value, f"The error handler {name_of(handler)!r}")


async def _answer(
    line: Pipeline, context: Context, error: Exception, raised: Exception
) -> Response | None:
    """Answer what has no handler, or whose handler failed."""
    if isinstance(error, _PEER_IS_GONE):
        raise error
    if isinstance(error, WebSocketMessageError):
        return None  # its close code says everything
    if isinstance(error, HTTPException) and (_is_final(error) or not _is_trapped(context, error)):
        return line.coerce.error(error)
    return await _answer_unhandled(line, context, raised)


async def _answer_unhandled(line: Pipeline, context: Context, error: Exception) -> Response | None:
    """Log an error that nothing took and answer 500; in tests and debug mode raise it instead."""
    context.error = error
    if heard:
        await announce(line.life.failed, context, exception=error)
    if propagates(context):
        raise error
    context.app.log_exception(error)
    answer = InternalServerError(original_exception=error)
    handler = line.handlers.find(answer)
    if handler is None:
        return line.coerce.error(answer)
    try:
        return await _call(handler, line, context, answer)
    except Exception as again:  # noqa: BLE001  # the second failure ends here: no recursion
        context.app.log_exception(again)
        return plain_error(line.coerce.response_class)


def log_leaving(context: Context, error: Exception) -> None:
    """Log an error that goes on to the server, which breaks the connection; it logs no second time.

    In tests it is the test's, and with ``PROPAGATE_EXCEPTIONS`` that of whoever asked for it.
    """
    config = context.app.config
    if not (config["TESTING"] or config["PROPAGATE_EXCEPTIONS"]):
        context.app.log_exception(error)
        note_logged(error)


def _is_trapped(context: Context, error: HTTPException) -> bool:
    """Whether an HTTP exception that no handler took counts as a failure of the application."""
    config = context.app.config
    if config["TRAP_HTTP_EXCEPTIONS"] or error.code is None:
        return True
    if not isinstance(error, BadRequest):
        return False
    trap = config["TRAP_BAD_REQUEST_ERRORS"]
    if trap is None:
        return bool(config["DEBUG"]) and isinstance(error, BadRequestKeyError)
    return bool(trap)


def propagates(context: Context) -> bool:
    """Whether what nothing handles is raised instead of logged: in tests and debug mode."""
    config = context.app.config
    if config["PROPAGATE_EXCEPTIONS"] is not None:
        return bool(config["PROPAGATE_EXCEPTIONS"])
    return bool(config["TESTING"] or config["DEBUG"])
