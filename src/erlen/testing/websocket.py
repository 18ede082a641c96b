"""Floor 8: a WebSocket of the test client, at the level of messages, without a wire library.

:class:`_Peer` is the server's side, which the application talks to; :class:`WebSocketSession` is
the client's side, which the test talks to. Between them lie two bounded queues, as a socket has
buffers.
"""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from erlen.exceptions import WebSocketDisconnect
from erlen.protocols import Message
from erlen.testing.binding import httpx
from erlen.testing.deadlines import deadline
from erlen.testing.response import Response
from erlen.testing.rules import broken_close
from erlen.testing.running import ClientGone, Company, Running
from erlen.testing.scopes import websocket_scope
from erlen.testing.transport import ASGITransport, failed_response, seconds_of

__all__ = ["WebSocketRejected", "WebSocketSession", "open_websocket"]

#: Messages that either side can send before the other one takes any.
BUFFERED_MESSAGES = 32


class WebSocketRejected(Exception):
    """The application refused the handshake; the client got an HTTP response.

    Attributes:
        response: That response: what the application sent, 403 without a body when it closed before
            it accepted, 500 when it failed.
    """

    def __init__(self, path: str, response: Response) -> None:
        """*path* is what was asked for."""
        super().__init__(
            f"The WebSocket {path} was refused with {response.status}. "
            "Look at .response for the headers and the body."
        )
        self.response = response


class _Peer:
    """The server's side of one WebSocket.

    Attributes:
        answered: Set when the handshake is answered, or the application is over.
        accepted: The ``websocket.accept`` message, ``None`` before it.
        ending: Code and reason with which the WebSocket ends; ``None`` as long as it is open.
    """

    def __init__(self) -> None:
        self._to_test: MemoryObjectSendStream[Message]
        self.from_app: MemoryObjectReceiveStream[Message]
        self._to_test, self.from_app = anyio.create_memory_object_stream(BUFFERED_MESSAGES)
        self.to_app: MemoryObjectSendStream[Message]
        self._from_test: MemoryObjectReceiveStream[Message]
        self.to_app, self._from_test = anyio.create_memory_object_stream(BUFFERED_MESSAGES)
        self._connected = False
        self._gone = False
        self._denial: Message | None = None
        self._denial_body = bytearray()
        self.answered = anyio.Event()
        self.accepted: Message | None = None
        self.ending: tuple[int, str] | None = None

    async def receive(self) -> Message:
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        try:
            return await self._from_test.receive()
        except anyio.EndOfStream:
            code, reason = self.ending or (1006, "")
            return {"type": "websocket.disconnect", "code": code, "reason": reason}

    async def send(self, message: Message) -> None:
        if self._gone:
            raise ClientGone
        match message["type"]:
            case "websocket.accept":
                self.accepted = message
                self.answered.set()
            case "websocket.send":
                await self._pass_on(message)
            case "websocket.close":
                await self._close(message)
            case "websocket.http.response.start":
                self._denial = message
            case _:  # websocket.http.response.body: the conduct checker has refused any other
                self._denial_body += message.get("body", b"")
                if not message.get("more_body", False):
                    self._end(1006, "")

    async def _close(self, message: Message) -> None:
        if self.accepted is None:
            self._end(1006, "")
            return
        self._end(message.get("code", 1000), message.get("reason") or "")
        await self._pass_on(message)

    async def _pass_on(self, message: Message) -> None:
        try:
            await self._to_test.send(message)
        except anyio.BrokenResourceError:
            raise ClientGone from None

    def _end(self, code: int, reason: str) -> None:
        """Note how the WebSocket ends; the application's ``receive`` will tell it."""
        self.ending = self.ending or (code, reason)
        self.to_app.close()
        self.answered.set()

    def hang_up(self, code: int, reason: str) -> None:
        """The test closes, or loses the connection."""
        self._end(code, reason)
        self._gone = True
        self.from_app.close()

    def at_end(self) -> None:
        """The application is over; a WebSocket that it has not closed is cut."""
        self._end(1006, "")
        self._to_test.close()
        self._from_test.close()

    def response(self, *, failed: bool) -> Response:
        """Return the HTTP response that the handshake got."""
        if self.accepted is None and self._denial is None and failed:
            return failed_response()
        # SPEC: ASGI, "Close - send event": closing before accepting is answered with a 403.
        answer = self.accepted or self._denial or {"status": 403}
        return Response(
            answer.get("status", 101),
            headers=list(answer.get("headers", ())),
            stream=httpx.ByteStream(bytes(self._denial_body)),
        )


class WebSocketSession:
    """An open WebSocket; ``client.websocket`` gives it.

    Attributes:
        subprotocol: What the application chose, ``None`` when nothing.
        accept_headers: Headers of the answer to the handshake.
        close_code: How the WebSocket ended, ``None`` as long as the test has not seen its end.
        close_reason: The reason that came with it.
    """

    def __init__(self, peer: _Peer, path: str, seconds: float | None) -> None:
        """Made by :func:`open_websocket` when the handshake is accepted."""
        accepted = peer.accepted or {}
        self._peer = peer
        self._path = path
        self._seconds = seconds
        self._sent = 0
        self._received = 0
        self.subprotocol: str | None = accepted.get("subprotocol")
        self.accept_headers = httpx.Headers(list(accepted.get("headers", ())))
        self.close_code: int | None = None
        self.close_reason: str | None = None

    @property
    def closed(self) -> bool:
        """Whether the test has closed it, or has seen the application close it."""
        return self.close_code is not None

    async def send(self, data: str | bytes) -> None:
        """Send one text or binary message.

        Raises:
            WebSocketDisconnect: The WebSocket is closed.
            DeadlineExceeded: The application has not taken earlier messages.
        """
        event: Message = {"type": "websocket.receive"}
        event["text" if isinstance(data, str) else "bytes"] = data
        try:
            with deadline(self._seconds, lambda: self._awaiting("room for the next message to")):
                await self._peer.to_app.send(event)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise self._end() from None
        self._sent += 1

    async def send_json(self, value: Any) -> None:
        """Send *value* as a text message of JSON."""
        await self.send(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    async def receive(self) -> str | bytes:
        """Return the next message, text as ``str`` and binary as ``bytes``.

        Raises:
            WebSocketDisconnect: The WebSocket is closed, and every message before has been read.
            DeadlineExceeded: No message came.
        """
        try:
            with deadline(self._seconds, lambda: self._awaiting("the next message of")):
                message = await self._peer.from_app.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise self._end() from None
        if message["type"] == "websocket.close":
            raise self._end()
        self._received += 1
        text: str | None = message.get("text")
        data: bytes = message.get("bytes") or b""
        return data if text is None else text

    async def receive_json(self) -> Any:
        """Return the value of the next message, which must be JSON (else ``ValueError``)."""
        return json.loads(await self.receive())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket; the application's next ``receive`` after all messages tells it.

        Raises:
            ValueError: *code* or *reason* cannot be sent (RFC 6455 section 7.4).
        """
        broken = broken_close(code, reason)
        if broken is not None:
            raise ValueError(f"The WebSocket cannot be closed so: {broken}. Choose another.")
        await self.disconnect(code, reason)

    async def disconnect(self, code: int = 1006, reason: str = "") -> None:
        """End without a close frame, as a lost connection does; *code* is what the server notes."""
        self._peer.hang_up(code, reason)
        self._end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except WebSocketDisconnect:
            raise StopAsyncIteration from None

    def _end(self) -> WebSocketDisconnect:
        """Note the end, and return what tells it."""
        code, reason = self._peer.ending or (1006, "")
        self.close_code, self.close_reason = code, reason
        return WebSocketDisconnect(code, reason)

    def _awaiting(self, what: str) -> str:
        return (
            f"{what} the WebSocket {self._path}; so far the test sent {self._sent} "
            f"and received {self._received} messages"
        )


@asynccontextmanager
async def open_websocket(
    transport: ASGITransport,
    request: httpx.Request,
    *,
    subprotocols: Sequence[str] = (),
    denial_response: bool = True,
    answered: Callable[[httpx.Response], None],
) -> AsyncGenerator[WebSocketSession, None]:
    """Open a WebSocket for the length of the block, the application in a child task beside it.

    Args:
        transport: Makes the scope, and says whether exceptions leave the block.
        request: The handshake.
        subprotocols: Offered to the application, most wanted first.
        denial_response: Whether the application may answer with an HTTP response of its own.
        answered: Called with the response to the handshake, 101 when it is accepted.

    Raises:
        WebSocketRejected: The handshake was refused.
    """
    scope = websocket_scope(transport.scope(request), subprotocols, denial_response=denial_response)
    path = request.url.raw_path.decode("ascii")
    peer = _Peer()

    def hang_up() -> bool:
        peer.hang_up(1000, "")
        return True

    running = Running(
        partial(transport.checked, scope, peer.receive, peer.send),
        at_end=peer.at_end,
        hang_up=hang_up,
        describe=lambda: f"the WebSocket {path}",
        seconds=seconds_of(request),
    )
    async with Company(transport.raises) as company:
        company.start(running)
        with deadline(running.seconds, lambda: f"the handshake of the WebSocket {path}"):
            await peer.answered.wait()
        if peer.accepted is None:
            await running.leave()
            company.report(running)
        response = peer.response(failed=running.error is not None)
        response.request = request
        answered(response)
        await response.aread()
        if peer.accepted is None:
            raise WebSocketRejected(path, response)
        session = WebSocketSession(peer, path, running.seconds)
        try:
            yield session
        finally:
            if not session.closed:
                await session.disconnect(1000)
