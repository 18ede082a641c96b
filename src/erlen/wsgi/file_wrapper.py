"""Floor 8: ``wsgi.file_wrapper``: a file as the body of a WSGI response (PEP 3333)."""

from collections.abc import Iterator
from typing import IO


class FileWrapper:
    """Gives a file block by block, and closes it when the server closes the response."""

    def __init__(self, filelike: IO[bytes], block_size: int = 64 * 1024) -> None:
        """*block_size* is in bytes."""
        self._file = filelike
        self._size = block_size

    def __iter__(self) -> Iterator[bytes]:
        while block := self._file.read(self._size):
            yield block

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self._file, "close", None)
        if close is not None:
            close()
