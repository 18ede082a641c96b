"""Floor 6: what a view returned becomes a response, by one table.

The table is surface section 12 of Flask's behaviour, with every kind of iterator admitted.
"""

import inspect
from collections.abc import AsyncIterable, Iterator, Mapping
from typing import Any

from erlen.context import current_context
from erlen.events import EventStream
from erlen.exceptions import HTTPException, reason_phrase
from erlen.exchange.media_types import content_type_of, type_pair
from erlen.exchange.response import Response, maker
from erlen.pipeline.error_pages import respond_to
from erlen.protocols import JSONProvider
from erlen.routing.rule import Rule
from erlen.wire.headers import Headers
from erlen.wire.multidict import MultiDict

# PERF: tuples, because ``dict | list`` in a call would be built anew for each request, 0.15 us.
_JSON = (dict, list)
_PLAIN = (Response, EventStream)
_BODIES = (str, bytes, bytearray, memoryview, AsyncIterable, Iterator)


class Coercion:
    """Makes responses of view values, with the application's seats.

    Attributes:
        response_class: Class of the responses that are made here.
        json: Provider for ``dict`` and ``list``.
    """

    __slots__ = (
        "_is_plain",
        "_json_type",
        "_of_json",
        "_of_text",
        "_text_type",
        "json",
        "response_class",
    )

    def __init__(self, response_class: type[Response], json: JSONProvider) -> None:
        """Both are the application's."""
        self.response_class = response_class
        self.json = json
        self._of_text = maker(response_class)
        self._of_json = maker(response_class, json.mimetype)
        self._is_plain = response_class is Response and Response.default_status == 200
        self._text_type = type_pair(content_type_of(response_class.default_mimetype))
        self._json_type = type_pair(content_type_of(json.mimetype))

    def known(self, value: Any) -> tuple[tuple[bytes, bytes], bytes] | None:
        """Return the Content-Type and the body of a value that is sent with the status 200.

        ``None`` is for everything that needs a response, be it of a class of the application.
        """
        if self._is_plain:
            if type(value) is str:
                return self._text_type, value.encode()
            if type(value) is dict or type(value) is list:
                return self._json_type, self.json.encode(value)
        return None

    def whole(self, pair: tuple[bytes, bytes], body: bytes) -> Response:
        """Return the response that :meth:`known` has spared, because somebody sees it after all."""
        return self.response_class(body, content_type=pair[1].decode("latin-1"))

    def respond(self, value: Any, source: Rule | str | None = None) -> Response:
        """Return the response that *value* stands for.

        Args:
            value: ``str``, ``bytes``, ``dict``, ``list``, a response, an HTTP exception, any
                iterator or asynchronous iterable of chunks; or a tuple of one of these with a
                status, headers, or both.
            source: The rule of the view, or words for what else returned it; for the error.

        Raises:
            TypeError: *value* is none of them; the view's fault.
        """
        if type(value) is str:
            return self._of_text(value)
        if isinstance(value, tuple):
            return self._from_tuple(value, source)
        return self._from_body(value, source)

    def _from_tuple(self, value: tuple[Any, ...], source: Rule | str | None) -> Response:
        match value:
            case (body, status, headers):
                pass
            case (body, Headers() | Mapping() | tuple() | list() as headers):
                status = None
            case (body, status):
                headers = None
            case _:
                raise TypeError(
                    f"{_view(source)} returned a tuple of {len(value)}. "
                    "Return (body, status, headers), (body, status) or (body, headers)."
                )
        response = self._from_body(body, source)
        if status is not None:
            response.status = status
        if headers is not None:
            # By way of Headers, so that repeated pairs (two Set-Cookie) all arrive.
            response.headers.update(Headers(headers))
        return response

    def _from_body(self, value: Any, source: Rule | str | None) -> Response:
        if isinstance(value, Response):
            return self._own(value)
        if isinstance(value, _JSON):
            return self._of_json(self.json.encode(value))
        if isinstance(value, _BODIES):
            return self.response_class(value)
        if isinstance(value, HTTPException):
            return self.error(value)
        if isinstance(value, MultiDict):  # request.args and its like, which are dicts in Flask
            return self._from_body(dict(value), source)
        raise self._unusable(value, source)

    def _own(self, response: Response) -> Response:
        """Return a plain response as one of the application's class, which hooks may count on."""
        if type(response) in _PLAIN and not isinstance(response, self.response_class):
            response.__class__ = self.response_class
        return response

    @staticmethod
    def _unusable(value: Any, source: Rule | str | None) -> TypeError:
        if value is None:
            return TypeError(
                f"{_view(source)} returned None, or ended without a return statement. "
                'Return a response, for example "" with status 204.'
            )
        if inspect.iscoroutine(value):
            line = value.cr_frame.f_lineno if value.cr_frame else value.cr_code.co_firstlineno
            where = f"{value.__qualname__}, {value.cr_code.co_filename}:{line}"
            value.close()
            return TypeError(
                f"{_view(source)} returned an un-awaited coroutine ({where}). "
                "Write 'await' in front of the call that made it."
            )
        if inspect.isawaitable(value):
            return TypeError(
                f"{_view(source)} returned {value!r}, which is to be awaited. "
                "Write 'await' in front of it."
            )
        return TypeError(
            f"{_view(source)} returned {value!r} of type {type(value).__name__}. Return str, "
            "bytes, dict, list, an iterator of chunks, a response, or a tuple of one of these with "
            "status and headers."
        )

    def error(self, error: HTTPException) -> Response:
        """Return the response of an HTTP exception that no handler took."""
        context = current_context.get(None)
        if context is None or context.scope is None:
            return self._own(error.get_response())
        return self._own(respond_to(error, context, self.json))


def _view(source: Rule | str | None) -> str:
    if source is None or isinstance(source, str):
        return source or "The function"
    return f"The view of endpoint {source.endpoint!r}"


def plain_error(response_class: type[Response], code: int = 500) -> Response:
    """Return a fixed page, for when everything that could make a better one has failed."""
    return response_class(reason_phrase(code), status=code, mimetype="text/plain")
