"""Floor 3: the parts of a multipart body, one after the other; nothing of them is kept."""

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Self

from anyio.lowlevel import checkpoint

from erlen.exceptions import BadRequest, HTTPException, RequestEntityTooLarge, WireError
from erlen.exchange.body import Body
from erlen.exchange.part_fields import PartFields
from erlen.exchange.slices import Slices
from erlen.wire.forms import Event, MultipartParser, PartStart
from erlen.wire.headers import Headers

#: Events after which the loop gets a turn: one slice may have a thousand tiny parts.
TURN = 300
_LIMITS = (
    " Limits are MAX_FORM_MEMORY_SIZE, MAX_FORM_PARTS and MAX_FORM_FILES; a view may assign to "
    "request.max_form_memory_size and so on before it reads the form."
)


def refusal(error: WireError, *, debug: bool) -> HTTPException:
    """Return the 413 or 400 for what the parser of a form refused.

    Which limit was passed is told to everybody; how to change it, and what is wrong with malformed
    bytes, is told in debug mode.
    """
    if error.status == 413:
        return RequestEntityTooLarge(f"{error}{_LIMITS if debug else ''}")
    return BadRequest(f"The form data is malformed.{f' {error}' if debug else ''}")


class Part(PartFields):
    """One part of a multipart body, while it is its turn: ``async for chunk in part``.

    What is not read is skipped when the next part is asked for.

    Attributes:
        name: Name of the form's field.
        filename: As in ``UploadFile``; ``None`` for a text field.
        raw_filename: What the client sent, ``None`` for a text field.
        headers: Header fields of the part.
    """

    def __init__(self, start: PartStart, parts: "Parts") -> None:
        """*start* is what the parser found, *parts* is where the data come from."""
        super().__init__(PartHeaders(start.headers))
        self.name = start.name
        self.filename = start.filename
        self.raw_filename = start.raw_filename
        self._parts = parts
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next bytes, at most 64 KiB.

        Raises:
            BadRequest: The body is not multipart/form-data, or ends before its time.
            RequestEntityTooLarge: A limit is passed.
            RuntimeError: The next part was asked for already.
            RequestTimeout, ClientDisconnected: As in ``Body.read``.
        """
        if self._ended:
            raise StopAsyncIteration
        data = await self._parts.data_of(self)
        if data is None:
            self._ended = True
            raise StopAsyncIteration
        return data

    async def read(self, max_size: int | None = None) -> bytes:
        """Return the rest of the part.

        Args:
            max_size: Bytes allowed; ``None`` for ``request.max_form_memory_size``.

        Raises:
            RequestEntityTooLarge: It is longer; reading may go on with the next part.
            Exception: As when it is iterated.
        """
        allowed = self._parts.max_memory if max_size is None else max_size
        content = bytearray()
        async for chunk in self:
            content += chunk
            if allowed is not None and len(content) > allowed:
                raise RequestEntityTooLarge(f"A part of the form is over {allowed} bytes.")
        return bytes(content)

    async def text(self, max_size: int | None = None) -> str:
        """Return the rest of the part as text, which is UTF-8 whatever the part says.

        Raises:
            BadRequest: It is not UTF-8.
            Exception: As for :meth:`read`, which explains *max_size*.
        """
        content = await self.read(max_size)
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise self._parts.refuse(WireError("A text field is not UTF-8.")) from None

    def __repr__(self) -> str:
        what = "" if self.filename is None else f" (file {self.filename!r})"
        return f"<Part {self.name!r}{what}>"


class PartHeaders(Headers):
    """The header fields of a part: any text, where those of HTTP are latin-1."""

    __slots__ = ()

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """*pairs* come from the parser, which has checked them."""
        super().__init__()
        self._list.extend(pairs)


class Parts:
    """``async for part in request.multipart()``: the parts as they arrive.

    Attributes:
        max_memory: Bytes that ``part.read()`` allows, ``None`` for any number.
    """

    def __init__(
        self, body: Body, parser: MultipartParser, *, max_memory: int | None, debug: bool
    ) -> None:
        """Nothing is read yet. In *debug* mode errors say what is wrong with the body."""
        self._slices = Slices(body)
        self._parser = parser
        self._events: Iterator[Event] = iter(())
        self._turn = 0
        self._current: Part | None = None
        self._failure: Exception | None = None
        self._debug = debug
        self.max_memory = max_memory

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Part:
        """Return the next part, skipping what is left of the last one. Errors as in Part."""
        self._current = None
        while (event := await self._next()) is not None:
            if isinstance(event, PartStart):
                self._current = Part(event, self)
                return self._current
        raise StopAsyncIteration

    async def data_of(self, part: Part) -> bytes | None:
        """Return the next bytes of *part*, ``None`` at its end."""
        if self._current is not part:
            raise RuntimeError(
                f"The part {part.name!r} was read after the next one had been asked for, when its "
                "rest was skipped. Read each part before going on to the next."
            )
        event = await self._next()
        return event if isinstance(event, bytes) else None

    async def _next(self) -> Event | None:
        """Return the next event of the parser, ``None`` at the end of the body."""
        if self._failure is not None:
            raise copy(self._failure)
        self._turn += 1
        if self._turn % TURN == 0:
            await checkpoint()
        try:
            while True:
                for event in self._events:
                    return event
                if not await self._feed():
                    return None
        except WireError as error:
            # A broken body must not look complete to who catches this and goes on.
            self._failure = self.refuse(error)
            raise copy(self._failure) from error

    async def _feed(self) -> bool:
        """Give the parser the next slice; ``False`` when there is none."""
        async for data in self._slices:
            # What follows the last part is not looked at, but is read, and counts in the limit.
            if not self._parser.closed:
                self._events = iter(self._parser.feed(data))
                return True
        self._parser.close()
        return False

    def refuse(self, error: WireError) -> HTTPException:
        """Return the answer to an error of the parser."""
        return refusal(error, debug=self._debug)
