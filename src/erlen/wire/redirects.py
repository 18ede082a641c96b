"""Floor 1: where a redirect may lead: developers' targets made sound, strangers' targets judged."""

import re
from typing import NoReturn
from urllib.parse import unquote

from erlen.exceptions import WireError
from erlen.wire.patterns import late
from erlen.wire.urls import check_host, iri_to_uri

#: Statuses that send the client to ``Location`` (RFC 9110 section 15.4).
CODES = (301, 302, 303, 307, 308)
#: Most bytes of a target; servers and browsers refuse longer ones, each in its own way.
MAX_LENGTH = 16 * 1024

_BLANKS = "".join(map(chr, range(0x21)))
_DROPPED = str.maketrans("", "", "\t\n\r")
_SCHEME = late(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_HOST = late(r"(?:https?:)?//(?:([^/?#]*)@)?([^/?#]*)", re.IGNORECASE)
_ACCOUNT = late(r"[A-Za-z0-9\-._~!$&'()*+,;=:%]*")
_END_OF_PATH = late(r"[?#]")
_UNFIT = late(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")


def redirect_uri(target: str) -> str:
    r"""Return *target*, a URL or IRI that the developer chose, as it may stand in ``Location``.

    Spaces, control characters, backslashes and letters beyond ASCII are percent-encoded; a host
    beyond ASCII becomes its IDNA form. ``//host/path`` keeps the scheme, ``path`` is relative.

    SAFETY: what a browser would read as another scheme (``java\nscript:``) is refused, and so is a
    host that it would read elsewhere than other parsers do (``http://good\@evil``).

    Raises:
        ValueError: Over 16 KiB, another scheme than http and https, or a host that cannot be one;
            the caller's fault.
        TypeError: *target* is not text; the caller's fault.

    Source: RFC 9110 section 10.2.2; WHATWG URL section 4.4, for what browsers drop.
    """
    if not isinstance(target, str):
        raise TypeError(
            f"The target of a redirect is {target!r} of type {type(target).__name__}. "
            "Give it as str."
        )
    if len(target) > MAX_LENGTH:
        _refuse(target, f"it is over {MAX_LENGTH} characters", "Send less in the query")
    scheme = _SCHEME.match(target.strip(_BLANKS).translate(_DROPPED))
    if scheme is not None and scheme[1].lower() not in {"http", "https"}:
        _refuse(target, f"its scheme is {scheme[1]!r}", "Use http, https or a path")
    found = _HOST.match(target)
    if found is None:
        if scheme is not None:
            _refuse(target, "a host is missing", "Write '//' and a host, or a path alone")
        return _encoded(target)
    uri = _encoded(target)
    written = _HOST.match(uri)
    # The account is looked at as it was given: encoding would hide what others take for its end.
    if not written or not _is_host(written[2]) or not _ACCOUNT.fullmatch(found[1] or ""):
        _refuse(target, f"{found[0]!r} names no host", "Write a host name, or a path alone")
    return uri


def _encoded(target: str) -> str:
    try:
        uri = iri_to_uri(target)
    except ValueError:
        _refuse(target, "it cannot be written in ASCII", "Look at its host and for surrogates")
    if len(uri) > MAX_LENGTH:
        _refuse(target, f"it takes {len(uri)} bytes, over {MAX_LENGTH}", "Send less in the query")
    return uri


def _is_host(text: str) -> bool:
    try:
        return bool(check_host(text.encode("ascii")))
    except WireError:
        return False


def _refuse(target: str, why: str, advice: str) -> NoReturn:
    shown = target if len(target) <= 100 else f"{target[:100]}…"
    raise ValueError(f"Nobody can be redirected to {shown!r}: {why}. {advice}.") from None


def is_safe_redirect(target: str | None) -> bool:
    """Tell whether *target*, which a stranger chose, leads to a place of this host.

    Only a path does, with or without a query: one slash in front, and neither a second one behind
    it nor backslashes or control characters anywhere. What the path hides by percent-encoding
    counts too, for a proxy on the way may decode it.
    """
    if not isinstance(target, str) or len(target) > MAX_LENGTH or _UNFIT.search(target):
        return False
    path = _END_OF_PATH.split(target, maxsplit=1)[0]
    if not (_is_local(path) and _is_local(unquote(path))):
        return False
    return len(iri_to_uri(target)) <= MAX_LENGTH


def _is_local(path: str) -> bool:
    return path[:1] == "/" and path[1:2] != "/" and not _UNFIT.search(path)
