"""Multipart bodies for tests: an encoder as in browsers, and readers that give plain parts."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from erlen.exceptions import WireError
from erlen.wire.forms import PART_END, MultipartParser, PartStart

BOUNDARY = "Bo-und"


class Part(NamedTuple):
    name: str
    data: bytes
    filename: str | None = None


def quoted(text: str) -> str:
    """Escape a name as the multipart/form-data encoding of HTML does."""
    return text.replace("\n", "%0A").replace("\r", "%0D").replace('"', "%22")


def raw_part(headers: bytes, data: bytes = b"", boundary: str = BOUNDARY) -> bytes:
    return b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary.encode(), headers, data)


def disposition(part: Part) -> bytes:
    header = f'Content-Disposition: form-data; name="{quoted(part.name)}"'
    if part.filename is not None:
        header += f'; filename="{quoted(part.filename)}"\r\nContent-Type: text/plain'
    return header.encode()


def end(boundary: str = BOUNDARY) -> bytes:
    return f"--{boundary}--\r\n".encode()


def encode(parts: Iterable[Part], boundary: str = BOUNDARY) -> bytes:
    written = [raw_part(disposition(part), part.data, boundary) for part in parts]
    return b"".join(written) + end(boundary)


def parser(
    boundary: str = BOUNDARY,
    max_parts: int | None = 1000,
    max_files: int | None = 100,
    max_memory: int | None = 1024 * 1024,
) -> MultipartParser:
    return MultipartParser(
        boundary, max_parts=max_parts, max_files=max_files, max_memory=max_memory
    )


def read(pieces: Sequence[bytes], reader: MultipartParser | None = None) -> list[Part]:
    """Return the parts of a whole body that comes in *pieces*."""
    reader = reader or parser()
    parts: list[Part] = []
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, PartStart):
                parts.append(Part(event.name, b"", event.raw_filename))
            elif event is not PART_END:
                assert event
                parts[-1] = parts[-1]._replace(data=parts[-1].data + event)
    reader.close()
    return parts


def status(pieces: Sequence[bytes], reader: MultipartParser | None = None) -> int:
    """Return the status of the refusal, 200 when the body is accepted."""
    try:
        read(pieces, reader)
    except WireError as error:
        return error.status
    return 200


def singly(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]


def splits(body: bytes) -> list[list[bytes]]:
    """Return *body* cut in two at every place."""
    return [[body[:i], body[i:]] for i in range(len(body) + 1)]
