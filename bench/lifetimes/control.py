"""What the same experiments do to a bare ASGI application: a server's own part of the figures."""

import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import anyio

from bench.lifetimes.content import PIECE, pieces
from bench.lifetimes.gauges import gauges
from bench.lifetimes.ledger import Ledger, What

Scope: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

ledger = Ledger(Path(os.environ["LIFETIMES_LEDGER"]))
sockets: set[Send] = set()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    name, *numbers = scope["path"].strip("/").split("/")
    given = [int(number) for number in numbers]
    if given:
        ledger.note(given[0], What.BEGUN)
    try:
        if scope["type"] == "websocket":
            await socket(receive, send)
        else:
            await VIEWS[name](receive, send, *given[1:])
        if given:
            ledger.note(given[0], What.ENDED)
    finally:
        if given:
            ledger.note(given[0], What.TORN_DOWN)
    return None


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    ledger.note(0, What.AFTER_SERVING)
    await send({"type": "lifespan.shutdown.complete"})


async def answer(send: Send, body: bytes) -> None:
    length = str(len(body)).encode()
    headers = [(b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# --- views ----------------------------------------------------------------------------------------


async def show_gauges(_receive: Receive, send: Send) -> None:
    await answer(send, json.dumps(gauges() | {"errors": 0}).encode())


async def work(_receive: Receive, send: Send, milliseconds: int) -> None:
    await anyio.sleep(milliseconds / 1000)
    await answer(send, b"x" * 2000)


async def download(_receive: Receive, send: Send, size: int, milliseconds: int) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for piece in pieces(size):
        if milliseconds:
            await anyio.sleep(milliseconds / 1000)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def file(_receive: Receive, send: Send) -> None:
    async with await anyio.open_file(os.environ["LIFETIMES_FILE"], "rb") as opened:
        length = str(os.fstat(opened.wrapped.fileno()).st_size).encode()
        headers = [(b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while chunk := await opened.read(PIECE):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})


async def upload(receive: Receive, send: Send, burst: int, milliseconds: int) -> None:
    made = hashlib.sha256()
    size = pauses = 0
    async for chunk in body(receive):
        made.update(chunk)
        size += len(chunk)
        if burst and size // burst > pauses:
            pauses += 1
            await anyio.sleep(milliseconds / 1000)
    await answer(send, json.dumps({"size": size, "digest": made.hexdigest()}).encode())


async def form(receive: Receive, send: Send) -> None:
    size = sum([len(chunk) async for chunk in body(receive)])
    await answer(send, json.dumps({"size": size}).encode())


async def leave_unread(_receive: Receive, send: Send, milliseconds: int) -> None:
    await anyio.sleep(milliseconds / 1000)
    await answer(send, b"unread")


async def start_task(_receive: Receive, send: Send, _milliseconds: int) -> None:
    await answer(send, b"bare ASGI has no tasks")


async def broadcast(_receive: Receive, send: Send) -> None:
    for each in tuple(sockets):
        await each({"type": "websocket.send", "text": "x" * 100})
    await answer(send, json.dumps({"count": len(sockets)}).encode())


VIEWS: dict[str, Callable[..., Awaitable[None]]] = {
    "gauges": show_gauges,
    "busy": work,
    "download": download,
    "file": file,
    "upload": upload,
    "form": form,
    "unread": leave_unread,
    "tasks": start_task,
    "broadcast": broadcast,
}


async def body(receive: Receive) -> AsyncIterator[bytes]:
    """Give the chunks; what is broken off ends the request."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("The client left.")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def socket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    sockets.add(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    finally:
        sockets.discard(send)
