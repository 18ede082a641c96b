"""Chat: many rooms, each a page, a JSON resource and a WebSocket."""

import re
from collections.abc import AsyncIterator
from typing import Any

import anyio
from rooms import Member, NickTakenError, Room

from erlen import (
    Erlen,
    WebSocketDisconnect,
    WebSocketMessageError,
    abort,
    render_template,
    request,
    url_for,
    websocket,
)

app = Erlen(__name__)

ROOM_NAME = re.compile(r"[a-z0-9-]{1,32}")
MAX_NICK = 24
MAX_TEXT = 1000
#: Seconds between two messages of one member, so that the others can keep up.
PACE = 0.05
#: Seconds in which a member who did not keep up may still take the goodbye.
GOODBYE = 5


@app.lifespan
async def open_rooms() -> AsyncIterator[dict[str, dict[str, Room]]]:
    """Keep the rooms in ``app.state.rooms``, by name."""
    yield {"rooms": {name: Room(name) for name in ("lobby", "kitchen")}}


def find_room(name: str) -> Room:
    room: Room | None = app.state.rooms.get(name)
    if room is None:
        abort(404, f"There is no room {name!r}.")
    return room


# --- HTTP -----------------------------------------------------------------------------------------


@app.get("/")
async def index() -> str:
    return await render_template("index.html", rooms=app.state.rooms.values())


@app.get("/rooms")
async def list_rooms() -> list[dict[str, Any]]:
    return [summary(room) for room in app.state.rooms.values()]


@app.post("/rooms")
async def create_room() -> tuple[dict[str, Any], int, dict[str, str]]:
    match await request.get_json():
        case {"name": str(name)} if ROOM_NAME.fullmatch(name):
            pass
        case _:
            abort(400, "The name of a room is 1 to 32 letters a to z, digits or hyphens.")
    if name in app.state.rooms:
        abort(409, f"There is a room {name!r} already.")
    room = app.state.rooms[name] = Room(name)
    return summary(room), 201, {"Location": url_for("show_room", name=name)}


def summary(room: Room) -> dict[str, Any]:
    return {
        "name": room.name,
        "url": url_for("show_room", name=room.name),
        "members": len(room.nicks),
    }


@app.get("/rooms/<name>")
async def show_room(name: str) -> str:
    room = find_room(name)
    return await render_template("room.html", room=room, max_nick=MAX_NICK, max_text=MAX_TEXT)


# --- WebSocket ------------------------------------------------------------------------------------


@app.websocket("/rooms/<name>/ws")
async def talk(name: str) -> None:
    """Bring ``?nick=`` into a room until they leave.

    They are sent the room's events, and ``error`` for what they may not say. They send
    ``{"text": "..."}``.
    """
    room = find_room(name)
    nick = websocket.args.get("nick", "").strip()
    if not nick.isprintable() or not 0 < len(nick) <= MAX_NICK:
        abort(400, f"A nick has 1 to {MAX_NICK} printable characters.")
    await websocket.accept()
    try:
        with room.joined(nick) as member, member.patience:
            await converse(room, member)
    except NickTakenError:
        # Not before the accept: a script sees nothing of the answer that refuses a handshake.
        await websocket.close(1008, "This nick is taken.")
        return
    if member.patience.cancelled_caught:
        with anyio.move_on_after(GOODBYE):
            await websocket.close(1013, "You did not keep up.")


async def converse(room: Room, member: Member) -> None:
    """Send and receive side by side, so that neither waits for the other."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(deliver, member)
        await listen(room, member)
        tasks.cancel_scope.cancel()


async def deliver(member: Member) -> None:
    try:
        while True:
            await websocket.send_json(await member.next_event())
    except WebSocketDisconnect:
        return  # listen() is told, too, and ends the conversation


async def listen(room: Room, member: Member) -> None:
    while True:
        try:
            said = await websocket.receive_json()
        except WebSocketDisconnect:
            return
        except WebSocketMessageError:
            said = None
        match said:
            case {"text": str(text)} if len(text) <= MAX_TEXT:
                if text := text.strip():
                    room.say(member.nick, text)
            case _:
                rule = f'Send {{"text": "..."}} with at most {MAX_TEXT} characters.'
                member.tell({"type": "error", "text": rule})
        await anyio.sleep(PACE)


if __name__ == "__main__":
    app.run()
