"""Where servers are known to differ, and why: one table, and nothing that is not in it.

A test asks ``server.expects(topic, usual)``. A server with a row here must then do exactly what the
row says; when it does what is usual, the quirk has gone, the test fails, and the row is deleted.
Where what it does is left to chance (``instead`` is ``None``), or a test cannot even begin, the test
asks ``server.require(topic)`` and is skipped with the reason.
"""

from dataclasses import dataclass
from typing import Any

from tests.integration.websocket_cases import SILENCE, Ended, Refused


@dataclass(frozen=True)
class Quirk:
    """One difference.

    Attributes:
        topic: Beginning of what tests ask for.
        servers: Beginnings of the names of the servers that have it.
        instead: What is seen in place of the usual.
        reason: Why.
    """

    topic: str
    servers: tuple[str, ...]
    instead: Any
    reason: str


QUIRKS: tuple[Quirk, ...] = (
    Quirk(
        "absolute target",
        ("uvicorn-httptools", "granian"),
        200,
        "The server takes the path out of the target and drops its authority, so that Host decides.",
    ),
    Quirk(
        "fresh context variables",
        ("uvicorn",),
        "a",
        "A task made while a large body is read on inherits the variables of the request before; "
        "uvicorn resets them only with --reset-contextvars, which 'erlen run' sets.",
    ),
    Quirk(
        "continue before a refusal",
        ("hypercorn",),
        [100],
        "The server sends 100 before the application is asked.",
    ),
    Quirk(
        "application starts before the body has come",
        ("daphne",),
        [],
        "The server keeps a body until it has all of it, however long that takes.",
    ),
    Quirk(
        "held back upload",
        ("daphne",),
        False,
        "The server keeps a body until it has all of it, however large.",
    ),
    Quirk(
        "held back stream",
        ("daphne",),
        False,
        "The server takes whatever the application sends, however slowly the client reads.",
    ),
    Quirk(
        "held back HTTP/2 stream",
        ("hypercorn",),
        ["all was sent"],
        "Whenever the server finds the window closed it lets the application go on, so that it takes "
        "whatever is sent, however slowly the client reads. Over HTTP/1.1 it does not.",
    ),
    Quirk(
        "stalled response",
        ("hypercorn-trio",),
        [],
        "The server shields what it sends from being cancelled, for as long as the client takes it.",
    ),
    Quirk(
        "broken off response",
        ("daphne",),
        TimeoutError,
        "The server leaves the connection open when the application fails after the start.",
    ),
    # --- WebSockets -------------------------------------------------------------------------------
    Quirk(
        "denial response",
        ("daphne",),
        Refused(403, b""),
        "The server does not offer the extension: a refusal is its own 403.",
    ),
    Quirk(
        "refusal returned-stream",
        ("granian",),
        Refused(403, b""),
        "The server raises for a denial response of more than one piece, and answers 403.",
    ),
    Quirk(
        "headers of the accept",
        ("granian", "daphne"),
        None,
        "The server drops them.",
    ),
    Quirk(
        "empty messages",
        ("daphne",),
        False,
        "The server does not send a message without content.",
    ),
    Quirk(
        "ending b189-empty",
        ("daphne",),
        Ended((), 1000),
        "The server does not send a message without content.",
    ),
    Quirk(
        "close codes",
        ("daphne",),
        None,
        "The server's library sends only 1000 and 3000 to 4999. For others it raises; the "
        "connection is then closed with 1011 or never, as the server's supervision is still alive.",
    ),
    Quirk(
        "close reasons",
        ("daphne",),
        "",
        "The server drops them.",
    ),
    Quirk(
        "ending b190-text",
        ("daphne",),
        SILENCE,
        "The server's library refuses to send 1009, and the connection stays open.",
    ),
    Quirk(
        "close code of bad text",
        ("uvicorn-h11-wsproto", "uvicorn-httptools-wsproto", "hypercorn", "daphne"),
        1006,
        "The server drops the connection without a close frame.",
    ),
    Quirk(
        "close code of bad text",
        ("granian",),
        1005,
        "The server closes without a code.",
    ),
    Quirk(
        "close of the peer",
        ("hypercorn",),
        "closed 1006 ''",
        "The server reports every close of the peer as a lost connection.",
    ),
    Quirk(
        "close of the peer",
        ("granian", "daphne"),
        "closed 4002 ''",
        "The server does not report the reason.",
    ),
    Quirk(
        "lost peer",
        ("uvicorn-h11-wsproto", "uvicorn-httptools-wsproto", "granian"),
        "closed 1005 ''",
        "The server reports a lost connection as a close without a code.",
    ),
    Quirk(
        "cancelled send",
        ("hypercorn-trio",),
        None,
        "The server shields what it sends, so nothing can give up a send to a peer that never reads.",
    ),
    Quirk(
        "held back messages",
        ("daphne",),
        False,
        "The server keeps whatever the peer sends, however slowly the application receives.",
    ),
    Quirk(
        "send to a closing peer",
        ("daphne",),
        None,
        "The server raises an error of its own for what is sent while the peer closes.",
    ),
)
