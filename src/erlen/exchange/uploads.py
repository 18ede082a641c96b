"""Floor 3: an uploaded file as a view sees it: Flask's words, awaited."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from inspect import iscoroutinefunction
from io import SEEK_END, SEEK_SET, BytesIO
from os import PathLike
from typing import IO, Any, BinaryIO, Protocol, Self, TypeVar, TypeVarTuple

import anyio

from erlen.exchange.file_work import in_thread
from erlen.exchange.part_fields import PartFields
from erlen.wire.headers import Headers

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Bytes of one chunk of ``async for chunk in file``.
CHUNK = 256 * 1024
#: Bytes that ``save`` copies at once.
BUFFER = 1024 * 1024


class AsyncWritable(Protocol):
    """An open file whose ``write`` is awaited, as ``anyio.open_file`` gives it."""

    async def write(self, data: bytes, /) -> Any:
        """Write *data*."""
        ...


class UploadFile(PartFields):
    """An uploaded file. What touches its bytes is awaited; a large file is on disk.

    It is closed when its request ends, and then is gone: :meth:`save` it, or :meth:`detach` it.
    ``async for chunk in file`` gives its bytes from where reading has got to. A file field that
    the user left empty is there too, without a name, and is false.

    Attributes:
        filename: The client's name without directories and control characters, at most 255 bytes
            of UTF-8; ``""`` when there is none. Good to show; see ``secure_filename`` before a
            path is made of it.
        raw_filename: What the client sent. Never make a path of it.
        name: Name of the form's field.
        headers: Header fields of the part.
        content_length: Bytes of the file.
        is_in_memory: Whether no disk is needed to read or close it.
    """

    def __init__(
        self,
        stream: BinaryIO | None = None,
        filename: str = "",
        name: str = "",
        content_type: str | None = None,
        headers: Headers | None = None,
        raw_filename: str | None = None,
    ) -> None:
        """*stream* is an open file that can seek, ``None`` for no bytes; the upload owns it."""
        super().__init__(Headers() if headers is None else headers)
        if content_type is not None:
            self.headers["Content-Type"] = content_type
        self.filename = filename
        self.raw_filename = filename if raw_filename is None else raw_filename
        self.name = name
        self._stream: BinaryIO | None = BytesIO() if stream is None else stream
        self.is_in_memory = isinstance(self._stream, BytesIO)
        position = self._stream.tell()
        self.content_length = self._stream.seek(0, SEEK_END)
        self._stream.seek(position)
        self._end = _CLOSED

    @property
    def size(self) -> int:
        """The same as :attr:`content_length`."""
        return self.content_length

    @property
    def closed(self) -> bool:
        """Whether it was closed, which the end of its request does, or detached."""
        return self._stream is None

    def __bool__(self) -> bool:
        return bool(self.filename)

    def __repr__(self) -> str:
        return f"<UploadFile {self.filename!r} ({self.content_type})>"

    # --- reading ----------------------------------------------------------------------------------

    async def read(self, size: int = -1) -> bytes:
        """Return the next *size* bytes, or all the rest; ``b""`` at the end.

        Raises:
            RuntimeError: The file was closed, which the end of its request does, or detached.
        """
        return await self._do(self._open().read, size)

    async def readline(self, size: int = -1) -> bytes:
        """Return the rest of the line, with its newline; at most *size* bytes. Errors as above."""
        return await self._do(self._open().readline, size)

    async def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go on reading at another place, and return it. Errors as above."""
        return await self._do(self._open().seek, offset, whence)

    async def tell(self) -> int:
        """Return where reading has got to. Errors as above."""
        return await self._do(self._open().tell)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self.read(CHUNK)
        if not chunk:
            raise StopAsyncIteration
        return chunk

    # --- keeping ----------------------------------------------------------------------------------

    async def save(
        self,
        destination: str | PathLike[str] | IO[bytes] | AsyncWritable,
        buffer_size: int = BUFFER,
    ) -> None:
        """Write the whole file to *destination*, wherever reading has got to.

        Args:
            destination: A path, which is overwritten, or an open binary file, which stays open;
                its ``write`` may be a coroutine function.
            buffer_size: Bytes copied at once.

        Raises:
            OSError: It cannot be written.
            RuntimeError: As for :meth:`read`.
        """
        stream = self._open()
        if isinstance(destination, str | PathLike):
            await in_thread(_save, stream, destination, buffer_size)
        elif iscoroutinefunction(destination.write):
            position = await self.tell()
            await self.seek(0)
            while chunk := await self.read(buffer_size):
                await destination.write(chunk)
            await self.seek(position)
        else:
            await in_thread(_copy, stream, destination.write, buffer_size)

    def detach(self) -> BinaryIO:
        """Return the open file, at its start; from here on it is the caller's, who closes it.

        It is a ``BytesIO`` for a small file; the methods of any other wait for the disk. Reading
        the upload itself raises afterwards. Errors as in :meth:`read`.
        """
        stream = self._open()
        self._stream, self._end = None, _DETACHED
        stream.seek(0)
        return stream

    async def close(self) -> None:
        """Close the file; may be called again."""
        await close_all([self])

    # --- inside -----------------------------------------------------------------------------------

    def _open(self) -> BinaryIO:
        if self._stream is None:
            raise RuntimeError(f"The upload {self.filename!r} was used after {self._end}")
        return self._stream

    async def _do(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a method of the file: at once in memory, in a thread on disk."""
        return function(*args) if self.is_in_memory else await in_thread(function, *args)

    def _release(self) -> BinaryIO | None:
        """Be closed; return what is still to be closed on disk."""
        stream, self._stream = self._stream, None
        return None if self.is_in_memory else stream


_CLOSED = (
    "it was closed, which happens at the end of its request. Save it in the view with "
    "'await file.save(path)', or keep its bytes with 'file.detach()'."
)
_DETACHED = (
    "it was detached. Use the file that detach() returned, or call 'await file.save(path)' before."
)


async def close_all(uploads: Iterable[UploadFile]) -> None:
    """Close *uploads*, those on disk in one call of a thread, whatever is cancelled."""
    streams = [stream for upload in uploads if (stream := upload._release()) is not None]
    if streams:
        with anyio.CancelScope(shield=True):
            try:
                await in_thread(_close, streams)
            except anyio.get_cancelled_exc_class():
                _close(streams)  # asyncio's own task.cancel(), which no shield keeps off
                raise


def let_go(uploads: Iterable[UploadFile]) -> None:
    """Close those of *uploads* that are in memory."""
    for upload in uploads:
        if upload.is_in_memory:
            upload._release()


def _close(streams: list[BinaryIO]) -> None:
    with ExitStack() as closing:  # one that fails keeps no other from being closed
        for stream in streams:
            closing.callback(stream.close)


def _save(source: BinaryIO, path: str | PathLike[str], buffer_size: int) -> None:
    with open(path, "wb") as destination:  # noqa: PTH123  # a path of any kind
        _copy(source, destination.write, buffer_size)


def _copy(source: BinaryIO, write: Callable[[bytes], Any], buffer_size: int) -> None:
    position = source.tell()
    source.seek(0)
    while chunk := source.read(buffer_size):
        write(chunk)
    source.seek(position)
