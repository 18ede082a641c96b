"""Calls an ASGI application as a server would, without a server, and takes the time.

The processor time of this process counts, which leaves out what other programs take as far as that
can be left out. What comes from a socket is made anew for every request, before the clock runs.
"""

import asyncio  # noqa: TID251  # the loop of every peer
import gc
import time
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any, ClassVar, TypeVar

from bench.scenarios import Answer, Ask, Field

#: What uvicorn gives to an application at once, at most.
_CHUNK = 65_536
_BATCH = 100

Key = TypeVar("Key", bound=Hashable)
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_SERVER = ("127.0.0.1", 8000)
_CLIENT = ("127.0.0.1", 50000)
_FIELDS = (
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"bench/1.0"),
    (b"accept", b"*/*"),
)


class Template:
    """One request, ready to be made anew as often as it is sent.

    Bytes are kept as views, because copies of ``bytes`` would be the same objects, whose hash is
    known. The chunks of the body are shared: nobody hashes them.
    """

    def __init__(self, ask: Ask, carried: tuple[Field, ...] = ()) -> None:
        fields = (*_FIELDS, *ask.fields, *carried)
        self._fields = [(memoryview(name), memoryview(value)) for name, value in fields]
        self._method = ask.method.encode()
        self._path = memoryview(ask.path.encode())
        self._query = memoryview(ask.query)
        starts = range(0, len(ask.body), _CHUNK)
        self.chunks = [ask.body[start : start + _CHUNK] for start in starts][::-1] or [b""]

    def scope(self) -> dict[str, Any]:
        """Return the scope that uvicorn makes of it; what a connection keeps is the same."""
        raw_path = self._path.tobytes()
        return {
            "type": "http",
            "asgi": _ASGI.copy(),
            "http_version": "1.1",
            "server": _SERVER,
            "client": _CLIENT,
            "scheme": "http",
            "root_path": "",
            "headers": [(name.tobytes(), value.tobytes()) for name, value in self._fields],
            "state": {},
            "method": self._method.decode(),
            "path": raw_path.decode(),
            "raw_path": raw_path,
            "query_string": self._query.tobytes(),
        }

    def websocket_scope(self) -> dict[str, Any]:
        """Return the scope of a WebSocket's handshake."""
        scope = self.scope()
        del scope["method"]
        extensions: dict[str, Any] = {"websocket.http.response": {}}
        scope |= {"type": "websocket", "scheme": "ws", "subprotocols": [], "extensions": extensions}
        scope["asgi"]["spec_version"] = "2.4"
        return scope


class Exchange:
    """The server's side of one request: its body, then silence, then the end of the response."""

    __slots__ = ("_chunks", "_waiting", "complete")

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = [*chunks]
        self._waiting: asyncio.Future[None] | None = None
        self.complete = False

    async def receive(self) -> dict[str, Any]:
        if self._chunks:
            chunk = self._chunks.pop()
            return {"type": "http.request", "body": chunk, "more_body": bool(self._chunks)}
        if not self.complete:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.complete = True
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_result(None)


class Recorded(Exchange):
    """An exchange that keeps the messages of the response."""

    __slots__ = ("messages",)

    def __init__(self, chunks: Sequence[bytes]) -> None:
        super().__init__(chunks)
        self.messages: list[Any] = []

    async def send(self, message: Any) -> None:
        self.messages.append(message)
        await super().send(message)

    def answer(self) -> Answer:
        """Return the whole response.

        Raises:
            AssertionError: It did not begin, or it did not end.
        """
        if not self.messages or not self.complete:
            raise AssertionError(f"The response is not whole: {self.messages!r:.200}.")
        start, *bodies = self.messages
        fields = tuple((bytes(name).lower(), bytes(value)) for name, value in start["headers"])
        return Answer(start["status"], fields, b"".join(each.get("body", b"") for each in bodies))


class Conversation:
    """A peer that sends text messages, each when the one before has come back."""

    __slots__ = ("_events", "_given", "_waiting", "answers", "keep")
    _END: ClassVar[dict[str, Any]] = {"type": "websocket.disconnect", "code": 1000, "reason": ""}

    def __init__(self, messages: int, *, keep: bool = False) -> None:
        texts = [{"type": "websocket.receive", "text": f"message {n}"} for n in range(messages)]
        self._events = [self._END, *texts[::-1], {"type": "websocket.connect"}]
        self._given = False
        self._waiting: asyncio.Future[None] | None = None
        self.keep = keep
        self.answers: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        if self._given:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
            self._waiting = None
        self._given = True
        return self._events.pop() if self._events else self._END

    async def send(self, message: Any) -> None:
        """Take the accept, or an echo: the answer to the event that was given last."""
        if self.keep:
            self.answers.append(message)
        self._given = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    @property
    def complete(self) -> bool:
        """Whether every message was taken."""
        return not self._events


async def nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    """An application that does nothing: its time is the driver's own."""


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Run the lifespan of *app*; one that knows no lifespan is left alone, as servers do."""
    started, ending = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, str]:
        if started.is_set():
            await ending.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"].endswith("failed"):
            raise AssertionError(message)
        started.set()

    async def run() -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        try:
            await app(scope, receive, send)
        except NotImplementedError:
            pass
        finally:
            started.set()

    task = asyncio.create_task(run())
    await started.wait()
    if task.done():
        await task  # raises what the lifespan raised
    try:
        yield
    finally:
        ending.set()
        await task


async def ask(app: Any, request: Template) -> tuple[Answer, int]:
    """Return the answer of *app*, and how many messages its body had."""
    exchange = Recorded(request.chunks)
    await app(request.scope(), exchange.receive, exchange.send)
    return exchange.answer(), len(exchange.messages) - 1


async def talk(app: Any, request: Template, messages: int) -> list[Any]:
    """Return the text of each message that *app* has sent to a peer that sends *messages*."""
    peer = Conversation(messages, keep=True)
    await app(request.websocket_scope(), peer.receive, peer.send)
    return [each.get("text") for each in peer.answers if each["type"] == "websocket.send"]


class Load:
    """Requests for one application, timed batch by batch.

    Args:
        app: Is called.
        requests: Are sent in turn, and from the first again.
        messages: Of each WebSocket connection; 0: HTTP.
    """

    def __init__(self, app: Any, requests: Sequence[Template], messages: int = 0) -> None:
        self.app = app
        self._requests: Iterator[Template] = cycle(requests)
        self._messages = messages
        self._batch = 1

    async def run(self, seconds: float) -> float:
        """Return the microseconds of one request or message, over at least *seconds*."""
        taken, count = 0.0, 0
        while taken < seconds or not count:
            spent = await self._run_batch()
            taken += spent
            count += self._batch
            if spent < 0.002 and self._batch < _BATCH:
                self._batch += self._batch
        return taken / count * 1e6 / (self._messages or 1)

    async def _run_batch(self) -> float:
        """Return the seconds of one batch, the work that a request leaves to the loop included."""
        app, calls = self.app, self._calls()
        start = time.process_time()
        for scope, exchange in calls:
            await app(scope, exchange.receive, exchange.send)
        await asyncio.sleep(0)
        taken = time.process_time() - start
        if app is not nothing and not all(exchange.complete for _, exchange in calls):
            raise AssertionError("A response did not end.")
        return taken

    def _calls(self) -> list[tuple[dict[str, Any], Exchange | Conversation]]:
        requests = islice(self._requests, self._batch)
        if self._messages:
            return [(each.websocket_scope(), Conversation(self._messages)) for each in requests]
        return [(each.scope(), Exchange(each.chunks)) for each in requests]


async def best(
    loads: Mapping[Key, Load], requests: Sequence[Template], rounds: int, seconds: float
) -> dict[Key, float]:
    """Return the fastest round of each of *loads*, interleaved, without the driver's own time."""
    own, times = Load(nothing, requests), dict.fromkeys(loads, float("inf"))
    for load in loads.values():
        await load.run(seconds)
    less = min([await own.run(seconds / 10) for _ in range(rounds)])
    for _ in range(rounds):
        for key, load in loads.items():
            gc.collect()
            times[key] = min(times[key], await load.run(seconds))
    return {key: taken - less for key, taken in times.items()}


def reference() -> float:
    """Return the seconds of work that is the same in every process: how fast the machine is now."""
    start = time.process_time()
    words: dict[str, int] = {}
    for number in range(20_000):
        word = f"word-{number % 500}"
        words[word] = words.get(word, 0) + len(word.split("-"))
    return time.process_time() - start
