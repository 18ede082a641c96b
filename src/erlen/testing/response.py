"""Floor 8: an httpx response with Flask's words, and with a way to leave it."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar, cast

from erlen.events import ServerSentEvent
from erlen.exceptions import reason_phrase
from erlen.testing.binding import httpx
from erlen.testing.events import parse_events

__all__ = ["LiveBody", "Response"]

T = TypeVar("T")


class LiveBody(httpx.AsyncByteStream):
    """A body that is still being sent."""

    async def leave(self) -> None:
        """Close the connection as a client does, and return when the application is over."""
        raise NotImplementedError


class Response(httpx.Response):
    """What every call of the client returns.

    ``json()`` is httpx's method, so Flask's property is spelt :meth:`get_json` here. In
    ``extensions`` are what the application sent beside the response: ``"http.response.debug"`` (its
    ``info``), ``"http.response.early_hint"`` (a list of ``Link`` values, bytes),
    ``"http.response.push"`` (a list of paths, each with its header pairs) and
    ``"http.response.trailers"`` (header pairs, when the request has ``TE: trailers``).
    """

    def __init__(self, status_code: int, *, live: LiveBody | None = None, **options: Any) -> None:
        """*live* is the body of a response that is still being sent; the rest is httpx's."""
        super().__init__(status_code, **options)
        self._live = live
        self._generators: list[AsyncGenerator[Any, None]] = []

    @property
    def data(self) -> bytes:
        """The body, after its content coding is undone."""
        return self.content

    def get_data(self, as_text: bool = False) -> bytes | str:
        """Return the body, decoded by the charset of its Content-Type when *as_text* is set."""
        return self.text if as_text else self.content

    def get_json(self, force: bool = False, silent: bool = False) -> Any:
        """Return the body as JSON, ``None`` when its media type is another.

        Args:
            force: Do not look at the media type.
            silent: Return ``None`` for a body that is not JSON.

        Raises:
            ValueError: The body is not JSON and *silent* is not set.
        """
        subtype = self.mimetype.partition("/")[2]
        if not (force or subtype == "json" or subtype.endswith("+json")):
            return None
        try:
            return json.loads(self.content)
        except ValueError:
            if silent:
                return None
            raise

    @property
    def content_type(self) -> str | None:
        """The Content-Type as it was sent."""
        content_type: str | None = self.headers.get("content-type")
        return content_type

    @property
    def mimetype(self) -> str:
        """The media type in lower case, without parameters; ``""`` when there is none."""
        return (self.content_type or "").partition(";")[0].strip().lower()

    @property
    def location(self) -> str | None:
        """The Location as it was sent."""
        location: str | None = self.headers.get("location")
        return location

    @property
    def status(self) -> str:
        """Status code and phrase, ``"200 OK"``."""
        return f"{self.status_code} {reason_phrase(self.status_code)}"

    async def disconnect(self) -> None:
        """Leave a response of ``client.stream`` as a real client does.

        The application's ``receive()`` gives ``http.disconnect`` and its ``send()`` raises
        ``OSError``; when it has not ended within a second it is cancelled. It is over when this
        returns. Without effect on a response that is complete.
        """
        for generator in self._generators:
            await generator.aclose()
        if self._live is not None:
            await self._live.leave()

    # A loop over one of these that is left by ``break`` leaves a suspended generator behind. It is
    # kept, to be closed on leaving: trio warns of each that the garbage collector has to close.

    def _kept(self, iterator: AsyncIterator[T]) -> AsyncGenerator[T, None]:
        generator = cast("AsyncGenerator[T, None]", iterator)  # typed more loosely by httpx
        self._generators.append(generator)
        return generator

    def aiter_raw(self, chunk_size: int | None = None) -> AsyncGenerator[bytes, None]:
        """As httpx has it: the body as it was sent."""
        if self._live is not None:
            # httpx has put a generator of its own before it, which it does not close.
            self.stream = self._live
        return self._kept(super().aiter_raw(chunk_size))

    def aiter_bytes(self, chunk_size: int | None = None) -> AsyncGenerator[bytes, None]:
        """As httpx has it: the body, content coding undone."""
        return self._kept(super().aiter_bytes(chunk_size))

    def aiter_text(self, chunk_size: int | None = None) -> AsyncGenerator[str, None]:
        """As httpx has it: the body as text."""
        return self._kept(super().aiter_text(chunk_size))

    def aiter_lines(self) -> AsyncGenerator[str, None]:
        """As httpx has it: the body by lines, without their ends."""
        return self._kept(super().aiter_lines())

    def events(self) -> AsyncGenerator[ServerSentEvent, None]:
        """Give each server-sent event when it arrives, with the fields that it was sent with.

        Its data is text. As in a browser, comments and events without data are left out.
        """
        return self._kept(parse_events(self.aiter_bytes()))
