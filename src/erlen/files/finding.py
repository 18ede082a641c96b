"""Floor 5: what a name or a file object stands for: opened, looked at and, when small, read."""
# ruff: noqa: PTH118  # PERF: a Path takes 3 µs more

import contextlib
import errno
import inspect
import logging
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from io import BytesIO, TextIOBase
from typing import Any, NamedTuple, TypeAlias

from erlen.exceptions import NotFound, ServiceUnavailable
from erlen.exchange.file_work import in_thread
from erlen.exchange.files import (
    FileSource,
    FileStream,
    OpenedFile,
    content_of,
    open_below,
    open_file,
    source_of,
)
from erlen.wire.accept import parse_accept_header
from erlen.wire.urls import printable

#: Root, segments below it, and further folders into which links may lead.
Below: TypeAlias = tuple[str, Sequence[str], Sequence[str]]

#: Content coding → ending of a file that has another's content in this coding; the smallest first.
_ENDINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE}
#: What opening says of a name that stands for nothing, or for no regular file.
_NO_FILE = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EMLINK, errno.ENAMETOOLONG,
    errno.EINVAL, errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP,
}  # fmt: skip

_logger = logging.getLogger("erlen")


class Found(NamedTuple):
    """What a name stands for.

    Attributes:
        body: The bytes, or where they come from.
        status: Of the file; ``None`` for an object that was given.
        path: Of the file.
        coding: Content coding in which the client gets it, for it has a neighbour in that coding.
        varies: Whether another client would get another coding.
    """

    body: bytes | FileSource | FileStream
    status: os.stat_result | None = None
    path: str = ""
    coding: str | None = None
    varies: bool = False


class Search:
    """Looks for a file in a thread, for a task that may not be there any more when it is found."""

    __slots__ = ("_find", "_found", "_is_abandoned")

    def __init__(self, find: Callable[[], Found]) -> None:
        """*find* is :func:`find` or :func:`find_below`, with its arguments."""
        self._find = find
        self._found: list[Found] = []
        self._is_abandoned = False

    async def run(self) -> Found:
        """Return what is found. Errors as of the function."""
        try:
            return await in_thread(self._look)
        except BaseException:
            # SAFETY: asyncio's own task.cancel() goes on while the thread still looks. One of both
            # closes what is opened: each notes first what it did, and then looks at the other.
            self._is_abandoned = True
            self._close()
            raise

    def _look(self) -> Found:
        found = self._find()
        self._found.append(found)
        if self._is_abandoned:
            self._close()
        return found

    def _close(self) -> None:
        with contextlib.suppress(IndexError):  # there is nothing, or the other has taken it
            body = self._found.pop().body
            if isinstance(body, FileSource):
                body.close()


def is_hidden(segment: str) -> bool:
    """Return whether a segment of a name keeps the file from being seen."""
    return segment.startswith(".") and segment != ".well-known"


def find(path: str, named_only: bool) -> Found:
    """Open a path, following links; *named_only* keeps its content out. It blocks.

    Raises:
        OSError: It is no regular file, or cannot be opened.
    """
    opened = open_file(path)
    return Found(_body_or_nothing(opened, named_only), opened.status, opened.path)


def find_below(below: Below, codings: Sequence[str] | None, named_only: bool) -> Found:
    """Open a file below a folder, or its neighbour in the first of *codings* that has one.

    Args:
        below: What :func:`open_below` takes.
        codings: ``None``: neighbours are not looked for.
        named_only: Keep the content out.

    Raises:
        OSError: There is no such file below, or it cannot be opened.
    """
    opened, coding, varies = open_below(*below), None, False
    if codings is not None:
        opened, coding, varies = _choose(opened, below, codings)
    body = _body_or_nothing(opened, named_only)
    return Found(body, opened.status, opened.path, coding, varies)


def _body_or_nothing(opened: OpenedFile, named_only: bool) -> bytes | FileSource:
    if not named_only:
        return content_of(opened)
    opened.stream.close()
    return b""


def _choose(
    plain: OpenedFile, below: Below, codings: Sequence[str]
) -> tuple[OpenedFile, str | None, bool]:
    """Return the best neighbour, or *plain*; the coding; and whether there are any neighbours."""
    root, (*folders, name), links_to = below
    path = os.path.join(root, *folders, name)
    there = {coding for coding, ending in _ENDINGS.items() if os.path.lexists(path + ending)}
    for coding in codings:
        if coding not in there:
            continue
        try:
            other = open_below(root, [*folders, name + _ENDINGS[coding]], links_to)
        except OSError:
            continue
        # Programs that compress copy the time of the original, some of them without its fraction.
        if int(other.status.st_mtime) >= int(plain.status.st_mtime):
            plain.stream.close()
            return other, coding, True
        other.stream.close()
    return plain, None, bool(there)


def preferences(accept_encoding: str) -> tuple[str, ...]:
    """Return the codings that a client takes rather than none, the best first."""
    # SAFETY: headers of 64 KiB must not fill the memory.
    return (_rank if len(accept_encoding) < 200 else _rank.__wrapped__)(accept_encoding)


@lru_cache(maxsize=256)
def _rank(accept_encoding: str) -> tuple[str, ...]:
    accept = parse_accept_header(accept_encoding)
    least = max(accept.quality("identity"), 0.001)
    wanted = [coding for coding in _ENDINGS if accept.quality(coding) >= least]
    return tuple(sorted(wanted, key=accept.quality, reverse=True))


async def body_of(file: Any) -> bytes | FileSource | FileStream:
    """Return what is left of a file object, which is owned from now on.

    Raises:
        ValueError: It is open in text mode, or closed.
        TypeError: It cannot be read.
    """
    if isinstance(file, TextIOBase) or hasattr(file, "encoding"):
        raise ValueError(f"{file!r} is open in text mode. Open it in binary mode: 'rb'.")
    if not hasattr(file, "read"):
        raise TypeError(
            f"{file!r} of type {type(file).__name__} is no file. Give a path, or a binary file."
        )
    if type(file) is BytesIO:
        with file:
            return file.read()
    stream = FileStream(file)
    if inspect.iscoroutinefunction(file.read):
        return stream
    try:
        return await in_thread(source_of, file) or stream
    except BaseException:
        await stream.aclose()  # no response will
        raise


def refusal(error: OSError, path: str) -> Exception:
    """Return what to raise when the file that a client named could not be opened.

    It is *error* itself when the disk is at fault.
    """
    if is_exhausted(error):
        return exhausted(error)
    if error.errno in _FORBIDDEN:
        _logger.warning("A file that was asked for may not be read: %s", printable(path))
        return NotFound()
    return NotFound() if error.errno in _NO_FILE else error


def is_exhausted(error: OSError) -> bool:
    """Return whether the process or the system has no file descriptor left."""
    return error.errno in _EXHAUSTED


def exhausted(error: OSError) -> ServiceUnavailable:
    """Log that no file can be opened, and return what to raise."""
    _logger.error("A file cannot be opened: %s", error.strerror)
    return ServiceUnavailable()
