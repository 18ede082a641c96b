"""Floor 5: the static files of an application or blueprint, and URLs that change with them."""

# ruff: noqa: PTH116, PTH118  # PERF: a Path takes 3 µs more

import os
from functools import partial
from time import monotonic
from typing import Any, Protocol

from erlen.context import Context, current
from erlen.exceptions import NotFound
from erlen.exchange.files import OpenedFile, open_below
from erlen.exchange.response import Response
from erlen.files.below import Target, is_hidden, preferences
from erlen.files.fields import MaxAge, age_fields, fields_of, kind_fields
from erlen.files.memory import TRUST, Known, Memory
from erlen.files.sending import make_conditional, respond
from erlen.wire.filenames import safe_join

#: SPEC: RFC 8246: not even a reload asks again.
_FOR_EVER = "public, max-age=31536000, immutable"
#: Bytes of a file above which its version is made of its size and time.
#: PERF: reading and hashing 1 MiB takes 0.7 ms, in which no other request is served.
_LARGE = 4 * 1024 * 1024
#: Files whose versions are remembered.
_MOST = 4096

#: Folder and name → time and size of the file, and its version.
_versions: dict[tuple[str, str], tuple[int, int, str]] = {}
#: PERF: a file that is there is sent in 9 µs; a way to the disk takes 80 µs more.
_memory = Memory()


class Owner(Protocol):
    """An application or a blueprint."""

    static_folder: str | None

    def get_send_file_max_age(self, filename: str | None) -> MaxAge:
        """Return the seconds for which a file may be cached, ``None`` to ask each time."""
        ...


async def send_static(owner: Owner, filename: str) -> Response:
    """Return a static file, in the coding that the client likes best among those that are there.

    The view of ``<static_url_path>/<path:filename>``. With ``STATIC_HASHED_URLS``, a URL that has
    the present version of the file is cached for a year.

    Args:
        owner: Whose folder it is.
        filename: What stands in the URL.

    Raises:
        RuntimeError: The owner has no static folder.
        NotFound: There is no such file, or it is not to be seen.
    """
    folder = owner.static_folder
    if folder is None:
        raise RuntimeError(f"{owner!r} has no static folder. Give static_folder= when making it.")
    context = current()
    # SAFETY: a proxy that guards /static/private/ sees no such folder in /static/private%2Fa.txt.
    raw_path: bytes = context.scope.get("raw_path") or b""
    if raw_path.find(b"%") >= 0 and b"%2f" in raw_path.lower():  # PERF: "in" alone is 0.2 µs
        raise NotFound
    config = context.app.config
    asked = context.exchange.args.get("v") if config["STATIC_HASHED_URLS"] else None
    remembers = not (config["DEBUG"] or config["TESTING"] or config["USE_X_SENDFILE"])
    known = _recall(context, folder, filename) if remembers else None
    if known is None or (asked is not None and asked != known.found.version):
        return await _look(context, owner, folder, filename, asked, remembers)
    age = _FOR_EVER if asked is not None else owner.get_send_file_max_age(filename)
    response: Response = context.app.response_class(
        known.found.body, headers=known.headers_for(age)
    )
    make_conditional(response, context, accept_ranges=known.has_content)
    if response.status_code == 200 and not known.has_content:
        return await _look(context, owner, folder, filename, asked, remembers)
    return response


async def _look(
    context: Context, owner: Owner, folder: str, filename: str, asked: str | None, remembers: bool
) -> Response:
    """Return the response after a look at the disk; *asked* is the version in the URL."""
    now = monotonic()
    target = Target(folder, filename)
    fields = kind_fields({}, target.segments[-1])
    age = owner.get_send_file_max_age(filename)
    age_fields(age)  # a value that cannot be sent leaves no file open
    codings = None if "Content-Encoding" in dict(fields) else _codings(context)
    # The version is found before the content: when the file changes in between, new content goes
    # under an old version that no page names any more, never the other way round.
    version = None if asked is None else partial(version_of, folder, filename)
    found = await target.look(codings, context.app.config["USE_X_SENDFILE"], version)
    fields += fields_of(found, {})
    if "Content-Encoding" not in dict(fields) and not context.app.config["USE_X_SENDFILE"]:
        fields.append(("Accept-Ranges", "bytes"))
    known = Known(found, fields, now + TRUST)
    if remembers:
        _memory.put((folder, filename, codings if found.varies else None), known)
    is_version = asked is not None and asked == found.version
    return respond(found, known.headers_for(_FOR_EVER if is_version else age))


def _recall(context: Context, folder: str, filename: str) -> Known | None:
    """Return what is known of a file, as this client gets it."""
    known = _memory.get((folder, filename, None))
    return known or _memory.get((folder, filename, _codings(context)))


def _codings(context: Context) -> tuple[str, ...]:
    return preferences(",".join(context.exchange.headers.getlist("accept-encoding")))


def version_of(folder: str, filename: str) -> str | None:
    """Return a text that changes with the content of a static file; ``None`` when it has none.

    A file is read when it is new or has changed; else its status is looked at, 3 µs.

    Args:
        folder: Absolute.
        filename: Name below it, with slashes.
    """
    key = (folder, filename)
    known = _versions.get(key)
    try:
        if known is not None:
            status = os.stat(os.path.join(folder, filename))
            if known[:2] == (status.st_mtime_ns, status.st_size):
                return known[2]
        segments = filename.split("/")
        if safe_join(folder, filename) is None or any(map(is_hidden, segments)):
            return None
        opened = open_below(folder, segments)
        with opened.stream:
            version = _hash(opened)
    except OSError:
        return None
    if len(_versions) >= _MOST:
        _versions.clear()  # SAFETY: names that come from outside must not fill the memory
    _versions[key] = (opened.status.st_mtime_ns, opened.status.st_size, version)
    return version


def _hash(opened: OpenedFile) -> str:
    status = opened.status
    if status.st_size > _LARGE:
        return f"{status.st_mtime_ns:x}-{status.st_size:x}"
    import hashlib

    return hashlib.sha256(opened.stream.readall(), usedforsecurity=False).hexdigest()[:16]


def add_version(app: Any, endpoint: str, values: dict[str, Any]) -> None:
    """Give the URL of a static file its version as ``v``, when the configuration asks for it.

    Args:
        app: The application; its ``static_folder`` and those of its ``blueprints`` are looked at.
        endpoint: Any; only ``static`` and ``<blueprint>.static`` are looked at.
        values: What the URL is built of; ``v`` is added unless it is there.
    """
    scope, _, name = endpoint.rpartition(".")
    if name != "static" or "v" in values or not app.config["STATIC_HASHED_URLS"]:
        return
    owner = app.blueprints.get(scope) if scope else app
    filename = values.get("filename")
    if owner is None or owner.static_folder is None or not isinstance(filename, str):
        return
    version = version_of(owner.static_folder, filename)
    if version is not None:
        values["v"] = version
