"""Rooms by themselves."""

from contextlib import ExitStack
from typing import Any

import anyio
import pytest
from rooms import BACKLOG, HISTORY, Member, NickTakenError, Room


async def told(member: Member) -> list[dict[str, Any]]:
    """Take what waits for a member."""
    events = []
    with anyio.move_on_after(0):
        while True:
            events.append(await member.next_event())
    return events


async def test_newcomer_is_told_the_history_and_everyone_the_members() -> None:
    room = Room("lobby")
    with room.joined("bob") as bob:
        room.say("bob", "Anybody?")
        await told(bob)
        with room.joined("ada") as ada:
            joined = {"type": "joined", "nick": "ada", "members": ["ada", "bob"]}
            assert await told(ada) == [{"type": "history", "messages": list(room.history)}, joined]
            assert await told(bob) == [joined]


async def test_those_who_stay_are_told_who_left() -> None:
    room = Room("lobby")
    with room.joined("bob") as bob:
        with room.joined("ada"):
            await told(bob)
        assert await told(bob) == [{"type": "left", "nick": "ada", "members": ["bob"]}]
    assert room.nicks == []


async def test_message_reaches_everyone_with_its_time() -> None:
    room = Room("lobby")
    with room.joined("ada") as ada, room.joined("bob") as bob:
        await told(ada)
        await told(bob)
        room.say("ada", "Hello")
        (event,) = await told(bob)
        assert await told(ada) == [event] == [{"type": "message", "message": room.history[-1]}]
    assert room.history[-1].at.utcoffset() is not None


async def test_history_keeps_the_last_messages() -> None:
    room = Room("lobby")
    for number in range(HISTORY + 10):
        room.say("ada", str(number))
    assert [message.text for message in room.history] == [str(n) for n in range(10, HISTORY + 10)]


async def test_nick_is_free_again_after_leaving() -> None:
    room = Room("lobby")
    with room.joined("ada"):
        with pytest.raises(NickTakenError), room.joined("ada"):
            pass
        assert room.nicks == ["ada"]
    with room.joined("ada"):
        assert room.nicks == ["ada"]


async def test_member_who_does_not_keep_up_is_out_at_once() -> None:
    room = Room("lobby")
    with room.joined("ada") as ada, room.joined("slow") as slow:
        for _ in range(BACKLOG - 2):  # history and joined wait already
            room.say("ada", "Hurry")
            await told(ada)
        assert not slow.patience.cancel_called
        room.say("ada", "Hurry")
        assert slow.patience.cancel_called
        assert [event["type"] for event in await told(ada)] == ["message", "left"]
        assert room.nicks == ["ada"]


async def test_late_end_of_one_leaves_the_next_with_the_nick() -> None:
    room = Room("lobby")
    with ExitStack() as connection:
        connection.enter_context(room.joined("ada"))
        for _ in range(BACKLOG):
            room.say("bob", "Hurry")
        with room.joined("ada"):
            connection.close()
            assert room.nicks == ["ada"]


async def test_next_event_waits_until_there_is_one() -> None:
    room = Room("lobby")
    with room.joined("ada") as ada:
        await told(ada)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(speak, room)
            with anyio.fail_after(5):
                assert (await ada.next_event())["message"].text == "Hello"


async def speak(room: Room) -> None:
    room.say("bob", "Hello")
