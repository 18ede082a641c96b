"""Floor 0: every exception of erlen, with its sentence and whose fault it is.

Blame is a type. ``SetupError`` and its family: the application's declarations. ``WireError``: bytes
of the peer, always turned into a 4xx before it leaves an exchange. ``HTTPException``: an answer
meant for the client (named as Werkzeug names them). ``ClientDisconnected`` and
``WebSocketDisconnect``: the peer left. Sentences for developers say what happened with the values
and what to do; sentences for clients say nothing of the inside.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NoReturn


class ErlenError(Exception):
    """What erlen itself raises for developers; never shown to a client."""


class SetupError(ErlenError):
    """A declaration (route, hook, option) that cannot work; raised where it is declared."""


class FrozenError(SetupError, RuntimeError):
    """A declaration after the application began to serve, or after its blueprint was registered."""

    def __init__(self, call: str, *, blueprint: bool = False) -> None:
        """*call* is the name of the declaring method, ``"route"``; *blueprint*, whose it is."""
        closed = "this blueprint was registered" if blueprint else "the application was frozen"
        before = "registering it" if blueprint else "the first request"
        super().__init__(
            f"'{call}' was called after {closed}, so it would have no effect. "
            f"Declare routes, hooks, handlers, blueprints and middleware before {before}, "
            "for example in the module or factory that creates them."
        )


class DuplicateRuleError(SetupError, ValueError):
    """Two rules that match the same requests; the second would never be reached."""

    def __init__(self, existing: str, duplicate: str) -> None:
        """*existing* and *duplicate* describe the rules: text, methods, endpoint, file and line."""
        super().__init__(
            f"Two rules match the same requests.\n  first:  {existing}\n  second: {duplicate}\n"
            "Give one of them another path, method or host."
        )


class OutsideContextError(ErlenError, RuntimeError):
    """A proxy was used where nothing is bound to it."""


class BuildError(ErlenError, LookupError):
    """``url_for`` found no rule that can be built from what it was given.

    Attributes:
        endpoint: The endpoint asked for.
        values: The values given, special ones (``_anchor`` …) excluded.
        method: The method asked for, or ``None``.
        suggested: The endpoint nearest in name, or ``None``.
    """

    def __init__(
        self,
        endpoint: str,
        values: dict[str, Any],
        method: str | None = None,
        *,
        hint: str = "",
        suggested: str | None = None,
    ) -> None:
        """*hint* is the sentence on what to do, written by who knows the rules."""
        self.endpoint = endpoint
        self.values = values
        self.method = method
        self.suggested = suggested
        asked = f" ({method!r})" if method else ""
        given = f" with values {sorted(values)!r}" if values else ""
        super().__init__(
            f"Could not build url for endpoint {endpoint!r}{asked}{given}. {hint}".strip()
        )


class SessionClosedError(ErlenError, RuntimeError):
    """A session was changed after it was saved, so that the change would be lost."""


class SessionTooLargeError(ErlenError, ValueError):
    """A session does not fit into its cookie; the sentence names its largest keys."""


class MissingExtraError(ErlenError, ImportError):
    """An optional part was used whose packages are not installed."""

    def __init__(self, what: str, extra: str) -> None:
        """*what* needs the extra named *extra*."""
        super().__init__(
            f"{what} needs packages that are not installed. "
            f"Install them with: pip install 'erlen[{extra}]'"
        )


class WireError(ValueError):
    """Bytes from outside break a rule; the exchange answers with :attr:`status`.

    Attributes:
        status: 400, 404, 413, 414, 415, 416, 417 or 431.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        """*message* is for the log and names the rule, never the raw bytes."""
        super().__init__(message)
        self.status = status


class ClientDisconnected(ErlenError):
    """The HTTP client left before the exchange was complete; nobody is left to answer."""


class SendTimeout(ErlenError):
    """The HTTP client takes nothing of its response, so the connection is broken off."""


class WebSocketDisconnect(ErlenError):
    """The WebSocket is closed: by the peer, by the server or by the application.

    Attributes:
        code: Close code of RFC 6455 section 7.4; 1005 when the peer sent none, 1006 when the
            connection broke.
        reason: The peer's reason, ``""`` when it gave none.
    """

    def __init__(self, code: int = 1005, reason: str = "") -> None:
        """*code* and *reason* as the closing side gave them."""
        super().__init__(
            f"The WebSocket is closed with code {code}{f' ({reason})' if reason else ''}."
        )
        self.code = code
        self.reason = reason


class WebSocketMessageError(ErlenError, ValueError):
    """A message of the peer is not what the view asked for; the view may catch it and go on.

    Attributes:
        code: Close code when nobody catches it: 1003 for the wrong kind of frame, 1007 for data
            that does not parse (RFC 6455 section 7.4.1).
    """

    def __init__(self, message: str, code: int) -> None:
        """*message* names the rule, never the data."""
        super().__init__(message)
        self.code = code


class WebSocketStateError(ErlenError, RuntimeError):
    """A WebSocket call that its state does not allow; nothing was sent."""


# --- answers for the client -----------------------------------------------------------------------


class HTTPException(Exception):
    """An HTTP answer that is raised: ``abort(404)`` or ``raise NotFound()``.

    Attributes:
        code: The status code; ``None`` only when :attr:`response` is the answer.
        description: Text for the client; the class's own sentence when not given. It is escaped in
            the HTML body; newlines become ``<br>``.
        response: A ready response, sent unchanged and never shown to error handlers.
    """

    code: int | None = None
    description: str | None = None
    #: Seat: ``erlen.exchange.response`` puts the class here by which :meth:`get_response` answers.
    response_class: ClassVar[Any] = None

    def __init__(self, description: str | None = None, response: Any = None) -> None:
        """Both arguments are optional."""
        super().__init__()
        if description is not None:
            self.description = description
        self.response = response

    @property
    def name(self) -> str:
        """The reason phrase, ``"Not Found"``."""
        if self.code is None:
            return "Unknown Error"
        return reason_phrase(self.code)

    def get_description(self) -> str:
        """Return the description as an HTML paragraph, escaped; ``""`` when there is none."""
        text = self.description
        if not text:
            return ""
        # SAFETY: what an error was given may be a client's, and "<b>" equals Markup("<b>").
        is_kept = text is type(self).description and type(text) is str
        return (_paragraph if is_kept else _paragraph.__wrapped__)(text)

    def get_body(self) -> str:
        """Return the HTML page of this error."""
        # A name of one's own may be another text for each client, as a translation is.
        is_kept = type(self).name is HTTPException.name
        heading = (_heading if is_kept else _heading.__wrapped__)(self.code, self.name)
        return f"{heading}{self.get_description()}"

    def get_headers(self) -> list[tuple[str, str]]:
        """Return the headers beyond Content-Type that this error must carry."""
        return []

    def get_response(self) -> Any:
        """Return :attr:`response`, or a new HTML response made of body, code and headers."""
        if self.response is not None:
            return self.response
        headers = self.get_headers() or None
        return self.response_class(self.get_body(), status=self.code, headers=headers)

    def __str__(self) -> str:
        if self.code is None:
            return self.name
        return f"{self.code} {self.name}{f': {self.description}' if self.description else ''}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.code}: {self.name}'>"


# PERF: most pages are those of their class: 0.5 µs, where escaping takes 2 µs.
@functools.lru_cache(maxsize=256)
def _paragraph(text: str) -> str:
    from markupsafe import escape

    return f"<p>{str(escape(text)).replace(chr(10), '<br>')}</p>\n"


@functools.lru_cache(maxsize=256, typed=True)
def _heading(code: int | None, name: str) -> str:
    from markupsafe import escape

    title = str(escape(name))
    return f"<!doctype html>\n<html lang=en>\n<title>{code} {title}</title>\n<h1>{title}</h1>\n"


@functools.lru_cache(maxsize=1024)
def reason_phrase(code: int) -> str:
    """Return the IANA phrase of a status code, ``"Unknown"`` for one that is not registered."""
    return _phrases().get(code, "Unknown")


@functools.cache
def _phrases() -> dict[int, str]:
    from http import HTTPStatus  # PERF: 0.7 ms of an import that is most often for others

    # COMPAT: CPython 3.13 renamed four phrases after RFC 9110; one table serves every interpreter.
    return {status.value: status.phrase for status in HTTPStatus} | {
        413: "Content Too Large",
        414: "URI Too Long",
        416: "Range Not Satisfiable",
        418: "I'm a Teapot",
        422: "Unprocessable Content",
    }


class BadRequest(HTTPException):
    """400: the request breaks a rule of HTTP or of the application."""

    code = 400
    description = "The request could not be understood."


class BadRequestKeyError(BadRequest, KeyError):
    """400 and ``KeyError``: a query argument, form field or header was required and is missing.

    Attributes:
        show_exception: Whether the client is told the key; set in debug mode.
    """

    show_exception = False

    def __init__(self, key: object = None) -> None:
        """*key* is what was looked up."""
        super().__init__()
        self.key = key
        if key is not None:
            self.args = (key,)

    def __str__(self) -> str:
        return f"400 Bad Request: KeyError: {self.key!r}"

    def get_description(self) -> str:
        """Name the key in debug mode only."""
        if not self.show_exception:
            return super().get_description()
        from markupsafe import escape

        return (
            f"{super().get_description()}<p><code>KeyError: {escape(repr(self.key))}</code></p>\n"
        )


class SecurityError(BadRequest):
    """400: the request is refused for the application's safety, for example an untrusted Host."""


class BadHost(BadRequest):
    """400: the Host header is missing where it is required, or malformed."""


class WebsocketMismatch(BadRequest):
    """400: HTTP on a WebSocket rule, or the reverse."""

    description = "This address speaks another protocol."


class Unauthorized(HTTPException):
    """401: the client must authenticate."""

    code = 401
    description = "Authentication is required."

    def __init__(
        self, description: str | None = None, response: Any = None, www_authenticate: Any = None
    ) -> None:
        """*www_authenticate* is one ``WWWAuthenticate``, a list of them, or ``None``."""
        super().__init__(description, response)
        if www_authenticate is None:
            self.www_authenticate: tuple[Any, ...] = ()
        elif isinstance(www_authenticate, list | tuple):
            self.www_authenticate = tuple(www_authenticate)
        else:
            self.www_authenticate = (www_authenticate,)

    def get_headers(self) -> list[tuple[str, str]]:
        """Return one WWW-Authenticate field for each challenge (RFC 9110 section 11.6.1)."""
        return [("WWW-Authenticate", str(value)) for value in self.www_authenticate]


class Forbidden(HTTPException):
    """403: the client may not have this."""

    code = 403
    description = "Access to this address is not allowed."


class NotFound(HTTPException):
    """404: no rule matches, or the application says so."""

    code = 404
    description = "There is nothing at this address."


class MethodNotAllowed(HTTPException):
    """405: the path exists, the method does not fit.

    Attributes:
        valid_methods: What the path accepts, sorted; becomes the ``Allow`` header.
    """

    code = 405
    description = "This method is not allowed at this address."

    def __init__(
        self,
        valid_methods: Iterable[str] | None = None,
        description: str | None = None,
        response: Any = None,
    ) -> None:
        """*valid_methods* are method names in any order."""
        super().__init__(description, response)
        self.valid_methods = sorted(valid_methods) if valid_methods is not None else None

    def get_headers(self) -> list[tuple[str, str]]:
        """Return ``Allow`` (RFC 9110 section 15.5.6 requires it)."""
        if self.valid_methods is None:
            return []
        return [("Allow", ", ".join(self.valid_methods))]


class NotAcceptable(HTTPException):
    """406: nothing that the client accepts can be made."""

    code = 406
    description = "No acceptable representation is available."


class RequestTimeout(HTTPException):
    """408: the client sent its request too slowly."""

    code = 408
    description = "The request took too long to arrive."


class Conflict(HTTPException):
    """409: the request conflicts with the state of the resource."""

    code = 409
    description = "The request conflicts with the current state."


class Gone(HTTPException):
    """410: the resource existed and is gone for good."""

    code = 410
    description = "What was at this address is gone."


class LengthRequired(HTTPException):
    """411: a Content-Length is required."""

    code = 411
    description = "A Content-Length is required."


class PreconditionFailed(HTTPException):
    """412: a condition of the request does not hold."""

    code = 412
    description = "A precondition of the request does not hold."


class RequestEntityTooLarge(HTTPException):
    """413: the body, or a part of it, is over a limit."""

    code = 413
    description = "The request body is too large."


class RequestURITooLarge(HTTPException):
    """414: path and query are over the limit."""

    code = 414
    description = "The address is too long."


class UnsupportedMediaType(HTTPException):
    """415: the body is of a type that is not understood here."""

    code = 415
    description = "The media type of the request body is not supported here."


class RequestedRangeNotSatisfiable(HTTPException):
    """416: no byte of the asked ranges exists.

    Attributes:
        length: Size of the representation in bytes, or ``None``.
        units: Range unit, ``"bytes"``.
    """

    code = 416
    description = "The requested range cannot be served."

    def __init__(
        self,
        length: int | None = None,
        units: str = "bytes",
        description: str | None = None,
        response: Any = None,
    ) -> None:
        """*length* goes into ``Content-Range``."""
        super().__init__(description, response)
        self.length = length
        self.units = units

    def get_headers(self) -> list[tuple[str, str]]:
        """Return ``Content-Range: bytes */length`` (RFC 9110 section 15.5.17)."""
        if self.length is None:
            return []
        return [("Content-Range", f"{self.units} */{self.length}")]


class ExpectationFailed(HTTPException):
    """417: the Expect header cannot be met."""

    code = 417
    description = "The expectation of the request cannot be met."


class ImATeapot(HTTPException):
    """418: this server is a teapot."""

    code = 418
    description = "This server is a teapot, not a coffee machine."


class MisdirectedRequest(HTTPException):
    """421: the request was meant for another server."""

    code = 421
    description = "The request was meant for another server."


class UnprocessableEntity(HTTPException):
    """422: well-formed, but its content cannot be processed."""

    code = 422
    description = "The content of the request cannot be processed."


class Locked(HTTPException):
    """423: the resource is locked."""

    code = 423
    description = "The resource is locked."


class FailedDependency(HTTPException):
    """424: a request that this one depends on failed."""

    code = 424
    description = "A request that this one depends on failed."


class PreconditionRequired(HTTPException):
    """428: the request must be conditional."""

    code = 428
    description = "The request must be conditional."


class _RetryAfter(HTTPException):
    """An answer that may tell the client when to come back."""

    def __init__(
        self,
        description: str | None = None,
        response: Any = None,
        retry_after: int | str | None = None,
    ) -> None:
        """*retry_after* is seconds, or an HTTP date as text."""
        super().__init__(description, response)
        self.retry_after = retry_after

    def get_headers(self) -> list[tuple[str, str]]:
        """Return ``Retry-After`` when it was given (RFC 9110 section 10.2.3)."""
        if self.retry_after is None:
            return []
        return [("Retry-After", str(self.retry_after))]


class TooManyRequests(_RetryAfter):
    """429: the client asks too often."""

    code = 429
    description = "Too many requests were sent in a short time."


class RequestHeaderFieldsTooLarge(HTTPException):
    """431: the header section is over a limit."""

    code = 431
    description = "The header section of the request is too large."


class UnavailableForLegalReasons(HTTPException):
    """451: not available for legal reasons."""

    code = 451
    description = "This is unavailable for legal reasons."


class InternalServerError(HTTPException):
    """500: the application failed.

    Attributes:
        original_exception: What the view raised, for handlers; ``None`` after ``abort(500)``.
    """

    code = 500
    description = "The server could not complete the request."

    def __init__(
        self,
        description: str | None = None,
        response: Any = None,
        original_exception: BaseException | None = None,
    ) -> None:
        """*original_exception* never reaches the client."""
        super().__init__(description, response)
        self.original_exception = original_exception


class NotImplemented(HTTPException):  # noqa: A001  # the field's own name, as in Werkzeug
    """501: the method is not supported by this server."""

    code = 501
    description = "The server does not support this."


class BadGateway(HTTPException):
    """502: an upstream server answered badly."""

    code = 502
    description = "An upstream server answered badly."


class ServiceUnavailable(_RetryAfter):
    """503: overloaded, starting or stopping."""

    code = 503
    description = "The service is not available at the moment."


class GatewayTimeout(HTTPException):
    """504: an upstream server did not answer in time."""

    code = 504
    description = "An upstream server did not answer in time."


class HTTPVersionNotSupported(HTTPException):
    """505: the HTTP version is not supported."""

    code = 505
    description = "The HTTP version of the request is not supported."


class RoutingException(Exception):
    """Marks answers of the router that error handlers never see."""


class RequestRedirect(HTTPException, RoutingException):
    """308 of the router: the same resource under its canonical path.

    Attributes:
        new_url: A path with its query, relative to the host, so that neither scheme nor host of a
            proxy can be got wrong. Starts with exactly one slash.
    """

    code = 308

    def __init__(self, new_url: str) -> None:
        """*new_url* is already percent-encoded."""
        super().__init__()
        self.new_url = new_url

    def get_body(self) -> str:
        """Return a page with the link, for people whose client does not follow."""
        from markupsafe import escape

        link = escape(self.new_url)
        return (
            "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n"
            "<h1>Redirecting...</h1>\n"
            f'<p>You should be redirected to <a href="{link}">{link}</a>.</p>\n'
        )

    def get_headers(self) -> list[tuple[str, str]]:
        """Return ``Location``."""
        return [("Location", self.new_url)]


_NAMED: tuple[type[HTTPException], ...] = (
    BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable,
    RequestTimeout, Conflict, Gone, LengthRequired, PreconditionFailed,
    RequestEntityTooLarge, RequestURITooLarge, UnsupportedMediaType,
    RequestedRangeNotSatisfiable, ExpectationFailed, ImATeapot, MisdirectedRequest,
    UnprocessableEntity, Locked, FailedDependency, PreconditionRequired, TooManyRequests,
    RequestHeaderFieldsTooLarge, UnavailableForLegalReasons, InternalServerError,
    NotImplemented, BadGateway, ServiceUnavailable, GatewayTimeout, HTTPVersionNotSupported,
)  # fmt: skip

#: Status code → the exception that ``abort(code)`` raises.
default_exceptions: dict[int, type[HTTPException]] = {
    cls.code: cls for cls in _NAMED if cls.code is not None
}


def abort(code: Any, /, *args: Any, **kwargs: Any) -> NoReturn:
    """Raise the HTTP exception of a status code, or answer at once with a response.

    Args:
        code: A status code with an exception of its own (``404``), or a response, which is sent
            unchanged and not shown to error handlers.
        args: Passed to the exception, as in ``abort(404, "No such page.")``.
        kwargs: Passed to the exception: ``description``, ``response``, and what the class takes
            (``valid_methods``, ``www_authenticate``, ``retry_after``, ``length``).

    Raises:
        HTTPException: Always.
        LookupError: The code has no exception; the caller's fault.
        TypeError: It is neither a code nor a response; the caller's fault.
    """
    if not isinstance(code, int):
        if not isinstance(code, HTTPException.response_class):
            raise TypeError(
                f"abort() was given {code!r} of type {type(code).__name__}. "
                "Give a status code or a response; an exception is raised, not aborted with."
            )
        raise HTTPException(response=code)
    try:
        cls = default_exceptions[code]
    except KeyError:
        raise LookupError(
            f"No exception is known for status {code}. "
            "Raise a subclass of HTTPException with that code, or return a response with it."
        ) from None
    raise cls(*args, **kwargs)


def leaves(group: BaseExceptionGroup[BaseException]) -> Sequence[BaseException]:
    """Return the exceptions at the ends of a group, left to right, groups themselves excluded."""
    found: list[BaseException] = []
    for member in group.exceptions:
        found.extend(leaves(member) if isinstance(member, BaseExceptionGroup) else (member,))
    return found
