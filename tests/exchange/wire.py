"""What the tests of this floor stand on: scopes, messages, and exchanges without an application."""

from collections.abc import Callable, Iterable
from typing import Any

import anyio

from erlen.config import DEFAULTS
from erlen.exchange.settings import Settings
from erlen.json import DefaultJSONProvider
from erlen.protocols import Message, Receive, Scope
from erlen.threads import Threads

Pairs = Iterable[tuple[bytes, bytes]]
_THREADS = Threads(4)
LEFT: Message = {"type": "http.disconnect"}


def settings(**changes: Any) -> Settings:
    """Return the settings of an application with these changes to its configuration."""
    return Settings.from_config({**DEFAULTS, **changes}, DefaultJSONProvider())


def scope_of(path: str = "/", headers: Pairs = ((b"host", b"example.com"),), **more: Any) -> Scope:
    """Return an HTTP scope."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("203.0.113.9", 50000),
        "server": ("127.0.0.1", 8000),
        **more,
    }


def part(body: bytes | None = b"", *, more: bool = False) -> Message:
    """Return one message of a request body."""
    return {"type": "http.request", "body": body, "more_body": more}


def parts(*chunks: bytes) -> list[Message]:
    """Return the messages of a body that arrives in these chunks."""
    last = len(chunks) - 1
    return [part(chunk, more=index < last) for index, chunk in enumerate(chunks)]


class Feed:
    """A server's ``receive`` that gives these messages and then nothing.

    Attributes:
        calls: How often it was called.
        silent: Set while a call waits for a message that does not come.
    """

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = iter(messages)
        self.calls = 0
        self.silent = False

    async def __call__(self) -> Message:
        self.calls += 1
        for message in self._messages:
            return message
        self.silent = True
        await anyio.sleep_forever()
        raise NotImplementedError


def feed(*messages: Message) -> Receive:
    """Return a server's ``receive`` that gives these messages and then nothing."""
    return Feed(messages)


class Wire:
    """An exchange (``erlen.protocols.Exchange``) that keeps what is sent.

    Attributes:
        sent: The messages.
        gone: Set it to say that the client has left.
        watched: Set when somebody waits for that.
    """

    def __init__(self, method: str = "GET", **scope: Any) -> None:
        self.scope: Scope = scope_of(method=method, **scope)
        self.sent: list[Message] = []
        self.gone = anyio.Event()
        self.watched = anyio.Event()
        self.started = False
        self.send_timeout: float | None = None

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run_sync(self, function: Callable[..., Any], /, *args: Any) -> Any:
        worker = _THREADS.worker()
        try:
            return await worker.run(function, *args)
        finally:
            worker.release()

    async def join_children(self) -> None: ...

    async def wait_disconnected(self) -> None:
        self.watched.set()
        await self.gone.wait()

    async def leave(self) -> None:
        """Say that the client has left, and let whoever waits for it know."""
        await self.watched.wait()
        self.gone.set()
        await anyio.wait_all_tasks_blocked()

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return list(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def is_complete(self) -> bool:
        return len(self.sent) > 1 and not self.sent[-1].get("more_body", False)


class SendTo(Wire):
    """A wire that does something of the test's with each message."""

    def __init__(self, react: Callable[["SendTo", Message], Any]) -> None:
        super().__init__()
        self._react = react

    async def send(self, message: Message) -> None:
        await super().send(message)
        await self._react(self, message)
