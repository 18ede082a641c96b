"""Floor 8: what the server logs under ``erlen run``: a line a request, and its own warnings."""

import logging
import os
import sys
from typing import Any

from erlen.logs import LineFormatter, request_id
from erlen.wire.urls import printable, uri_to_iri

_MASK = "***"
_SECRET = ("password", "passwd", "secret", "token")
_SECRET_WORDS = frozenset({"code", "key"})

#: SGR codes by the first digit of a status; others stay plain.
_COLORS = {"2": "32", "3": "36", "4": "33", "5": "31;1"}
#: What uvicorn logs for each request, and the beginning of what it logs for a handshake.
_REQUEST = '%s - "%s %s HTTP/%s" %d'
_HANDSHAKE = '%s - "WebSocket %s"'


def log_config(*, debug: bool = False) -> dict[str, Any]:
    """Return a new configuration of uvicorn's loggers, for ``logging.config.dictConfig``.

    Requests go to stdout, warnings and errors to stderr; no other logger is touched.

    Args:
        debug: Lines for whoever sits there: short, and coloured on a terminal.
    """
    handler = "logging.StreamHandler"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "default": {"()": "erlen.serving.access.ServerFormatter"},
            "access": {"()": "erlen.serving.access.AccessFormatter", "short": debug},
        },
        "filters": {"own": {"()": "erlen.serving.access.ServerFilter"}},
        "handlers": {
            "default": {"formatter": "default", "class": handler, "stream": "ext://sys.stderr"},
            "access": {"formatter": "access", "class": handler, "stream": "ext://sys.stdout"},
        },
        "loggers": {
            "uvicorn": {"handlers": ["default"], "level": "INFO", "propagate": False},
            "uvicorn.error": {"level": "INFO", "filters": ["own"]},
            "uvicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
        },
    }


class ServerFormatter(LineFormatter):
    """Writes what the server itself has to tell."""

    def __init__(self, *, use_colors: bool | None = None) -> None:  # noqa: ARG002  # uvicorn's
        """*use_colors* is nothing to it."""
        super().__init__()


class ServerFilter(logging.Filter):
    """Lets pass what the server warns of, and makes of a handshake a line like a request's.

    How it starts and stops is left out: erlen tells that in a line of its own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be written as it is."""
        if record.levelno != logging.INFO:
            return True
        message = str(record.msg)
        match record.args:
            case (client, path, *status) if message.startswith(_HANDSHAKE):
                code = status[0] if status else 403 if message.endswith("403") else 101
                args = (client, "WEBSOCKET", path, "1.1", code)
                logging.getLogger("uvicorn.access").info(_REQUEST, *args)
        return False


class AccessFormatter(logging.Formatter):
    """Writes a request as a line that a person can read.

    ``[2026-11-20 15:04:52] 127.0.0.1 GET /orders/7?page=2 200``, or ``15:04:52 GET …`` when short.
    """

    def __init__(self, *, short: bool = False, use_colors: bool | None = None) -> None:
        """Set how lines look.

        Args:
            short: Leave date and client out, and colour the status on a terminal, as
                :func:`wants_colors` says.
            use_colors: Whether to colour, whatever that is; uvicorn's option.
        """
        super().__init__(datefmt="%H:%M:%S" if short else "[%Y-%m-%d %H:%M:%S]")
        self._is_short = short
        self._colors = short and wants_colors() if use_colors is None else use_colors

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; control characters are escaped, secrets of the query masked."""
        if record.msg != _REQUEST or not isinstance(record.args, tuple):
            return printable(super().format(record))  # somebody else's
        client, method, target, _version, status = record.args
        parts = [self.formatTime(record, self.datefmt)]
        if not self._is_short:
            parts.append(printable(str(client).rpartition(":")[0] or "-"))
        parts += [printable(str(method)), _shown(str(target)), self._status(str(status))]
        if (name := request_id.get()) is not None:
            parts.append(f"(request {name})")
        return " ".join(parts)

    def _status(self, status: str) -> str:
        color = _COLORS.get(status[:1]) if self._colors else None
        return status if color is None else f"\x1b[{color}m{status}\x1b[0m"


def wants_colors() -> bool:
    """Whether lines on stdout are coloured: ``NO_COLOR`` says no, ``FORCE_COLOR`` yes.

    Else a terminal, other than a dumb one, says yes. Both variables count unless they are empty.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _shown(target: str) -> str:
    """Return path and query; values whose names speak of a secret are masked."""
    path, mark, query = target.partition("?")
    return printable(uri_to_iri(path) + mark + "&".join(map(_masked, query.split("&"))))


def _masked(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    word = name.lower()
    is_secret = word in _SECRET_WORDS or word.endswith("_key") or any(s in word for s in _SECRET)
    return f"{name}={_MASK}" if equals and is_secret else pair
