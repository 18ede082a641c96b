"""The application of the tests that listen to events."""

from collections.abc import AsyncIterator
from typing import Any

import anyio

from erlen import Erlen, request
from erlen.events import EventStream, ServerSentEvent
from tests.integration.app import Runs, add_observation

app = Erlen("events")
runs = Runs()
add_observation(app, runs)


@app.get("/events/<run>")
async def events(run: str) -> EventStream:
    """Send one event, another when the gate is open, and then none."""

    async def news() -> AsyncIterator[Any]:
        try:
            yield ServerSentEvent({"after": request.last_event_id}, id="1")
            await runs.pass_gate(run)
            yield "second"
            await anyio.sleep_forever()
        finally:
            runs.note(run, "closed")

    keep_alive = request.args.get("keep_alive", type=float)
    return EventStream(news(), keep_alive=keep_alive, last=ServerSentEvent(event="shutdown"))


@app.get("/quiet/<run>")
async def quiet(run: str) -> EventStream:
    async def nothing() -> AsyncIterator[str]:
        await runs.pass_gate(run)
        yield "late"

    return EventStream(nothing(), keep_alive=None)


@app.post("/shutdown")
async def shut_down() -> str:
    app.begin_shutdown()
    return ""


@app.post("/resume")
async def resume() -> str:
    """Be as before, for the next test."""
    app.shutting_down.clear()
    return ""
