"""Bytes that both sides can make, and know when they see them."""

import hashlib
from collections.abc import Iterator

MIB = 1024 * 1024
PIECE = 64 * 1024


def pieces(size: int) -> Iterator[bytes]:
    """Give *size* bytes in pieces of 64 KiB, no two of which are the same."""
    for number in range((size + PIECE - 1) // PIECE):
        piece = number.to_bytes(8, "big") * (PIECE // 8)
        yield piece[: size - number * PIECE]


def digest(size: int) -> str:
    """Return the SHA-256 of :func:`pieces`."""
    made = hashlib.sha256()
    for piece in pieces(size):
        made.update(piece)
    return made.hexdigest()
