"""A scenario: a small application, what its client sends, and what comes of it undisturbed."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erlen import Erlen
from erlen.protocols import Message, Scope
from tests.sweep.limits import close
from tests.sweep.notes import Notes

HOST = (b"host", b"example.com")
CONNECT: Message = {"type": "websocket.connect"}


class Stage:
    """What a scenario is declared on; it lasts for a whole sweep.

    Attributes:
        app: Its application.
        notes: The notes of the run; they begin anew with each.
        folder: A folder with ``small.txt`` and ``large.bin``.
    """

    def __init__(self, folder: Path) -> None:
        """*folder* is read only."""
        self.app = Erlen("sweep", static_folder=str(folder), static_url_path="/static")
        self.app.config.update(SECRET_KEY="for sweeps only, but thirty-two bytes long")
        self.notes = Notes()
        self.folder = folder
        self._undo = ExitStack()

    def patch(self, owner: Any, name: str, value: object) -> None:
        """Set an attribute for the length of the sweep."""
        self._undo.callback(setattr, owner, name, getattr(owner, name))
        setattr(owner, name, value)

    def enter(self, manager: AbstractContextManager[Any]) -> None:
        """Enter *manager* for the length of the sweep."""
        self._undo.enter_context(manager)

    def close(self) -> None:
        """Undo the patches, and end the threads."""
        self._undo.close()
        close(self.app)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One exchange.

    Attributes:
        name: A few words.
        declare: Declares views and hooks on a stage.
        scope: What the server asks.
        messages: What the client sends.
        begins_with: The status of the undisturbed answer, or the first message of a WebSocket.
        uses_threads: Whether how often it waits may differ between two runs.
        has_tasks: Whether tasks run beside its own whose waits are to be swept, too.
        ends_early: Whether it heeds the shutdown, which is then swept too.
        varies: Whether two complete answers may differ.
        may_log: Whether it has an error that is logged where nobody is left to be told.
        in_pairs: Whether every run of the suite lets its cleanups fail, too, one at a time.
    """

    name: str
    declare: Callable[[Stage], None]
    scope: Scope
    messages: tuple[Message, ...] = ()
    begins_with: object = 200
    uses_threads: bool = False
    has_tasks: bool = False
    ends_early: bool = False
    varies: bool = False
    may_log: bool = False
    in_pairs: bool = False

    @property
    def kind(self) -> str:
        """``"http"``, ``"websocket"`` or ``"lifespan"``."""
        kind: str = self.scope["type"]
        return kind


@dataclass
class Collection:
    """Scenarios in order of declaration."""

    members: list[Scenario] = field(default_factory=list)

    def http(
        self,
        name: str,
        target: str = "/",
        *,
        method: str = "GET",
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: Iterable[bytes] = (b"",),
        **facts: Any,
    ) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
        """Add a scenario of one request; *body* are its chunks."""
        path, _, query = target.partition("?")
        chunks = list(body)
        messages = tuple(
            {"type": "http.request", "body": chunk, "more_body": chunk is not chunks[-1]}
            for chunk in chunks
        )
        scope = {
            **scope_of("http", path, headers),
            "method": method,
            "query_string": query.encode(),
        }
        return self._adding(name=name, scope=scope, messages=messages, **facts)

    def websocket(
        self,
        name: str,
        *messages: Message,
        headers: Iterable[tuple[bytes, bytes]] = (),
        **facts: Any,
    ) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
        """Add a scenario of one WebSocket; *messages* follow the connect."""
        scope = {
            **scope_of("websocket", "/", headers),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        facts = {"begins_with": ("websocket.accept", None), **facts}
        name = f"WebSocket: {name}"
        return self._adding(name=name, scope=scope, messages=(CONNECT, *messages), **facts)

    def lifespan(
        self, name: str, **facts: Any
    ) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
        """Add a scenario of an application that starts and stops."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        messages = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
        facts = {"begins_with": ("lifespan.startup.complete", None), **facts}
        return self._adding(name=name, scope=scope, messages=messages, **facts)

    def _adding(self, **facts: Any) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
        def add(declare: Callable[[Stage], None]) -> Callable[[Stage], None]:
            self.members.append(Scenario(declare=declare, **facts))
            return declare

        return add


def scope_of(kind: str, path: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> Scope:
    """Return a scope without what is of one kind alone."""
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": "ws" if kind == "websocket" else "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [HOST, *headers],
        "client": ("203.0.113.9", 50000),
        "server": ("127.0.0.1", 8000),
    }


def text(data: str) -> Message:
    """Return a text message of the peer."""
    return {"type": "websocket.receive", "text": data, "bytes": None}


LEFT: Message = {"type": "websocket.disconnect", "code": 1001, "reason": ""}
