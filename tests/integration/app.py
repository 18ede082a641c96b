"""The application that every server of the conformance suite serves.

A test that needs to know what happened inside, or to decide when it goes on, gives its exchange a
*run*: a name of its own. Under that name the views take notes, which ``/notes`` shows, and wait at a
gate, which ``/gates`` opens.
"""

import contextvars
import threading
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from erlen import Blueprint, Erlen, Response, abort, g, request, stream, sync, url_for, websocket

#: Bytes that a body and a WebSocket message may have, small so that the tests are quick.
MAX_BODY = 100_000
MAX_MESSAGE = 50_000
#: Seconds without a byte after which a body is given up.
BODY_TIMEOUT = 1.0
#: Connections that ``/crowd`` waits for.
CROWD = 20
#: Seconds after which whatever waits here gives up, and its test fails.
PATIENCE = 5.0

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


class Runs:
    """What the exchanges of each run noted, and the gates at which they wait."""

    def __init__(self) -> None:
        self._notes: defaultdict[str, list[str]] = defaultdict(list)
        self._changed: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)
        self._gates: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)

    def note(self, run: str, what: str) -> None:
        """Note *what* happened; whoever waits for it goes on."""
        self._notes[run].append(what)
        self._changed.pop(run, anyio.Event()).set()

    async def notes(self, run: str, count: int, patience: float) -> list[str]:
        """Return the notes of *run*, as soon as there are *count* or *patience* has ended."""
        with anyio.move_on_after(patience):
            while len(self._notes[run]) < count:
                await self._changed[run].wait()
        return self._notes[run]

    def open(self, run: str) -> None:
        """Open the gate of *run*."""
        self._gates[run].set()

    def is_open(self, run: str) -> bool:
        """Whether the gate of *run* is open."""
        return self._gates[run].is_set()

    async def pass_gate(self, run: str) -> None:
        """Wait until the gate of *run* is open."""
        with anyio.fail_after(PATIENCE):
            await self._gates[run].wait()


def make_app() -> Erlen:
    """Return a new application; the tests in this process have one for each event loop."""
    app = Erlen("integration")
    app.config.from_mapping(
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_WEBSOCKET_MESSAGE_SIZE=MAX_MESSAGE,
        BODY_TIMEOUT=BODY_TIMEOUT,
    )
    runs = Runs()
    add_pages(app)
    add_facts(app)
    add_bodies(app, runs)
    add_streams(app, runs)
    add_long_streams(app, runs)
    add_pushed_streams(app, runs)
    add_observation(app, runs)
    add_refusals(app)
    add_guarded(app)
    add_conversations(app)
    add_endings(app)
    add_further_endings(app)
    add_listeners(app, runs)
    return app


# --- HTTP -----------------------------------------------------------------------------------------


def add_pages(app: Erlen) -> None:
    """Declare the views that answer at once."""

    @app.get("/")
    async def index() -> str:
        return "hello"

    @app.get("/json")
    async def as_json() -> dict[str, Any]:
        return {"text": "wörld", "numbers": [1, 2.5, None]}

    @app.get("/names/<name>")
    async def named(name: str) -> dict[str, str]:
        return {"name": name, "path": request.path}

    @app.get("/files/<path:name>")
    async def filed(name: str) -> dict[str, str]:
        return {"name": name}

    @app.get("/query")
    async def query() -> dict[str, list[str]]:
        return {name: request.args.getlist(name) for name in request.args}

    @app.get("/folder/")
    async def folder() -> str:
        return "in the folder"


def add_facts(app: Erlen) -> None:
    """Declare the views that tell what they see, or fail."""

    @app.get("/status/<int:code>")
    async def status(code: int) -> tuple[str, int]:
        return "", code

    @app.get("/fail")
    async def fail() -> str:
        raise LookupError("fails before the first byte")

    @app.get("/headers")
    async def headers() -> Response:
        response = Response("")
        response.headers.add("X-Seen", request.headers.get("X-Sent", ""))
        response.set_cookie("first", "1")
        response.set_cookie("second", "2")
        return response

    @app.get("/address")
    async def address() -> dict[str, Any]:
        return {
            "server": request.server,
            "client": request.remote_addr,
            "host": request.host,
            "url": request.url,
            "root_path": request.root_path,
            "link": url_for("folder"),
        }

    barrier = threading.Barrier(CROWD)

    @app.get("/crowd/<int:number>")
    def crowd(number: int) -> dict[str, int]:
        g.number = number
        barrier.wait(PATIENCE)  # passes only when CROWD views are in threads at once
        return {
            "number": number,
            "asked": int(request.args["number"]),
            "g": g.number,
            "thread": threading.get_ident(),
        }


def add_bodies(app: Erlen, runs: Runs) -> None:
    """Declare the views that read a body, or do not."""

    @app.post("/echo")
    async def echo() -> bytes:
        return await request.get_data()

    @app.post("/unread")
    async def unread() -> str:
        return "not read"

    @app.post("/who/<name>")
    async def remember(name: str) -> dict[str, Any]:
        request.max_content_length = None
        size = len(await request.get_data())
        seen = {"g": g.get("name"), "variable": who.get(), "size": size}
        g.name = name
        who.set(name)
        return seen

    @app.post("/uploads/<run>")
    async def upload(run: str) -> dict[str, int]:
        """Read one chunk, and the others when the gate is open."""
        request.max_content_length = None
        size = 0
        try:
            async for chunk in request.body:
                if not size:
                    runs.note(run, "first chunk")
                    await runs.pass_gate(run)
                size += len(chunk)
        except Exception as error:
            runs.note(run, type(error).__name__)
            raise
        return {"size": size}


def add_streams(app: Erlen, runs: Runs) -> None:
    """Declare the views whose body is made piece by piece."""

    @app.get("/streams/<run>")
    async def in_two_chunks(run: str) -> AsyncIterator[str]:
        yield "first\n"
        await runs.pass_gate(run)
        yield f"last of {request.path}\n"

    @app.get("/fail-midway")
    async def fail_midway() -> AsyncIterator[str]:
        yield "first\n"
        raise LookupError("fails after the first byte")

    @app.get("/short")
    async def short() -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"five!"

        return Response(body(), headers={"Content-Length": "10"})


def add_long_streams(app: Erlen, runs: Runs) -> None:
    """Declare the views whose body does not end before the client leaves."""

    @app.get("/endless/<run>")
    async def endless(run: str) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
                await anyio.sleep(0.001)
        finally:
            await checkpoint()
            runs.note(run, "closed")

    @app.get("/flood/<run>/<int:size>")
    async def flood(run: str, size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 65536):
            yield bytes(65536)
        runs.note(run, "all was sent")

    @app.get("/silent/<run>")
    async def silent(run: str) -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await anyio.sleep_forever()
        finally:
            await anyio.sleep(0.001)
            runs.note(run, "closed")

    @app.get("/pieces")
    async def pieces() -> AsyncIterator[str]:
        yield "one, "
        yield "two"


def add_pushed_streams(app: Erlen, runs: Runs) -> None:
    """Declare the views that send their response themselves."""

    @app.get("/pushed/streams/<run>")
    async def push(run: str) -> None:
        async with stream() as out:
            await out.send("first\n")
            await runs.pass_gate(run)
            await out.send(f"last of {request.path}\n")

    @app.get("/pushed/silent/<run>")
    async def push_silence(run: str) -> None:
        async with stream() as out:
            try:
                await out.send("first")
                await anyio.sleep_forever()
            finally:
                await anyio.sleep(0.001)
                runs.note(run, "closed")

    @app.get("/pushed/endless/<run>")
    def push_from_a_thread(run: str) -> None:
        with sync.stream() as out:
            try:
                while True:
                    out.send(b"x" * 10_000)
            finally:
                runs.note(run, "closed")

    @app.get("/pushed/flood/<run>/<int:size>")
    async def push_flood(run: str, size: int) -> None:
        async with stream() as out:
            for _ in range(size // 65536):
                await out.send(bytes(65536))

    @app.get("/pushed/fail-midway")
    async def push_and_fail() -> None:
        async with stream() as out:
            await out.send("first\n")
            raise LookupError("fails after the first byte")


def add_observation(app: Erlen, runs: Runs) -> None:
    """Declare what tests look through: notes, gates and teardown."""

    @app.get("/notes/<run>/<int:count>")
    async def notes(run: str, count: int) -> list[str]:
        return await runs.notes(run, count, request.args.get("patience", PATIENCE, type=float))

    @app.post("/gates/<run>")
    async def open_gate(run: str) -> str:
        runs.open(run)
        return ""

    @app.teardown_request
    async def note_teardown(error: BaseException | None) -> None:
        view_args = request.view_args or {}
        if "run" in view_args and request.endpoint not in {"notes", "open_gate"}:
            runs.note(view_args["run"], f"teardown: {type(error).__name__}")

    @app.teardown_websocket
    async def note_end(error: BaseException | None) -> None:
        view_args = websocket.view_args or {}
        if "run" in view_args:
            runs.note(view_args["run"], f"teardown: {type(error).__name__}")


# --- WebSockets -----------------------------------------------------------------------------------


def add_refusals(app: Erlen) -> None:
    """Declare the WebSockets that are refused before the accept."""

    @app.websocket("/ws/refuse/abort/<int:code>")
    async def refuse_by_abort(code: int) -> None:
        abort(code)

    @app.websocket("/ws/refuse/return")
    async def refuse_by_return() -> tuple[dict[str, str], int, dict[str, str]]:
        return {"error": "who are you?"}, 401, {"WWW-Authenticate": "Basic"}

    @app.websocket("/ws/refuse/stream")
    async def refuse_by_stream() -> tuple[AsyncIterator[str], int]:
        async def body() -> AsyncIterator[str]:
            yield "not "
            yield "now"

        return body(), 503

    @app.websocket("/ws/refuse/raise")
    async def refuse_by_raise() -> None:
        raise LookupError("fails before the accept")

    @app.websocket("/ws/refuse/close")
    async def refuse_by_close() -> None:
        await websocket.close(4401, "not seen by anyone")

    @app.websocket("/ws/refuse/nothing")
    async def refuse_by_doing_nothing() -> None:
        return

    @app.websocket("/ws/folder/")
    async def folder_of_websockets() -> None:
        await websocket.send("in the folder")


def add_guarded(app: Erlen) -> None:
    """Declare the WebSocket behind a hook that refuses it."""
    guarded = Blueprint("guarded", "integration", url_prefix="/ws/guarded")

    @guarded.before_websocket
    async def guard() -> None:
        abort(401)

    @guarded.websocket("/")
    async def behind_the_guard() -> None:
        await websocket.send("never")

    app.register_blueprint(guarded)


def add_conversations(app: Erlen) -> None:
    """Declare the WebSockets that talk."""

    @app.websocket("/ws/echo")
    async def echo_messages() -> None:
        async for message in websocket:
            await websocket.send(message)

    @app.websocket("/ws/json")
    async def converse_in_json() -> None:
        value = await websocket.receive_json()
        await websocket.send_json({"got": value})

    @app.websocket("/ws/subprotocol/<name>")
    async def choose(name: str) -> None:
        await websocket.accept({"X-Accepted": "yes"}, None if name == "none" else name)
        await websocket.send_json(websocket.requested_subprotocols)

    @app.websocket("/ws/crowd/<int:count>")
    async def send_from_two_tasks(count: int) -> None:
        async def send(task: int) -> None:
            for number in range(count):
                await websocket.send(f"{task} {number} {'x' * number}")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, 1)
            tasks.start_soon(send, 2)


def add_endings(app: Erlen) -> None:
    """Declare the WebSockets that end after the accept, each in its way."""

    @app.websocket("/ws/end/return")
    async def end_by_return() -> None:
        await websocket.send("hello")

    @app.websocket("/ws/end/raise")
    async def end_by_raise() -> None:
        await websocket.send("hello")
        raise LookupError("fails after the accept")

    @app.websocket("/ws/end/abort/<int:code>")
    async def end_by_abort(code: int) -> None:
        await websocket.send("hello")
        abort(code)

    @app.websocket("/ws/end/close/<int:code>")
    async def end_by_close(code: int) -> None:
        await websocket.accept()
        await websocket.close(code, "why")

    @app.websocket("/ws/end/text")
    async def expect_text() -> None:
        await websocket.send(await websocket.receive_text())

    @app.websocket("/ws/end/bytes")
    async def expect_bytes() -> None:
        await websocket.send(await websocket.receive_bytes())


def add_further_endings(app: Erlen) -> None:
    """Declare the WebSockets that end by a refusal, a task or a limit."""

    @app.websocket("/ws/end/reject")
    async def end_by_reject() -> None:
        await websocket.reject(4401, "log in")

    @app.websocket("/ws/end/tasks")
    async def end_by_task() -> None:
        async def fail() -> None:
            raise LookupError("fails in a task")

        await websocket.send("hello")
        async with websocket.tasks() as tasks:
            tasks.start_soon(websocket.wait_closed)
            tasks.start_soon(fail)

    @app.websocket("/ws/end/rate")
    async def end_by_rate() -> None:
        websocket.max_message_rate = 3
        while True:
            await websocket.receive()

    @app.websocket("/ws/end/unasked")
    async def end_by_message_that_nobody_asked_for() -> None:
        await websocket.send("hello")
        await anyio.sleep_forever()


def add_listeners(app: Erlen, runs: Runs) -> None:
    """Declare the WebSockets that tell how their peer ended it."""

    @app.websocket("/ws/listen/<run>")
    async def listen(run: str) -> None:
        await websocket.send("ready")
        async for message in websocket:
            runs.note(run, f"message {message!r}")
        runs.note(run, f"closed {websocket.close_code} {websocket.close_reason!r}")

    @app.websocket("/ws/talk/<run>")
    async def talk_without_listening(run: str) -> None:
        try:
            while not runs.is_open(run):
                await websocket.send("on and on")
                await anyio.sleep(0.001)
        finally:
            runs.note(run, "talked")

    @app.websocket("/ws/deaf/<run>")
    async def hear_nothing(run: str) -> None:
        await websocket.send("ready")
        await runs.pass_gate(run)


app = make_app()
