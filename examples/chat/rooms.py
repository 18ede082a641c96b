"""Rooms: who is in them, what was said lately, and how an event reaches everyone.

Nothing here knows the web. Each member has a bounded queue, so telling them something never waits.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio

#: Messages that a newcomer is shown.
HISTORY = 50
#: Events that may wait for one member.
BACKLOG = 100

Event = dict[str, Any]


class NickTakenError(Exception):
    """Somebody in the room has this nick."""


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody said, and when."""

    nick: str
    text: str
    at: datetime


class Member:
    """Somebody in a room.

    Attributes:
        nick: Their name.
        patience: The scope in which they are served, cancelled when they do not keep up.
    """

    def __init__(self, nick: str) -> None:
        self.nick = nick
        self.patience = anyio.CancelScope()
        self._waiting: deque[Event] = deque()
        self._told = anyio.Event()

    def tell(self, event: Event) -> bool:
        """Queue an event; lose patience and return ``False`` when the queue is full."""
        if len(self._waiting) == BACKLOG:
            self.patience.cancel()
            return False
        self._waiting.append(event)
        self._told.set()
        return True

    async def next_event(self) -> Event:
        """Return what they are to be sent next; waits only when there is nothing."""
        while not self._waiting:
            self._told = anyio.Event()
            await self._told.wait()
        return self._waiting.popleft()


class Room:
    """A room with its members and the last messages.

    Members are told events: ``history`` when they join; ``joined`` and ``left`` with everyone who
    is there now; ``message``.

    Attributes:
        name: Its name.
        history: The last messages, oldest first.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.history: deque[Message] = deque(maxlen=HISTORY)
        self._members: dict[str, Member] = {}

    @property
    def nicks(self) -> list[str]:
        """Who is here, in alphabetical order."""
        return sorted(self._members, key=str.casefold)

    @contextmanager
    def joined(self, nick: str) -> Iterator[Member]:
        """Be in the room for the length of a ``with`` block, or until patience with them ends.

        Raises:
            NickTakenError: Somebody else has the nick.
        """
        if nick in self._members:
            raise NickTakenError(nick)
        member = self._members[nick] = Member(nick)
        member.tell({"type": "history", "messages": list(self.history)})
        self._tell_all({"type": "joined", "nick": nick, "members": self.nicks})
        try:
            yield member
        finally:
            if self._members.get(nick) is member:
                self._tell_all(self._leave(member))

    def say(self, nick: str, text: str) -> None:
        """Send a message to everyone in the room, the one who says it included."""
        message = Message(nick, text, datetime.now(UTC))
        self.history.append(message)
        self._tell_all({"type": "message", "message": message})

    def _tell_all(self, event: Event) -> None:
        events = deque([event])
        while events:
            event = events.popleft()
            for member in list(self._members.values()):
                if not member.tell(event):
                    events.append(self._leave(member))

    def _leave(self, member: Member) -> Event:
        del self._members[member.nick]
        return {"type": "left", "nick": member.nick, "members": self.nicks}
