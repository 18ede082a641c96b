"""Floor 3: the header fields of a response as typed attributes that write to its headers."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, overload

from erlen.exchange.media_types import with_charset
from erlen.wire.caching import (
    ContentSecurityPolicy,
    ResponseCacheControl,
    parse_cache_control_header,
    parse_csp_header,
)
from erlen.wire.conditional import quote_etag, unquote_etag
from erlen.wire.cookies import dump_cookie
from erlen.wire.credentials import WWWAuthenticate
from erlen.wire.dates import http_date, parse_date
from erlen.wire.headers import Headers
from erlen.wire.params import HeaderSet, parse_options_header, parse_set_header
from erlen.wire.ranges import ContentRange, parse_content_range_header
from erlen.wire.urls import iri_to_uri

T = TypeVar("T")
SetValue: TypeAlias = HeaderSet | str | Iterable[str] | None


class header_field(Generic[T]):  # noqa: N801  # reads as an attribute
    """One header as an attribute: ``None`` when missing, assigning ``None`` removes it."""

    def __init__(self, name: str, load: Callable[[str], T], dump: Callable[[Any], str]) -> None:
        """*load* reads the field's text, *dump* writes it."""
        self.name = name
        self.load = load
        self.dump = dump

    @overload
    def __get__(self, instance: None, owner: type) -> "header_field[T]": ...

    @overload
    def __get__(self, instance: "ResponseFields", owner: type) -> T | None: ...

    def __get__(
        self, instance: "ResponseFields | None", owner: type
    ) -> "T | header_field[T] | None":
        if instance is None:
            return self
        text = instance.headers.get(self.name)
        if text is None:
            return None
        try:
            return self.load(text)
        except (ValueError, OverflowError):
            return None

    def __set__(self, instance: "ResponseFields", value: Any) -> None:
        if value is None:
            instance.headers.remove(self.name)
        else:
            instance.headers.set(self.name, self.dump(value))


def _load_retry_after(text: str) -> datetime | None:
    if text.isascii() and text.isdigit():
        return datetime.now(UTC) + timedelta(seconds=int(text))
    return parse_date(text)


def _dump_retry_after(value: datetime | int | str) -> str:
    return http_date(value) if isinstance(value, datetime) else str(value)


def _dump_date(value: datetime | date | float | str) -> str:
    return value if isinstance(value, str) else http_date(value)


def _dump_seconds(value: timedelta | int) -> str:
    return str(int(value.total_seconds()) if isinstance(value, timedelta) else int(value))


def _dump_age(value: timedelta | int) -> str:
    seconds = _dump_seconds(value)
    if seconds.startswith("-"):
        raise ValueError(
            f"Age is {seconds} seconds. Give a number of seconds that is not negative."
        )
    return seconds


def _dump_set(value: HeaderSet | str | Iterable[str]) -> str:
    return value if isinstance(value, str) else HeaderSet(value).to_header()


class header_set:  # noqa: N801  # reads as an attribute
    """One header as a set that writes through; assign text, a list or a set to replace it."""

    def __init__(self, name: str) -> None:
        """*name* is the header's."""
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "header_set": ...

    @overload
    def __get__(self, instance: "ResponseFields", owner: type) -> HeaderSet: ...

    def __get__(self, instance: "ResponseFields | None", owner: type) -> "HeaderSet | header_set":
        if instance is None:
            return self
        return parse_set_header(instance.headers.get(self.name), instance._write_back(self.name))

    def __set__(self, instance: "ResponseFields", value: SetValue) -> None:
        instance._set_or_remove(self.name, value)


class ResponseFields:
    """What the header section of a response says, readable and assignable."""

    #: Seat: ``erlen.context`` puts here what tells the limit of the running application.
    cookie_limit: ClassVar["staticmethod[[], int]"]

    headers: Headers

    content_encoding = header_field("Content-Encoding", str, str)
    content_location = header_field("Content-Location", str, iri_to_uri)
    location = header_field("Location", str, iri_to_uri)
    accept_ranges = header_field("Accept-Ranges", str, str)
    age = header_field("Age", lambda text: timedelta(seconds=int(text)), _dump_age)
    date = header_field("Date", parse_date, _dump_date)
    expires = header_field("Expires", parse_date, _dump_date)
    last_modified = header_field("Last-Modified", parse_date, _dump_date)
    retry_after = header_field("Retry-After", _load_retry_after, _dump_retry_after)
    access_control_allow_origin = header_field("Access-Control-Allow-Origin", str, str)
    access_control_max_age = header_field("Access-Control-Max-Age", int, _dump_seconds)
    access_control_allow_headers = header_field(
        "Access-Control-Allow-Headers", parse_set_header, _dump_set
    )
    access_control_allow_methods = header_field(
        "Access-Control-Allow-Methods", parse_set_header, _dump_set
    )
    access_control_expose_headers = header_field(
        "Access-Control-Expose-Headers", parse_set_header, _dump_set
    )
    cross_origin_opener_policy = header_field("Cross-Origin-Opener-Policy", str, str)
    cross_origin_embedder_policy = header_field("Cross-Origin-Embedder-Policy", str, str)

    @property
    def access_control_allow_credentials(self) -> bool:
        """Whether a CORS answer may be read by a page that sent credentials."""
        return self.headers.get("Access-Control-Allow-Credentials") == "true"

    @access_control_allow_credentials.setter
    def access_control_allow_credentials(self, value: bool | None) -> None:
        if value:
            self.headers.set("Access-Control-Allow-Credentials", "true")
        else:
            self.headers.remove("Access-Control-Allow-Credentials")

    # --- objects that write themselves back when they change --------------------------------------

    def _write_back(self, name: str) -> Callable[[Any], None]:
        def on_update(value: Any) -> None:
            text = value.to_header()
            if text:
                self.headers.set(name, text)
            else:
                self.headers.remove(name)

        return on_update

    @property
    def cache_control(self) -> ResponseCacheControl:
        """Cache-Control, directive by directive: ``response.cache_control.max_age = 60``."""
        return parse_cache_control_header(
            self.headers.get("Cache-Control"),
            self._write_back("Cache-Control"),
            cls=ResponseCacheControl,
        )

    vary = header_set("Vary")
    allow = header_set("Allow")
    content_language = header_set("Content-Language")

    def _set_or_remove(self, name: str, value: SetValue) -> None:
        if value:
            self.headers.set(name, _dump_set(value))
        else:
            self.headers.remove(name)

    @property
    def content_range(self) -> ContentRange:
        """Content-Range; unset when missing."""
        text = self.headers.get("Content-Range")
        on_update = self._write_back("Content-Range")
        return parse_content_range_header(text, on_update) or ContentRange(
            None, None, None, on_update=on_update
        )

    @content_range.setter
    def content_range(self, value: ContentRange | str | None) -> None:
        text = value if isinstance(value, str) or value is None else value.to_header()
        self._set_or_remove("Content-Range", text)

    @property
    def www_authenticate(self) -> WWWAuthenticate | None:
        """The first challenge, which writes through; assign one, a list of them, or ``None``."""
        challenge = WWWAuthenticate.from_header(self.headers.get("WWW-Authenticate"))
        if challenge is not None:
            challenge.on_update = self._write_back("WWW-Authenticate")
        return challenge

    @www_authenticate.setter
    def www_authenticate(self, value: WWWAuthenticate | list[WWWAuthenticate] | None) -> None:
        self.headers.remove("WWW-Authenticate")
        challenges = value if isinstance(value, list) else [value] if value else []
        for challenge in challenges:
            self.headers.add("WWW-Authenticate", challenge.to_header())

    @property
    def content_security_policy(self) -> ContentSecurityPolicy:
        """Content-Security-Policy, directive by directive."""
        name = "Content-Security-Policy"
        return parse_csp_header(self.headers.get(name), self._write_back(name))

    @content_security_policy.setter
    def content_security_policy(self, value: ContentSecurityPolicy | str | None) -> None:
        self._set_or_remove("Content-Security-Policy", value and str(value))

    @property
    def content_security_policy_report_only(self) -> ContentSecurityPolicy:
        """Content-Security-Policy-Report-Only, directive by directive."""
        name = "Content-Security-Policy-Report-Only"
        return parse_csp_header(self.headers.get(name), self._write_back(name))

    @content_security_policy_report_only.setter
    def content_security_policy_report_only(
        self, value: ContentSecurityPolicy | str | None
    ) -> None:
        self._set_or_remove("Content-Security-Policy-Report-Only", value and str(value))

    # --- cookies ----------------------------------------------------------------------------------

    @property
    def max_cookie_size(self) -> int:
        """Bytes of one Set-Cookie value, 0 for no limit: ``MAX_COOKIE_SIZE`` of the application.

        4093 where none runs; a subclass may have a number of its own.
        """
        return ResponseFields.cookie_limit()

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: timedelta | int | None = None,
        expires: str | datetime | float | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: str | None = None,
        partitioned: bool = False,
    ) -> None:
        """Add a Set-Cookie header; arguments and errors are those of ``dump_cookie``."""
        cookie = dump_cookie(
            key,
            value,
            max_age,
            expires,
            path,
            domain,
            secure,
            httponly,
            max_size=self.max_cookie_size,
            samesite=samesite,
            partitioned=partitioned,
        )
        self.headers.add("Set-Cookie", cookie)

    def delete_cookie(
        self,
        key: str,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: str | None = None,
        partitioned: bool = False,
    ) -> None:
        """Make the browser forget a cookie; path and domain must be those it was set with."""
        self.set_cookie(
            key, "", 0, 0, path, domain, secure, httponly, samesite, partitioned
        )  # fmt: skip

    # --- validators -------------------------------------------------------------------------------

    def set_etag(self, etag: str, weak: bool = False) -> None:
        """Set the ETag, quoted here."""
        self.headers.set("ETag", quote_etag(etag, weak))

    def get_etag(self) -> tuple[str, bool] | tuple[None, None]:
        """Return the ETag unquoted and whether it is weak."""
        return unquote_etag(self.headers.get("ETag"))

    # --- the media type ---------------------------------------------------------------------------

    @property
    def content_type(self) -> str | None:
        """The Content-Type header, verbatim."""
        return self.headers.get("Content-Type")

    @content_type.setter
    def content_type(self, value: str | None) -> None:
        self._set_or_remove("Content-Type", value)

    @property
    def mimetype(self) -> str | None:
        """Media type without parameters; assigning it chooses a charset as the constructor does."""
        text = self.content_type
        return None if text is None else parse_options_header(text)[0].lower()

    @mimetype.setter
    def mimetype(self, value: str) -> None:
        self.headers.set("Content-Type", with_charset(value))

    @property
    def mimetype_params(self) -> dict[str, str]:
        """Parameters of the Content-Type."""
        return parse_options_header(self.content_type)[1]

    @property
    def is_json(self) -> bool:
        """Whether the media type is ``application/json`` or ``application/*+json``."""
        kind = self.mimetype or ""
        return kind == "application/json" or (
            kind.startswith("application/") and kind.endswith("+json")
        )
