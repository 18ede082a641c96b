"""Floor 8: a connection whose client takes nothing for ``SEND_TIMEOUT`` seconds is aborted.

An ASGI application hears of such a client only while it has something to send. What the server has
taken already would wait for ever, and so would the connection, and at shutdown the process.
"""

import logging
import socket
import struct
from typing import Any

from erlen.app import Erlen

#: Seconds that a client has to answer the end of TLS when the server ends; asyncio gives it 30.
_PARTING_SECONDS = 2.0
#: How often it is looked whether the client has taken something, in one timeout.
_LOOKS = 4
#: SAFETY: with "linger for no time" the kernel drops what it holds, up to 4 MiB a connection, where
#: it would offer it to the client for minutes. And the client sees a reset: a body without a
#: length must not look whole.
_NO_LINGER = struct.pack("ii", 1, 0)

_logger = logging.getLogger("erlen")


def impatient(protocol: type[Any], app: Erlen) -> type[Any]:
    """Return a protocol of uvicorn's with this watch; ``SEND_TIMEOUT`` is that of *app*."""

    class Impatient(protocol):  # type: ignore[misc]  # whichever uvicorn was told to use
        def connection_made(self, transport: Any) -> None:
            self.unread = Unread(transport, self.loop, app)
            super().connection_made(transport)
            # Told as soon as one byte waits; of the last 64 KiB of a response nobody would hear.
            # asyncio's TLS pauses at the limit already, at 0 that would be for ever; and it may do
            # so at once, as its handshake has bytes of its own to send.
            self.is_tls = transport.get_extra_info("sslcontext") is not None
            transport.set_write_buffer_limits(1 if self.is_tls else 0)

        def pause_writing(self) -> None:
            super().pause_writing()
            self.unread.watch()

        def shutdown(self) -> None:
            super().shutdown()
            if self.is_tls and self.transport.is_closing():  # no request is waited for
                self.unread.part(_PARTING_SECONDS)

        def connection_lost(self, error: Exception | None) -> None:
            self.unread.forget()
            super().connection_lost(error)

    return Impatient


class Unread:
    """The bytes of one connection that wait for the client.

    PERF: one timer while bytes wait, none otherwise; a timer whose bytes are gone runs out, which
    is cheaper than to cancel and set one for every chunk.
    """

    __slots__ = ("_app", "_fruitless", "_loop", "_parting", "_size", "_timer", "_transport")

    def __init__(self, transport: Any, loop: Any, app: Erlen) -> None:
        """*transport* and *loop* are asyncio's, or what does as they do."""
        self._transport = transport
        self._loop = loop
        self._app = app
        self._timer: Any = None
        self._parting: Any = None
        self._size = 0
        self._fruitless = 0

    def watch(self) -> None:
        """Begin to look, as bytes wait that did not wait before."""
        self._fruitless = -1  # a timer that still runs may look at once
        self._size = self._transport.get_write_buffer_size()
        if self._timer is None:
            self._look_later()

    def part(self, seconds: float) -> None:
        """Abort in so many seconds what was closed, if it is not lost by then."""
        self._parting = self._loop.call_later(seconds, self._transport.abort)

    def forget(self) -> None:
        """Look no more: the connection is lost."""
        for timer in (self._timer, self._parting):
            if timer is not None:
                timer.cancel()

    def _look_later(self) -> None:
        seconds = self._app.config["SEND_TIMEOUT"]
        if seconds is not None:
            self._timer = self._loop.call_later(seconds / _LOOKS, self._look, seconds)

    def _look(self, seconds: float) -> None:
        self._timer = None
        size = self._transport.get_write_buffer_size()
        if not size:
            return
        self._fruitless = self._fruitless + 1 if size >= self._size else 0
        self._size = size
        if self._fruitless < _LOOKS:
            self._look_later()
        else:
            self._abort(seconds)

    def _abort(self, seconds: float) -> None:
        _logger.warning(
            "A connection was aborted: its client %s took none of %d bytes in %g seconds, "
            "which is SEND_TIMEOUT.",
            self._transport.get_extra_info("peername"),
            self._size,
            seconds,
        )
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()
