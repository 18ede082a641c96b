"""Floor 5: server-sent events: one event as text, and the response that sends them as they come.

Source: WHATWG HTML, section "Server-sent events".
"""

import math
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from erlen.context import current
from erlen.exchange.closing import close_all
from erlen.exchange.live_streaming import LiveChunks
from erlen.exchange.response import HeadersValue, Response, StatusValue
from erlen.exchange.response_body import at_once
from erlen.json import dumps
from erlen.shutdown import ShuttingDown

#: What keeps events from being held back: a proxy that collects, a cache, a proxy that compresses.
_AT_ONCE = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event, or a part of one.

    Attributes:
        data: What the client gets: text as it is, bytes as text in UTF-8, anything else as JSON by
            ``app.json``. ``None`` with *event* is sent as empty text; without, no event arrives.
        event: The type that the page listens to; ``"message"`` when it is missing.
        id: What a client that comes back sends as ``Last-Event-ID``; ``""`` makes it forget.
        retry: Milliseconds after which a client comes back once the connection is lost.
        comment: Text that no page sees.

    Raises:
        ValueError: An *event* or *id* with a line break or NUL, a *retry* that is no number from 0,
            or nothing at all.
        TypeError: *event*, *id* or *comment* is no text; an *id* may be a number.
    """

    data: Any = None
    event: str | None = None
    id: str | int | None = None
    retry: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        """Check what cannot be sent."""
        if self.event is not None:
            _check_line("event", self.event, str)
        if self.id is not None:
            _check_line("id", self.id, str | int)
        if self.retry is not None:
            _check_retry(self.retry)
        if self.comment is not None:
            _check_type("comment", self.comment, str)
        elif self.data is None and self.event is None and self.id is None and self.retry is None:
            raise ValueError(
                "An event of nothing has nothing to send. Give it data, "
                "or 'comment=\"\"' for a mere sign of life."
            )

    def encode(self) -> bytes:
        """Return the event as it is sent, with the empty line that ends it.

        Raises:
            ValueError: The data is not UTF-8, or has no JSON form.
            TypeError: The data has no JSON form.
        """
        block = ""
        if self.comment is not None:
            block += _field("", self.comment)
        if self.event is not None:
            block += f"event: {self.event}\n"
        if self.data is not None:
            block += _field("data", _text_of(self.data))
        elif self.event is not None:
            block += "data\n"  # SPEC: an event without data is not dispatched
        if self.id is not None:
            block += f"id: {self.id}\n"
        if self.retry is not None:
            block += f"retry: {self.retry}\n"
        return f"{block}\n".encode()


def _check_type(name: str, value: object, kind: Any) -> None:
    if not isinstance(value, kind):
        raise TypeError(
            f"The {name} of an event is {value!r} of type {type(value).__name__}. Give it as text."
        )


def _check_line(name: str, value: object, kind: Any) -> None:
    _check_type(name, value, kind)
    # SAFETY: a line break in what a user has typed would begin a field, or another event.
    if isinstance(value, str) and ("\n" in value or "\r" in value or "\0" in value):
        raise ValueError(
            f"The {name} of an event is {value!r}, which has a line break or NUL. "
            "Put what has several lines into its data."
        )


def _check_retry(value: object) -> None:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"The retry of an event is {value!r}. Give whole milliseconds, 0 or more.")


def _field(name: str, text: str) -> str:
    """Return a field whose value may have several lines, one line of each."""
    # SPEC: CRLF, LF and CR end a line; what else str.splitlines() takes for a line end does not.
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\n" in text:
        text = text.replace("\n", f"\n{name}: ")
    return f"{name}: {text}\n"


def _text_of(data: Any) -> str:
    if isinstance(data, str):
        return data
    if not isinstance(data, bytes | bytearray | memoryview):
        return dumps(data)
    try:
        return bytes(data).decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"The data of an event is bytes that are no UTF-8 ({error.reason}). "
            "Events are text; encode other bytes, by Base64 for example."
        ) from None


def _encode(item: Any) -> bytes:
    if isinstance(item, ServerSentEvent):
        return item.encode()
    if item is None:
        raise TypeError(
            "A stream of events gave None, which says nothing. Yield what the event says, or "
            'ServerSentEvent(comment="") for a mere sign of life.'
        )
    return f"{_field('data', _text_of(item))}\n".encode()


# --- the response ---------------------------------------------------------------------------------


class EventStream(Response):
    """A response of events, each sent when it is made, until the last one.

    When the first is not there after 0.1 seconds, a comment opens the stream; what fails until then
    is answered as in any view. It ends with its client, and completely when the application shuts
    down: the iterator is then closed where it stands.
    """

    def __init__(
        self,
        events: AsyncIterable[Any] | Iterable[Any],
        *,
        keep_alive: float | None = 15.0,
        status: StatusValue = 200,
        headers: HeadersValue | None = None,
        last: ServerSentEvent | None = None,
    ) -> None:
        """Make a response of events.

        Args:
            events: Any iterator of :class:`ServerSentEvent` or of what is its data. A synchronous
                one runs in the exchange's worker thread; at shutdown it ends with its next event.
            keep_alive: Seconds of silence after which a comment is sent, which keeps proxies from
                giving up and shows whether the client is there; ``None`` for never.
            status: A browser takes events with 200 only.
            headers: Further fields, and other values of Cache-Control and X-Accel-Buffering.
            last: What is sent last when the application shuts down.

        Raises:
            TypeError: *events* is no iterator.
            ValueError: *keep_alive* is not above 0; errors of :class:`~erlen.Response`.
        """
        super().__init__(
            _chunks_of(events)(events, keep_alive, b"" if last is None else last.encode()),
            status,
            headers,
            content_type="text/event-stream",  # SPEC: always UTF-8; there is no charset to say so
        )
        for name, value in _AT_ONCE.items():
            self.headers.setdefault(name, value)


def _chunks_of(events: object) -> "type[_AsyncEvents | _SyncEvents]":
    if isinstance(events, AsyncIterable):
        return _AsyncEvents
    if isinstance(events, Iterable) and not isinstance(events, str | bytes | Mapping):
        return _SyncEvents
    raise TypeError(
        f"Events cannot be taken from {events!r} of type {type(events).__name__}. "
        "Call a generator that yields them, and give what it returns."
    )


class _Events(LiveChunks):
    """Events on their way."""

    sign = b":\n\n"

    def __init__(self, events: Any, keep_alive: float | None, last: bytes) -> None:
        if keep_alive is not None and not keep_alive > 0:
            raise ValueError(
                f"keep_alive is {keep_alive!r}. Give seconds above 0, or None for no sign of life."
            )
        self.keep_alive = math.inf if keep_alive is None else keep_alive
        self.last = last
        self._events = events
        self._iterator: Any = None

    @property
    def shutting_down(self) -> ShuttingDown:
        event: ShuttingDown = current().app.shutting_down
        return event


class _AsyncEvents(_Events, AsyncIterator[bytes]):
    def __aiter__(self) -> Self:
        self._iterator = aiter(self._events)
        return self

    async def __anext__(self) -> bytes:
        return _encode(await anext(self._iterator))

    async def aclose(self) -> None:
        await close_all([self._iterator, self._events], at_once)


class _SyncEvents(_Events, Iterator[bytes]):
    def __iter__(self) -> Self:
        self._iterator = iter(self._events)
        return self

    def __next__(self) -> bytes:
        return _encode(next(self._iterator))

    def close(self) -> None:
        try:
            _close(self._iterator)
        finally:
            _close(self._events)


def _close(iterable: object) -> None:
    if (close := getattr(iterable, "close", None)) is not None:
        close()
