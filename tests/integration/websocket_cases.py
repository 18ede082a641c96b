"""How a WebSocket is refused or ends: one table, for every server and for the test client.

Two drivers play a case and return what the peer saw, in the same words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from erlen.exceptions import WebSocketDisconnect
from erlen.testing import Client, WebSocketRejected
from tests.integration.app import MAX_MESSAGE
from tests.integration.raw_client import LIMIT, UPGRADE, RawClient


@dataclass(frozen=True)
class Refused:
    """The handshake got an HTTP response."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Ended:
    """The handshake was accepted, messages came, and then a close frame."""

    received: tuple[str | bytes, ...]
    code: int
    reason: str = ""


Outcome: TypeAlias = Refused | Ended

#: The peer waited in vain; what it had received is not told.
SILENCE = Ended((), 0, "silence")


@dataclass(frozen=True)
class Case:
    """One conversation.

    Attributes:
        id: Name of the test.
        path: What is asked for.
        expected: What the peer sees.
        sends: Messages of the peer, sent at once.
        origin: Value of Origin; ``{own}`` is the application's own.
        subprotocols: What the peer offers.
    """

    id: str
    path: str
    expected: Outcome
    sends: tuple[str | bytes, ...] = ()
    origin: str | None = None
    subprotocols: tuple[str, ...] = ()

    def headers(self, host: str) -> dict[str, str]:
        """Return the headers of the handshake with *host*."""
        return {} if self.origin is None else {"Origin": self.origin.format(own=f"http://{host}")}


FORBIDDEN = b"<title>403 Forbidden</title>"
FAILED = b"<title>500 Internal Server Error</title>"

#: Refused before the accept: that response, never a close code (pains 22).
REFUSALS = (
    Case(
        "b196-abort-401", "/ws/refuse/abort/401", Refused(401, b"<title>401 Unauthorized</title>")
    ),
    Case("b196-abort-403", "/ws/refuse/abort/403", Refused(403, FORBIDDEN)),
    Case("b196-abort-503", "/ws/refuse/abort/503", Refused(503, b"<title>503 ")),
    Case("returned-response", "/ws/refuse/return", Refused(401, b'{"error":"who are you?"}')),
    Case("returned-stream", "/ws/refuse/stream", Refused(503, b"not now")),
    Case("b196-exception", "/ws/refuse/raise", Refused(500, FAILED)),
    Case("p22-close-before-accept", "/ws/refuse/close", Refused(403, b"")),
    Case("b197-returns-at-once", "/ws/refuse/nothing", Refused(403, b"")),
    Case("b185-unknown-path", "/ws/nowhere", Refused(404, b"<title>404 Not Found</title>")),
    Case("b185-http-only-path", "/json", Refused(400, b"<title>400 Bad Request</title>")),
    Case("b185-hook-aborts", "/ws/guarded/", Refused(401, b"<title>401 ")),
    Case("slash-redirect", "/ws/folder?a=1", Refused(308, b"/ws/folder/?a=1")),
    Case("b001-bad-path", "/ws/%00", Refused(400, b"<title>400 ")),
    Case("b181-foreign-origin", "/ws/echo", Refused(403, FORBIDDEN), origin="http://evil.example"),
    Case("b183-null-origin", "/ws/echo", Refused(403, FORBIDDEN), origin="null"),
    Case("b183-https-origin", "/ws/echo", Refused(403, FORBIDDEN), origin="https://localhost"),
    Case(
        "b187-subprotocol-not-offered",
        "/ws/subprotocol/tea",
        Refused(500, FAILED),
        subprotocols=("coffee",),
    ),
)

#: Ended after the accept, each with its close code (pains 23).
ENDINGS = (
    Case("b197-returned", "/ws/end/return", Ended(("hello",), 1000)),
    Case("b196-raised", "/ws/end/raise", Ended(("hello",), 1011)),
    Case("b196-abort-401", "/ws/end/abort/401", Ended(("hello",), 1008)),
    Case("abort-403", "/ws/end/abort/403", Ended(("hello",), 1008)),
    Case("abort-404", "/ws/end/abort/404", Ended(("hello",), 1008)),
    Case("abort-413", "/ws/end/abort/413", Ended(("hello",), 1009)),
    Case("abort-500", "/ws/end/abort/500", Ended(("hello",), 1011)),
    Case("abort-503", "/ws/end/abort/503", Ended(("hello",), 1013)),
    Case("closed-4001", "/ws/end/close/4001", Ended((), 4001, "why")),
    Case("closed-1000", "/ws/end/close/1000", Ended((), 1000, "why")),
    Case("b195-closed-1006", "/ws/end/close/1006", Ended((), 1011)),
    Case("p22-rejected", "/ws/end/reject", Ended((), 4401, "log in")),
    Case("b196-raised-in-a-task", "/ws/end/tasks", Ended(("hello",), 1011)),
    Case("b190-unasked", "/ws/end/unasked", Ended(("hello",), 1009, "The message is too large."),
         sends=("x" * (MAX_MESSAGE + 1),)),
    Case("too-fast", "/ws/end/rate", Ended((), 1008, "The messages come too fast."),
         sends=("x",) * 5),
    Case("b190-text-over-the-limit", "/ws/echo", Ended((), 1009, "The message is too large."),
         sends=("x" * (MAX_MESSAGE + 1),)),
    Case("b190-bytes-over-the-limit", "/ws/echo", Ended((), 1009, "The message is too large."),
         sends=(b"x" * (MAX_MESSAGE + 1),)),
    Case("b189-no-json", "/ws/json", Ended((), 1007), sends=("{no json",)),
    Case("b189-nan", "/ws/json", Ended((), 1007), sends=("NaN",)),
    Case("b189-bytes-for-json", "/ws/json", Ended((), 1003), sends=(b"{}",)),
    Case("b189-bytes-for-text", "/ws/end/text", Ended((), 1003), sends=(b"abc",)),
    Case("b189-text-for-bytes", "/ws/end/bytes", Ended((), 1003), sends=("abc",)),
    Case("b189-empty-text", "/ws/end/text", Ended(("",), 1000), sends=("",)),
    Case("b189-empty-bytes", "/ws/end/bytes", Ended((b"",), 1000), sends=(b"",)),
    Case("json", "/ws/json", Ended(('{"got":["é",1]}',), 1000), sends=('["\\u00e9", 1]',)),
    Case("own-origin", "/ws/end/return", Ended(("hello",), 1000), origin="{own}"),
    Case("b187-subprotocol", "/ws/subprotocol/tea", Ended(('["coffee","tea"]',), 1000),
         subprotocols=("coffee", "tea")),
    Case("b187-no-subprotocol", "/ws/subprotocol/none", Ended(('["coffee"]',), 1000),
         subprotocols=("coffee",)),
)  # fmt: skip

#: The rows of the table that the documentation prints, and the cases that prove each: how it ends,
#: what the peer sees.
TABLE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("the view returned", "1000", (
        "b197-returned", "b189-empty-text", "b189-empty-bytes", "json", "own-origin",
        "b187-subprotocol", "b187-no-subprotocol",
    )),
    ("the view, a hook or a task raised; `abort(5xx)`", "1011", (
        "b196-raised", "b196-raised-in-a-task", "abort-500", "b195-closed-1006",
    )),
    ("`abort(503)`", "1013", ("abort-503",)),
    ("`abort(4xx)`", "1008", ("b196-abort-401", "abort-403", "abort-404")),
    ("a message over the limit; `abort(413)`", "1009", (
        "b190-text-over-the-limit", "b190-bytes-over-the-limit", "b190-unasked", "abort-413",
    )),
    ("messages faster than the limit", "1008", ("too-fast",)),
    ("what `receive_json()` gets is no JSON", "1007", ("b189-no-json", "b189-nan")),
    ("text where bytes are wanted, or bytes where text is", "1003", (
        "b189-bytes-for-json", "b189-bytes-for-text", "b189-text-for-bytes",
    )),
    ("`websocket.close(code, reason)`", "that code", ("closed-4001", "closed-1000")),
    ("`websocket.reject(code, reason)`", "that code", ("p22-rejected",)),
)  # fmt: skip


def refusal_over_socket(port: int, case: Case) -> Refused:
    """Play *case* with the server on *port*; status 101 means that it was accepted."""
    offered = (
        [("Sec-WebSocket-Protocol", ", ".join(case.subprotocols))] if case.subprotocols else []
    )
    with RawClient(port) as client:
        headers = [*UPGRADE, *offered, *case.headers(client.host).items()]
        reply = client.request("GET", case.path, headers)
    assert reply.complete
    return Refused(reply.status, reply.body)


def ending_over_socket(port: int, case: Case, patience: float = LIMIT) -> Ended:
    """Play *case* with the server on *port*; silence of *patience* seconds is an end too."""
    headers = case.headers(f"127.0.0.1:{port}")
    with dial(port, case.path, headers, case.subprotocols) as socket:
        return talk(socket, case.sends, patience)


def hear(socket: Any) -> str | bytes:
    """Return the next message."""
    message: str | bytes = socket.recv(timeout=LIMIT)
    return message


def talk(socket: Any, sends: Iterable[str | bytes] = (), patience: float = LIMIT) -> Ended:
    """Send messages, and receive until the peer closes, or is silent for *patience* seconds."""
    received = []
    try:
        for message in sends:
            socket.send(message)
        while True:
            received.append(socket.recv(timeout=patience))
    except TimeoutError:
        return SILENCE
    except ConnectionClosed as closed:
        end = closed.rcvd
        return Ended(tuple(received), end.code if end else 1006, end.reason if end else "")


def dial(
    port: int, path: str, headers: dict[str, str] | None = None, subprotocols: Sequence[str] = ()
) -> Any:
    """Return a context manager of a WebSocket to the server on *port*."""
    return connect(
        f"ws://127.0.0.1:{port}{path}",
        additional_headers=headers,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        open_timeout=LIMIT,
        close_timeout=0.5,
        proxy=None,
    )


async def in_process(client: Client, case: Case) -> Outcome:
    """Play *case* with the test client."""
    opening = client.websocket(
        case.path, headers=case.headers("localhost"), subprotocols=case.subprotocols
    )
    try:
        async with opening as session:
            received = []
            try:
                for message in case.sends:
                    await session.send(message)
                while True:
                    received.append(await session.receive())
            except WebSocketDisconnect as closed:
                return Ended(tuple(received), closed.code, closed.reason)
    except WebSocketRejected as refused:
        return Refused(refused.response.status_code, refused.response.content)


def differs(seen: Outcome, expected: Outcome) -> bool:
    """Whether *seen* is another outcome; of a body the expected part is looked for."""
    if isinstance(seen, Refused) and isinstance(expected, Refused):
        whole = seen.body == expected.body if not expected.body else expected.body in seen.body
        return seen.status != expected.status or not whole
    return seen != expected
