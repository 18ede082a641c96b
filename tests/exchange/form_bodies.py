"""What the tests of forms stand on: bodies, requests that bring them, and open temporary files."""

import contextlib
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from erlen.exchange.request import Request
from erlen.protocols import Message
from tests.exchange.wire import feed, parts, scope_of, settings

BOUNDARY = "BoUnDaRy"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
URLENCODED = "application/x-www-form-urlencoded"
KIB = 1024
MIB = KIB * KIB

#: Name, content, and for a file its name.
Field = tuple[str, bytes] | tuple[str, bytes, str]


def field(name: str, content: bytes, filename: str | None = None, *more: str) -> bytes:
    """Return one part, with *more* header fields."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    head = "\r\n".join([disposition, *more])
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"


def multipart(*fields: Field | bytes) -> bytes:
    """Return a whole body of these parts."""
    made = [each if isinstance(each, bytes) else field(*each) for each in fields]
    return b"".join(made) + f"--{BOUNDARY}--\r\n".encode()


def sliced(body: bytes, size: int) -> list[bytes]:
    """Return *body* in chunks of *size* bytes."""
    return [body[start : start + size] for start in range(0, len(body), size)] or [b""]


def posted(
    body: bytes | Sequence[bytes] | Iterable[Message],
    kind: str | None = MULTIPART,
    *,
    method: str = "POST",
    query: bytes = b"",
    headers: Sequence[tuple[bytes, bytes]] = (),
    **config: Any,
) -> Request:
    """Return a request that brings *body*: bytes, chunks of them, or messages."""
    fields = [(b"host", b"example.com"), *headers]
    if kind is not None:
        fields.append((b"content-type", kind.encode()))
    chunks = [body] if isinstance(body, bytes) else list(body)
    messages: Any = parts(*chunks) if isinstance(chunks[0], bytes) else chunks
    scope = scope_of(headers=fields, method=method, query_string=query)
    return Request(scope, feed(*messages), settings(**config))


def open_temporary_files() -> int:
    """Return how many files without a name, as uploads are, this process has open."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder's own
            links.append(str(entry.readlink()))
    return sum(
        link.startswith(tempfile.gettempdir()) and link.endswith("(deleted)") for link in links
    )
