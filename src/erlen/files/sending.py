"""Floor 5: ``send_file`` and ``send_from_directory``: a file as the response of a view."""
# ruff: noqa: PTH118  # PERF: a Path takes 3 µs more

import math
import os
import time
import zlib
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import PurePath
from typing import Any, TypeAlias, TypedDict, Unpack

from erlen.context import current
from erlen.exceptions import NotFound
from erlen.exchange.response import Response
from erlen.files.finding import (
    Found,
    Search,
    body_of,
    exhausted,
    find,
    find_below,
    is_exhausted,
    is_hidden,
    preferences,
    refusal,
)
from erlen.files.kinds import guess_type, type_to_keep
from erlen.wire.conditional import quote_etag
from erlen.wire.dates import http_date
from erlen.wire.disposition import dump_content_disposition
from erlen.wire.filenames import safe_join
from erlen.wire.params import parse_options_header

FilePath: TypeAlias = str | os.PathLike[str]
#: Seconds for which a cache may keep a file without asking; ``None``: it asks each time.
MaxAge: TypeAlias = float | timedelta | None
Fields: TypeAlias = list[tuple[str, str]]

#: SPEC: RFC 9111 section 1.2.2: the greatest number of seconds that every cache understands.
_LONGEST_AGE = 2**31 - 1


class SendOptions(TypedDict, total=False):
    """The keywords of :func:`send_file`, which says what they mean."""

    mimetype: str | None
    as_attachment: bool
    download_name: str | None
    conditional: bool
    etag: bool | str
    last_modified: datetime | date | float | None
    max_age: MaxAge | Callable[[str | None], MaxAge]


async def send_file(
    path_or_file: FilePath | Any,
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: datetime | date | float | None = None,
    max_age: MaxAge | Callable[[str | None], MaxAge] = None,
) -> Response:
    """Return a response with the content of a file.

    Never pass a path that a client chose: :func:`send_from_directory` is made for that. Content
    that users upload is best sent with *as_attachment*, for HTML and SVG run scripts in your name.

    Args:
        path_or_file: Path, relative to the application's root path; or a binary file, which is
            sent from its position and closed at the end. Its methods may be coroutine functions.
            One that cannot seek, or is read by coroutines, is sent without length and ranges.
        mimetype: Media type; by a table of names when not given.
        as_attachment: Ask the browser to save it.
        download_name: Name under which it is saved; that of the path when not given.
        conditional: Obey the request's conditions and ranges.
        etag: Whether a file by path has an entity tag (of its path, its size and the nanosecond of
            its change); or the opaque tag itself.
        last_modified: When it was changed, naive means UTC; by the file system when not given.
        max_age: Seconds for which it may be cached without asking, or a function of the path. By
            ``app.get_send_file_max_age`` when not given; when that is ``None`` too, it is asked
            for each time: ``Cache-Control: no-cache``.

    Raises:
        FileNotFoundError, IsADirectoryError: There is no such file; not the client's fault.
        ValueError: The file is in text mode, or a value cannot be sent.
        TypeError: A file object has neither *mimetype* nor *download_name*, or is to be saved
            without a name.
        ServiceUnavailable: The process has no file descriptor left.
        RequestedRangeNotSatisfiable: No byte of the asked ranges exists.
    """
    options = SendOptions(
        mimetype=mimetype,
        as_attachment=as_attachment,
        download_name=download_name,
        conditional=conditional,
        etag=etag,
        last_modified=last_modified,
        max_age=max_age,
    )
    if not isinstance(path_or_file, str | os.PathLike):
        described = _describe(options, None, None)
        return _respond(Found(await body_of(path_or_file)), described, options)
    app: Any = current().app
    path = os.path.join(app.root_path, path_or_file)
    described = _describe(options, path.rstrip(os.sep).rpartition(os.sep)[2], path)
    try:
        found = await Search(partial(find, path, app.config["USE_X_SENDFILE"])).run()
    except OSError as error:
        if is_exhausted(error):
            raise exhausted(error) from None
        raise
    return _respond(found, described, options)


async def send_from_directory(
    directory: FilePath,
    path: FilePath,
    *,
    links_to: Sequence[FilePath] = (),
    precompressed: bool = False,
    **options: Unpack[SendOptions],
) -> Response:
    """Return a response with a file below a directory; 404 for everything else.

    A name that a client chose cannot lead out of the directory, by no spelling and by no link, not
    even while files are swapped. Names that begin with a dot (``.well-known`` excepted), names of
    Windows' devices, folders and whatever is no regular file are 404 too.

    Args:
        directory: Relative to the application's root path; trusted.
        path: Name below it, with slashes.
        links_to: Further folders into which links below *directory* may lead.
        precompressed: Send ``a.css.br``, ``a.css.zst`` or ``a.css.gz`` in place of ``a.css`` to
            clients that accept it, when it is there and not older. It has no ranges.
        options: As for :func:`send_file`.

    Raises:
        NotFound: See above.
        ServiceUnavailable, RequestedRangeNotSatisfiable, ValueError: As :func:`send_file`.
    """
    context = current()
    app: Any = context.app
    root = os.path.join(app.root_path, directory)
    name = path.as_posix() if isinstance(path, PurePath) else os.fspath(path)
    joined = safe_join(root, name)
    segments = name.split("/")
    if joined is None or any(map(is_hidden, segments)):
        raise NotFound
    described = _describe(options, segments[-1], joined)
    codings = None
    if precompressed and "Content-Encoding" not in dict(described[1]):
        codings = preferences(",".join(context.exchange.headers.getlist("accept-encoding")))
    below = (root, segments, [os.path.join(app.root_path, folder) for folder in links_to])
    try:
        named_only = app.config["USE_X_SENDFILE"]
        found = await Search(partial(find_below, below, codings, named_only)).run()
    except OSError as error:
        raise refusal(error, joined) from None
    return _respond(found, described, options)


# --- the response ---------------------------------------------------------------------------------


def _describe(options: SendOptions, given: str | None, path: str | None) -> tuple[str, Fields]:
    """Return the media type and the fields that can be told before the file is opened.

    So a value that cannot be sent leaves no file open.
    """
    name = options.get("download_name")
    name = given if name is None else name
    as_attachment = options.get("as_attachment", False)
    mimetype = options.get("mimetype")
    fields = [("X-Content-Type-Options", "nosniff")]
    if mimetype is not None:
        _check_charset(mimetype)
    elif name is None:
        raise TypeError("A file object has no name to guess its media type by. Give mimetype=.")
    elif as_attachment:
        mimetype = type_to_keep(name)
    else:
        mimetype, coding = guess_type(name)
        if coding is not None:
            fields.append(("Content-Encoding", coding))
    if name is not None:
        disposition = "attachment" if as_attachment else "inline"
        fields.append(("Content-Disposition", dump_content_disposition(disposition, name)))
    elif as_attachment:
        raise TypeError("An attachment needs a name. Give download_name=.")
    etag, last_modified = options.get("etag", True), options.get("last_modified")
    if isinstance(etag, str):
        quote_etag(etag)
    if last_modified is not None:
        fields.append(("Last-Modified", http_date(last_modified)))
    return mimetype, fields + _cache_fields(options.get("max_age"), path)


def _check_charset(mimetype: str) -> None:
    charset = parse_options_header(mimetype)[1].get("charset")
    if charset is not None:
        try:
            "".encode(charset)
        except LookupError:
            raise ValueError(
                f"The media type {mimetype!r} names the charset {charset!r}, which does not exist. "
                "Give that of the file's text, or none."
            ) from None


def _cache_fields(max_age: MaxAge | Callable[[str | None], MaxAge], path: str | None) -> Fields:
    if max_age is None:
        app: Any = current().app
        max_age = app.get_send_file_max_age
    age = max_age(path) if callable(max_age) else max_age
    if age is None:
        return [("Cache-Control", "no-cache")]
    seconds = age.total_seconds() if isinstance(age, timedelta) else age
    if not 0 <= seconds < math.inf:
        raise ValueError(f"max_age={age!r} is no time. Give seconds, 0 or more, or None.")
    whole = min(int(seconds), _LONGEST_AGE)
    control = f"public, max-age={whole}" if whole else "no-cache, max-age=0"
    return [("Cache-Control", control), ("Expires", http_date(time.time() + whole))]


def _respond(found: Found, described: tuple[str, Fields], options: SendOptions) -> Response:
    context = current()
    mimetype, fields = described
    fields += _validators(found, options)
    if found.coding is not None:
        fields.append(("Content-Encoding", found.coding))
    if found.varies:
        fields.append(("Vary", "Accept-Encoding"))
    by_server = found.status is not None and context.app.config["USE_X_SENDFILE"]
    if by_server:
        fields.append(("X-Sendfile", os.fsencode(found.path).decode("latin-1")))
    if not isinstance(found.body, bytes):
        context.close_at_end(found.body.aclose)  # also when no response is made, or another is sent
    response: Response = context.app.response_class(found.body, mimetype=mimetype, headers=fields)
    if options.get("conditional", True):
        response.make_conditional(context.exchange, accept_ranges=not by_server)
    if response.status_code in {304, 412}:
        response.headers.remove("X-Sendfile")
    return response


def _validators(found: Found, options: SendOptions) -> Fields:
    fields = []
    status, etag = found.status, options.get("etag", True)
    if etag is True and status is not None:
        # The path tells files apart that were unpacked with the same time and are equally long.
        path = zlib.crc32(os.fsencode(found.path))
        etag = f"{status.st_mtime_ns:x}-{status.st_size:x}-{path:x}"
    elif isinstance(etag, str) and found.coding is not None:
        etag += f"-{found.coding}"  # SPEC: RFC 9110 section 8.8.3.3: each coding has its own
    if isinstance(etag, str):
        fields.append(("ETag", quote_etag(etag)))
    if status is not None and options.get("last_modified") is None:
        # SPEC: RFC 9110 section 8.8.2.1: not later than the response. A file system may hold any
        # number, a date has four digits for the year.
        changed = min(max(status.st_mtime, 0), time.time())
        fields.append(("Last-Modified", http_date(changed)))
    return fields
