"""Floor 1: the two encodings of HTML forms, read piece by piece, wherever the pieces are cut.

``multipart/form-data`` (RFC 7578) comes out as events, ``application/x-www-form-urlencoded`` as
pairs. The framing of multipart is done by the library ``multipart``; the rules that it leaves to
its users are here and in :mod:`erlen.wire.part_headers`.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from importlib import import_module
from typing import Final, NamedTuple, Protocol

from erlen.exceptions import WireError
from erlen.wire.multidict import ImmutableMultiDict
from erlen.wire.pairs import decoded_fields, lists_of
from erlen.wire.part_headers import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    check_header_lines,
    clean_filename,
    read_disposition,
)
from erlen.wire.patterns import late
from erlen.wire.urls import unquote_bytes

_MAX_PREAMBLE: Final = 1024
_AMPERSAND: Final = ord("&")
_FIELD_OR_END: Final = late(rb"[^&]+|&+")
#: SPEC: RFC 2046 section 5.1.1, without the space that it allows inside; dashes alone would make
#: the end of the boundary and the end of the body the same.
_BOUNDARY: Final = late(r"(?!-+\Z)[0-9A-Za-z'()+_,\-./:=?]{1,70}")


def _spend(left: int | None, amount: int, what: str) -> int | None:
    """Return what is left of a limit, ``None`` being no limit."""
    if left is None:
        return None
    if amount > left:
        raise WireError(f"The form has more {what} than allowed.", 413)
    return left - amount


# --- urlencoded -----------------------------------------------------------------------------------


class UrlencodedParser:
    """Pairs of ``application/x-www-form-urlencoded``, by the rules of a query string.

    Args:
        max_fields: Most fields, ``None`` for no limit; empty ones between two ``&`` do not count.
        max_size: Most bytes of the whole body, ``None`` for no limit.

    Source: WHATWG URL, section 5.1; takes linear time.
    """

    __slots__ = ("_cut", "_equals", "_field", "_fields_left", "_open", "_pairs", "_room")

    def __init__(self, *, max_fields: int | None, max_size: int | None) -> None:
        self._fields_left = max_fields
        self._room = max_size
        self._pairs: list[tuple[str, str]] = []
        self._open = False  # a field has begun
        self._field = bytearray()  # its bytes, decoded as they come
        self._equals = -1  # where in them its value begins
        self._cut = b""  # the begin of a percent sequence whose end did not come yet

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            WireError: 413 for the first field over *max_fields* and the first byte over *max_size*;
                the parser is of no use then.
        """
        self._room = _spend(self._room, len(data), "bytes")
        text = self._cut + data.replace(b"+", b" ")
        cut = text.rfind(b"%", -2)
        if cut < 0:
            cut = len(text)
        self._cut = text[cut:]
        self._read(text[:cut])

    def close(self) -> list[tuple[str, str]]:
        """Return the pairs in their order; nothing may be fed afterwards.

        Raises:
            WireError: 413 as in :meth:`feed`, when the last byte begins a field.
        """
        self._read(self._cut)
        self._end_field()
        return self._pairs

    def _read(self, text: bytes) -> None:
        for found in _FIELD_OR_END.finditer(text):
            piece = found[0]
            if piece[0] == _AMPERSAND:
                self._end_field()
                continue
            if not self._open:
                self._fields_left = _spend(self._fields_left, 1, "fields")
                self._open = True
            if self._equals < 0:
                name, equals, piece = piece.partition(b"=")
                self._field += unquote_bytes(name)
                if equals:
                    self._equals = len(self._field)
            self._field += unquote_bytes(piece)

    def _end_field(self) -> None:
        if not self._open:
            return
        split = self._equals if self._equals >= 0 else len(self._field)
        name, value = self._field[:split], self._field[split:]
        self._pairs.append((name.decode("utf-8", "replace"), value.decode("utf-8", "replace")))
        self._open, self._field, self._equals = False, bytearray(), -1


def parse_urlencoded(
    body: bytes, *, max_fields: int | None, max_size: int | None
) -> ImmutableMultiDict[str, str]:
    """Return the fields of a whole body, as :class:`UrlencodedParser` does; for small ones.

    PERF: ten fields take 4 µs, by way of the parser 24 µs.

    Raises:
        WireError: 413 as of the parser.
    """
    fields = decoded_fields(body)
    if fields is None:
        parser = UrlencodedParser(max_fields=max_fields, max_size=max_size)
        parser.feed(body)
        return ImmutableMultiDict(parser.close())
    if max_size is not None and len(body) > max_size:
        _spend(max_size, len(body), "bytes")
    if max_fields is not None and len(fields) > max_fields:
        _spend(max_fields, sum(map(bool, fields)), "fields")
    return ImmutableMultiDict.of_lists(lists_of(fields))


# --- multipart ------------------------------------------------------------------------------------


class PartStart(NamedTuple):
    """The headers of a part were read; its bytes follow.

    Attributes:
        name: Name of the field.
        filename: The cleaned name of the file; ``None`` for a text field.
        raw_filename: What the client sent, directories and control characters included.
        headers: All headers of the part, names in title case.
        content_type: ``Content-Type`` of the part as sent, ``None`` without.
    """

    name: str
    filename: str | None
    raw_filename: str | None
    headers: list[tuple[str, str]]
    content_type: str | None


class PartEnd(Enum):
    """The type of :data:`PART_END`."""

    PART_END = "PART_END"


#: The event that ends a part.
PART_END: Final = PartEnd.PART_END

#: For each part a :class:`PartStart`, its bytes in pieces that are not empty, :data:`PART_END`.
Event = PartStart | bytes | PartEnd


def boundary_of(mimetype_params: Mapping[str, str]) -> str:
    """Return the boundary among the parameters of a ``Content-Type``.

    Raises:
        WireError: There is none, or it is not 1 to 70 letters, digits and ``'()+_,-./:=?``.

    Source: RFC 2046 section 5.1.1.
    """
    boundary = mimetype_params.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise WireError("The boundary of the multipart body is missing or malformed.")
    return boundary


class _Segment(Protocol):
    headerlist: list[tuple[str, str]]


class _Framing(Protocol):
    """What is used of ``multipart.PushMultipartParser``."""

    def parse(self, chunk: bytes) -> Iterator[_Segment | bytes | None]: ...


class MultipartParser:
    """Events of ``multipart/form-data``; the bytes of a part come out as they went in.

    Args:
        boundary: From :func:`boundary_of`.
        max_parts: Most parts, ``None`` for no limit.
        max_files: Most parts with a file name, ``None`` for no limit.
        max_memory: Most bytes in all text fields together, ``None`` for no limit.

    Attributes:
        closed: The final boundary was read; what is fed afterwards is ignored.

    Source: RFC 7578, RFC 2046 section 5.1; takes linear time.
    """

    __slots__ = (
        "_delimiter", "_errors", "_files_left", "_framing", "_has_length", "_in_content",
        "_in_headers", "_memory_left", "_opened", "_parts_left", "_text", "_unread", "closed",
    )  # fmt: skip

    def __init__(
        self,
        boundary: str,
        *,
        max_parts: int | None,
        max_files: int | None,
        max_memory: int | None,
    ) -> None:
        # Type checkers would find the package of python-multipart under this name, were it there.
        library = import_module("multipart")
        # The library limits each line of the headers; what limits all of them is below.
        self._framing: _Framing = library.PushMultipartParser(
            boundary, max_header_size=2 * MAX_HEADER_BYTES, max_header_count=MAX_HEADERS
        )
        self._errors: type[ValueError] = library.MultipartError
        self._delimiter = f"\r\n--{boundary}".encode()
        # It begins behind the first boundary, which _open() finds.
        list(self._framing.parse(self._delimiter[2:] + b"\r\n"))
        self._parts_left = max_parts
        self._files_left = max_files
        self._memory_left = max_memory
        self._opened = False
        self._in_headers = True
        self._has_length = False  # of its own: the library then counts the bytes of the part
        self._in_content = False  # and the library has nothing in hand
        self._text = False
        self._unread = b""  # what was fed and is in no event yet
        self.closed = False

    def feed(self, data: bytes) -> Iterable[Event]:
        """Take the next bytes and give their events; use them up before the next call.

        Raises:
            WireError: 400 for what is no form, 413 over a limit; the parser is of no use then. It
                may come while the events are used.
        """
        if not self._opened:
            data = self._open(data)
        if self.closed or not data:
            return ()
        if not self._in_content:
            return self._framed(data)
        # PERF: content needs no framing but its end: 4 µs for 64 KiB, of the library 10 µs. In most
        # content rfind() takes half the time of find(), and a quarter of it in the worst.
        window = self._unread + data
        if window.rfind(self._delimiter) < 0:
            cut = self._begin_of_delimiter(window)
            self._unread = window[cut:]
            return (self._counted(window[:cut]),) if cut else ()
        return self._to_the_end(window)

    def _to_the_end(self, window: bytes) -> Iterator[Event]:
        """Give the content before a boundary, and leave to the library what begins with that."""
        end = window.find(self._delimiter)
        self._unread, self._in_content = b"", False
        if end:
            yield self._counted(window[:end])
        yield from self._framed(window[end:])

    def _begin_of_delimiter(self, window: bytes) -> int:
        """Return where the begin of a delimiter at the end of *window* is, else its length."""
        cut = window.rfind(b"\r", -len(self._delimiter))
        return cut if cut >= 0 and self._delimiter.startswith(window[cut:]) else len(window)

    def _counted(self, content: bytes) -> bytes:
        if self._text:
            self._memory_left = _spend(self._memory_left, len(content), "bytes of text")
        return content

    def _framed(self, data: bytes) -> Iterator[Event]:
        """Give the events of what the library has to see."""
        window, position = self._unread + data, 0
        try:
            for event in self._framing.parse(data):
                if event is None:
                    position += len(self._delimiter) + 2
                    self.closed = window[position - 2 : position] == b"--"
                    self._in_headers = True
                    yield PART_END
                elif isinstance(event, bytes):
                    position += len(event)
                    yield self._counted(event)
                else:
                    end = window.find(b"\r\n\r\n", position) + 2
                    check_header_lines(window[position:end])
                    position = end + 2
                    self._in_headers = False
                    yield self._start(event.headerlist)
        except self._errors as error:
            raise WireError(f"The multipart body is malformed: {error.args[0]}.") from None
        self._keep(window[position:])

    def close(self) -> None:
        """Tell that no bytes follow.

        Raises:
            WireError: The final boundary did not come; bytes may be missing.
        """
        if not self.closed:
            raise WireError("The multipart body ends before its final boundary.")

    def _open(self, data: bytes) -> bytes:
        """Return the bytes after the first boundary, ``b""`` as long as it is not complete."""
        # SAFETY: the library reads a preamble of any length, and takes a boundary in the middle of
        # a line for the first one when the bytes before it came in an earlier piece.
        held = self._unread + data
        size = len(self._delimiter)
        start = 0
        if not held.startswith(self._delimiter[2:]):
            start = held.find(self._delimiter, 0, _MAX_PREAMBLE + size) + 2
            if start == 1 and len(held) >= _MAX_PREAMBLE + size:
                raise WireError("The multipart body does not begin with its boundary.")
        end = start + size
        if start == 1 or len(held) < end:
            self._unread = held
            return b""
        tail = held[end - 2 : end]
        if tail not in {b"\r\n", b"--"}:
            raise WireError("The first boundary of the multipart body is not alone in its line.")
        self._unread = b""
        self._opened = True
        self.closed = tail == b"--"
        return held[end:]

    def _keep(self, unread: bytes) -> None:
        if self.closed:
            return
        if self._in_headers and len(unread) > MAX_HEADER_BYTES + 1:
            raise WireError("The headers of a part are longer than allowed.")
        self._unread = unread
        self._in_content = not (unread or self._in_headers or self._has_length)

    def _start(self, headers: list[tuple[str, str]]) -> PartStart:
        self._parts_left = _spend(self._parts_left, 1, "parts")
        name, raw_filename = read_disposition(headers)
        self._text = raw_filename is None
        filename = None
        if raw_filename is not None:
            self._files_left = _spend(self._files_left, 1, "files")
            filename = clean_filename(raw_filename)
        self._has_length = any(key == "Content-Length" for key, _ in headers)
        content_type = next((value for key, value in headers if key == "Content-Type"), None)
        return PartStart(name, filename, raw_filename, headers, content_type)
