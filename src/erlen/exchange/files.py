"""Floor 3: files on disk: opened so that no name leads out of its folder, and sent in spans.

The functions block: call them by :func:`erlen.exchange.file_work.in_thread`.
"""
# ruff: noqa: PTH117, PTH118, PTH206, PTH208  # what is opened relative to a descriptor has a name and no path

import errno
import inspect
import os
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from io import SEEK_END, FileIO
from typing import Any, BinaryIO, Final, NamedTuple

import anyio

from erlen.exchange.file_work import in_thread

#: Bytes of a file that are in memory at once.
#: PERF: one read in a thread takes 40 µs, so that this gives 1 GiB/s; a thousand clients that do
#: not read take 59 MiB with it (64 KiB: 81).
CHUNK: Final = 40 * 1024
#: Bytes of a file that is read when it is opened. PERF: a second way to the thread takes 40 µs.
SMALL: Final = 64 * 1024

#: SAFETY: without O_NONBLOCK the open of a FIFO waits for a writer, and its thread is lost.
_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
#: What an open with O_NOFOLLOW says of a link: as a file, as a folder, and in the BSDs.
_MAYBE_LINK: Final = {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}

_HAS_DIR_FD: Final = os.open in os.supports_dir_fd
#: Where ``A.TXT`` may open ``a.txt``.
_FOLDS_CASE: Final = sys.platform in {"darwin", "win32"}


class OpenedFile(NamedTuple):
    """A regular file that is open for reading.

    Attributes:
        stream: Unbuffered; whoever gets it closes it.
        status: Of the file that was opened, whatever the name stands for by now.
        path: Where it lies; when it was opened below a folder, without a link below that.
    """

    stream: FileIO
    status: os.stat_result
    path: str


def open_file(path: str) -> OpenedFile:
    """Open a regular file, following links.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    return _admit(os.open(path, _READ), path)


def open_below(root: str, segments: Sequence[str], links_to: Sequence[str] = ()) -> OpenedFile:
    """Open a regular file below a folder; no link leads out of it.

    SAFETY: a name that was checked may be another file by the time it is opened. So every segment
    is opened relative to the one before, and none of them may be a link; where there are links,
    they are resolved first and what they lead to is opened in the same way.

    Args:
        root: The folder; it may itself be reached by links.
        segments: At least one; each the name of a file or folder, not ``..``.
        links_to: Further folders into which links may lead.

    Raises:
        OSError: There is no such file, it cannot be opened, or it lies outside.
    """
    if _FOLDS_CASE:
        _check_spelling(root, segments)
    if not _HAS_DIR_FD:
        return _open_checked_again(*_resolve(root, segments, links_to))
    try:
        return _admit(_walk(root, segments), os.path.join(root, *segments))
    except OSError as error:
        if error.errno not in _MAYBE_LINK:
            raise
    base, segments = _resolve(root, segments, links_to)
    return _admit(_walk(base, segments), os.path.join(base, *segments))


def _admit(descriptor: int, path: str) -> OpenedFile:
    """Return an open file, or close it when it is not a regular one."""
    try:
        status = os.fstat(descriptor)
        _check_regular(status, path)
        return OpenedFile(FileIO(descriptor), status, path)
    except BaseException:
        os.close(descriptor)
        raise


def _check_regular(status: os.stat_result, path: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, "Not a regular file", path)


def _walk(root: str, segments: Sequence[str]) -> int:
    """Open *segments* below *root*, one after the other, none by a link; return a descriptor."""
    folder = os.open(root, _FOLDER)
    try:
        for segment in segments[:-1]:
            inner = os.open(segment, _FOLDER | _NO_LINK, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(segments[-1], _READ | _NO_LINK, dir_fd=folder)
    finally:
        os.close(folder)


def _resolve(
    root: str, segments: Sequence[str], links_to: Sequence[str]
) -> tuple[str, Sequence[str]]:
    """Return the allowed folder in which a file really lies, and its real segments below that."""
    target = os.path.realpath(os.path.join(root, *segments), strict=True)
    for base in map(os.path.realpath, (root, *links_to)):
        prefix = os.path.join(base, "")
        if target.startswith(prefix):
            return base, target.removeprefix(prefix).split(os.sep)
    raise FileNotFoundError(errno.ENOENT, "A link leads out of the folder", target)


def _open_checked_again(base: str, segments: Sequence[str]) -> OpenedFile:
    """Open a resolved path where folders cannot be opened; check that it is still what it was.

    SAFETY: a file that is swapped against a link is noticed always; of a folder that is swapped
    back and forth meanwhile, only what the two looks at it see.
    """
    path = os.path.join(base, *segments)
    opened = open_file(path)
    with ExitStack() as undo:
        undo.callback(opened.stream.close)
        if not os.path.samestat(opened.status, os.lstat(path)) or os.path.realpath(path) != path:
            raise FileNotFoundError(errno.ENOENT, "The file was replaced by a link", path)
        undo.pop_all()
    return opened


def _check_spelling(root: str, segments: Sequence[str]) -> None:
    """Refuse a name that only the file system takes for that of an existing file."""
    folder = root
    for segment in segments:
        if segment not in os.listdir(folder):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder, None, segment)
        folder = os.path.join(folder, segment)


# --- what is sent ---------------------------------------------------------------------------------


class FileSource:
    """A span of a binary file as the body of a response (``erlen.exchange.sources.Source``).

    Attributes:
        length: Bytes from where it begins to its end, when it was made.
        path: For servers that open files by themselves. SAFETY: that is a second open, by name: who
            may write to the folder can put another file or a link there after the check. The
            spans that erlen sends come from the file that was checked.
    """

    def __init__(
        self, file: BinaryIO | FileIO, length: int, *, start: int = 0, path: str | None = None
    ) -> None:
        """Own *file*, whose byte *start* is the first of the source."""
        self.length = length
        self.path = path
        self._file = file
        self._start = start
        self._closed = False

    async def span(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give the bytes from *start* up to *stop*, read in a thread when they are asked for.

        Raises:
            EOFError: The file has become shorter.
        """
        while start < stop:
            size = min(CHUNK, stop - start)
            yield await in_thread(_read, self._file, self._start + start, size)
            start += size

    def close(self) -> None:
        """Close the file; again does nothing."""
        if not self._closed:
            self._closed = True
            self._file.close()

    async def aclose(self) -> None:
        """Close the file; again does nothing.

        At once and not in a thread: what was only read has nothing to write, and it must be closed
        in a task that is cancelled too.
        """
        self.close()


def _read(file: BinaryIO | FileIO, position: int, size: int) -> bytes:
    file.seek(position)
    data = _read_bytes(file, size)
    while len(data) < size:
        more = _read_bytes(file, size - len(data))
        if not more:
            raise EOFError(
                f"{file!r} ended at byte {position + len(data)}, while its response had promised "
                "more. Replace files that are served by renaming, do not shorten them."
            )
        data += more
    return data


def _read_bytes(file: BinaryIO | FileIO, size: int) -> bytes:
    data = file.read(size)
    if not isinstance(data, bytes) or len(data) > size:
        raise TypeError(
            f"read({size}) of {file!r} gave {type(data).__name__}, or more than was asked for. "
            "Give a binary file."
        )
    return data


def content_of(opened: OpenedFile) -> bytes | FileSource:
    """Return the bytes of a small file, which is then closed, or a source that owns a large one."""
    stream, status, path = opened
    if status.st_size > SMALL:
        # PERF: no realpath, 17 µs; below a folder the path is one without links already.
        return FileSource(stream, status.st_size, path=path if os.path.isabs(path) else None)
    with stream:
        return _read_bytes(stream, status.st_size)


def source_of(file: BinaryIO) -> FileSource | None:
    """Return a source for the rest of a file, from its position; ``None`` when it cannot seek."""
    if not getattr(file, "seekable", bool)():
        return None
    start = file.tell()
    end = file.seek(0, SEEK_END)
    file.seek(start)
    return FileSource(file, max(end - start, 0), start=start)


class FileStream:
    """The rest of a file that cannot seek or is read by coroutines, in chunks of unknown sum."""

    def __init__(self, file: Any) -> None:
        """Own *file*; its methods may be coroutine functions; else it is read in a thread."""
        self._file: Any = file
        self._awaits = inspect.iscoroutinefunction(file.read)

    def __aiter__(self) -> "FileStream":
        return self

    async def __anext__(self) -> bytes:
        read = self._file.read
        data = await (read(CHUNK) if self._awaits else in_thread(read, CHUNK))
        if not data:
            raise StopAsyncIteration
        if not isinstance(data, bytes):
            raise TypeError(
                f"read() of {self._file!r} gave {type(data).__name__}. Give a binary file."
            )
        return data

    async def aclose(self) -> None:
        """Close the file; again does nothing."""
        file, self._file = self._file, None
        close = getattr(file, "aclose", None) or getattr(file, "close", None)
        if inspect.iscoroutinefunction(close):
            with anyio.CancelScope(shield=True):
                await close()
        elif close is not None:
            close()
