"""The application whose clients do not read what it sends."""

from collections.abc import AsyncIterator

import anyio

from erlen import Erlen, websocket

#: More than the kernel's two buffers of a connection take.
SIZE = 16 * 2**20

app = Erlen("unread")
app.config["WEBSOCKET_ORIGINS"] = None


@app.get("/whole")
async def whole() -> bytes:
    return b"x" * SIZE


@app.get("/stream")
async def stream() -> AsyncIterator[bytes]:
    for _ in range(SIZE // 65536):
        yield b"x" * 65536


@app.websocket("/message")
async def message() -> None:
    await websocket.send(b"x" * SIZE)
    await websocket.receive()


@app.get("/sleep/<float:seconds>")
async def sleep(seconds: float) -> str:
    await anyio.sleep(seconds)
    return "slept"
