"""What holds the event loop is named while it holds it, and nothing else is: P-20."""

import asyncio  # noqa: TID251  # a loop that ends without a word
import json
import logging
import queue
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from erlen import Erlen, abort, websocket
from erlen.protocols import Receive, Scope, Send
from erlen.stalls import Watch, watch, watching

#: Seconds. What must be told is held until it is told; what must not be, for much longer.
THRESHOLD = 0.05
#: Seconds after which a stall ends that nobody tells of.
PATIENCE = 10.0
HERE = (
    str(Path(__file__).relative_to(Path.cwd()))
    if Path(__file__).is_relative_to(Path.cwd())
    else __file__
)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="no clock of a thread's computing")


class Told:
    """What a watch tells, and a way to hold the loop until it does."""

    def __init__(self) -> None:
        self.lines = list[str]()
        self.event = threading.Event()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self.event.set()

    def hold(self) -> None:
        """Block until the next line is told."""
        self.event.clear()
        self.event.wait(PATIENCE)


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    """A watch of the running loop."""
    told = Told()
    watch = Watch(THRESHOLD, told)
    yield told
    watch.stop()
    assert not names_of_threads() & {"erlen-stalls"}


def names_of_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


async def in_task(function: Callable[..., Any], *args: Any) -> None:
    """Call *function* in a task."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(function, *args)


# --- what is told -----------------------------------------------------------------------------------


async def test_p20_a_coroutine_that_blocks_is_told_once_with_its_line(told: Told) -> None:
    async def block() -> None:
        told.event.wait(PATIENCE)
        threading.Event().wait(4 * THRESHOLD)

    line = block.__code__.co_firstlineno + 1
    await in_task(block)
    name = "test_p20_a_coroutine_that_blocks_is_told_once_with_its_line.<locals>.block"
    [sentence] = told.lines
    assert sentence == (
        f"The event loop was held for more than 50 ms by the function {name!r} at "
        f"{HERE}:{line}: told.event.wait(PATIENCE). Await the work, or run it by run_sync()."
    )


async def test_p20_each_stall_is_told(told: Told) -> None:
    async def block() -> None:
        told.hold()

    for _ in range(3):
        await in_task(block)
    assert len(told.lines) == 3


@LINUX
async def test_p20_a_function_in_c_that_lets_no_thread_run_is_told(told: Told) -> None:
    """It has ended when the watching thread can look; what it has computed gives it away."""

    async def add_up() -> None:
        sum(range(count))

    count = numbers_for(6 * THRESHOLD)
    for _ in range(20):  # the machine may be at work just then
        await in_task(add_up)
        named = [line for line in told.lines if "add_up' at " in line]  # numbers_for() may be, too
        if named:
            break
    assert ": sum(range(count)). Await" in named[0]


def numbers_for(seconds: float) -> int:
    """Return how many numbers are added up in so many seconds at least."""
    count = 1_000_000
    while True:
        begin = time.thread_time()
        sum(range(count))
        if time.thread_time() - begin > seconds:
            return count
        count *= 2


# --- what is not ------------------------------------------------------------------------------------


async def test_nothing_is_told_of_a_loop_that_waits(told: Told) -> None:
    await anyio.sleep(4 * THRESHOLD)
    assert told.lines == []


async def test_nothing_is_told_of_many_short_steps(told: Told) -> None:
    async def step() -> None:
        end = time.monotonic() + THRESHOLD / 10
        while time.monotonic() < end:
            pass

    async with anyio.create_task_group() as tasks:
        for _ in range(80):
            tasks.start_soon(step)
    assert told.lines == []


async def test_nothing_is_told_while_a_debugger_holds_the_thread(told: Told) -> None:
    await in_task(pretending_to_be("bdb.py", "bdb"))
    assert told.lines == []


async def test_nothing_is_told_of_a_wait_in_code_of_erlen_alone(told: Told) -> None:
    """It computes nothing: the machine has taken the processor away."""
    await in_task(pretending_to_be(watch.__file__, "erlen.somewhere"))
    assert told.lines == []


def pretending_to_be(file: str, module: str) -> Callable[..., Any]:
    """Return a coroutine function of another file and module, which blocks for a while."""
    code = f"async def block():\n    threading.Event().wait({4 * THRESHOLD})\n"
    names: dict[str, Any] = {"__name__": module, "threading": threading}
    exec(compile(code, file, "exec"), names)
    block: Callable[..., Any] = names["block"]
    return block


# --- when it watches --------------------------------------------------------------------------------


@pytest.fixture
def app(caplog: pytest.LogCaptureFixture) -> Iterator[Erlen]:
    """An application in debug mode, whose ``hold()`` blocks until that is told."""
    app = Erlen("shop")
    app.debug = True
    app.config["STALL_THRESHOLD"] = THRESHOLD
    told = Told()
    handler = logging.Handler()
    handler.emit = lambda record: told(record.getMessage())  # type: ignore[method-assign]  # all of it
    app.state.told = told
    logger = logging.getLogger("shop")
    logger.addHandler(handler)
    yield app
    logger.removeHandler(handler)
    assert not names_of_threads() & {"erlen-stalls"}


def lines(app: Erlen) -> list[str]:
    """Return who was told of, without the rest of the sentence."""
    found: list[str] = app.state.told.lines
    return [
        re.sub(r".* held for more than 50 ms by | at [^ ]+:\d+: .*", "", line) for line in found
    ]


async def test_p20_the_lifespan_watches_in_debug_mode(app: Erlen) -> None:
    async with app.test_client():
        assert "erlen-stalls" in names_of_threads()


@pytest.mark.parametrize(
    ("key", "value"), [("DEBUG", False), ("TESTING", True), ("STALL_THRESHOLD", None)]
)
async def test_nobody_watches_otherwise(app: Erlen, key: str, value: object) -> None:
    app.config[key] = value
    with watching(app):
        assert "erlen-stalls" not in names_of_threads()


async def test_a_loop_is_watched_once(app: Erlen) -> None:
    with watching(app):
        before = threading.active_count()
        with watching(app):
            assert threading.active_count() == before
    with watching(app):
        assert threading.active_count() == before


def test_a_watch_of_a_loop_that_has_ended_ends() -> None:
    async def begin() -> threading.Thread:
        return Watch(1.0, print)._thread

    thread = asyncio.run(begin())
    thread.join(PATIENCE)
    assert not thread.is_alive()


async def test_a_watch_is_ended_while_it_has_something_to_tell(told: Told) -> None:
    """Its end waits for no answer of the loop."""
    watch = Watch(THRESHOLD, lambda _line: None)

    async def block() -> None:
        told.hold()
        watch.stop()

    await in_task(block)
    assert not watch._thread.is_alive()


# --- who it was -------------------------------------------------------------------------------------


async def test_p20_a_view_is_named_by_endpoint_and_request(app: Erlen) -> None:
    @app.get("/report/<int:year>")
    async def report(year: int) -> str:
        app.state.told.event.wait(PATIENCE)
        return str(year)

    async with app.test_client() as client:
        assert (await client.get("/report/2026")).text == "2026"
    assert lines(app) == ["the view 'report' (GET /report/2026)"]
    number = report.__code__.co_firstlineno + 2
    assert (
        f" at {HERE}:{number}: app.state.told.event.wait(PATIENCE). Await"
        in app.state.told.lines[0]
    )


async def test_a_websocket_is_named_too(app: Erlen) -> None:
    @app.websocket("/chat")
    async def chat() -> None:
        app.state.told.hold()
        await websocket.send("hello")

    async with app.test_client() as client, client.websocket("/chat") as socket:
        assert await socket.receive() == "hello"
    assert lines(app) == ["the view 'chat' (WebSocket /chat)"]


async def test_a_stream_is_its_views(app: Erlen) -> None:
    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        yield "a"
        app.state.told.hold()
        yield "b"

    async with app.test_client() as client:
        assert (await client.get("/stream")).text == "ab"
    assert lines(app) == ["the view 'stream' (GET /stream)"]


@pytest.mark.parametrize(
    ("declare", "word"),
    [
        ("before_request", "before hook"),
        ("after_request", "after hook"),
        ("teardown_request", "teardown hook"),
    ],
)
async def test_p20_hooks_are_named_by_their_functions(app: Erlen, declare: str, word: str) -> None:
    async def hook(response: Any = None) -> Any:
        app.state.told.hold()
        return response

    getattr(app, declare)(hook)
    app.get("/")(lambda: "view")
    async with app.test_client() as client:
        assert (await client.get("/")).text == "view"
    name = f"{test_p20_hooks_are_named_by_their_functions.__name__}.<locals>.hook"
    assert lines(app) == [f"the {word} '{name}' (GET /)"]


async def test_p20_error_handlers_are_named(app: Erlen) -> None:
    @app.errorhandler(418)
    async def handle(_error: Exception) -> str:
        app.state.told.hold()
        return "handled"

    @app.get("/")
    async def view() -> None:
        abort(418)

    async with app.test_client() as client:
        assert (await client.get("/")).text == "handled"
    name = f"{test_p20_error_handlers_are_named.__name__}.<locals>.handle"
    assert lines(app) == [f"the error handler '{name}' (GET /)"]


async def test_p20_background_tasks_are_named(app: Erlen) -> None:
    async def send_mail() -> None:
        app.state.told.hold()

    @app.get("/")
    async def view() -> str:
        app.add_background_task(send_mail)
        return "view"

    async with app.test_client() as client:
        await client.get("/")
    name = f"{test_p20_background_tasks_are_named.__name__}.<locals>.send_mail"
    assert lines(app) == [f"the background task '{name}', started by GET /"]


@pytest.mark.parametrize("declare", ["before_serving", "after_serving"])
async def test_p20_functions_around_serving_are_named(app: Erlen, declare: str) -> None:
    async def connect() -> None:
        app.state.told.hold()

    getattr(app, declare)(connect)
    async with app.test_client():
        pass
    name = f"{test_p20_functions_around_serving_are_named.__name__}.<locals>.connect"
    assert lines(app) == [f"the lifespan function '{name}'"]


async def test_middleware_is_named_as_the_function_that_it_is(app: Erlen) -> None:
    class Slow:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                app.state.told.event.wait(PATIENCE)
            await self.inner(scope, receive, send)

    app.add_middleware(Slow)
    app.get("/")(lambda: "view")
    async with app.test_client() as client:
        await client.get("/")
    assert len(lines(app)) == 1
    assert lines(app)[0].startswith("the function '")
    assert "<locals>.Slow.__call__'" in lines(app)[0]


@LINUX
async def test_a_value_that_takes_long_to_encode_is_its_views(app: Erlen) -> None:
    """Only erlen and the library are on the stack then; middleware around is not to blame."""

    class Around:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.inner(scope, receive, send)

    app.add_middleware(Around)

    @app.get("/")
    async def view() -> list[Any]:
        return large

    large, told = values_for(8 * THRESHOLD), "the view 'view' (GET /)"
    async with app.test_client() as client:
        for _ in range(20):  # the machine may be at work just then
            await client.get("/")
            if told in lines(app):
                break
            await anyio.sleep(THRESHOLD / 4)  # else all rounds are one step of the loop
    assert told in lines(app)


def values_for(seconds: float) -> list[Any]:
    """Return a value that takes at least so many seconds to be encoded."""
    value: list[Any] = [["text", 1.5]] * 10_000
    while True:
        begin = time.thread_time()
        json.dumps(value)
        if time.thread_time() - begin > seconds:
            return value
        value *= 2


# --- under load -------------------------------------------------------------------------------------


async def test_nothing_is_told_when_threads_compute(told: Told) -> None:
    """``def`` views that compute take the interpreter away, 5 ms each; the loop still turns."""
    end, results = time.monotonic() + 6 * THRESHOLD, queue.SimpleQueue[int]()

    def compute() -> None:
        while time.monotonic() < end:
            results.put(sum(range(100)))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(to_thread.run_sync, compute)
        while time.monotonic() < end:
            await checkpoint()
    assert told.lines == []
