"""Floor 8: what goes on right now, and how long its parts took: exchanges, sockets, tasks."""

import inspect
from collections import deque
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from types import CodeType
from typing import Any

import anyio

from erlen.debugger.facts import title_of
from erlen.debugger.frames import kind_of
from erlen.protocols import Message, Scope, Send

#: Exchanges that have ended and are remembered.
REMEMBERED = 30

#: The exchange on whose behalf the code at hand runs.
current_exchange: ContextVar["Exchange | None"] = ContextVar("erlen.exchange", default=None)


@dataclass(slots=True, eq=False)
class Exchange:
    """One request or WebSocket, with the moments at which its parts ended, in seconds.

    Attributes:
        scope: The ASGI scope.
        began: When it came.
        matched: When its context was set, with the rule that matched; 0 when nothing told.
        handled: When hooks and view had made the response; 0 when nothing told.
        template: Seconds that templates took.
        template_began: When the template began that is rendered now.
        started: When status and headers were sent.
        ended: When all was over.
        status: Status of the response; 101 of an accepted WebSocket.
    """

    scope: Scope
    began: float = field(default_factory=perf_counter)
    matched: float = 0.0
    handled: float = 0.0
    template: float = 0.0
    template_began: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    status: int = 0

    @property
    def title(self) -> str:
        """``"GET /orders/7"``."""
        return title_of(self.scope)

    @property
    def is_websocket(self) -> bool:
        """Whether it is a WebSocket."""
        return bool(self.scope["type"] == "websocket")

    @property
    def age(self) -> float:
        """Seconds since it came, until now or its end."""
        return (self.ended or perf_counter()) - self.began

    def parts(self) -> list[tuple[str, str, float]]:
        """Return name, description and seconds of the parts that have ended."""
        parts: list[tuple[str, str, float]] = []
        if self.matched:
            parts.append(("match", "middleware and routing", self.matched - self.began))
            if self.handled:
                parts.append(("app", "hooks and view", self.handled - self.matched))
        if self.template:
            parts.append(("template", "", self.template))
        if self.started:
            parts.append(("total", "until the response began", self.started - self.began))
        if self.started and self.ended:
            parts.append(("send", "", self.ended - self.started))
        return parts

    def timing(self) -> bytes:
        """Return the value of ``Server-Timing`` (W3C Server Timing): durations are milliseconds."""
        return b", ".join(
            f"{name};{f'desc={text!r};'.replace(chr(39), chr(34)) if text else ''}"
            f"dur={seconds * 1000:.2f}".encode()
            for name, text, seconds in self.parts()
        )

    def sending(self, send: Send) -> Send:
        """Return *send* that notes when the response begins, and tells the browser of the parts."""

        async def noting(message: Message) -> None:
            kind = message["type"]
            if kind in ("http.response.start", "websocket.http.response.start"):
                self.started = perf_counter()
                self.status = message["status"]
                fields = [*message.get("headers", ()), (b"server-timing", self.timing())]
                message = {**message, "headers": fields}
            elif kind == "websocket.accept":
                self.started = perf_counter()
                self.status = 101
            await send(message)

        return noting


class Live:
    """The exchanges that run, and the last ones that did."""

    def __init__(self) -> None:
        """None yet."""
        self._running: dict[Exchange, None] = {}
        self._ended: deque[Exchange] = deque(maxlen=REMEMBERED)

    def enter(self, scope: Scope) -> Exchange:
        """Note a new exchange."""
        exchange = Exchange(scope)
        self._running[exchange] = None
        return exchange

    def leave(self, exchange: Exchange) -> None:
        """Note the end of an exchange."""
        exchange.ended = perf_counter()
        del self._running[exchange]
        # What a server keeps in its scope must not live on for a line in a list.
        exchange.scope = {key: exchange.scope.get(key) for key in ("type", "method", "path")}
        self._ended.append(exchange)

    def running(self, *, websockets: bool) -> list[Exchange]:
        """Return requests, or WebSockets, that run, the oldest first."""
        return [each for each in self._running if each.is_websocket is websockets]

    def ended(self) -> Iterator[Exchange]:
        """Give the last exchanges that have ended, the newest first."""
        return reversed(self._ended)


# --- tasks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """A task of the event loop.

    Attributes:
        name: As whoever started it has called it.
        waits_in: The coroutines that await one another, as ``"load (shop.py:12)"``, the outermost
            first; the application's own ones where there are any.
    """

    name: str
    waits_in: tuple[str, ...]


def tasks() -> list[Task]:
    """Return the other tasks of the running event loop."""
    own = anyio.get_current_task().id
    return [
        Task(task.name or "", _places(task.coro))
        for task in anyio.get_running_tasks()
        if task.id != own
    ]


def _places(awaitable: Any) -> tuple[str, ...]:
    chain = list(_awaited(awaitable))
    own = [(code, line) for code, line in chain if kind_of(code.co_filename) == "own"]
    return tuple(_place(code, line) for code, line in own or chain[-1:])


def _awaited(awaitable: Any) -> Iterator[tuple[CodeType, int]]:
    """Give code and line of each coroutine in a chain that await one another."""
    while True:
        if inspect.iscoroutine(awaitable):
            frame, awaitable = awaitable.cr_frame, awaitable.cr_await
        elif inspect.isgenerator(awaitable):
            frame, awaitable = awaitable.gi_frame, awaitable.gi_yieldfrom
        else:
            return
        assert frame is not None  # it has not ended
        yield frame.f_code, frame.f_lineno


def _place(code: CodeType, line: int) -> str:
    file = code.co_filename.rpartition("/")[2]
    return f"{code.co_qualname} ({file}:{line})"
