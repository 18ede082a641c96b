"""WebSockets and their ends."""

from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from erlen import Blueprint, abort, session, signals, sync, websocket
from erlen.exchange import websocket_ending, websocket_link
from tests.sessions.test_server_side import StoreInterface
from tests.sweep.scenario import LEFT, Collection, Stage, text

sockets = Collection()


def _impatient(stage: Stage) -> None:
    stage.patch(websocket_ending, "PATIENCE", 0)
    stage.patch(websocket_ending, "PATIENCE_WITH_MESSAGES", 0)


@sockets.websocket("echo", text("a"), text("b"), LEFT, ends_early=True, in_pairs=True)
def declare_echo(stage: Stage) -> None:
    _impatient(stage)

    @stage.app.websocket("/")
    async def view() -> None:
        with stage.notes.held("the view"):
            async for message in websocket:
                await websocket.send(message)


@sockets.websocket("echo, hooks of a blueprint", text("a"), LEFT, in_pairs=True)
def declare_hooks(stage: Stage) -> None:
    blue = Blueprint("blue", __name__)

    @blue.before_websocket
    async def before() -> None:
        await checkpoint()

    @blue.after_websocket
    async def after(response: Any) -> Any:
        await checkpoint()
        return response

    @blue.teardown_websocket
    async def end(_error: BaseException | None) -> None:
        stage.notes.clean_up()
        await checkpoint()

    @blue.websocket("/")
    async def view() -> None:
        await websocket.send(await websocket.receive())

    stage.app.register_blueprint(blue)


@sockets.websocket("only sends", ends_early=True)
def declare_sends(stage: Stage) -> None:
    _impatient(stage)

    @stage.app.websocket("/")
    async def view() -> None:
        with stage.notes.held("the view"):
            for number in range(5):
                await websocket.send(str(number))


@sockets.websocket("only sends, watched", has_tasks=True, ends_early=True, in_pairs=True)
def declare_watched(stage: Stage) -> None:
    stage.patch(websocket_link, "SOON", 0)
    declare_sends(stage)


@sockets.websocket("only waits, until the application ends", LEFT, ends_early=True)
def declare_waits(stage: Stage) -> None:
    _impatient(stage)

    @stage.app.websocket("/")
    async def view() -> None:
        await websocket.accept()
        for _ in range(5):
            await checkpoint()


@sockets.websocket("JSON that is malformed", text("{"), ends_early=True)
def declare_malformed(stage: Stage) -> None:
    _impatient(stage)

    @stage.app.websocket("/")
    async def view() -> None:
        await websocket.accept()
        await websocket.receive_json()


@sockets.websocket("closed by the view", text("a"))
def declare_close(stage: Stage) -> None:
    @stage.app.websocket("/")
    async def view() -> None:
        await websocket.receive()
        await websocket.close(4000, "enough")


@sockets.websocket("error after the accept")
def declare_error(stage: Stage) -> None:
    @stage.app.websocket("/")
    async def view() -> None:
        await websocket.accept()
        abort(403)


@sockets.websocket("refused by abort", begins_with=401, ends_early=True)
def declare_refused(stage: Stage) -> None:
    _impatient(stage)

    @stage.app.websocket("/")
    async def view() -> None:
        await checkpoint()
        abort(401)


@sockets.websocket("refused with a response", begins_with=403)
def declare_denied(stage: Stage) -> None:
    @stage.app.websocket("/")
    async def view() -> tuple[str, int]:
        await checkpoint()
        return "not today", 403


@sockets.websocket("refused with a stream", begins_with=200)
def declare_denied_stream(stage: Stage) -> None:
    async def items() -> Any:
        with stage.notes.held("the generator"):
            for _ in range(3):
                await checkpoint()
                yield "no"

    @stage.app.websocket("/")
    async def view() -> Any:
        return items()


@sockets.websocket("rejected so that a page sees it")
def declare_rejected(stage: Stage) -> None:
    @stage.app.websocket("/")
    async def view() -> None:
        await websocket.reject(4001, "no")


@sockets.websocket("returned without an accept", begins_with=("websocket.close", 1000))
def declare_returned(stage: Stage) -> None:
    @stage.app.websocket("/")
    async def view() -> None:
        await checkpoint()


@sockets.websocket("session in the accept", text("a"))
def declare_session(stage: Stage) -> None:
    stage.app.session_interface = StoreInterface({})

    @stage.app.websocket("/")
    async def view() -> None:
        session["n"] = 1
        await websocket.send(await websocket.receive())


@sockets.websocket("asynchronous receivers of signals", text("a"))
def declare_signals(stage: Stage) -> None:
    async def receive(_sender: object, **_values: Any) -> None:
        await checkpoint()

    for name in ("received", "sent", "started", "finished", "tearing_down"):
        stage.enter(getattr(signals, f"websocket_{name}").connected_to(receive))

    @stage.app.websocket("/")
    async def view() -> None:
        await websocket.send(await websocket.receive())


@sockets.websocket(
    "websocket.tasks()", text("a"), text("b"), LEFT, has_tasks=True, ends_early=True, in_pairs=True
)
def declare_group(stage: Stage) -> None:
    _impatient(stage)

    async def take() -> None:
        with stage.notes.held("the receiving task"):
            async for message in websocket:
                await websocket.send(message)

    async def give() -> None:
        with stage.notes.held("the sending task"):
            for number in range(3):
                await websocket.send(str(number))

    @stage.app.websocket("/")
    async def view() -> None:
        async with websocket.tasks() as tasks:
            tasks.start_soon(take)
            tasks.start_soon(give)


@sockets.websocket(
    "sent and received by two tasks", text("a"), text("b"), LEFT, has_tasks=True, ends_early=True
)
def declare_tasks(stage: Stage) -> None:
    _impatient(stage)

    async def take() -> None:
        with stage.notes.held("the receiving task"):
            async for _message in websocket:
                pass

    @stage.app.websocket("/")
    async def view() -> None:
        async with anyio.create_task_group() as tasks:
            await websocket.accept()
            tasks.start_soon(take)
            for number in range(3):
                await websocket.send(str(number))
            tasks.cancel_scope.cancel()


@sockets.websocket("def view", text("a"), LEFT, uses_threads=True, ends_early=True)
def declare_def(stage: Stage) -> None:
    _impatient(stage)

    @stage.app.websocket("/")
    def view() -> None:
        with stage.notes.held("the view"):
            for message in sync.websocket:
                sync.websocket.send(message)
