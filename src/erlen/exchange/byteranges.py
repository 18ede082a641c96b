"""Floor 3: the body of a 206: one span of the whole, or several as ``multipart/byteranges``.

Source: RFC 9110 sections 14.6 and 15.3.7.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple


class Piece(NamedTuple):
    """A span of the whole, with the bytes that stand in front of it."""

    start: int
    stop: int
    head: bytes = b""


class Selection(NamedTuple):
    """What is sent of a whole.

    Attributes:
        pieces: In the order in which they are sent.
        tail: Bytes after the last one.
    """

    pieces: Sequence[Piece]
    tail: bytes = b""

    @property
    def length(self) -> int:
        """Bytes of all of it."""
        sizes = (len(head) + stop - start for start, stop, head in self.pieces)
        return sum(sizes) + len(self.tail)

    def of(self, whole: bytes) -> bytes:
        """Return the bytes that are sent when *whole* is known."""
        parts = [part for start, stop, head in self.pieces for part in (head, whole[start:stop])]
        return b"".join([*parts, self.tail])


def make_boundary() -> str:
    """Return a boundary that no body holds but by a chance of 2**-128."""
    return os.urandom(16).hex()


def select_parts(
    spans: Sequence[tuple[int, int]], length: int, content_type: str | None, boundary: str
) -> Selection:
    """Return the body of ``multipart/byteranges; boundary=…``.

    Args:
        spans: Half-open, within *length*.
        length: Bytes of the whole.
        content_type: What the whole is, told with each part; ``None`` when it is not known.
        boundary: Of :func:`make_boundary`.
    """
    kind = "" if content_type is None else f"Content-Type: {content_type}\r\n"
    pieces = []
    between = ""
    for start, stop in spans:
        head = f"{between}--{boundary}\r\n{kind}Content-Range: bytes {start}-{stop - 1}/{length}"
        pieces.append(Piece(start, stop, f"{head}\r\n\r\n".encode("latin-1")))
        between = "\r\n"
    return Selection(pieces, f"\r\n--{boundary}--\r\n".encode())
