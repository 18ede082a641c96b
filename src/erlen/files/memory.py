"""Floor 5: the static files of the last moment, so that those asked for again need no disk."""

import threading
from time import monotonic
from typing import Final, TypeAlias

from erlen.files.fields import Fields, MaxAge, age_fields
from erlen.files.finding import Found
from erlen.wire.ready_headers import ReadyHeaders

#: Seconds for which a look at the disk counts; so much later at most is a change seen.
#: PERF: at 1,000 requests in a second for one file, 1 in 100 goes to a thread.
TRUST: Final = 0.1
#: Bytes of everything that is remembered, in one process.
ROOM: Final = 16 * 1024 * 1024
#: Bytes that a file takes beside its content, at least.
_OVERHEAD: Final = 4096
#: Ages for which one file has its headers ready; the application may have one for each user.
_MOST_AGES: Final = 4

#: Folder, name, and the codings that the client takes; ``None`` where they make no difference.
Key: TypeAlias = tuple[str, str, tuple[str, ...] | None]


class Known:
    """A file as one look at the disk has found it; what belongs together stays together.

    Attributes:
        found: With the content, when that is small.
        has_content: Whether it is.
        until: Time of ``monotonic()`` up to which it counts.
        size: Bytes that it takes.
    """

    __slots__ = ("_fields", "_headers", "found", "has_content", "size", "until")

    def __init__(self, found: Found, fields: Fields, until: float) -> None:
        """Make a note of what was found.

        Args:
            found: Its body is only kept when it is bytes; else each response has its own.
            fields: Of the response, without those that say how long it may be kept.
            until: See above.
        """
        self.has_content = isinstance(found.body, bytes)
        self.found = found if self.has_content else found._replace(body=b"")
        self.until = until
        self._fields = fields
        self._headers: dict[MaxAge | str, ReadyHeaders] = {}
        self.size = _OVERHEAD + (len(found.body) if isinstance(found.body, bytes) else 0)

    def headers_for(self, age: MaxAge | str) -> ReadyHeaders:
        """Return the whole header section.

        Args:
            age: How long the file may be kept; text is a ``Cache-Control``.
        """
        headers = self._headers.get(age)
        if headers is None:
            if len(self._headers) >= _MOST_AGES:
                self._headers.clear()
            told = [("Cache-Control", age)] if isinstance(age, str) else age_fields(age)
            headers = self._headers[age] = ReadyHeaders(self._fields + told)
        return headers


class Memory:
    """What is known of files. No timer empties it: what has become too old goes with the next."""

    def __init__(self, room: int = ROOM) -> None:
        """*room* is in bytes."""
        self._room = room
        self._size = 0
        self._known: dict[Key, Known] = {}
        self._lock = threading.Lock()  # there may be several event loops

    @property
    def size(self) -> int:
        """Bytes that are taken."""
        return self._size

    def get(self, key: Key) -> Known | None:
        """Return what is known of a file and still counts."""
        known = self._known.get(key)
        return known if known is not None and monotonic() < known.until else None

    def put(self, key: Key, known: Known) -> None:
        """Remember a file, in the place of those that have been there for the longest time."""
        with self._lock:
            self._drop(key)
            self._known[key] = known
            self._size += known.size
            now = monotonic()
            while self._known:
                oldest = next(iter(self._known))
                if self._size <= self._room and now < self._known[oldest].until:
                    break
                self._drop(oldest)

    def _drop(self, key: Key) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._size -= known.size
