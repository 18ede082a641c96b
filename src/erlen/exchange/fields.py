"""Floor 3: the header fields of a request or handshake as typed values, parsed when asked for."""

from datetime import datetime

from erlen.exchange.lazy import lazy
from erlen.exchange.media_types import read_media_type
from erlen.protocols import Scope
from erlen.wire.accept import Accept, CharsetAccept, LanguageAccept, MIMEAccept, parse_accept_header
from erlen.wire.caching import RequestCacheControl, parse_cache_control_header
from erlen.wire.conditional import ETags, parse_etags
from erlen.wire.cookies import read_cookies
from erlen.wire.credentials import Authorization
from erlen.wire.dates import parse_date
from erlen.wire.headers import RequestHeaders
from erlen.wire.multidict import ImmutableMultiDict
from erlen.wire.params import HeaderSet, parse_set_header
from erlen.wire.ranges import IfRange, Range, parse_if_range_header, parse_range_header


class UserAgent:
    """The User-Agent header: its text, unparsed, because every parser of it lies."""

    def __init__(self, string: str) -> None:
        """*string* is the header, ``""`` when it is missing."""
        self.string = string

    def to_header(self) -> str:
        """Return the text."""
        return self.string

    def __str__(self) -> str:
        return self.string

    def __bool__(self) -> bool:
        return bool(self.string)


class RequestFields:
    """What a scope's header section says.

    Attributes:
        scope: The ASGI scope, as the server gave it.
    """

    scope: Scope

    @lazy
    def headers(self) -> RequestHeaders:
        """The header fields, read-only; names in any case."""
        return RequestHeaders(self.scope["headers"])

    @lazy
    def cookies(self) -> ImmutableMultiDict[str, str]:
        """The cookies, in the order sent; ``[]`` gives the first of a name.

        Raises:
            WireError: More than 300 cookies; the exchange answers 431.
        """
        return read_cookies(self.headers.joined("cookie", "; "))

    @lazy
    def authorization(self) -> Authorization | None:
        """Parsed Authorization header; ``None`` when missing or malformed."""
        return Authorization.from_header(self.headers.get("authorization"))

    @property
    def user_agent(self) -> UserAgent:
        """The User-Agent header."""
        return UserAgent(self.headers.get("user-agent", ""))

    @property
    def referrer(self) -> str | None:
        """The Referer header, in its right spelling."""
        return self.headers.get("referer")

    @property
    def origin(self) -> str | None:
        """The Origin header."""
        return self.headers.get("origin")

    @property
    def last_event_id(self) -> str | None:
        """Identifier of the last event that a client has got which comes back for the next ones.

        ``None`` when there is none, as in a first request.

        Source: WHATWG HTML, server-sent events, the ``Last-Event-ID`` header: UTF-8.
        """
        text = self.headers.get("last-event-id", "")
        return text.encode("latin-1").decode("utf-8", "replace") or None

    @property
    def sec_fetch_site(self) -> str | None:
        """How a browser's page and this host are related: ``same-origin``, ``cross-site`` …."""
        return self.headers.get("sec-fetch-site")

    @property
    def sec_fetch_mode(self) -> str | None:
        """What a browser's request is for: ``navigate``, ``cors`` …."""
        return self.headers.get("sec-fetch-mode")

    @property
    def sec_fetch_user(self) -> bool:
        """Whether a person's action led to a browser's request."""
        return self.headers.get("sec-fetch-user") == "?1"

    @property
    def sec_fetch_dest(self) -> str | None:
        """What a browser will make of the answer: ``document``, ``image`` …."""
        return self.headers.get("sec-fetch-dest")

    @property
    def content_type(self) -> str | None:
        """The Content-Type header as sent."""
        return self.headers.get("content-type")

    @lazy
    def _content_type_parts(self) -> tuple[str, dict[str, str]]:
        kind, parameters = read_media_type(self.headers.get("content-type"))
        return kind, parameters.copy()

    @property
    def mimetype(self) -> str:
        """Media type of the body in lower case, without parameters; ``""`` when missing."""
        return self._content_type_parts[0]

    @property
    def mimetype_params(self) -> dict[str, str]:
        """Parameters of the media type."""
        return self._content_type_parts[1]

    @property
    def is_json(self) -> bool:
        """Whether the body claims to be ``application/json`` or ``application/*+json``."""
        kind = self.mimetype
        return kind == "application/json" or (
            kind.startswith("application/") and kind.endswith("+json")
        )

    @property
    def content_encoding(self) -> str | None:
        """The Content-Encoding header."""
        return self.headers.get("content-encoding")

    @property
    def content_length(self) -> int | None:
        """Declared bytes of the body; ``None`` when missing, malformed or sent in chunks."""
        return self.headers.body_length()

    @property
    def date(self) -> datetime | None:
        """The Date header."""
        return parse_date(self.headers.get("date", ""))

    @property
    def max_forwards(self) -> int | None:
        """The Max-Forwards header."""
        return self.headers.get("max-forwards", type=int)

    @property
    def pragma(self) -> HeaderSet:
        """The Pragma header."""
        return parse_set_header(self.headers.get("pragma", ""))

    @property
    def access_control_request_headers(self) -> HeaderSet | None:
        """What a CORS preflight asks for."""
        value = self.headers.get("access-control-request-headers")
        return None if value is None else parse_set_header(value)

    @property
    def access_control_request_method(self) -> str | None:
        """The method a CORS preflight asks for."""
        return self.headers.get("access-control-request-method")

    # --- negotiation and conditions ---------------------------------------------------------------

    @lazy
    def accept_mimetypes(self) -> MIMEAccept:
        """The Accept header."""
        return parse_accept_header(self._joined("accept"), MIMEAccept)

    @lazy
    def accept_encodings(self) -> Accept:
        """The Accept-Encoding header."""
        return parse_accept_header(self._joined("accept-encoding"))

    @lazy
    def accept_languages(self) -> LanguageAccept:
        """The Accept-Language header."""
        return parse_accept_header(self._joined("accept-language"), LanguageAccept)

    @lazy
    def accept_charsets(self) -> CharsetAccept:
        """The Accept-Charset header."""
        return parse_accept_header(self._joined("accept-charset"), CharsetAccept)

    @lazy
    def cache_control(self) -> RequestCacheControl:
        """The Cache-Control header."""
        return parse_cache_control_header(self._joined("cache-control"), cls=RequestCacheControl)

    @property
    def if_match(self) -> ETags:
        """The If-Match header."""
        return parse_etags(self._joined("if-match"))

    @property
    def if_none_match(self) -> ETags:
        """The If-None-Match header."""
        return parse_etags(self._joined("if-none-match"))

    @property
    def if_modified_since(self) -> datetime | None:
        """The If-Modified-Since header."""
        return parse_date(self.headers.get("if-modified-since", ""))

    @property
    def if_unmodified_since(self) -> datetime | None:
        """The If-Unmodified-Since header."""
        return parse_date(self.headers.get("if-unmodified-since", ""))

    @property
    def if_range(self) -> IfRange:
        """The If-Range header."""
        return parse_if_range_header(self.headers.get("if-range"))

    @property
    def range(self) -> Range | None:
        """The Range header; ``None`` when missing or to be ignored."""
        return parse_range_header(self.headers.get("range"))

    def _joined(self, name: str) -> str:
        return self.headers.joined(name, ",")
