"""The application of the tests about WebSockets that are open: views that do not receive, and rooms.

Runs, notes and gates are those of :mod:`tests.integration.app`.
"""

from pathlib import Path

import anyio

from erlen import Erlen, WebSocket, WebSocketDisconnect, request, websocket
from tests.integration.app import Runs

#: Messages in a second that ``/ws/paced`` takes.
RATE = 20
#: Seconds that a member of the room has for one message.
PATIENCE = 0.5


def make_app() -> Erlen:
    """Return a new application."""
    app = Erlen("websockets")
    runs = Runs()
    add_observation(app, runs)
    add_senders(app, runs)
    add_groups(app, runs)
    add_listeners(app, runs)
    add_room(app)
    return app


def add_observation(app: Erlen, runs: Runs) -> None:
    """Declare what tests look through."""

    @app.get("/notes/<run>/<int:count>")
    async def notes(run: str, count: int) -> list[str]:
        return await runs.notes(run, count, request.args.get("patience", 5.0, type=float))

    @app.post("/gates/<run>")
    async def open_gate(run: str) -> str:
        runs.open(run)
        return ""

    @app.get("/memory")
    async def memory() -> dict[str, int]:
        status = await anyio.to_thread.run_sync(Path("/proc/self/status").read_text)
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        return {"bytes": int(line.split()[1]) * 1024}

    @app.teardown_websocket
    async def note_end(error: BaseException | None) -> None:
        if websocket.view_args:
            runs.note(websocket.view_args["run"], f"teardown: {type(error).__name__}")


def add_senders(app: Erlen, runs: Runs) -> None:
    """Declare views that never receive."""

    @app.websocket("/ws/ticks/<run>")
    async def ticks(run: str) -> None:
        try:
            while True:
                await websocket.send("tick")
                await anyio.sleep(0.05)
        finally:
            runs.note(run, "view ended")

    @app.websocket("/ws/once/<run>")
    async def send_once(run: str) -> None:
        try:
            await websocket.send("ready")
            await anyio.sleep_forever()
        finally:
            runs.note(run, "view ended")

    @app.websocket("/ws/mute/<run>")
    async def send_nothing(run: str) -> None:
        try:
            await websocket.accept()
            await anyio.sleep_forever()
        finally:
            runs.note(run, "view ended")

    @app.websocket("/ws/patient/<run>")
    async def wait_for_the_end(run: str) -> None:
        await websocket.send("ready")
        await websocket.wait_closed()
        runs.note(run, "view ended")


def add_groups(app: Erlen, runs: Runs) -> None:
    """Declare views that do several things side by side."""

    @app.websocket("/ws/both/<run>")
    async def both(run: str) -> None:
        async def hear() -> None:
            async for message in websocket:
                runs.note(run, f"message {message!r}")

        async def tell() -> None:
            try:
                await websocket.send("ready")
                await anyio.sleep_forever()
            finally:
                runs.note(run, "sender ended")

        async with websocket.tasks() as tasks:
            tasks.start_soon(tell)
            tasks.start_soon(hear)
        runs.note(run, "block ended")

    @app.websocket("/ws/apart/<run>")
    async def subscribe(run: str) -> None:
        await websocket.receive()
        async with websocket.tasks() as tasks:
            tasks.start_soon(websocket.send, "ready")
            tasks.start_soon(anyio.sleep_forever)
        runs.note(run, "block ended")


def add_listeners(app: Erlen, runs: Runs) -> None:
    """Declare views that receive, or should."""

    @app.websocket("/ws/deaf/<run>")
    async def hear_nothing(run: str) -> None:
        websocket.max_message_size = 2**21
        await websocket.send("ready")
        await runs.pass_gate(run)

    @app.websocket("/ws/echo/<run>")
    async def echo(run: str) -> None:
        async for message in websocket:
            await websocket.send(message)

    @app.websocket("/ws/paced/<run>")
    async def paced(run: str) -> None:
        websocket.max_message_rate = RATE
        try:
            while True:
                await websocket.send(await websocket.receive())
        except WebSocketDisconnect as closed:
            runs.note(run, f"closed {closed.code} {closed.reason!r}")


def add_room(app: Erlen) -> None:
    """Declare a room whose members are sent what is posted."""
    members: set[WebSocket] = set()

    @app.websocket("/ws/room")
    async def join() -> None:
        member = websocket._get_current_object()
        await websocket.accept()
        members.add(member)
        try:
            await websocket.wait_closed()
        finally:
            members.discard(member)

    async def deliver(member: WebSocket, message: bytes) -> None:
        try:
            with anyio.fail_after(PATIENCE):
                await member.send(message)
        except (TimeoutError, WebSocketDisconnect):
            members.discard(member)  # it does not keep up, or is gone

    @app.post("/room/<int:count>/<int:size>")
    async def post(count: int, size: int) -> dict[str, int]:
        for _ in range(count):
            async with anyio.create_task_group() as tasks:
                for member in tuple(members):
                    tasks.start_soon(deliver, member, bytes(size))
        return {"members": len(members)}

    @app.get("/room")
    async def room() -> dict[str, int]:
        return {"members": len(members)}


app = make_app()
