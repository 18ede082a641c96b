"""Floor 8: the events in a stream of bytes, as a browser takes them out.

Source: WHATWG HTML, server-sent events, sections "Parsing an event stream" and "Interpreting an
event stream".
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

from erlen.events import ServerSentEvent

__all__ = ["parse_events"]

_LINE_END = re.compile(rb"\r\n|\n|\r")


async def parse_events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[ServerSentEvent, None]:
    """Give each event that has data; what is not ended by an empty line is none."""
    lines = _Lines()
    data: list[str] = []
    fields: dict[str, Any] = {}
    async for chunk in chunks:
        for line in lines.ended_by(chunk):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if data:
                    yield ServerSentEvent("\n".join(data), **fields)
                data, fields = [], {}
            elif name == "data":
                data.append(value)
            elif name == "event" or (name == "id" and "\0" not in value):
                fields[name] = value
            elif name == "retry" and value.isascii() and value.isdigit():
                fields[name] = int(value)


class _Lines:
    """Cuts what arrives into lines, wherever it was cut on the way."""

    def __init__(self) -> None:
        self._rest = b""
        self._after_cr = False
        self._mark = "\ufeff"  # the mark of the byte order may stand before the first line

    def ended_by(self, chunk: bytes) -> Iterator[str]:
        """Give the lines that end in *chunk*; with their CR, as nobody knows what comes next."""
        new = chunk.removeprefix(b"\n") if self._after_cr else chunk
        self._after_cr = chunk.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(self._rest + new)
        for line in lines:
            yield line.decode("utf-8", "replace").removeprefix(self._mark)
            self._mark = ""
