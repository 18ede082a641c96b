"""Floor 3: one WebSocket: its handshake's view, its messages and its end.

States. CONNECTING: the handshake waits for an answer; the first ``send`` or ``receive`` accepts it.
OPEN: messages flow. CLOSED: one side ended it; ``close_code`` says how. Nothing that a state does
not allow reaches the server.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Unpack

import anyio

from erlen.exceptions import WebSocketDisconnect, WebSocketMessageError, WebSocketStateError
from erlen.exchange.connection import Connection, RoutingFacts
from erlen.exchange.json_value import prepare_response_value
from erlen.exchange.response import HeadersValue, Response
from erlen.exchange.settings import Settings
from erlen.exchange.websocket_denial import Denial
from erlen.exchange.websocket_ending import State, check_close
from erlen.exchange.websocket_link import Link
from erlen.exchange.websocket_tasks import WebSocketTasks
from erlen.protocols import Exchange, Message, RawHeaders, Receive, Scope, Send
from erlen.signals import emit, websocket_received, websocket_sent
from erlen.wire.headers import Headers

__all__ = ["State", "WebSocket"]

#: PERF: a member of an enum is 0.1 µs to read from its class (CPython 3.11).
_OPEN = State.OPEN


class WebSocket(Link, Connection):
    """A WebSocket: ``async for message in websocket``, ``await websocket.send(message)``.

    Attributes:
        state: See :class:`State`.
        close_code: Close code once closed, ``None`` before.
        close_reason: The closing side's reason, ``""`` when it gave none.
        subprotocol: What was accepted, ``None`` when none was.
        going_away: Whether the application ends, and this socket with it.
        max_message_size: Bytes that a message may have; may be changed before it is received.
        max_message_rate: Messages that the peer may send in a second, ``None`` for no limit; may be
            changed likewise.
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
        Link.__init__(self, receive, send, settings)
        Connection.__init__(self, scope, settings, **routing)
        self._opening = anyio.Lock()
        self._replied = 0  # ``_receives`` at the last send
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
        self._watch()

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

    async def _ensure_open(self, *, to_receive: bool = False) -> None:
        """Accept, if that is left to do; what came before the end can be received after it."""
        if self.state is State.CONNECTING:
            async with self._opening:  # two tasks may both want to be the first
                if self.state is State.CONNECTING:
                    await self._accept([], None)
        if self.state is State.CLOSED and not (to_receive and self._has_messages()):
            raise self._told()

    # --- messages ---------------------------------------------------------------------------------

    async def receive(self) -> str | bytes:
        """Return the next message; text as ``str``, binary as ``bytes``, empty ones too.

        Raises:
            WebSocketDisconnect: The socket is closed; what arrived before was given first. When the
                application ends, it is closed with 1001 and what arrived is not given.
            WebSocketStateError: Another task is receiving.
        """
        self._receives += 1
        if self.state is not _OPEN:
            await self._ensure_open(to_receive=True)
        if self._receiving:
            raise WebSocketStateError(
                "Two tasks receive from one WebSocket, so neither would see every message. "
                "Receive in one task and hand the messages on."
            )
        if self.going_away:
            await self.leave()
            raise self._told()
        self._receiving = True
        try:
            if self._ahead is not None:
                data = await self._take(self._ahead)
            elif self.max_message_rate is not None:
                data = await self._pull()
            else:  # PERF: what _pull() does, without a coroutine for the message that has no fault
                receive = self._receive  # PERF: to call a slot as a method is 0.03 µs more (3.11)
                message = await receive()
                text: str | None = message.get("text")
                if text is not None and text.isascii() and len(text) <= self.max_message_size:
                    data = text
                else:
                    data = await self._read(message)
        finally:
            self._receiving = False
            if self._attended:
                self._watch()
        if websocket_received.receivers:
            await emit(websocket_received, data)
        return data

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
            WebSocketDisconnect: The socket is closed, or the peer takes nothing for
                ``SEND_TIMEOUT`` seconds, which closes it.
            TypeError: Neither ``str`` nor ``bytes``.
            ValueError: Text with half a surrogate pair, which UTF-8 cannot carry.
        """
        await self._send_from(self._current(None), data)

    async def _send_from(self, sender: object, data: str | bytes) -> None:
        """As :meth:`send`, for a caller that belongs to the exchange *sender*.

        PERF: the proxy knows the exchange already, and calls this; a message is 0.1 µs less.
        """
        if type(data) is str and data.isascii():
            message: Message = {"type": "websocket.send", "text": data}
        else:
            message = _message_of(data)
        if self.state is not _OPEN:
            await self._ensure_open()
        if self._replied != self._receives:
            self._replied = self._receives
        elif not self._receiving:
            self._watch()
        if sender is not self._owner and self._owner is not None:
            await self._deliver_in_time(message)
        else:  # PERF: what _deliver() does, without a coroutine of its own
            progress, send = self._progress, self._send
            progress.begun += 1
            if progress.is_unwatched:
                progress.watch()
            try:
                await send(message)
            except OSError:
                self._lose_peer()
            finally:
                progress.done += 1
            if progress.done >= progress.clock_at:
                await progress.look_at_clock()
        if websocket_sent.receivers:
            await emit(websocket_sent, data)

    async def send_json(self, *args: Any, **kwargs: Any) -> None:
        """Send JSON text: one value, several as a list, or keywords as an object.

        Raises:
            TypeError, ValueError: Both were given, or a value has no JSON form.
            WebSocketDisconnect: The socket is closed.
        """
        text = self.settings.json.dumps(prepare_response_value(args, kwargs))
        await self._send_from(self._current(None), text)

    def __aiter__(self) -> "WebSocket":
        return self

    async def __anext__(self) -> str | bytes:
        try:
            if (
                self.state is not _OPEN
                or self._receiving
                or self.going_away
                or self._ahead is not None
                or self.max_message_rate is not None
            ):
                return await self.receive()
            # PERF: what receive() does then, without a coroutine of its own: 0.1 µs, of 1 for a
            # message that is echoed.
            self._receives += 1
            self._receiving = True
            try:
                receive = self._receive
                message = await receive()
                data: str | bytes | None = message.get("text")
                if data is None or not data.isascii() or len(data) > self.max_message_size:
                    data = await self._read(message)
            finally:
                self._receiving = False
                if self._attended:
                    self._watch()
            if websocket_received.receivers:
                await emit(websocket_received, data)
        except WebSocketDisconnect:
            raise StopAsyncIteration from None
        return data

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
        if self.state is State.CLOSED and self._closed_here:
            raise WebSocketStateError(
                f"close() was called on a WebSocket that was closed with {self.close_code}. "
                "Close it once."
            )
        await self._close(code, reason, here=True)

    async def wait_closed(self) -> None:
        """Return when the socket is closed, by either side; any number of tasks may wait.

        Messages that come meanwhile can be received afterwards, as far as there is room. Where
        there is no more, the end of the peer is not seen before somebody receives.

        Raises:
            WebSocketDisconnect: The client left before the accept.
            WebSocketStateError: It is the picture of a socket that a background task sees.
        """
        if self._owner is None:
            raise WebSocketStateError(
                "wait_closed() was called on a WebSocket that no exchange serves, so nothing would "
                "end it. Hand over websocket._get_current_object() from the view."
            )
        if self.state is State.CONNECTING:
            await self._ensure_open()
        self._attended += 1
        try:
            while self.state is not State.CLOSED:
                self._watch()
                self._closed = self._closed or anyio.Event()
                await self._closed.wait()
        finally:
            self._attended -= 1
        self._heed()

    def tasks(self) -> WebSocketTasks:
        """Return a group of tasks that ends with the socket: ``async with websocket.tasks()``."""
        return WebSocketTasks(self)

    async def run(self, *functions: Callable[[], Awaitable[Any]]) -> None:
        """Run *functions* side by side, as :meth:`tasks` does."""
        async with self.tasks() as tasks:
            for function in functions:
                tasks.start_soon(function)

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
            await response.send(Denial(exchange, self._receive))
        else:
            await self._emit({"type": "websocket.close", "code": 1000, "reason": ""})
            await response.give_up(exchange)


def _message_of(data: object) -> Message:
    """Return the message of ASGI that carries *data*; errors as of :meth:`WebSocket.send`."""
    if isinstance(data, str):
        data.encode()
        return {"type": "websocket.send", "text": data}
    if isinstance(data, bytes | bytearray | memoryview):
        return {"type": "websocket.send", "bytes": bytes(data)}
    raise TypeError(
        f"send() was given {data!r} of type {type(data).__name__}. "
        "Give str or bytes, or call send_json()."
    )
