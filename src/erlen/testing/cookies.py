"""Floor 8: a cookie jar that keeps and sends cookies as a browser does (RFC 6265)."""

from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import Request

__all__ = ["StoredCookie", "find_cookie", "make_jar", "stored"]


class StoredCookie(NamedTuple):
    """A cookie as the client keeps it."""

    name: str
    #: As it goes over the wire: a value that ``dump_cookie`` quoted is still quoted.
    value: str
    domain: str
    path: str
    #: Seconds since 1970, ``None`` for a session cookie.
    expires: float | None
    secure: bool
    http_only: bool
    same_site: str | None


class _BrowserPolicy(DefaultCookiePolicy):
    """Domain rules of RFC 6265 in place of Netscape's.

    Netscape's rules refuse ``Domain=localhost`` and send a cookie without ``Domain`` to subdomains.
    """

    def set_ok_domain(self, cookie: Cookie, request: Request) -> bool:
        """RFC 6265 section 5.3, step 6."""
        return _reaches(cookie, request)

    def domain_return_ok(self, domain: str, request: Request) -> bool:  # noqa: ARG002  # inherited
        """Leave the decision to :meth:`return_ok_domain`."""
        return True

    def return_ok_domain(self, cookie: Cookie, request: Request) -> bool:
        """RFC 6265 section 5.4, step 1."""
        return _reaches(cookie, request)


def _reaches(cookie: Cookie, request: Request) -> bool:
    host = urlsplit(request.full_url).hostname or ""
    domain = shown_domain(cookie)
    if host == domain or not cookie.domain:
        return True
    # SPEC: RFC 6265 section 5.1.3: suffixes are for host names, never for addresses.
    is_address = ":" in host or host.replace(".", "").isdigit()
    return cookie.domain_specified and not is_address and host.endswith(f".{domain}")


def shown_domain(cookie: Cookie) -> str:
    """Return the host or domain of a cookie without what ``http.cookiejar`` does to it.

    It puts a dot before a given domain, and ``.local`` behind a host that has no dot; it leaves the
    brackets of an IPv6 address.
    """
    domain = cookie.domain.removeprefix(".")
    host = domain.removesuffix(".local").strip("[]")
    return domain if cookie.domain_specified or "." in host else host


def make_jar() -> CookieJar:
    """Return an empty jar."""
    return CookieJar(policy=_BrowserPolicy())


def find_cookie(jar: CookieJar, name: str, domain: str, path: str) -> Cookie | None:
    """Return the cookie of exactly this name, domain and path."""
    wanted = (name, domain.removeprefix("."), path)
    return next((c for c in jar if (c.name, shown_domain(c), c.path) == wanted), None)


def stored(cookie: Cookie) -> StoredCookie:
    """Return what the tests read of a cookie."""
    return StoredCookie(
        name=cookie.name,
        value=cookie.value or "",
        domain=shown_domain(cookie),
        path=cookie.path,
        expires=cookie.expires,
        secure=cookie.secure,
        http_only=any(cookie.has_nonstandard_attr(name) for name in ("HttpOnly", "httponly")),
        same_site=cookie.get_nonstandard_attr("SameSite", cookie.get_nonstandard_attr("samesite")),
    )
