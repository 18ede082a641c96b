"""Floor 5: ``send_file`` and ``send_from_directory``: a file as the response of a view."""
# ruff: noqa: PTH118  # PERF: a Path takes 3 µs more

import os
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import PurePath
from typing import Any, TypeAlias, Unpack

from erlen.context import Context, current
from erlen.exchange.request import Request
from erlen.exchange.response import Response
from erlen.files.below import Target, preferences
from erlen.files.fields import Fields, MaxAge, SendOptions, describe, fields_of
from erlen.files.finding import Found, Search, body_of, exhausted, find, is_exhausted
from erlen.wire.headers import RequestHeaders
from erlen.wire.ready_headers import ReadyHeaders

FilePath: TypeAlias = str | os.PathLike[str]


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
        fields = describe(options, None, None)
        found = Found(await body_of(path_or_file))
        return respond(found, fields + fields_of(found, options), conditional=conditional)
    app: Any = current().app
    path = os.path.join(app.root_path, path_or_file)
    fields = describe(options, path.rstrip(os.sep).rpartition(os.sep)[2], path)
    try:
        found = await Search(partial(find, path, app.config["USE_X_SENDFILE"])).run()
    except OSError as error:
        if is_exhausted(error):
            raise exhausted(error) from None
        raise
    return respond(found, fields + fields_of(found, options), conditional=conditional)


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
    target = Target(root, name, [os.path.join(app.root_path, folder) for folder in links_to])
    fields = describe(options, target.segments[-1], target.path)
    codings = None
    if precompressed and "Content-Encoding" not in dict(fields):
        codings = preferences(",".join(context.exchange.headers.getlist("accept-encoding")))
    found = await target.look(codings, app.config["USE_X_SENDFILE"])
    conditional = options.get("conditional", True)
    return respond(found, fields + fields_of(found, options), conditional=conditional)


def respond(found: Found, fields: Fields | ReadyHeaders, *, conditional: bool = True) -> Response:
    """Return the response, which obeys the conditions of the request.

    Args:
        found: Its body is closed at the end, also when no response is made, or another is sent.
        fields: All of them, the Content-Type too.
        conditional: Whether conditions are obeyed.
    """
    context = current()
    body = found.body
    if not isinstance(body, bytes):
        context.close_at_end(body.aclose)
    by_server = found.status is not None and context.app.config["USE_X_SENDFILE"]
    if by_server:
        fields = [*fields, ("X-Sendfile", os.fsencode(found.path).decode("latin-1"))]
    response: Response = context.app.response_class(body, headers=fields)
    if conditional:
        make_conditional(response, context, accept_ranges=not by_server)
    if by_server and response.status_code in {304, 412}:
        response.headers.remove("X-Sendfile")
    return response


def make_conditional(response: Response, context: Context, *, accept_ranges: bool) -> None:
    """Have a response obey the conditions of the request of *context*."""
    scope = context.scope
    if (
        scope is not None
        and context.opened_exchange is None
        and context.line.request_class is Request  # another one may say something else
        and type(response).make_conditional is Response.make_conditional
    ):
        # PERF: the request's object, of which nothing else is wanted, would be 0.8 µs more.
        headers = RequestHeaders(scope["headers"])
        response._obey(scope.get("method", "GET"), headers, accept_ranges)
    else:
        response.make_conditional(context.exchange, accept_ranges=accept_ranges)
