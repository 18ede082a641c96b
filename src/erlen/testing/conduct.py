"""Floor 8: watch an ASGI application and fail the test in which it breaks the specification.

Three state machines, one for each kind of scope, see every message that the application sends and
every event that it takes. Sources: ASGI specification 3.0, HTTP & WebSocket message format 2.5,
lifespan protocol 2.0. Three things that the specification leaves open are allowed: to return from
an accepted WebSocket without a close (the server cuts the connection), to send after a disconnect
(``send`` raises ``OSError`` since 2.4), and to report a failed shutdown that nobody has asked for
(what was started has failed while it ran).
"""

from collections.abc import Iterator, MutableMapping
from typing import Any, NoReturn

import anyio

from erlen.protocols import ASGIApp, Message, Receive, Scope, Send
from erlen.testing.rules import (
    broken_body,
    broken_close,
    broken_headers,
    broken_hint,
    broken_push,
    broken_start,
    declared_length,
    forbids_body,
)

__all__ = ["ConductChecker", "ConductError"]


class ConductError(AssertionError):
    """The application broke the ASGI specification.

    Attributes:
        rule: The rule, as a sentence.
        message_type: Type of the message that broke it; ``"return"`` when the application returned.
        state: What the application had done so far.
    """

    def __init__(self, rule: str, message_type: str, state: str) -> None:
        """The three facts."""
        super().__init__(
            f"The application broke the ASGI specification with {message_type!r} "
            f"in the state {state!r}: {rule}. Correct the code that sends this message."
        )
        self.rule = rule
        self.message_type = message_type
        self.state = state


class ConductChecker:
    """An ASGI application that watches another one.

    Example::

        checked = ConductChecker(app)
        await checked(scope, receive, send)

    A violation raises :class:`ConductError` where the message is sent, and once more when the
    application ends, so that nothing in between can swallow it.
    """

    def __init__(self, app: ASGIApp) -> None:
        """*app* is called once for each scope, as a server would."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application under watch; other scope types than the three are passed through."""
        machine = _MACHINES.get(scope["type"])
        if machine is None:
            await self.app(scope, receive, send)
            return
        call = machine(scope)

        async def checked_receive() -> Message:
            call.on_receive()
            event = await receive()
            call.on_event(event)
            return event

        async def checked_send(message: Message) -> None:
            message = call.on_message(message)
            try:
                await send(message)
            except OSError:
                call.disconnected = True
                raise

        try:
            await self.app(scope, checked_receive, checked_send)
        except (Exception, anyio.get_cancelled_exc_class()) as error:
            if call.violation is not None and error is not call.violation:
                raise call.violation from error
            raise
        call.on_return()


class _Call:
    """What the three machines share: the state's name, the violation, the scope's extensions."""

    state = "nothing sent"

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.violation: ConductError | None = None
        self.disconnected = False
        self.kind = "return"

    def breach(self, rule: str) -> NoReturn:
        error = ConductError(rule, self.kind, self.state)
        self.violation = self.violation or error
        raise error

    def require(self, holds: bool, rule: str) -> None:
        if not holds:
            self.breach(rule)

    def refuse(self, broken: str | None) -> None:
        if broken is not None:
            self.breach(broken)

    def on_message(self, message: Any) -> Message:
        if not isinstance(message, MutableMapping):
            self.breach(f"a message must be a dict, not {type(message).__name__}")
        self.kind = str(message.get("type"))
        checked: Message = message
        if isinstance(message.get("headers"), Iterator):
            checked = {**message, "headers": list(message["headers"])}  # checking reads them too
        self.on_send(checked)
        return checked

    def on_return(self) -> None:
        self.kind = "return"
        if self.violation is not None:
            raise self.violation
        if not self.disconnected:
            self.at_end()

    def on_receive(self) -> None:
        """Called before the application waits for an event."""

    def on_event(self, event: Message) -> None:
        """Called with every event that the application gets."""

    def on_send(self, message: Message) -> None:
        """Called with every message that the application sends; breaks, or moves the state."""
        raise NotImplementedError

    def at_end(self) -> None:
        """Called when the application returned although nobody had left."""
        raise NotImplementedError

    def require_extension(self, name: str) -> None:
        self.require(
            name in (self.scope.get("extensions") or {}),
            f"the server does not advertise the extension {name!r}",
        )


class _Answer:
    """Counts the body of one response, HTTP or WebSocket denial, against its start."""

    def __init__(self, call: _Call, method: str, message: Message) -> None:
        call.refuse(broken_start(message))
        self._call = call
        self._bodiless = forbids_body(method, message["status"])
        self._title = f"a response to {method} with status {message['status']}"
        self._length = None if self._bodiless else declared_length(message.get("headers", ()))
        self._sent = 0

    def add(self, message: Message) -> bool:
        """Check one body message; return whether it is the last."""
        call = self._call
        call.refuse(broken_body(message))
        body = message.get("body", b"")
        call.require(not (body and self._bodiless), f"{self._title} must not have a body")
        self._sent += len(body)
        last = not message.get("more_body", False)
        if self._length is not None and (
            self._sent > self._length or (last and self._sent < self._length)
        ):
            call.breach(f"content-length is {self._length}, but {self._sent} bytes were sent")
        return last


class _HTTPCall(_Call):
    """``nothing sent`` → ``response started`` → ``response complete``.

    Where the start announces trailers, ``trailers awaited`` comes before the end.
    """

    answer: _Answer | None = None
    trailers = False

    def on_event(self, event: Message) -> None:
        self.disconnected = self.disconnected or event["type"] == "http.disconnect"

    def on_send(self, message: Message) -> None:
        self.require(self.state != "response complete", "nothing may follow the end of the body")
        if self.kind == "http.response.start":
            self.require(self.answer is None, "a response starts exactly once")
            self.answer = _Answer(self, self.scope["method"], message)
            self.trailers = message.get("trailers", False)
            if self.trailers:
                self.require_extension("http.response.trailers")
            self.state = "response started"
        elif self.kind == "http.response.body":
            if self.answer is None:
                self.breach("the response must start before its body")
            self.require(self.state != "trailers awaited", "trailers follow the end of the body")
            if self.answer.add(message):
                self._end_body()
        elif self.kind.startswith("http.response."):
            self.require_extension(self.kind)
            self._on_extension(message)
        else:
            self.breach("no message of this type may be sent in an HTTP scope")

    def _on_extension(self, message: Message) -> None:
        if self.kind == "http.response.pathsend":
            self.require(self.answer is not None, "the response must start before its body")
            self._end_body()
        elif self.kind == "http.response.trailers":
            self.require(
                self.state == "trailers awaited",
                "trailers follow the body of a response whose start has announced them",
            )
            self.refuse(broken_headers(message.get("headers", ())))
            if not message.get("more_trailers", False):
                self.state = "response complete"
        elif self.kind == "http.response.early_hint":
            self.require(self.answer is None, "early hints come before the response")
            self.refuse(broken_hint(message))
        elif self.kind == "http.response.push":
            self.refuse(broken_push(message))

    def _end_body(self) -> None:
        self.state = "trailers awaited" if self.trailers else "response complete"

    def at_end(self) -> None:
        self.require(
            self.state == "response complete",
            "the application must send a complete response before it returns",
        )


class _WebSocketCall(_Call):
    """``connecting`` → ``accepted`` → ``closed``, or ``connecting`` → ``denying`` → ``denied``."""

    state = "connecting"
    answer: _Answer | None = None
    told = False

    def on_receive(self) -> None:
        self.kind = "websocket.receive"
        self.require(not self.told, "nothing comes after websocket.disconnect")

    def on_event(self, event: Message) -> None:
        if event["type"] == "websocket.disconnect":
            self.told = self.disconnected = True

    def on_send(self, message: Message) -> None:
        moves = {
            "websocket.accept": self._accept,
            "websocket.send": self._send,
            "websocket.close": self._close,
            "websocket.http.response.start": self._deny,
            "websocket.http.response.body": self._deny_body,
        }
        if self.kind not in moves:
            self.breach("no message of this type may be sent in a WebSocket scope")
        moves[self.kind](message)

    def _accept(self, message: Message) -> None:
        self.require(self.state == "connecting", "a handshake is accepted once, before all else")
        subprotocol = message.get("subprotocol")
        offered = self.scope.get("subprotocols") or ()
        self.require(
            subprotocol is None or subprotocol in offered,
            f"subprotocol {subprotocol!r} is none of the offered {list(offered)!r}",
        )
        self.refuse(broken_headers(message.get("headers", ())))
        self.state = "accepted"

    def _send(self, message: Message) -> None:
        self.require(self.state == "accepted", "data is sent between accept and close only")
        text, data = message.get("text"), message.get("bytes")
        self.require((text is None) != (data is None), "exactly one of text and bytes must be set")
        self.require(
            isinstance(text, str) or isinstance(data, bytes),
            f"text must be str and bytes must be bytes, not {type(text or data).__name__}",
        )

    def _close(self, message: Message) -> None:
        self.require(
            self.state in {"connecting", "accepted"}, "a WebSocket that has ended is not closed"
        )
        self.refuse(broken_close(message.get("code", 1000), message.get("reason")))
        self.state = "denied" if self.state == "connecting" else "closed"

    def _deny(self, message: Message) -> None:
        self.require_extension("websocket.http.response")
        self.require(self.state == "connecting", "a handshake is denied once, before all else")
        self.answer = _Answer(self, "GET", message)
        self.state = "denying"

    def _deny_body(self, message: Message) -> None:
        self.require_extension("websocket.http.response")
        if self.answer is None or self.state != "denying":
            self.breach("a denial must start before its body and ends once")
        if self.answer.add(message):
            self.state = "denied"

    def at_end(self) -> None:
        self.require(
            self.state not in {"connecting", "denying"},
            "the application must answer the handshake before it returns",
        )


class _LifespanCall(_Call):
    """``startup awaited`` → ``started`` → ``shutdown awaited`` → ``ended``."""

    state = "idle"

    def on_receive(self) -> None:
        self.kind = "receive"
        self.require(
            self.state in {"idle", "started"}, "the last lifespan event must be answered first"
        )

    def on_event(self, event: Message) -> None:
        self.state = f"{event['type'].removeprefix('lifespan.')} awaited"

    def on_send(self, message: Message) -> None:
        event, _, answer = self.kind.removeprefix("lifespan.").partition(".")
        self.require(
            event in {"startup", "shutdown"} and answer in {"complete", "failed"},
            "no message of this type may be sent in a lifespan scope",
        )
        failed_by_itself = self.state == "started" and (event, answer) == ("shutdown", "failed")
        self.require(
            self.state == f"{event} awaited" or failed_by_itself,
            "each lifespan event is answered once",
        )
        text = message.get("message", "")
        self.require(isinstance(text, str), f"message must be text, not {type(text).__name__}")
        self.state = "started" if self.kind == "lifespan.startup.complete" else "ended"

    def at_end(self) -> None:
        self.require(
            self.state in {"started", "ended"},
            "the application must answer each lifespan event before it returns",
        )


_MACHINES: dict[str, type[_Call]] = {
    "http": _HTTPCall,
    "websocket": _WebSocketCall,
    "lifespan": _LifespanCall,
}
