"""A bare ASGI server for bad input: hand-made scopes and messages, no parser of its own.

Every call asserts what "handled" means (the invariant of all rows): one complete, well-formed answer
and nothing raised to the server; for a 4xx at most one log record, below ERROR and without traceback;
nothing of the request raw in a log; no task and no context left; the next request gets its answer.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from erlen import Erlen
from erlen.context import current_context
from erlen.protocols import Message, Scope
from erlen.testing.conduct import ConductChecker

Pairs = Iterable[tuple[bytes, bytes]]
HOST = (b"host", b"example.com")
CONNECT: Message = {"type": "websocket.connect"}
LEFT: Message = {"type": "http.disconnect"}
#: Seconds after which a call counts as hung.
PATIENCE = 30


@dataclass
class Log(logging.Handler):
    """Every record of one call."""

    records: list[logging.LogRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def check(self, status: int) -> None:
        """Assert that the log is as quiet as *status* allows, and safe to show."""
        loud = [record for record in self.records if record.levelno >= logging.ERROR]
        if status < 500:
            assert not loud, [record.getMessage() for record in loud]
            assert not [record for record in self.records if record.exc_info]
            assert len(self.records) <= 1
        for record in self.records:
            assert record.getMessage().isprintable()
            assert len(record.getMessage()) < 500


@dataclass
class Answer:
    """What came of one call.

    Attributes:
        sent: The messages of the application.
        ran: Endpoints of the views that ran.
        taken: How often ``receive`` was called.
        log: The records that were logged.
    """

    sent: list[Message]
    ran: list[str]
    taken: int
    log: list[logging.LogRecord]

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def kinds(self) -> list[str]:
        return [message["type"].partition(".")[2] for message in self.sent]

    @property
    def close(self) -> int | None:
        """The close code that was sent, ``None`` when none was."""
        codes = [message["code"] for message in self.sent if message["type"] == "websocket.close"]
        return codes[0] if codes else None


class Bare:
    """A server for one application.

    Attributes:
        app: The application; its views note their names in ``ran``.
    """

    def __init__(self, app: Erlen, ran: list[str]) -> None:
        self.app = app
        self.ran = ran
        self._checked = ConductChecker(app)

    async def http(
        self,
        path: str = "/ok",
        *,
        headers: Pairs = (HOST,),
        body: bytes | Iterable[Message] = b"",
        **scope: Any,
    ) -> Answer:
        """Send one request; *body* is bytes or the messages that ``receive`` gives."""
        messages = [part(body)] if isinstance(body, bytes) else body
        answer = await self._call(http_scope(path, headers, **scope), messages)
        last = answer.sent[-1]
        assert answer.sent[0]["type"] == "http.response.start"
        assert last["type"] == "http.response.body"
        assert not last.get("more_body", False)
        return answer

    async def gone(
        self, path: str = "/ok", *, headers: Pairs = (HOST,), body: Iterable[Message], **scope: Any
    ) -> Answer:
        """Send one request whose client leaves: nothing is logged, nothing complete is answered."""
        answer = await self._call(http_scope(path, headers, **scope), body)
        assert not answer.log
        return answer

    async def websocket(
        self,
        path: str = "/ws/echo",
        *messages: Message,
        headers: Pairs = (HOST,),
        denial: bool = True,
        connect: Iterable[Message] = (CONNECT,),
        **scope: Any,
    ) -> Answer:
        """Open a WebSocket and give it *messages*."""
        whole: dict[str, Any] = {"type": "websocket", "scheme": "ws", "extensions": {}, **scope}
        if denial:
            whole["extensions"] = {"websocket.http.response": {}}
        made = http_scope(path, headers, **whole)
        made.pop("method")
        return await self._call(made, [*connect, *messages])

    async def _call(self, scope: Scope, messages: Iterable[Message]) -> Answer:
        self.ran.clear()
        before = len(anyio.get_running_tasks())
        with captured() as log:
            sent, taken = await run(self._checked, scope, messages)
        log.check(status_of(sent))
        answer = Answer(sent, list(self.ran), taken, log.records)
        assert current_context.get(None) is None
        assert len(anyio.get_running_tasks()) == before
        assert await self.is_well()
        return answer

    async def is_well(self) -> bool:
        """Whether an ordinary request gets its ordinary answer."""
        sent, _ = await run(self._checked, http_scope("/ok", (HOST,)), [part(b"")])
        return (sent[0]["status"], sent[1]["body"]) == (200, b"ok")


def status_of(sent: list[Message]) -> int:
    """Return the status by which a log is judged: that of the response, or what a close means."""
    if any(message.get("code") == 1011 for message in sent):
        return 500
    status: int = sent[0].get("status", 200) if sent else 200
    return status


async def run(app: Any, scope: Scope, messages: Iterable[Message]) -> tuple[list[Message], int]:
    """Call an ASGI application; return what it sent and how often it called ``receive``."""
    incoming = iter(messages)
    sent: list[Message] = []
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        for message in incoming:
            return message
        await anyio.sleep_forever()
        raise NotImplementedError

    async def send(message: Message) -> None:
        sent.append(message)

    with anyio.fail_after(PATIENCE):
        await app(scope, receive, send)
    return sent, taken


@contextmanager
def captured() -> Iterator[Log]:
    """Collect what any logger logs."""
    log = Log()
    root = logging.getLogger()
    root.addHandler(log)
    try:
        yield log
    finally:
        root.removeHandler(log)


def http_scope(path: str, headers: Pairs, **more: Any) -> Scope:
    """Return a scope whose raw path is *path* as a client would encode nothing of it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": b"",
        "root_path": "",
        "headers": headers if not isinstance(headers, tuple) else list(headers),
        "client": ("203.0.113.9", 50000),
        "server": ("127.0.0.1", 8000),
        **more,
    }


def part(body: Any = b"", *, more: bool = False) -> Message:
    """Return one message of a request body."""
    return {"type": "http.request", "body": body, "more_body": more}


def text(data: str) -> Message:
    """Return a text message of the peer."""
    return {"type": "websocket.receive", "text": data, "bytes": None}


def binary(data: bytes) -> Message:
    """Return a binary message of the peer."""
    return {"type": "websocket.receive", "text": None, "bytes": data}


def left(code: int | None = 1001, reason: str = "") -> Message:
    """Return the end of the peer."""
    return {"type": "websocket.disconnect", "code": code, "reason": reason}
