"""The structural budget of a request: what a plain one may cost, counted and not timed.

A call is a Python function that runs: one frame. A coroutine or generator is one call however often
it is resumed, a comprehension counts where the interpreter gives it a frame (up to CPython 3.11),
and functions written in C do not count. What the server brings, ``receive`` and ``send``, is left
out, and so is what a request needs only once, at the freeze: every count is of a warm application.
"""

import asyncio  # noqa: TID251  # the loop's own doors are counted
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from erlen import Erlen, request
from erlen.protocols import Message, Scope
from tests.counting import profile

PACKAGE = str(Path(sys.modules["erlen"].__file__ or "").parent)
MAX_CALLS = 30
MAX_FILES = 14


class Server:
    """The two callables of a server, and what came through them."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.received = 0

    async def receive(self) -> Message:
        self.received += 1
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def open(self, app: Erlen, path: str) -> Coroutine[Any, Any, None]:
        """Return the coroutine of one request, not started."""
        started: Coroutine[Any, Any, None] = app(scope_of(path), self.receive, self.send)
        return started


def scope_of(path: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"example.com"), (b"user-agent", b"budget"), (b"accept", b"*/*")],
    }


def finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never has to wait, without any event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    pytest.fail("The request gave control to an event loop.")


def frames_of(app: Erlen, path: str) -> list[FrameType]:
    """Return the frame of every Python call of one request, each once."""
    server = Server()
    own = {Server.receive.__code__, Server.send.__code__, Server.open.__code__, scope_of.__code__}
    own |= {finish.__code__}
    # The frames are kept, so that no two of them can have the same identity.
    frames: dict[int, FrameType] = {}

    def serve_once() -> None:
        finish(server.open(app, path))

    own.add(serve_once.__code__)

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code not in own:
            frames.setdefault(id(frame), frame)

    profile(serve_once, note)
    assert [message["type"] for message in server.sent] == [
        "http.response.start",
        "http.response.body",
    ]
    return list(frames.values())


@pytest.fixture
def app() -> Erlen:
    """A warm application: frozen, and every view called once."""
    app = Erlen("budget")

    @app.get("/")
    async def index() -> str:
        return "Hello, World!"

    @app.get("/hello/<name>")
    async def hello(name: str) -> str:
        return f"Hello, {name}!"

    @app.get("/path")
    async def path() -> str:
        return request.path

    for each in ("/", "/hello/Ann", "/path"):
        finish(Server().open(app, each))
    return app


def test_a_request_with_a_path_parameter_makes_at_most_30_calls(app: Erlen) -> None:
    calls = Counter(frame.f_code.co_qualname for frame in frames_of(app, "/hello/Bob"))
    assert calls.total() <= MAX_CALLS, calls


def test_a_static_path_needs_fewer_calls_than_a_parameter(app: Erlen) -> None:
    assert len(frames_of(app, "/")) < len(frames_of(app, "/hello/Bob"))


def test_a_request_with_a_path_parameter_runs_through_few_files(app: Erlen) -> None:
    files = {frame.f_code.co_filename for frame in frames_of(app, "/hello/Bob")}
    own = {file for file in files if file.startswith(PACKAGE)}
    assert files - own == {__file__}, "only the package and the view may run"
    assert len(own) <= MAX_FILES, sorted(own)


@pytest.mark.parametrize("path", ["/", "/hello/Bob", "/path"])
def test_a_request_sends_twice_and_never_receives(app: Erlen, path: str) -> None:
    server = Server()
    finish(server.open(app, path))
    assert (len(server.sent), server.received) == (2, 0)


@pytest.mark.parametrize("path", ["/", "/hello/Bob", "/path"])
def test_a_request_needs_no_event_loop_and_so_neither_task_nor_timer(app: Erlen, path: str) -> None:
    """No loop runs here, so that whoever asked asyncio, trio or anyio for anything would fail."""
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    finish(Server().open(app, path))


DOORS = {
    "create_task": "task",
    "call_soon": "callback",
    "call_soon_threadsafe": "callback",
    "call_later": "timer",
    "call_at": "timer",
    "run_in_executor": "thread",
}


def asked_of_loop(work: Callable[[], Awaitable[None]]) -> Counter[str]:
    """Run *work* on an event loop and return what was asked of the loop meanwhile."""
    asked: Counter[str] = Counter()
    loop = asyncio.new_event_loop()

    def counted(door: str) -> Callable[..., Any]:
        enter = getattr(loop, door)

        def count(*args: Any, **kwargs: Any) -> Any:
            asked[DOORS[door]] += 1
            return enter(*args, **kwargs)

        return count

    async def run() -> Counter[str]:
        asked.clear()
        await work()
        return asked.copy()

    for door in DOORS:
        setattr(loop, door, counted(door))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(run())


@pytest.mark.parametrize("path", ["/", "/hello/Bob", "/path"])
def test_a_request_starts_no_task_timer_or_thread_on_a_loop(app: Erlen, path: str) -> None:
    async def work() -> None:
        tasks, threads = asyncio.all_tasks(), threading.active_count()
        await Server().open(app, path)
        assert (asyncio.all_tasks(), threading.active_count()) == (tasks, threads)

    assert asked_of_loop(work) == Counter()


def test_the_loop_counts_so_that_nothing_asked_means_something() -> None:
    async def work() -> None:
        async with asyncio.timeout(60):
            await asyncio.create_task(asyncio.sleep(0))
        await asyncio.to_thread(int)

    asked = asked_of_loop(work)
    assert (asked["task"], asked["timer"] > 0, asked["thread"]) == (1, True, 1)


def test_what_waits_is_seen_without_a_loop() -> None:
    """The proof by a missing loop proves something: whoever waits fails it."""
    waiting = asyncio.sleep(0)
    with pytest.raises(pytest.fail.Exception, match="gave control"):
        finish(waiting)
