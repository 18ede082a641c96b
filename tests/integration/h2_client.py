"""A small HTTP/2 client on h2: one blocking socket, every wait bounded, many streams at once."""

import json
import socket
import ssl
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    PushedStreamReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

#: Seconds after which a read or write fails the test.
LIMIT = 10.0

Pairs = list[tuple[str, str]]


@dataclass
class Reply:
    """What came on one stream.

    Attributes:
        headers: Names in lower case, pseudo-fields included.
        informational: The header sections of 1xx responses before it.
        promised: Stream and request fields of each promised push.
        complete: Whether the server ended the stream.
        reset: Error code with which it was broken off.
    """

    headers: Pairs = field(default_factory=list)
    informational: list[Pairs] = field(default_factory=list)
    promised: list[tuple[int, Pairs]] = field(default_factory=list)
    trailers: Pairs = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    complete: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(dict(self.headers)[":status"])

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def ended(self) -> bool:
        return self.complete or self.reset is not None


class H2Client:
    """One connection; ``with`` closes it.

    Attributes:
        wire: The state of the connection, from h2.
        replies: What came, by stream.
        acknowledges: Whether what was read opens the windows again.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Connect; in clear text with prior knowledge (RFC 9113 section 3.3), unless *tls*."""
        self._port = port
        self._scheme = "http" if tls is None else "https"
        connected = socket.create_connection(("127.0.0.1", port), LIMIT)
        self._socket = (
            connected if tls is None else tls.wrap_socket(connected, server_hostname="127.0.0.1")
        )
        self.wire = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.replies: defaultdict[int, Reply] = defaultdict(Reply)
        self.acknowledges = True
        self.wire.initiate_connection()
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def start(
        self, method: str, path: str, headers: Pairs | None = None, *, end: bool = True
    ) -> int:
        """Send the header section of a request and return its stream."""
        stream: int = self.wire.get_next_available_stream_id()
        pseudo = [
            (":method", method),
            (":scheme", self._scheme),
            (":authority", f"127.0.0.1:{self._port}"),
            (":path", path),
        ]
        self.wire.send_headers(stream, [*pseudo, *(headers or [])], end_stream=end)
        self._flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Send a piece of a body, as the windows of the peer allow."""
        while data:
            self.read_until(lambda: self.wire.local_flow_control_window(stream) > 0)
            room = min(
                self.wire.local_flow_control_window(stream), self.wire.max_outbound_frame_size
            )
            self.wire.send_data(stream, data[:room])
            data = data[room:]
            self._flush()
        if end:
            self.wire.end_stream(stream)
            self._flush()

    def leave(self, stream: int) -> None:
        """Give one stream up (RST_STREAM); the connection stays."""
        self.wire.reset_stream(stream, ErrorCodes.CANCEL)
        self._flush()

    def finish(self, stream: int) -> Reply:
        """Return what came on *stream* when it has ended."""
        self.read_until(lambda: self.replies[stream].ended)
        return self.replies[stream]

    def request(
        self, method: str, path: str, headers: Pairs | None = None, body: bytes | None = None
    ) -> Reply:
        """Send a request and return its reply."""
        stream = self.start(method, path, headers, end=body is None)
        if body is not None:
            self.send(stream, body, end=True)
        return self.finish(stream)

    def read_until(self, arrived: Callable[[], bool]) -> None:
        """Read until *arrived* says that enough came."""
        while not arrived():
            data = self._socket.recv(65536)
            assert data, "the server closed the connection"
            for event in self.wire.receive_data(data):
                self._take(event)
            self._flush()

    def _take(self, event: Event) -> None:
        reply = self.replies[getattr(event, "stream_id", None) or 0]
        if isinstance(event, ResponseReceived):
            reply.headers = pairs_of(event)
        elif isinstance(event, InformationalResponseReceived):
            reply.informational.append(pairs_of(event))
        elif isinstance(event, TrailersReceived):
            reply.trailers = pairs_of(event)
        elif isinstance(event, PushedStreamReceived):
            promise = (event.pushed_stream_id or 0, pairs_of(event))
            self.replies[event.parent_stream_id or 0].promised.append(promise)
        elif isinstance(event, DataReceived):
            reply.chunks.append(event.data)
            if self.acknowledges:
                self.wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            reply.complete = True
        elif isinstance(event, StreamReset):
            reply.reset = int(event.error_code)

    def _flush(self) -> None:
        if data := self.wire.data_to_send():
            self._socket.sendall(data)


def pairs_of(event: Any) -> Pairs:
    """Return the fields of an event; their values are text, as the connection is told to decode."""
    return [(name, value) for name, value in event.headers]
