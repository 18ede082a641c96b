"""Floor 3: a client that does not read: how long it is waited for, and what is said then."""

import logging

import anyio

from erlen.exceptions import SendTimeout
from erlen.protocols import Exchange
from erlen.wire.urls import printable

#: Bytes that are sent as one message; a longer body goes in slices, each of which has the time.
SLICE = 256 * 1024

_logger = logging.getLogger("erlen")


async def send_slices(exchange: Exchange, body: bytes) -> None:
    """Send a long body slice by slice.

    PERF: a slice costs 4 µs for its deadline, 1 GiB/s being 240 µs.

    Raises:
        SendTimeout: The client took nothing of one for ``exchange.send_timeout``.
        OSError: It left.
    """
    timeout = exchange.send_timeout
    for start in range(0, len(body), SLICE):
        stop = start + SLICE
        with anyio.move_on_after(timeout) as patience:
            await exchange.send(
                {
                    "type": "http.response.body",
                    "body": body[start:stop],
                    "more_body": stop < len(body),
                }
            )
        if patience.cancelled_caught:
            assert timeout is not None
            raise stalled(exchange, timeout)


def stalled(exchange: Exchange, timeout: float) -> SendTimeout:
    """Log that a response is broken off; return what to raise, so that the connection breaks."""
    _logger.warning(
        "%s is broken off: its client has taken nothing for %g s, which is SEND_TIMEOUT.",
        described(exchange),
        timeout,
    )
    return SendTimeout(
        f"The client has taken nothing of the response for {timeout:g} s. Nothing is wrong here, "
        "unless SEND_TIMEOUT is too short for its connection."
    )


def described(exchange: Exchange) -> str:
    """Return method and path, for the log."""
    scope = exchange.scope
    return printable(f"{scope.get('method', 'WebSocket')} {scope['path']}")
