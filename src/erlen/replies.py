"""Floor 5: functions with which a view makes its response: jsonify, make_response, redirect."""

from typing import Any, TypeVar

from markupsafe import escape

from erlen.context import current
from erlen.exchange.json_value import prepare_response_value
from erlen.exchange.response import Response

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
    """Return a redirect.

    Args:
        location: Where to; a path stays relative to the host.
        code: 303 (the default: come back with GET), 301, 302, 307, 308, 300 or 305.

    Raises:
        ValueError: *code* is no redirect.
    """
    if code not in {300, 301, 302, 303, 305, 307, 308}:
        raise ValueError(f"{code} is not a redirect. Use 303, or 308 to keep method and body.")
    link = escape(location)
    response: Response = current().app.response_class(
        "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n"
        f'<p>You should be redirected to <a href="{link}">{link}</a>.</p>\n',
        status=code,
    )
    response.location = location
    return response
