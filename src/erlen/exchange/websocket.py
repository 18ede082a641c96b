"""Floor 3: one WebSocket: its handshake's view, its messages and its end.

States. CONNECTING: the handshake waits for an answer; the first ``send`` or ``receive`` accepts it.
OPEN: messages flow. CLOSED: one side ended it; ``close_code`` says how. Nothing that a state does
not allow reaches the server.
"""

import enum
import math
from collections.abc import Awaitable, Callable
from typing import Any, Unpack

import anyio

from erlen.exceptions import (
    WebSocketDisconnect,
    WebSocketMessageError,
    WebSocketStateError,
)
from erlen.exchange.connection import Connection, RoutingFacts
from erlen.exchange.json_value import prepare_response_value
from erlen.exchange.response import HeadersValue, Response
from erlen.exchange.settings import Settings
from erlen.protocols import Exchange, Message, RawHeaders, Receive, Scope, Send
from erlen.signals import emit, websocket_received, websocket_sent
from erlen.wire.headers import Headers

#: Seconds that a view has, when the application ends, to call ``receive()`` or to return.
PATIENCE = 0.5


class State(enum.Enum):
    """Where a WebSocket stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSED = "closed"


class WebSocket(Connection):
    """A WebSocket: ``async for message in websocket``, ``await websocket.send(message)``.

    Attributes:
        state: See :class:`State`.
        close_code: Close code once closed, ``None`` before.
        close_reason: The closing side's reason, ``""`` when it gave none.
        subprotocol: What was accepted, ``None`` when none was.
        going_away: Whether the application ends, and this socket with it.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        settings: Settings,
        **routing: Unpack[RoutingFacts],
    ) -> None:
        """As :class:`~erlen.exchange.connection.Connection`, with the server's callables."""
        super().__init__(scope, settings, **routing)
        self._receive = receive
        self._send = send
        self._opening = anyio.Lock()
        self._receiving = False
        self._closed_here = False
        self._running: anyio.CancelScope | None = None
        self.going_away = False
        self.state = State.CONNECTING
        self.close_code: int | None = None
        self.close_reason = ""
        self.subprotocol: str | None = None
        #: Gives further fields of the accept: the session's cookie, when there is a session.
        self.add_accept_headers: Callable[[], Awaitable[RawHeaders]] | None = None

    @property
    def requested_subprotocols(self) -> list[str]:
        """What the client offers, in its order of preference."""
        return list(self.scope.get("subprotocols") or ())

    # --- opening ----------------------------------------------------------------------------------

    async def accept(
        self, headers: HeadersValue | None = None, subprotocol: str | None = None
    ) -> None:
        """Answer the handshake with 101.

        Args:
            headers: Fields of the answer, beyond the protocol's own.
            subprotocol: One of :attr:`requested_subprotocols`.

        Raises:
            WebSocketStateError: It was accepted (perhaps by an earlier ``send``) or is closed.
            ValueError: The client did not offer *subprotocol*, or a header cannot be sent.
            WebSocketDisconnect: The client left before the answer.
        """
        if subprotocol is not None and subprotocol not in self.requested_subprotocols:
            raise ValueError(
                f"The client offers the subprotocols {self.requested_subprotocols!r}, "
                f"not {subprotocol!r}. Accept one of those, or none."
            )
        pairs = Headers(headers).raw()
        async with self._opening:
            if self.state is not State.CONNECTING:
                raise WebSocketStateError(
                    f"accept() was called on a WebSocket that is {self.state.value}. Call it once, "
                    "before the first send() or receive(), which accept by themselves."
                )
            await self._accept(pairs, subprotocol)

    async def _accept(self, headers: RawHeaders, subprotocol: str | None) -> None:
        if self.add_accept_headers is not None:
            headers = [*headers, *await self.add_accept_headers()]
            self.add_accept_headers = None
        await self._take_connect()
        self.state = State.OPEN
        self.subprotocol = subprotocol
        await self._emit(
            {"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers}
        )

    async def _take_connect(self) -> None:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise self._closed_by_peer(message)

    async def _ensure_open(self) -> None:
        if self.state is State.CONNECTING:
            async with self._opening:  # two tasks may both want to be the first
                if self.state is State.CONNECTING:
                    await self._accept([], None)
        if self.state is State.CLOSED:
            raise self._disconnected()

    # --- messages ---------------------------------------------------------------------------------

    async def receive(self) -> str | bytes:
        """Return the next message; text as ``str``, binary as ``bytes``, empty ones too.

        Raises:
            WebSocketDisconnect: The socket is closed; what arrived before was given first. When the
                application ends, it is closed with 1001 and what arrived is not given.
            WebSocketStateError: Another task is receiving.
        """
        await self._ensure_open()
        if self._receiving:
            raise WebSocketStateError(
                "Two tasks receive from one WebSocket, so neither would see every message. "
                "Receive in one task and hand the messages on."
            )
        if self.going_away:
            await self.leave()
            raise self._disconnected()
        self._receiving = True
        try:
            message = await self._receive()
        finally:
            self._receiving = False
        if message["type"] == "websocket.disconnect":
            raise self._closed_by_peer(message)
        return await self._checked(message)

    async def _checked(self, message: Message) -> str | bytes:
        # COMPAT: Hypercorn sends both keys, the unused one as None.
        binary = message.get("bytes")
        data: str | bytes = (message.get("text") or "") if binary is None else bytes(binary)
        try:
            size = len(data.encode()) if isinstance(data, str) else len(data)
        except UnicodeEncodeError:
            return await self._refuse_message(1007, "The text is not valid UTF-8.")
        if size > self.settings.max_message_size:
            return await self._refuse_message(1009, "The message is too large.")
        if websocket_received.receivers:
            await emit(websocket_received, data)
        return data

    async def _refuse_message(self, code: int, reason: str) -> str:
        await self.close(code, reason)
        raise WebSocketDisconnect(code, reason)

    async def receive_text(self) -> str:
        """Return the next message, which must be text; errors as :meth:`receive_json`."""
        data = await self.receive()
        if isinstance(data, bytes):
            raise WebSocketMessageError("A text message was expected and a binary one came.", 1003)
        return data

    async def receive_bytes(self) -> bytes:
        """Return the next message, which must be binary; errors as :meth:`receive_json`."""
        data = await self.receive()
        if isinstance(data, str):
            raise WebSocketMessageError("A binary message was expected and a text one came.", 1003)
        return data

    async def receive_json(self) -> Any:
        """Return the value of the next message's JSON text.

        Raises:
            WebSocketMessageError: The message is binary (1003) or not JSON (1007). Uncaught, it
                closes the socket with that code.
            WebSocketDisconnect: The socket is closed.
        """
        text = await self.receive_text()
        try:
            return self.settings.json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WebSocketMessageError("The message is not valid JSON.", 1007) from error

    async def send(self, data: str | bytes) -> None:
        """Send one message: ``str`` as text, ``bytes`` as binary.

        Raises:
            WebSocketDisconnect: The socket is closed.
            TypeError: Neither ``str`` nor ``bytes``.
            ValueError: Text with half a surrogate pair, which UTF-8 cannot carry.
        """
        if isinstance(data, str):
            if not data.isascii():
                data.encode()
            message: Message = {"type": "websocket.send", "text": data}
        elif isinstance(data, bytes | bytearray | memoryview):
            message = {"type": "websocket.send", "bytes": bytes(data)}
        else:
            raise TypeError(
                f"send() was given {data!r} of type {type(data).__name__}. "
                "Give str or bytes, or call send_json()."
            )
        await self._ensure_open()
        await self._emit(message)
        if websocket_sent.receivers:
            await emit(websocket_sent, data)

    async def send_json(self, *args: Any, **kwargs: Any) -> None:
        """Send JSON text: one value, several as a list, or keywords as an object.

        Raises:
            TypeError, ValueError: Both were given, or a value has no JSON form.
            WebSocketDisconnect: The socket is closed.
        """
        await self.send(self.settings.json.dumps(prepare_response_value(args, kwargs)))

    def __aiter__(self) -> "WebSocket":
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except WebSocketDisconnect:
            raise StopAsyncIteration from None

    # --- the end ----------------------------------------------------------------------------------

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket; before the accept, refuse the handshake with 403.

        Does nothing when the peer has left already.

        Args:
            code: 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455 section 7.4).
            reason: At most 123 bytes of UTF-8 without control characters.

        Raises:
            ValueError: A code or reason that the protocol does not allow; nothing is sent.
            WebSocketStateError: It was closed by an earlier call.
        """
        check_close(code, reason)
        async with self._opening:
            if self.state is State.CONNECTING:
                await self._take_connect()
        if self.state is State.CLOSED:
            if self._closed_here:
                raise WebSocketStateError(
                    f"close() was called on a WebSocket that was closed with {self.close_code}. "
                    "Close it once."
                )
            return
        self._end(code, reason, here=True)
        await self._emit({"type": "websocket.close", "code": code, "reason": reason})

    async def go_away(self, running: anyio.CancelScope) -> None:
        """End the socket with the application; called beside its view, more than once perhaps.

        A task that waits in :meth:`receive` gets :class:`WebSocketDisconnect` with 1001, as soon as
        the peer has answered the close. A task that does not may go on to send, and gets it at its
        next :meth:`receive`.

        Args:
            running: Cancelled when the socket is not closed :data:`PATIENCE` seconds later.
        """
        if self.going_away or self.state is State.CLOSED:
            return
        self.going_away = True
        # PERF: a scope around each receive() would end it without the peer's answer, but costs
        # 3.4 us on asyncio and 6.9 us on trio for every message, of 2.4 us for one that is echoed.
        if self._receiving:
            await self.leave()
        else:
            self._running = running
            running.deadline = anyio.current_time() + PATIENCE

    async def leave(self) -> None:
        """Close with 1001, as if the peer had; does nothing when it is closed."""
        if self.state is State.OPEN:
            self._end(1001, "", here=False)
            await self._emit({"type": "websocket.close", "code": 1001, "reason": ""})

    async def reject(self, code: int = 1008, reason: str = "") -> None:
        """Refuse so that a browser's script sees *code*: accept, then close.

        The answer to a handshake (``abort(401)``) never reaches the script of a page, which is told
        1006 whatever was refused. Arguments and errors as of :meth:`accept` and :meth:`close`.
        """
        check_close(code, reason)
        await self.accept()
        await self.close(code, reason)

    async def deny(self, response: Response, exchange: Exchange) -> None:
        """Refuse the handshake with an HTTP response, or with 403 when the server cannot send one.

        Args:
            response: Sent and closed, or only closed.
            exchange: The running exchange, which has the thread in which a ``def`` runs.

        Source: ASGI WebSocket Denial Response extension.
        """
        await self._take_connect()
        self._end(1006, "", here=True)
        if "websocket.http.response" in (self.scope.get("extensions") or {}):
            await response.send(_Denial(exchange, self._receive))
        else:
            await self._emit({"type": "websocket.close", "code": 1000, "reason": ""})
            await response.give_up(exchange)

    def _end(self, code: int, reason: str, *, here: bool) -> None:
        self.state = State.CLOSED
        self.close_code = code
        self.close_reason = reason
        self._closed_here = here
        if self._running is not None:
            self._running.deadline = math.inf

    def _closed_by_peer(self, message: Message) -> WebSocketDisconnect:
        if self.state is not State.CLOSED:  # else the server only confirms our own close
            self._end(message.get("code") or 1005, message.get("reason") or "", here=False)
        return self._disconnected()

    def _disconnected(self) -> WebSocketDisconnect:
        assert self.close_code is not None
        return WebSocketDisconnect(self.close_code, self.close_reason)

    async def _emit(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:
            # SPEC: ASGI 2.4: send() raises OSError once the peer is gone.
            if self.state is not State.CLOSED:
                self._end(1006, "", here=False)
                raise self._disconnected() from None


class _Denial:
    """The exchange that a denial response sees: HTTP messages under the WebSocket's names."""

    def __init__(self, exchange: Exchange, receive: Receive) -> None:
        self.scope: Scope = {**exchange.scope, "method": "GET"}
        self.run_sync = exchange.run_sync
        self.send_timeout = exchange.send_timeout
        self.started = False
        self._exchange = exchange
        self._receive = receive

    async def send(self, message: Message) -> None:
        """Send the message under its other name."""
        await self._exchange.send({**message, "type": f"websocket.{message['type']}"})

    async def wait_disconnected(self) -> None:
        """Return when the client has left."""
        while (await self._receive())["type"] != "websocket.disconnect":
            pass


def check_close(code: int, reason: str) -> None:
    """Raise ``ValueError`` for a close code or reason that RFC 6455 does not let anyone send."""
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise ValueError(
            f"{code} is not a close code that may be sent. "
            "Use 1000 to 1003, 1007 to 1014, or 3000 to 4999 for your own."
        )
    if len(reason.encode()) > 123 or not (reason.isprintable() or not reason):
        raise ValueError(
            f"The close reason {reason[:40]!r} is longer than 123 bytes or has control characters. "
            "Shorten it; it is for programs, not for people."
        )
