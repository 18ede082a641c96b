"""Floor 5: the application's logger, visible without configuration, and what its lines show."""

import logging
import sys
from contextvars import ContextVar
from typing import Any

from erlen.context import current_context
from erlen.exceptions import leaves
from erlen.wire.urls import printable

#: Name of the running request, when ``erlen.middleware.RequestID`` gives it one.
request_id: ContextVar[str | None] = ContextVar("erlen.request_id", default=None)

#: Loggers by which servers tell what an application has raised.
_SERVERS = ("uvicorn.error", "hypercorn.error", "_granian")
#: Attribute of exceptions that were logged and then raised to the server.
_LOGGED = "_erlen_logged"


class LineFormatter(logging.Formatter):
    r"""Writes a record as a line; the lines below it, as of a traceback, are indented.

    What does not print is escaped (``\x1b``), and the name of the running request is added.

    SAFETY: paths, headers and the texts of exceptions are often words of a client. With line
    breaks it would forge records, with ESC steer the terminal that shows them.
    """

    def __init__(self, fmt: str = "[%(asctime)s] %(levelname)s in %(module)s: %(message)s") -> None:
        """*fmt* is as of ``logging.Formatter``."""
        super().__init__(fmt)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's
        """Return the line itself, with the name of the running request if it lacks that."""
        line = super().formatMessage(record)
        name = request_id.get()
        return line if name is None or name in line else f"{line} (request {name})"

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, without a line break at its end."""
        # Not by splitlines(), for which U+2028 is the end of a line, too.
        return "\n  ".join(
            printable(line, limit=10 * len(line)) for line in super().format(record).split("\n")
        )


class ExchangeFilter(logging.Filter):
    """Gives each record ``request_id``, ``method`` and ``path``; each ``-`` where there is none.

    For formatters of an application's own. A WebSocket has the method ``WEBSOCKET``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attributes; every record passes."""
        record.request_id = request_id.get() or "-"
        context = current_context.get(None)
        if context is None or context.scope is None:
            record.method = record.path = "-"
        else:
            record.method = printable(context.scope.get("method", "WEBSOCKET"))
            record.path = printable(context.exchange.path)
        return True


class _LastHandler(logging.StreamHandler):  # type: ignore[type-arg]  # its stream changes
    """Writes to stderr what no other handler of the chain takes, also one that was added later."""

    def __init__(self) -> None:
        super().__init__(_Stderr())
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        if not _is_taken(logging.getLogger(record.name), record.levelno, but=self):
            super().emit(record)


class _Stderr:
    """Whatever ``sys.stderr`` is at the moment of writing; tests and servers replace it."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


#: Writes what nobody else would write.
default_handler = _LastHandler()


def has_level_handler(logger: logging.Logger) -> bool:
    """Whether a handler of the logger's chain takes records of its effective level."""
    return _is_taken(logger, logger.getEffectiveLevel())


def _is_taken(logger: logging.Logger, level: int, but: logging.Handler | None = None) -> bool:
    current: logging.Logger | None = logger
    while current is not None:
        if any(handler.level <= level and handler is not but for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


def create_logger(name: str, *, debug: bool) -> logging.Logger:
    """Return the logger *name*; an existing configuration is left as it is.

    Without one, it and erlen's own logger write to stderr, and it takes INFO, too.

    Args:
        name: Name of the application.
        debug: Log from DEBUG on, unless a level was set.
    """
    # SAFETY: to Python, "root" is the name of the root logger, which belongs to everybody.
    logger = logging.getLogger("erlen.root" if name == "root" else name)
    if debug and not logger.level:
        logger.setLevel(logging.DEBUG)
    if not has_level_handler(logger):
        logger.addHandler(default_handler)
        if not logger.level:
            logger.setLevel(logging.INFO)
    own = logging.getLogger("erlen")
    if not has_level_handler(own):
        own.addHandler(default_handler)
    for server in map(logging.getLogger, _SERVERS):
        server.addFilter(_is_news)  # once, however often
    return logger


# --- what a server must not tell a second time ----------------------------------------------------


def note_logged(error: BaseException) -> None:
    """Have the server, which *error* is raised to now, not log it again."""
    _attributes_of(error)[_LOGGED] = True


def was_logged(error: BaseException) -> bool:
    """Whether *error*, or each end of a group, was logged; true once, as it may be raised again.

    An application may keep an exception and raise it for every request.
    """
    ends = leaves(error) if isinstance(error, BaseExceptionGroup) else (error,)
    is_logged = _attributes_of(error).pop(_LOGGED, False)
    logged = [_attributes_of(end).pop(_LOGGED, False) for end in ends]  # all() would end too early
    return is_logged or all(logged)


def _attributes_of(error: BaseException) -> dict[str, Any]:
    """Return the attributes, past whatever the class does to those that ask."""
    attributes: dict[str, Any] = object.__getattribute__(error, "__dict__")
    return attributes


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a server's record tells what was not logged yet."""
    error = record.exc_info[1] if record.exc_info else None
    return error is None or not was_logged(error)
