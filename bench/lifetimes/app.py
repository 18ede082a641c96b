"""The application of the experiments: each view lasts, and notes when it begins and ends."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio

from bench.lifetimes.content import pieces
from bench.lifetimes.gauges import Errors, gauges
from bench.lifetimes.ledger import Ledger, What
from erlen import (
    Blueprint,
    Erlen,
    Request,
    Response,
    UploadFile,
    WebSocket,
    request,
    send_file,
    websocket,
)

ledger = Ledger(Path(os.environ["LIFETIMES_LEDGER"]))
app = Erlen("lifetimes")
app.config.update(
    MAX_CONTENT_LENGTH=None,
    WEBSOCKET_ORIGINS=None,
    MAX_BACKGROUND_TASKS=10_000,
    BACKGROUND_TASK_SHUTDOWN_TIMEOUT=1.0,
)
#: What is counted; the gauges themselves are not, and open no request that a server could keep.
views = Blueprint("views", __name__)
errors = Errors("erlen"), Errors(app.name)
sockets: set[WebSocket] = set()


@views.before_request
async def begin() -> None:
    ledger.note(number_of_request(), What.BEGUN)


@views.teardown_request
async def tear_down(_error: BaseException | None) -> None:
    ledger.note(number_of_request(), What.TORN_DOWN)


def number_of_request() -> int:
    assert request.view_args is not None
    number: int = request.view_args["number"]
    return number


@app.after_serving
async def last() -> None:
    ledger.note(0, What.AFTER_SERVING)


@app.get("/gauges")
async def show_gauges() -> dict[str, int]:
    found = gauges((Request, Response, UploadFile, WebSocket))
    return found | {"errors": sum(each.count for each in errors)}


# --- responses ------------------------------------------------------------------------------------


@views.get("/busy/<int:number>/<int:milliseconds>")
async def work(number: int, milliseconds: int) -> str:
    await anyio.sleep(milliseconds / 1000)
    ledger.note(number, What.ENDED)
    return f"{number}\n" * 500


@views.get("/download/<int:number>/<int:size>/<int:milliseconds>")
async def download(number: int, size: int, milliseconds: int) -> AsyncIterator[bytes]:
    """Stream, with a pause before each piece."""
    for piece in pieces(size):
        if milliseconds:
            await anyio.sleep(milliseconds / 1000)
        yield piece
    ledger.note(number, What.ENDED)


@views.get("/file/<int:number>")
async def file(number: int) -> Response:
    ledger.note(number, What.ENDED)
    return await send_file(os.environ["LIFETIMES_FILE"], etag=False, max_age=0)


# --- request bodies -------------------------------------------------------------------------------


@views.post("/upload/<int:number>/<int:burst>/<int:milliseconds>")
async def upload(number: int, burst: int, milliseconds: int) -> dict[str, Any]:
    """Read, with a pause after each *burst* bytes."""
    made = hashlib.sha256()
    size = pauses = 0
    async for chunk in request.body:
        made.update(chunk)
        size += len(chunk)
        if burst and size // burst > pauses:
            pauses += 1
            await anyio.sleep(milliseconds / 1000)
    ledger.note(number, What.ENDED)
    return {"size": size, "digest": made.hexdigest()}


@views.post("/form/<int:number>")
async def form(number: int) -> dict[str, Any]:
    files = await request.files
    ledger.note(number, What.ENDED)
    return {"size": files["up"].size}


@views.post("/unread/<int:number>/<int:milliseconds>")
async def leave_unread(number: int, milliseconds: int) -> str:
    await anyio.sleep(milliseconds / 1000)
    ledger.note(number, What.ENDED)
    return "unread"


# --- what goes on ---------------------------------------------------------------------------------


@views.post("/tasks/<int:number>/<int:milliseconds>")
async def start_task(number: int, milliseconds: int) -> str:
    app.add_background_task(go_on, number, milliseconds)
    ledger.note(number, What.ENDED)
    return "started"


async def go_on(number: int, milliseconds: int) -> None:
    ledger.note(number, What.TASK_BEGUN)
    try:
        await anyio.sleep(milliseconds / 1000)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.01)  # what is awaited here has ended before the process does
            ledger.note(number, What.TASK_CANCELLED)
        raise
    ledger.note(number, What.TASK_ENDED)


@views.websocket("/socket/<int:number>")
async def socket(number: int) -> None:
    own: WebSocket = websocket._get_current_object()
    await own.accept()
    sockets.add(own)
    try:
        async for message in own:
            await own.send(message)
    finally:
        sockets.discard(own)
        ledger.note(number, What.ENDED)


@app.post("/broadcast")
async def broadcast() -> dict[str, int]:
    for each in tuple(sockets):
        await each.send("x" * 100)
    return {"count": len(sockets)}


app.register_blueprint(views)
