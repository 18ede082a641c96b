"""Floor 8: ``websocket`` for ``def`` views: what is awaited elsewhere is waited for here."""

from collections.abc import Iterator
from typing import Any, cast

from erlen import proxies
from erlen.exchange.connection import Connection
from erlen.exchange.response import HeadersValue
from erlen.exchange.websocket import State
from erlen.proxies import Proxy
from erlen.sync.bridge import Each, wait_for


class _Waiting:
    """The names of :class:`WebSocket` that are awaited, blocking; they raise what those raise."""

    __slots__ = ()

    def accept(self, headers: HeadersValue | None = None, subprotocol: str | None = None) -> None:
        """Answer the handshake with 101; the first ``send`` or ``receive`` does so by itself.

        Args:
            headers: Fields of the answer, beyond the protocol's own.
            subprotocol: One of ``requested_subprotocols``.

        Raises:
            WebSocketStateError: It was accepted or is closed.
            ValueError: The client did not offer *subprotocol*, or a header cannot be sent.
            WebSocketDisconnect: The client left before the answer.
        """
        wait_for("websocket.accept()", _websocket.accept, headers, subprotocol)

    def receive(self) -> str | bytes:
        """Return the next message; text as ``str``, binary as ``bytes``.

        Raises:
            WebSocketDisconnect: The socket is closed; what arrived before was given first.
            WebSocketStateError: Another task is receiving.
        """
        return wait_for("websocket.receive()", _websocket.receive)

    def receive_text(self) -> str:
        """Return the next message, which must be text."""
        return wait_for("websocket.receive_text()", _websocket.receive_text)

    def receive_bytes(self) -> bytes:
        """Return the next message, which must be binary."""
        return wait_for("websocket.receive_bytes()", _websocket.receive_bytes)

    def receive_json(self) -> Any:
        """Return the value of the next message's JSON text.

        Raises:
            WebSocketMessageError: The message is binary (1003) or not JSON (1007). Uncaught, it
                closes the socket with that code.
            WebSocketDisconnect: The socket is closed.
        """
        return wait_for("websocket.receive_json()", _websocket.receive_json)

    def send(self, data: str | bytes) -> None:
        """Send one message: ``str`` as text, ``bytes`` as binary.

        Raises:
            WebSocketDisconnect: The socket is closed, or the peer takes nothing for
                ``SEND_TIMEOUT`` seconds, which closes it.
            TypeError: Neither ``str`` nor ``bytes``.
            ValueError: Text with half a surrogate pair, which UTF-8 cannot carry.
        """
        wait_for("websocket.send()", _websocket.send, data)

    def send_json(self, *args: Any, **kwargs: Any) -> None:
        """Send JSON text: one value, several as a list, or keywords as an object.

        Raises:
            TypeError, ValueError: Both were given, or a value has no JSON form.
            WebSocketDisconnect: The socket is closed.
        """
        wait_for("websocket.send_json()", _websocket.send_json, *args, **kwargs)

    def __iter__(self) -> Iterator[str | bytes]:
        """Give each message until the socket is closed."""
        return Each("websocket", _websocket)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket; before the accept, refuse the handshake with 403.

        Args:
            code: 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455 section 7.4).
            reason: At most 123 bytes of UTF-8 without control characters.

        Raises:
            ValueError: A code or reason that the protocol does not allow; nothing is sent.
            WebSocketStateError: It was closed by an earlier call.
        """
        wait_for("websocket.close()", _websocket.close, code, reason)

    def wait_closed(self) -> None:
        """Return when the socket is closed, by either side.

        Raises:
            WebSocketDisconnect: The client left before the accept.
        """
        wait_for("websocket.wait_closed()", _websocket.wait_closed)

    def reject(self, code: int = 1008, reason: str = "") -> None:
        """Refuse so that a browser's script sees *code*: accept, then close."""
        wait_for("websocket.reject()", _websocket.reject, code, reason)


class BlockingWebSocket(_Waiting, Connection):
    """What the type of :data:`websocket` has: the synchronous names of ``WebSocket``, and these.

    Attributes:
        state: Where it stands.
        close_code: Close code once closed, ``None`` before.
        close_reason: The closing side's reason, ``""`` when it gave none.
        subprotocol: What was accepted, ``None`` when none was.
        going_away: Whether the application ends, and this socket with it.
        max_message_size: Bytes that a message may have; may be changed before it is received.
        max_message_rate: Messages that the peer may send in a second, ``None`` for no limit; may be
            changed likewise.
        requested_subprotocols: What the client offers, in its order of preference.
    """

    state: State
    close_code: int | None
    close_reason: str
    subprotocol: str | None
    going_away: bool
    max_message_size: int
    max_message_rate: float | None
    requested_subprotocols: list[str]


class _WebSocketProxy(_Waiting, Proxy):
    """The WebSocket of the running exchange: the names above block, all others are its own."""

    __slots__ = ()


_websocket = proxies.websocket

websocket = cast(BlockingWebSocket, _WebSocketProxy("websocket"))
