"""Floor 5: what a path or a file object stands for: opened, looked at and, when small, read."""

import contextlib
import errno
import inspect
import logging
import os
from collections.abc import Callable
from io import BytesIO, TextIOBase
from typing import Any, NamedTuple

from erlen.exceptions import ServiceUnavailable
from erlen.exchange.file_work import in_thread
from erlen.exchange.files import (
    FileSource,
    FileStream,
    OpenedFile,
    content_of,
    open_file,
    source_of,
)

_EXHAUSTED = {errno.EMFILE, errno.ENFILE}

_logger = logging.getLogger("erlen")


class Found(NamedTuple):
    """What a name stands for.

    Attributes:
        body: The bytes, or where they come from.
        status: Of the file; ``None`` for an object that was given.
        path: Of the file.
        coding: Content coding in which the client gets it, for it has a neighbour in that coding.
        varies: Whether another client would get another coding.
        version: What the static files say of its content, when they were asked.
    """

    body: bytes | FileSource | FileStream
    status: os.stat_result | None = None
    path: str = ""
    coding: str | None = None
    varies: bool = False
    version: str | None = None


class Search:
    """Looks for a file in a thread, for a task that may not be there any more when it is found."""

    __slots__ = ("_find", "_found", "_is_abandoned")

    def __init__(self, find: Callable[[], Found]) -> None:
        """*find* takes no arguments, and may raise."""
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


def find(path: str, named_only: bool) -> Found:
    """Open a path, following links; *named_only* keeps its content out. It blocks.

    Raises:
        OSError: It is no regular file, or cannot be opened.
    """
    opened = open_file(path)
    return Found(body_or_nothing(opened, named_only), opened.status, opened.path)


def body_or_nothing(opened: OpenedFile, named_only: bool) -> bytes | FileSource:
    """Return the content of a file, or close it; *named_only* keeps the content out."""
    if not named_only:
        return content_of(opened)
    opened.stream.close()
    return b""


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


def is_exhausted(error: OSError) -> bool:
    """Return whether the process or the system has no file descriptor left."""
    return error.errno in _EXHAUSTED


def exhausted(error: OSError) -> ServiceUnavailable:
    """Log that no file can be opened, and return what to raise."""
    _logger.error("A file cannot be opened: %s", error.strerror)
    return ServiceUnavailable()
