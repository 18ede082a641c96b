"""Floor 5: a name that a client chose, below a folder that the application chose."""
# ruff: noqa: PTH118  # PERF: a Path takes 3 µs more

import errno
import logging
import os
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TypeAlias

from erlen.exceptions import NotFound
from erlen.exchange.files import OpenedFile, open_below
from erlen.files.finding import Found, Search, body_or_nothing, exhausted, is_exhausted
from erlen.wire.accept import parse_accept_header
from erlen.wire.filenames import safe_join
from erlen.wire.urls import printable

#: Root, segments below it, and further folders into which links may lead.
Below: TypeAlias = tuple[str, Sequence[str], Sequence[str]]

#: Content coding → ending of a file that has another's content in this coding; the smallest first.
_ENDINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
#: What opening says of a name that stands for nothing, or for no regular file.
_NO_FILE = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EMLINK, errno.ENAMETOOLONG,
    errno.EINVAL, errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP,
}  # fmt: skip

_logger = logging.getLogger("erlen")


def is_hidden(segment: str) -> bool:
    """Return whether a segment of a name keeps the file from being seen."""
    return segment.startswith(".") and segment != ".well-known"


class Target:
    """What a name that a client chose stands for, below a folder that the application chose.

    Attributes:
        path: Where it lies, unless there are links.
        segments: Of the name.
    """

    def __init__(self, root: str, name: str, links_to: Sequence[str] = ()) -> None:
        """The disk is not asked yet.

        Raises:
            NotFound: No file with such a name is shown to anybody.
        """
        path = safe_join(root, name)
        self.segments = name.split("/")
        if path is None or any(map(is_hidden, self.segments)):
            raise NotFound
        self.path = path
        self._below = (root, self.segments, links_to)

    async def look(
        self,
        codings: Sequence[str] | None,
        named_only: bool,
        version: Callable[[], str | None] | None = None,
    ) -> Found:
        """Open it, in a thread.

        Args:
            codings: The neighbour in the first of them that has one is opened in its place;
                ``None``: neighbours are not looked for.
            named_only: Keep the content out.
            version: Called there before, for what is noted as its version.

        Raises:
            NotFound: It is not there, or may not be seen.
            ServiceUnavailable: The process has no file descriptor left.
            OSError: The disk is at fault.
        """
        try:
            return await Search(partial(self._find, codings, named_only, version)).run()
        except OSError as error:
            raise refusal(error, self.path) from None

    def _find(
        self,
        codings: Sequence[str] | None,
        named_only: bool,
        version: Callable[[], str | None] | None,
    ) -> Found:
        told = None if version is None else version()
        opened, coding, varies = open_below(*self._below), None, False
        if codings is not None:
            opened, coding, varies = _choose(opened, self._below, codings)
        body = body_or_nothing(opened, named_only)
        return Found(body, opened.status, opened.path, coding, varies, told)


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
