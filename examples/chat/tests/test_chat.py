"""The views of chat, without a server."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from chat import MAX_NICK, MAX_TEXT, app

from erlen.exceptions import WebSocketDisconnect
from erlen.testing import Client, WebSocketRejected, WebSocketSession


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with app.test_client() as client:
        yield client


async def next_event(websocket: WebSocketSession, kind: str) -> dict[str, Any]:
    """Return the next event of a kind; those before it are passed over."""
    while True:
        event: dict[str, Any] = await websocket.receive_json()
        if event["type"] == kind:
            return event


async def said(websocket: WebSocketSession, text: str) -> None:
    """Say something and wait until the room has it."""
    await websocket.send_json({"text": text})
    assert (await next_event(websocket, "message"))["message"]["text"] == text


# --- rooms over HTTP ------------------------------------------------------------------------------


async def test_rooms_are_listed_as_page_and_json(client: Client) -> None:
    rooms = (await client.get("/rooms")).get_json()
    assert rooms[0] == {"name": "lobby", "url": "/rooms/lobby", "members": 0}
    page = (await client.get("/")).text
    assert all(f'href="{room["url"]}"' in page for room in rooms)


async def test_room_is_created_with_its_location(client: Client) -> None:
    response = await client.post("/rooms", json={"name": "garden-2"})
    assert (response.status_code, response.location) == (201, "/rooms/garden-2")
    assert response.get_json() == {"name": "garden-2", "url": "/rooms/garden-2", "members": 0}
    assert (await client.get("/rooms/garden-2")).status_code == 200


async def test_room_that_exists_is_a_conflict(client: Client) -> None:
    headers = {"accept": "application/json"}
    response = await client.post("/rooms", json={"name": "lobby"}, headers=headers)
    assert response.status_code == 409
    assert response.get_json()["detail"] == "There is a room 'lobby' already."


@pytest.mark.parametrize(
    "body",
    [{"name": name} for name in ("", "Lobby", "a b", "a/b", "x" * 33, "a\n", 7, None)] + [{}, []],
    ids=repr,
)
async def test_bad_name_is_a_bad_request(client: Client, body: object) -> None:
    assert (await client.post("/rooms", json=body)).status_code == 400
    assert len((await client.get("/rooms")).get_json()) == 2


async def test_unknown_room_is_not_found(client: Client) -> None:
    assert (await client.get("/rooms/attic")).status_code == 404


async def test_page_shows_the_history_escaped(client: Client) -> None:
    async with client.websocket("/rooms/lobby/ws?nick=<i>") as websocket:
        await said(websocket, "<b>bold</b>")
    page = (await client.get("/rooms/lobby")).text
    assert "<b>&lt;i&gt;</b>" in page
    assert "<p>&lt;b&gt;bold&lt;/b&gt;</p>" in page


# --- refusals -------------------------------------------------------------------------------------


async def refusal(client: Client, path: str) -> int:
    """Return the status with which a handshake is refused."""
    with pytest.raises(WebSocketRejected) as refused:
        async with client.websocket(path):
            pass
    return refused.value.response.status_code


async def test_unknown_room_refuses_the_handshake(client: Client) -> None:
    assert await refusal(client, "/rooms/attic/ws?nick=ada") == 404


@pytest.mark.parametrize(
    "query",
    ["", "nick=", "nick=+", "nick=a%00b", "nick=%E2%80%AEeve", f"nick={'x' * (MAX_NICK + 1)}"],
)
async def test_bad_nick_refuses_the_handshake(client: Client, query: str) -> None:
    assert await refusal(client, f"/rooms/lobby/ws?{query}") == 400


async def test_page_of_another_site_is_refused(client: Client) -> None:
    headers = {"origin": "https://elsewhere.example"}
    with pytest.raises(WebSocketRejected) as refused:
        async with client.websocket("/rooms/lobby/ws?nick=ada", headers=headers):
            pass
    assert refused.value.response.status_code == 403


async def test_nick_that_is_taken_closes_with_1008(client: Client) -> None:
    async with client.websocket("/rooms/lobby/ws?nick=ada") as first:
        async with client.websocket("/rooms/lobby/ws?nick=ada") as second:
            with pytest.raises(WebSocketDisconnect):
                await second.receive()
            assert (second.close_code, second.close_reason) == (1008, "This nick is taken.")
        await said(first, "Still here")


# --- conversations --------------------------------------------------------------------------------


async def test_members_are_told_who_comes_and_goes(client: Client) -> None:
    async with client.websocket("/rooms/lobby/ws?nick=bob") as bob:
        assert (await next_event(bob, "joined"))["members"] == ["bob"]
        async with client.websocket("/rooms/lobby/ws?nick=ada") as ada:
            assert (await next_event(ada, "joined"))["members"] == ["ada", "bob"]
            assert (await next_event(bob, "joined"))["nick"] == "ada"
        left = {"type": "left", "nick": "ada", "members": ["bob"]}
        assert await next_event(bob, "left") == left


async def test_lost_connection_is_a_leave(client: Client) -> None:
    async with client.websocket("/rooms/lobby/ws?nick=bob") as bob:
        async with client.websocket("/rooms/lobby/ws?nick=ada") as ada:
            await ada.disconnect()
        assert (await next_event(bob, "left"))["members"] == ["bob"]
    assert (await client.get("/rooms")).get_json()[0]["members"] == 0


async def test_message_reaches_every_member(client: Client) -> None:
    nicks = [f"member-{number}" for number in range(10)]
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(client.websocket(f"/rooms/lobby/ws?nick={nick}"))
            for nick in nicks
        ]
        await members[3].send_json({"text": "  Hello, all  "})
        heard = [(await next_event(member, "message"))["message"] for member in members]
    assert {(message["nick"], message["text"]) for message in heard} == {("member-3", "Hello, all")}


async def test_rooms_hear_nothing_of_each_other(client: Client) -> None:
    names = [f"room-{number}" for number in range(20)]
    async with AsyncExitStack() as stack:
        members = []
        for name in names:
            await client.post("/rooms", json={"name": name})
            opened = client.websocket(f"/rooms/{name}/ws?nick=ada")
            members.append(await stack.enter_async_context(opened))
        for name, member in zip(names, members, strict=True):
            await member.send_json({"text": name})
        heard = [(await next_event(member, "message"))["message"]["text"] for member in members]
    assert heard == names


async def test_newcomer_is_shown_the_history(client: Client) -> None:
    async with client.websocket("/rooms/lobby/ws?nick=ada") as ada:
        await said(ada, "First")
        await said(ada, "Second")
    async with client.websocket("/rooms/lobby/ws?nick=bob") as bob:
        messages = (await bob.receive_json())["messages"]
    assert [(message["nick"], message["text"]) for message in messages] == [
        ("ada", "First"),
        ("ada", "Second"),
    ]


@pytest.mark.parametrize(
    "message",
    ["not JSON", b"binary", "[]", '{"text": 7}', f'{{"text": "{"x" * (MAX_TEXT + 1)}"}}'],
    ids=["text", "binary", "list", "number", "long"],
)
async def test_wrong_message_is_answered_with_an_error(
    client: Client, message: str | bytes
) -> None:
    async with client.websocket("/rooms/lobby/ws?nick=ada") as ada:
        await ada.send(message)
        assert "at most 1000 characters" in (await next_event(ada, "error"))["text"]
        await said(ada, "Better")


async def test_empty_message_is_ignored(client: Client) -> None:
    async with client.websocket("/rooms/lobby/ws?nick=ada") as ada:
        await ada.send_json({"text": " \n "})
        await said(ada, "Something")
    assert len(app.state.rooms["lobby"].history) == 1


# --- those who do not keep up ---------------------------------------------------------------------


async def test_member_who_does_not_read_is_dropped_and_stalls_nobody(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.PACE", 0)
    async with (
        client.websocket("/rooms/lobby/ws?nick=slow") as slow,
        client.websocket("/rooms/lobby/ws?nick=ada") as ada,
    ):
        for number in range(200):
            await said(ada, str(number))
        assert app.state.rooms["lobby"].nicks == ["ada"]
        async for _ in slow:
            pass
        assert (slow.close_code, slow.close_reason) == (1013, "You did not keep up.")
