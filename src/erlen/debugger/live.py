"""Floor 8: what goes on right now, and how long its parts took: exchanges, sockets, tasks."""

import inspect
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from types import CodeType
from typing import Any

import anyio

from erlen.debugger.arriving import Arriving
from erlen.debugger.places import kind_of
from erlen.debugger.starts import Link, link_of, start_of
from erlen.protocols import Message, Receive, Scope, Send
from erlen.wire.urls import printable

#: Exchanges that have ended and are remembered.
REMEMBERED = 30
#: Until when a part lasts that is told with the status line itself.
_STARTED = "up to the status line"

#: The exchange on whose behalf the code at hand runs.
current_exchange: ContextVar["Exchange | None"] = ContextVar("erlen.exchange", default=None)


@dataclass(slots=True, eq=False)
class Exchange:
    """One request or WebSocket, with the moments at which its parts ended, in seconds.

    Attributes:
        scope: The ASGI scope.
        began: When it came.
        matched: When its context was set, with the rule that matched; 0 when nothing told.
        view_began: When the view was called; 0 when nothing told.
        view_ended: When it had returned or raised.
        handled: When hooks and view had made the response; 0 when nothing told.
        template: Seconds that templates took.
        template_began: When the template began that is rendered now.
        started: When status and headers were sent.
        ended: When all was over.
        status: Status of the response; 101 of an accepted WebSocket.
        failed: Whether the debugger answers in the place of the application.
        arriving: The body of a request.
        task: Number of the task that serves it.
    """

    scope: Scope
    began: float = field(default_factory=perf_counter)
    matched: float = 0.0
    view_began: float = 0.0
    view_ended: float = 0.0
    handled: float = 0.0
    template: float = 0.0
    template_began: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    status: int = 0
    failed: bool = False
    arriving: Arriving | None = None
    task: int = 0

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
        view = self.view_ended - self.view_began if self.view_ended else 0.0
        if self.matched:
            parts.append(("match", "middleware and routing", self.matched - self.began))
        if self.matched and self.handled:
            parts.append(("hooks", "and error handlers", self.handled - self.matched - view))
        if view:
            parts.append(("view", "", view))
        if self.template:
            parts.append(("template", "within the view or a hook", self.template))
        if self.handled and self.started > self.handled:
            name, text = ("page", "of the failure") if self.failed else ("send", _STARTED)
            parts.append((name, text, self.started - self.handled))
        if self.started:
            parts.append(("total", _STARTED, self.started - self.began))
        if self.started and self.ended:
            name = "open" if self.is_websocket else "body"
            parts.append((name, "", self.ended - self.started))
        return parts

    def timing(self) -> bytes:
        """Return the value of ``Server-Timing`` (W3C Server Timing): durations are milliseconds."""
        return b", ".join(
            f"{name};{f'desc={text!r};'.replace(chr(39), chr(34)) if text else ''}"
            f"dur={seconds * 1000:.2f}".encode()
            for name, text, seconds in self.parts()
        )

    def receiving(self, receive: Receive) -> Receive:
        """Return *receive* that keeps the beginning of a request's body."""
        if self.is_websocket:
            return receive
        self.arriving = Arriving(receive)
        return self.arriving.receive

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

    @contextmanager
    def entered(self, scope: Scope) -> Generator[Exchange, None, None]:
        """Give a new exchange that goes on until the end of the block."""
        exchange = Exchange(scope, task=anyio.get_current_task().id)
        self._running[exchange] = None
        token = current_exchange.set(exchange)
        try:
            yield exchange
        finally:
            current_exchange.reset(token)
            exchange.ended = perf_counter()
            del self._running[exchange]
            # What a server keeps in its scope must not live on for a line in a list.
            exchange.scope = {key: exchange.scope.get(key) for key in ("type", "method", "path")}
            exchange.arriving = None
            self._ended.append(exchange)

    def running(self) -> list[Exchange]:
        """Return what runs, the oldest first."""
        return list(self._running)

    def ended(self) -> Iterator[Exchange]:
        """Give the last exchanges that have ended, the newest first."""
        return reversed(self._ended)


# --- tasks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """A task of the event loop.

    Attributes:
        name: As whoever started it has called it; the title of the exchange that it serves.
        waits_in: The coroutines that await one another, the outermost first; the application's own
            ones where there are any.
        started: Who has started it, the outermost first; empty where that is not known.
        age: Seconds since then; ``None`` where that is not known.
    """

    name: str
    waits_in: tuple[Link, ...]
    started: tuple[Link, ...]
    age: float | None


def tasks(live: Live) -> list[Task]:
    """Return the other tasks of the running event loop; those of exchanges bear their titles."""
    own = anyio.get_current_task().id
    titles = {exchange.task: exchange.title for exchange in live.running()}
    return [
        _task(task, titles.get(task.id)) for task in anyio.get_running_tasks() if task.id != own
    ]


def _task(task: anyio.TaskInfo, title: str | None) -> Task:
    chain = list(_awaited(task.coro))
    own = [(code, line) for code, line in chain if kind_of(code.co_filename) == "own"]
    start = start_of(getattr(task.coro, "cr_frame", None))
    return Task(
        title or task.name or "",
        tuple(link_of(code, line, "awaits") for code, line in own or chain[-1:]),
        start.links if start else (),
        perf_counter() - start.at if start else None,
    )


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


def title_of(scope: Scope) -> str:
    """Return ``"GET /orders/7"`` or ``"WebSocket /chat"``, control characters escaped."""
    return f"{method_of(scope)} {printable(scope['path'])}"


def method_of(scope: Scope) -> str:
    """Return ``"GET"`` or ``"WebSocket"``."""
    return printable(scope["method"]) if scope["type"] == "http" else "WebSocket"
