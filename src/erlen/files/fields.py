"""Floor 5: the header fields of a file: what it is, which one it is, how long it may be kept."""

import math
import os
import time
import zlib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias, TypedDict

from erlen.context import current
from erlen.exchange.media_types import content_type_of
from erlen.files.finding import Found
from erlen.files.kinds import guess_type, type_to_keep
from erlen.wire.conditional import quote_etag
from erlen.wire.dates import http_date
from erlen.wire.disposition import dump_content_disposition
from erlen.wire.params import parse_options_header

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


def describe(options: SendOptions, given: str | None, path: str | None) -> Fields:
    """Return the fields that can be told before the file is opened.

    So a value that cannot be sent leaves no file open.

    Args:
        options: What the view says.
        given: Name of the file; ``None`` for an object that has none.
        path: Its path, for ``max_age``.
    """
    return kind_fields(options, given) + age_fields(_age_of(options.get("max_age"), path))


def kind_fields(options: SendOptions, given: str | None) -> Fields:
    """Return those of :func:`describe` that do not say how long the file may be kept."""
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
    return [*fields, ("Content-Type", content_type_of(mimetype))]


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


def _age_of(max_age: MaxAge | Callable[[str | None], MaxAge], path: str | None) -> MaxAge:
    if max_age is None:
        app: Any = current().app
        max_age = app.get_send_file_max_age
    return max_age(path) if callable(max_age) else max_age


def age_fields(age: MaxAge) -> Fields:
    """Return the fields that say for how long a file may be kept without asking.

    Raises:
        ValueError: *age* is no time.
    """
    if age is None:
        return [("Cache-Control", "no-cache")]
    seconds = age.total_seconds() if isinstance(age, timedelta) else age
    if not 0 <= seconds < math.inf:
        raise ValueError(f"max_age={age!r} is no time. Give seconds, 0 or more, or None.")
    whole = min(int(seconds), _LONGEST_AGE)
    control = f"public, max-age={whole}" if whole else "no-cache, max-age=0"
    return [("Cache-Control", control), ("Expires", http_date(time.time() + whole))]


def fields_of(found: Found, options: SendOptions) -> Fields:
    """Return the fields that are known once the file is found."""
    fields = _validators(found, options)
    if found.coding is not None:
        fields.append(("Content-Encoding", found.coding))
    if found.varies:
        fields.append(("Vary", "Accept-Encoding"))
    return fields


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
