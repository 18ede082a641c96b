"""The application behind nginx, which takes TLS and the prefix ``/shop`` off."""

from collections.abc import AsyncIterator
from typing import Any

import anyio

from erlen import (
    Erlen,
    EventStream,
    ServerSentEvent,
    redirect,
    request,
    session,
    url_for,
    websocket,
)
from erlen.middleware import ProxyFix
from tests.integration.notes import has_gate_open

#: Seconds after which whatever waits here gives up, and its test fails.
PATIENCE = 5.0

app = Erlen("integration-proxied")
app.secret_key = "of tests only, and long enough"
app.add_middleware(ProxyFix, x_for=1, x_proto=1, x_prefix=1, trusted=["127.0.0.1"])


@app.get("/facts/<name>")
async def facts(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "client": request.remote_addr,
        "url": request.url,
        "root_path": request.root_path,
        "secure": request.is_secure,
        "link": url_for("facts", name="é"),
        "external": url_for("facts", name="é", _external=True),
    }


@app.get("/folder/")
async def folder() -> str:
    return "in the folder"


@app.get("/away")
async def away() -> Any:
    return redirect(url_for("folder"))


@app.post("/login")
async def login() -> str:
    session["user"] = (await request.form)["name"]
    return "welcome"


@app.get("/user")
async def user() -> str:
    return str(session.get("user"))


@app.get("/events/<run>")
async def events(run: str) -> EventStream:
    async def made() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent("first")
        await pass_gate(run)
        yield ServerSentEvent("last")

    return EventStream(made())


@app.get("/held/<run>")
async def held(run: str) -> AsyncIterator[str]:
    yield "first"
    await pass_gate(run)
    yield "last"


async def pass_gate(run: str) -> None:
    """Wait until the test has opened the gate of *run*."""
    with anyio.fail_after(PATIENCE):
        while not has_gate_open(run):  # noqa: ASYNC110  # another process opens it
            await anyio.sleep(0.005)


@app.websocket("/echo")
async def echo() -> None:
    await websocket.send(f"{websocket.remote_addr} {websocket.url}")
    async for message in websocket:
        await websocket.send(message)
