"""The application that every WSGI server of the conformance suite serves, as ``application``."""

import hashlib
import os
from collections.abc import AsyncIterator
from typing import Any

import anyio

from erlen import Erlen, EventStream, ServerSentEvent, abort, request, session, url_for
from tests.integration.notes import has_gate_open, note

#: Bytes that a body may have, where the view does not say otherwise.
MAX_BODY = 100_000
#: Seconds after which whatever waits here gives up, and its test fails.
PATIENCE = 5.0
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

app = Erlen("wsgi-integration")
app.config.from_mapping(SECRET_KEY="of tests only, and long enough", MAX_CONTENT_LENGTH=MAX_BODY)
application = app.wsgi


async def pass_gate(run: str) -> None:
    """Wait until the test has opened the gate of *run*."""
    with anyio.fail_after(PATIENCE):
        while not has_gate_open(run):  # noqa: ASYNC110  # another process opens it
            await anyio.sleep(0.005)


@app.lifespan
async def around() -> AsyncIterator[dict[str, int]]:
    note("lifespan", f"up {os.getpid()}")
    yield {"pid": os.getpid()}
    note("lifespan", f"down {os.getpid()}")


@app.after_serving
def in_a_thread() -> None:
    note("lifespan", f"after {os.getpid()}")


@app.teardown_request
async def note_teardown(error: BaseException | None) -> None:
    run = (request.view_args or {}).get("run")
    if run is not None:
        note(run, f"teardown: {type(error).__name__}")


# --- what comes and what goes ---------------------------------------------------------------------


@app.route("/facts", methods=METHODS)
@app.route("/facts/<name>", methods=METHODS)
async def facts(name: str = "") -> dict[str, Any]:
    return {
        "method": request.method,
        "name": name,
        "path": request.path,
        "root_path": request.root_path,
        "url": request.url,
        "link": url_for("facts"),
        "query": {key: request.args.getlist(key) for key in request.args},
        "sent": request.headers.get("X-Sent"),
        "twice": request.headers.get("X-Twice"),
        "client": request.remote_addr,
        "raw": request.scope["raw_path"].decode("latin-1"),
        "pid": app.state.pid,
    }


@app.get("/status/<int:code>")
async def status(code: int) -> tuple[str, int]:
    return "", code


@app.get("/headers")
async def headers() -> tuple[str, int, list[tuple[str, str]]]:
    cookies = [("Set-Cookie", "first=1"), ("Set-Cookie", "second=2")]
    return "", 200, [*cookies, ("X-Latin", "caf\xe9")]


@app.get("/aborts")
async def aborts() -> None:
    abort(418, "short and stout")


@app.post("/echo")
async def echo() -> bytes:
    return await request.get_data()


@app.post("/unread")
async def unread() -> str:
    return "not read"


@app.post("/digest/<run>")
async def digest(run: str) -> dict[str, Any]:
    request.max_content_length = None
    made, size = hashlib.sha256(), 0
    async for chunk in request.body:
        if not size:
            note(run, "first chunk")
        made.update(chunk)
        size += len(chunk)
    return {"digest": made.hexdigest(), "size": size}


@app.post("/login")
async def login() -> dict[str, Any]:
    form = await request.form
    upload = (await request.files)["up"]
    session["user"] = form["name"]
    return {"name": upload.filename, "size": len(await upload.read())}


@app.get("/user")
def user() -> dict[str, Any]:
    return {"user": session.get("user")}


# --- streams and errors ---------------------------------------------------------------------------


@app.get("/streams/<run>")
async def in_two_chunks(run: str) -> AsyncIterator[str]:
    yield "first\n"
    await pass_gate(run)
    yield f"last of {request.path}\n"


@app.get("/endless/<run>")
async def endless(run: str) -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"x" * 10_000
            await anyio.sleep(0.001)
    finally:
        note(run, "closed")


@app.get("/events/<run>")
async def events(run: str) -> EventStream:
    async def made() -> AsyncIterator[str]:
        yield f"first of {run}"
        await anyio.sleep_forever()

    return EventStream(made(), last=ServerSentEvent("goodbye"))


@app.get("/flood/<run>/<int:size>")
async def flood(run: str, size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536):
        yield bytes(65536)
    note(run, "all was sent")


@app.get("/fail")
async def fail() -> str:
    raise LookupError("fails before the first byte")


@app.get("/fail-midway/<run>")
async def fail_midway(run: str) -> AsyncIterator[str]:
    yield "first\n"
    raise LookupError(f"fails after the first byte of {run}")


@app.get("/background/<run>")
async def background(run: str) -> str:
    async def work() -> None:
        await pass_gate(run)
        note(run, "worked")

    app.add_background_task(work)
    return "taken"


@app.websocket("/ws")
async def never() -> None:
    raise AssertionError("A WSGI server has no WebSockets.")
