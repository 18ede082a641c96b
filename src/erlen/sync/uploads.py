"""Floor 8: uploaded files and parts of a form for ``def`` views, with Flask's words, blocking."""

from collections.abc import Iterator
from io import SEEK_SET
from os import PathLike
from typing import IO, BinaryIO

from erlen.exchange.part_fields import PartFields
from erlen.exchange.parts import Part
from erlen.exchange.uploads import BUFFER, UploadFile
from erlen.sync.bridge import Each, wait_for
from erlen.wire.multidict import ImmutableMultiDict


class BlockingUploadFile(PartFields):
    """An uploaded file as a ``def`` view sees it; ``for line in file`` gives its lines.

    It is closed when its request ends: :meth:`save` it, or :meth:`detach` it.

    Attributes:
        filename: The client's name without directories and control characters; ``""`` when there
            is none. Good to show; see ``secure_filename`` before a path is made of it.
        raw_filename: What the client sent. Never make a path of it.
        name: Name of the form's field.
        headers: Header fields of the part.
        content_length: Bytes of the file.
    """

    def __init__(self, upload: UploadFile) -> None:
        """*upload* is the same file, awaited."""
        super().__init__(upload.headers)
        self.filename = upload.filename
        self.raw_filename = upload.raw_filename
        self.name = upload.name
        self.content_length = upload.content_length
        self._upload = upload

    @property
    def size(self) -> int:
        """The same as :attr:`content_length`."""
        return self.content_length

    @property
    def stream(self) -> BinaryIO:
        """The open file itself, for what wants one: a parser, an image library.

        Raises:
            RuntimeError: It was closed, which the end of its request does, or detached.
        """
        # No bridge is needed: a worker thread may wait for the disk by itself.
        return self._upload._open()

    def __bool__(self) -> bool:
        return bool(self.filename)

    def __repr__(self) -> str:
        return repr(self._upload)

    def read(self, size: int = -1) -> bytes:
        """Return the next *size* bytes, or all the rest; ``b""`` at the end."""
        return self.stream.read(size)

    def readline(self, size: int = -1) -> bytes:
        """Return the rest of the line, with its newline; at most *size* bytes."""
        return self.stream.readline(size)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stream)

    def readlines(self, hint: int = -1) -> list[bytes]:
        """Return the rest as lines, with their newlines; no further ones after *hint* bytes."""
        return self.stream.readlines(hint)

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go on reading at another place, and return it."""
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        """Return where reading has got to."""
        return self.stream.tell()

    # What is asked of a file before it is read: by io.TextIOWrapper, for one.

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is not."""
        return False

    def flush(self) -> None:
        """Do nothing, since nothing is written."""

    @property
    def closed(self) -> bool:
        """Whether it was closed, which the end of its request does, or detached."""
        return self._upload.closed

    def save(self, destination: str | PathLike[str] | IO[bytes], buffer_size: int = BUFFER) -> None:
        """Write the whole file to *destination*, wherever reading has got to.

        Args:
            destination: A path, which is overwritten, or an open binary file, which stays open.
            buffer_size: Bytes copied at once.

        Raises:
            OSError: It cannot be written.
            RuntimeError: As for :attr:`stream`.
        """
        wait_for("file.save()", self._upload.save, destination, buffer_size)

    def detach(self) -> BinaryIO:
        """Return the open file, at its start; from here on it is the caller's, who closes it."""
        return self._upload.detach()

    def close(self) -> None:
        """Close the file; may be called again."""
        # Without the bridge: it may be called by what collects garbage, in any thread.
        stream = self._upload._release()
        if stream is not None:
            stream.close()


class BlockingFiles(ImmutableMultiDict[str, BlockingUploadFile]):
    """The files of a form."""

    __slots__ = ("_files",)

    def __init__(self, files: ImmutableMultiDict[str, UploadFile]) -> None:
        """*files* are the same, awaited."""
        super().__init__(
            [(key, BlockingUploadFile(upload)) for key, upload in files.items(multi=True)]
        )
        self._files = files

    def __getitem__(self, key: str) -> BlockingUploadFile:
        if key not in self:
            _ = self._files[key]  # raises, and in debug mode explains
        return super().__getitem__(key)


class BlockingPart(PartFields):
    """One part of a multipart body, while it is its turn: ``for chunk in part``.

    What is not read is skipped when the next part is asked for. Errors as of
    :class:`erlen.exchange.parts.Part`.

    Attributes:
        name: Name of the form's field.
        filename: As in :class:`BlockingUploadFile`; ``None`` for a text field.
        raw_filename: What the client sent, ``None`` for a text field.
        headers: Header fields of the part.
    """

    def __init__(self, part: Part) -> None:
        """*part* is the same, awaited."""
        super().__init__(part.headers)
        self.name = part.name
        self.filename = part.filename
        self.raw_filename = part.raw_filename
        self._part = part

    def __iter__(self) -> Iterator[bytes]:
        return Each("part", self._part)

    def read(self, max_size: int | None = None) -> bytes:
        """Return the rest of the part; *max_size* is ``request.max_form_memory_size`` if not given.

        Raises:
            RequestEntityTooLarge: It is longer; reading may go on with the next part.
        """
        return wait_for("part.read()", self._part.read, max_size)

    def text(self, max_size: int | None = None) -> str:
        """Return the rest of the part as text, which is UTF-8; the rest as :meth:`read`."""
        return wait_for("part.text()", self._part.text, max_size)

    def __repr__(self) -> str:
        return repr(self._part)
