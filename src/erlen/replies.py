"""Floor 5: functions with which a view makes its response: jsonify, redirect and so on."""

from typing import Any, TypeVar

from markupsafe import escape

from erlen.context import current
from erlen.exchange.json_value import prepare_response_value
from erlen.exchange.response import Response
from erlen.wire.redirects import CODES, is_safe_redirect, redirect_uri

T = TypeVar("T")


def make_response(*args: Any) -> Response:
    """Return the response that a view returning *args* would answer with.

    Args:
        args: Nothing for an empty response, one value, or body, status and headers.

    Raises:
        TypeError: No view may return that.
    """
    if not args:
        empty: Response = current().app.response_class()
        return empty
    response: Response = current().app.make_response(args[0] if len(args) == 1 else args)
    return response


def jsonify(*args: Any, **kwargs: Any) -> Response:
    """Return a JSON response of one value, of several as a list, or of keywords as an object.

    Raises:
        TypeError: Both were given, or a value has no JSON form.
    """
    app = current().app
    body = app.json.encode(prepare_response_value(args, kwargs))
    response: Response = app.response_class(body, mimetype=app.json.mimetype)
    return response


def stream_with_context(chunks: T) -> T:
    """Return *chunks* as it is: here a stream has its context to the last chunk anyway.

    Kept for those who come from Flask; as a function around a generator or as a decorator.
    """
    return chunks


def redirect(location: str, code: int = 303) -> Response:
    """Return a redirect to where the application says; for a client's word see `redirect_local`.

    Args:
        location: URL with http or https, or relative to the request; a path stays relative to the
            host. Letters beyond ASCII, spaces, control characters and backslashes are encoded.
        code: 303 (the default: come back with GET), 301, 302, or 307 and 308, which keep method and
            body.

    Raises:
        ValueError: *code* is no redirect, or *location* is no place on the web: another scheme
            (``javascript:``), no host after one, over 16 KiB.
    """
    if code not in CODES or isinstance(code, float):
        raise ValueError(f"{code!r} is not a redirect. Use 303, or 308 to keep method and body.")
    uri = redirect_uri(location)
    link = escape(uri)
    response: Response = current().app.response_class(
        "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n"
        f'<p>You should be redirected to <a href="{link}">{link}</a>.</p>\n',
        status=code,
    )
    response.location = uri
    return response


def redirect_local(target: str | None, fallback: str = "/", code: int = 303) -> Response:
    """Return a redirect to where the client asks to be sent, if that is a place of this host.

    For a login's ``next``: ``return redirect_local(request.args.get("next"), url_for("index"))``.

    Args:
        target: What the client sent; ``None`` for nothing.
        fallback: Where to when :func:`is_safe_redirect` refuses *target*; the application's word.
        code: As of :func:`redirect`.

    Raises:
        ValueError: *fallback* or *code* is wrong; never because of *target*.
    """
    return redirect(target if target and is_safe_redirect(target) else fallback, code)


async def make_push_promise(path: str) -> None:
    """Promise the client of the running request *path*; see ``request.send_push_promise``."""
    await current().request.send_push_promise(path)
