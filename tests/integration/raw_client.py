"""A small HTTP/1.1 client on h11: one blocking socket, every wait bounded, nothing hidden."""

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import h11

#: Seconds after which a read or write fails the test.
LIMIT = 10.0

Pairs = list[tuple[str, str]]

#: What a WebSocket handshake has beside its Host (RFC 6455 section 4.1).
UPGRADE: Pairs = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
]


@dataclass
class Reply:
    """One response.

    Attributes:
        informational: Status codes of the 1xx responses before it.
        headers: Names in lower case.
        chunks: Pieces of the body, as they arrived.
        complete: Whether the body ended as its framing says.
    """

    status: int
    headers: Pairs
    informational: list[int] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def get(self, name: str) -> str | None:
        """Return the only value of a header, ``None`` when it is not there."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None


class RawClient:
    """One connection, for one request after the other; ``with`` closes it.

    Attributes:
        socket: The socket, for what h11 refuses to send.
    """

    def __init__(self, port: int, *, send_buffer: int | None = None) -> None:
        """Connect; *send_buffer* bounds the bytes that wait in this side's kernel."""
        self.socket = socket.socket()
        if send_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.socket.settimeout(LIMIT)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.wire = h11.Connection(h11.CLIENT)
        self.host = f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    # --- sending ----------------------------------------------------------------------------------

    def start(self, method: str, target: str, headers: Pairs | None = None) -> None:
        """Send the head of a request."""
        fields = [("Host", self.host), *(headers or [])]
        self.send(h11.Request(method=method, target=target, headers=fields))

    def send(self, *events: h11.Event) -> None:
        """Send events of h11."""
        for event in events:
            self.socket.sendall(self.wire.send(event) or b"")

    def end(self) -> None:
        """Send the end of the request."""
        self.send(h11.EndOfMessage())

    # --- receiving --------------------------------------------------------------------------------

    def receive(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return the next event."""
        while (event := self.wire.next_event()) is h11.NEED_DATA:
            self.wire.receive_data(self.socket.recv(65536))
        return event

    def read_head(self) -> Reply:
        """Read the head of a response, and the informational ones before it."""
        informational = []
        while isinstance(event := self.receive(), h11.InformationalResponse):
            informational.append(event.status_code)
            assert event.status_code != 101, "The server has changed the protocol."
        assert isinstance(event, h11.Response), event
        headers = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
        return Reply(event.status_code, headers, informational)

    def iter_chunks(self) -> Iterator[bytes]:
        """Give the pieces of the body as they arrive; ``RemoteProtocolError`` when it is cut off."""
        while isinstance(event := self.receive(), h11.Data):
            yield bytes(event.data)
        assert isinstance(event, h11.EndOfMessage), event

    def read(self) -> Reply:
        """Read a whole response; one that is cut off is not ``complete``."""
        reply = self.read_head()
        try:
            reply.chunks.extend(self.iter_chunks())
        except (h11.RemoteProtocolError, ConnectionError):
            return reply
        reply.complete = True
        return reply

    # --- both -------------------------------------------------------------------------------------

    def request(
        self, method: str, target: str, headers: Pairs | None = None, body: bytes | None = None
    ) -> Reply:
        """Send a request and read the response; the connection is then ready for the next."""
        if self.wire.our_state is h11.DONE:
            self.wire.start_next_cycle()
        length = [] if body is None else [("Content-Length", str(len(body)))]
        self.start(method, target, [*length, *(headers or [])])
        if body:
            self.send(h11.Data(data=body))
        self.end()
        return self.read()

    def exchange(self, data: bytes) -> list[Reply]:
        """Send bytes as they are, and read responses until the server closes or resets."""
        received = b""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)
            while more := self.socket.recv(65536):
                received += more
        return parse(received)


def parse(received: bytes) -> list[Reply]:
    """Return all the responses to GET in the bytes of a closed connection."""
    replies = []
    while received:
        wire = h11.Connection(h11.CLIENT)
        wire.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        wire.send(h11.EndOfMessage())
        wire.receive_data(received)
        wire.receive_data(b"")
        head = wire.next_event()
        assert isinstance(head, h11.Response), head
        reply = Reply(
            head.status_code, [(n.decode(), v.decode("latin-1")) for n, v in head.headers]
        )
        while isinstance(event := wire.next_event(), h11.Data):
            reply.chunks.append(bytes(event.data))
        reply.complete = isinstance(event, h11.EndOfMessage)
        replies.append(reply)
        received = wire.trailing_data[0]
    return replies
