"""A client on one blocking socket that knows exactly how far it got."""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterable
from enum import Enum
from types import TracebackType
from typing import Self

import h11

#: Seconds after which a read or a write counts as a failure.
LIMIT = 30.0

_RESET = struct.pack("ii", 1, 0)
_HANDSHAKE = (
    "GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Got(Enum):
    """How far an exchange came."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"  # a response began, and did not end as its framing says
    UNAVAILABLE = "503"
    UNANSWERED = "unanswered"  # the connection ended before the first byte of a response


class Connection:
    """One connection; ``with`` closes it.

    Attributes:
        is_open: Whether another request may be sent.
        body: That of the last response, unless it was given to a sink.
    """

    def __init__(self, port: int) -> None:
        """Connect; ``ConnectionRefusedError`` when nobody listens."""
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.is_open = True
        self.body = b""
        self._wire = h11.Connection(h11.CLIENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Iterable[bytes] = (),
        length: int | None = None,
        sink: Callable[[bytes], None] | None = None,
    ) -> Got:
        """Send a request and read its response.

        Args:
            body: May take its time.
            length: Of the body; no body has none.
            sink: Called with each piece of the response's body, in place of keeping it.
        """
        with contextlib.suppress(ConnectionError):  # there may be an answer all the same
            self._send(method, path, body, length)
        return self._read(sink)

    def _send(self, method: str, path: str, body: Iterable[bytes], length: int | None) -> None:
        if self._wire.our_state is h11.DONE:
            self._wire.start_next_cycle()
        headers = [("Host", f"127.0.0.1:{self.port}")]
        if length is not None:
            headers.append(("Content-Length", str(length)))
        request = h11.Request(method=method, target=path, headers=headers)
        self.socket.sendall(self._wire.send(request) or b"")
        for chunk in body:
            self.socket.sendall(self._wire.send(h11.Data(data=chunk)) or b"")
        self.socket.sendall(self._wire.send(h11.EndOfMessage()) or b"")

    def _read(self, sink: Callable[[bytes], None] | None) -> Got:
        chunks: list[bytes] = []
        take = sink or chunks.append
        begun = False
        try:
            while not isinstance(event := self._next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    begun = True
                    if event.status_code == 503:
                        self.is_open = False
                        return Got.UNAVAILABLE
                elif isinstance(event, h11.Data):
                    take(bytes(event.data))
                else:
                    raise ConnectionResetError(f"{event!r} came in place of a response.")
        except (ConnectionError, h11.RemoteProtocolError):
            self.is_open = False
            return Got.TRUNCATED if begun else Got.UNANSWERED
        self.body = b"".join(chunks)
        self.is_open = self._wire.their_state is h11.DONE and self._wire.our_state is h11.DONE
        return Got.COMPLETE

    def _next_event(self) -> object:
        while (event := self._wire.next_event()) is h11.NEED_DATA:
            self._wire.receive_data(self.socket.recv(1 << 18))
        return event


def abort(connection: socket.socket, *, reset: bool) -> None:
    """Leave, with a reset, or with an end and whatever the kernel makes of bytes left unread."""
    try:
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        else:
            connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side has gone before
    connection.close()


def get(port: int, path: str) -> bytes:
    """Return the body of one GET; it must come whole."""
    with Connection(port) as connection:
        got = connection.ask("GET", path)
        if got is not Got.COMPLETE:
            raise SystemExit(f"GET {path} was {got.value}.")
        return connection.body


class WebSocket:
    """A WebSocket for short messages: frames of less than 126 bytes, masked with zeros."""

    def __init__(self, port: int, path: str) -> None:
        """Connect and shake hands; ``ConnectionError`` when that is refused."""
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self._received = b""
        self.socket.sendall(_HANDSHAKE.format(path, port).encode())
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            self.socket.close()
            raise ConnectionRefusedError(head.decode("latin-1"))

    def send(self, text: str) -> None:
        """Send a message."""
        self._send(0x81, text.encode())

    def receive(self) -> str | int:
        """Return the next message, or the code of the close; 1006 when there is none."""
        while True:
            try:
                head = self._take(2)
                payload = self._take(head[1] & 0x7F)
            except ConnectionError:
                return 1006
            if head[0] == 0x81:
                return payload.decode()
            if head[0] == 0x88:
                return int.from_bytes(payload[:2], "big") if payload else 1005

    def begin_close(self) -> None:
        """Say, or answer, that this is the end."""
        self._send(0x88, (1000).to_bytes(2, "big"))

    def _send(self, kind: int, payload: bytes) -> None:
        self.socket.sendall(bytes((kind, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive()
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def _receive(self) -> None:
        more = self.socket.recv(4096)
        if not more:
            raise ConnectionResetError("The other side has closed.")
        self._received += more
