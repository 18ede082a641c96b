"""Floor 8: a failure is answered whatever happens: by its page, by text, by one fixed line."""

import logging

from erlen.debugger.desk import PATH, Desk
from erlen.debugger.failures import Failure
from erlen.debugger.live import Exchange
from erlen.debugger.reports import as_text
from erlen.protocols import Send

_FIXED = b"Internal Server Error\n"


async def answer(desk: Desk, failure: Failure, exchange: Exchange, send: Send) -> None:
    """Answer *exchange* with what failed; where even that fails with text, at last with nothing.

    Raises:
        Exception: What was raised when the answer had begun.
    """
    exchange.failed = True
    noting, scope = exchange.sending(send), exchange.scope
    try:
        await desk.answer_failure(failure, scope, noting)
    except Exception as error:
        if exchange.started:
            raise
        logger().error("The page of a failure failed.", exc_info=error)
        await _send_text(noting, _last_words(failure, desk.gate.why_hidden(scope)))


async def _send_text(send: Send, body: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _last_words(failure: Failure, hidden: str) -> bytes:
    try:
        return as_text(failure, PATH, hidden=hidden)
    except Exception:  # noqa: BLE001  # nothing can be told of it
        return _FIXED


def logger() -> logging.Logger:
    """Return what the debugger logs by."""
    return logging.getLogger("erlen.debugger")
