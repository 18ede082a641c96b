"""Floor 1: the Origin field: which page a request comes from (RFC 6454, WHATWG Fetch)."""

from collections.abc import Iterable

from erlen.protocols import RawHeaders
from erlen.wire.patterns import late
from erlen.wire.urls import strip_default_port

_ORIGIN = late(r"([a-z][a-z0-9+.\-]*)://([a-z0-9._\-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_SECURE = {"https", "wss"}


def field_values(headers: RawHeaders, name: bytes) -> list[str]:
    """Return the values of all fields of a header section that are called *name*."""
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def listed_origins(origins: Iterable[str] | None) -> frozenset[str]:
    """Return configured origins as browsers write them: lower case, no slash at the end."""
    return frozenset(origin.lower().removesuffix("/") for origin in origins or ())


def origin_of(scheme: str, host: str) -> str:
    """Return the origin of a page that *host* serves; the scheme may be that of a WebSocket."""
    scheme = "https" if scheme in _SECURE else "http"
    return f"{scheme}://{strip_default_port(host, scheme)}"


def is_origin(text: str) -> bool:
    """Tell whether *text* is one origin as browsers write it, ``null`` included."""
    return text == "null" or _ORIGIN.fullmatch(text) is not None


def is_same_origin(origin: str, scheme: str, host: str) -> bool:
    """Tell whether a page of *origin* belongs to the host that it sent a request to.

    Behind a proxy that ends TLS *scheme* may be http where the page's is https, so only a request
    that is known to have come by https needs a page that has.

    Args:
        origin: Value of Origin; ``null`` belongs nowhere.
        scheme: That of the request.
        host: Checked value of Host, with its port.
    """
    found = _ORIGIN.fullmatch(origin)
    if found is None or found[1] not in {"http", "https"}:
        return False
    if scheme in _SECURE and found[1] != "https":
        return False
    return origin == f"{found[1]}://{strip_default_port(host, found[1])}"
