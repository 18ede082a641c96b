"""The application that is shut down in the middle of things; it prints what ends and how.

Served by itself (``python -m tests.integration.shutdown_app hypercorn trio``) it shows how servers
of others are told to call ``app.begin_shutdown()``.
"""

import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio

from erlen import Erlen, request, websocket
from erlen.exceptions import WebSocketDisconnect

app = Erlen("integration-shutdown")
app.config["WEBSOCKET_ORIGINS"] = None
app.config["WORKER_THREADS"] = 4


def say(what: str) -> None:
    print(f"[{what}]", flush=True)  # noqa: T201  # the test reads it


@app.after_serving
async def last() -> None:
    say("after serving")


@app.teardown_request
async def note_teardown(error: BaseException | None) -> None:
    if request.endpoint != "work":
        say(f"teardown of {request.endpoint}")


# --- HTTP -----------------------------------------------------------------------------------------


@app.get("/")
async def index() -> str:
    return "hello"


@app.get("/stream")
async def stream() -> AsyncIterator[str]:
    try:
        yield "first\n"
        await app.shutting_down.wait()
        yield "last\n"
    finally:
        say("stream closed")


@app.get("/endless")
async def endless() -> AsyncIterator[str]:
    try:
        while True:
            yield "more\n"
            await anyio.sleep(0.01)
    finally:
        say("stream closed")


@app.get("/endless-in-a-thread")
def endless_in_a_thread() -> Iterator[str]:
    try:
        while True:
            yield "more\n"
            time.sleep(0.01)
    finally:
        say("stream closed")


@app.get("/sleep/<float:seconds>")
async def sleep(seconds: float) -> str:
    say("asleep")
    await anyio.sleep(seconds)
    return "slept"


@app.get("/block/<float:seconds>")
def block(seconds: float) -> str:
    say("asleep")
    time.sleep(seconds)
    return "slept"


@app.get("/hold-up")
async def hold_up() -> str:
    """Hold up the event loop, and tell how often the server was interrupted meanwhile."""
    say("held up")
    while not app.shutting_down.is_set():
        time.sleep(0.01)  # noqa: ASYNC251  # it holds up the loop on purpose
    say("told")
    while logging.getLogger("uvicorn.error").level < logging.CRITICAL:
        time.sleep(0.01)  # noqa: ASYNC251  # it holds up the loop on purpose
    say("told again")
    time.sleep(60)  # noqa: ASYNC251  # it holds up the loop on purpose
    return "slept"


@app.get("/orders/<int:number>")
async def work(number: int) -> str:
    print(f"<{number}>")  # noqa: T201  # the test reads it
    await anyio.sleep(0.02)
    return f"{number}\n" * 1000


# --- WebSockets -----------------------------------------------------------------------------------


@app.websocket("/ws/loop")
async def loop_of_messages() -> None:
    await websocket.accept()
    async for message in websocket:
        await websocket.send(message)
    say(f"loop ended with {websocket.close_code}")


@app.websocket("/ws/receive")
async def receive_in_vain() -> None:
    try:
        await websocket.receive()
    except WebSocketDisconnect as error:
        say(f"receive() raised {error.code}")
        raise


@app.websocket("/ws/busy")
async def be_busy() -> None:
    """Be busy with a message while the application ends; its answer still comes."""
    await websocket.send(f"before {await websocket.receive_text()}")
    await app.shutting_down.wait()
    await websocket.send("after")
    await websocket.receive()


@app.websocket("/ws/deaf")
async def take_no_notice() -> None:
    await websocket.accept()
    try:
        await anyio.sleep_forever()
    finally:
        say("deaf one closed")


@app.websocket("/ws/unanswered")
async def leave_the_handshake_unanswered() -> None:
    say("handshake")
    await anyio.sleep_forever()


# --- servers of others ----------------------------------------------------------------------------


def serve_on_hypercorn(worker: str) -> None:
    """Serve on any port of Hypercorn, telling the application of the first signal."""
    import hypercorn.asyncio
    import hypercorn.trio

    config = hypercorn.Config()
    config.bind = ["127.0.0.1:0"]
    config.graceful_timeout = 5

    async def trigger() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                app.begin_shutdown()
                return

    serve: Any = getattr(hypercorn, worker).serve
    anyio.run(lambda: serve(app, config, shutdown_trigger=trigger), backend=worker)


if __name__ == "__main__":
    serve_on_hypercorn(sys.argv[1])
