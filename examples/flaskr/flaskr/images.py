"""Images: what may be uploaded is told by its first bytes, and kept under a name of our own."""

import secrets
from pathlib import Path

from erlen.sync import BlockingUploadFile

#: How a file of each kind begins.
SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpg",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
}


class NotAnImageError(ValueError):
    """The file is of no kind that can be shown."""


def kind_of(head: bytes) -> str | None:
    """Return the extension for an image that begins with *head*, at least 12 bytes of it."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((kind for start, kind in SIGNATURES.items() if head.startswith(start)), None)


def save(upload: BlockingUploadFile, folder: str) -> str:
    """Save an image below *folder* and return its name, in which nothing is the client's.

    Raises:
        NotAnImageError: It is none, whatever its name and its type say.
    """
    kind = kind_of(upload.read(12))
    if kind is None:
        raise NotAnImageError("The file is no image. Choose a PNG, JPEG, GIF or WebP.")
    name = f"{secrets.token_hex(16)}.{kind}"
    upload.seek(0)
    upload.save(Path(folder, name))
    return name


def remove(name: str | None, folder: str) -> None:
    if name is not None:
        Path(folder, name).unlink(missing_ok=True)
