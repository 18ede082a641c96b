r"""Floor 1: the Cookie and Set-Cookie fields (RFC 6265, as browsers practise it).

A ``Cookie`` field is split at every ``;``, because that is where browsers split it: a quote
protects nothing. A value that starts with ``"`` is taken as quoted by :func:`dump_cookie`, whose
escapes are ``\"``, ``\\`` and ``\ooo`` (one octet of UTF-8 in octal). Percent signs mean
themselves. What cannot be a cookie is dropped without a word, since one broken cookie of another
application on the same host must not cost the user all others.
"""

import re
from datetime import date, timedelta
from math import ceil
from time import time
from typing import Final
from urllib.parse import quote

from erlen.exceptions import WireError
from erlen.wire.dates import http_date, parse_date
from erlen.wire.multidict import ImmutableMultiDict
from erlen.wire.patterns import late

#: SP and HTAB. ``str.strip()`` without it would also take Unicode blanks.
_BLANKS: Final = " \t"
#: What browsers refuse in names and values: controls except HTAB.
_CONTROL: Final = late(r"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPE: Final = late(r'\\(?:([0-3][0-7][0-7])|(.))|"\Z', re.DOTALL)
_TOKEN: Final = late(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: cookie-octet of RFC 6265 section 4.1.1.
_PLAIN_VALUE: Final = late(r"[!#-+\--:<-\[\]-~]*")
_ESCAPED_OCTET: Final = late(rb'[\x00-\x1f",;\\\x7f-\xff]')
_DOMAIN: Final = late(r"[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*")
#: Characters of a path that need no percent-encoding; the percent sign keeps encoded paths as is.
_PATH_SAFE: Final = "%!$&'()*+,/:=@"
_SAME_SITE: Final = ("Strict", "Lax", "None")
#: 9999-12-31T23:59:59Z, the last second that an HTTP date can name.
_LAST_SECOND: Final = 253_402_300_799


def read_cookies(header: str, *, max_pairs: int = 300) -> ImmutableMultiDict[str, str]:
    """Return what :func:`parse_cookie` does, by name."""
    # PERF: most fields hold nothing to decode, to unquote, to trim or to distrust, and so need none
    # of the care of _read_pair: 1.1 µs for two cookies, not 2.2; one cookie takes 0.65.
    parts = [header]
    is_plain = '"' not in header and header.isascii() and header.isprintable() and max_pairs > 0
    if ";" in header or " " in header:
        parts = header.split("; ")
        if not header.count(";") == header.count(" ") == len(parts) - 1 < max_pairs:
            is_plain = False
    if not is_plain:
        return ImmutableMultiDict(parse_cookie(header, max_pairs=max_pairs))
    lists: dict[str, list[str]] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if equals and name:
            if name in lists:
                lists[name].append(value)
            else:
                lists[name] = [value]
    return ImmutableMultiDict.of_lists(lists)


def parse_cookie(header: str, *, max_pairs: int = 300) -> list[tuple[str, str]]:
    """Return the pairs of a ``Cookie`` field in the order sent, duplicates included.

    Browsers send the cookie of the longest path first, so the first of a name is the one to use.

    Args:
        header: Field value as latin-1 text; several fields joined with ``"; "``.
        max_pairs: Most pairs that are looked at, cookies or not.

    Returns:
        Names and values; octets above 127 are read as UTF-8 where a whole name or value is
        UTF-8, else stay latin-1. Dropped: pairs without ``=`` or without a name, pairs with
        control characters, ``__Host-`` and ``__Secure-`` names with blanks that no browser sends.

    Raises:
        WireError: 431, more than *max_pairs* pairs.

    Source: RFC 6265 section 4.2, draft-ietf-httpbis-rfc6265bis section 5.7 for what a pair is.
    """
    parts = header.split(";", max_pairs)
    if len(parts) > max_pairs and parts[-1].strip(_BLANKS):
        raise WireError(f"The Cookie field holds more than {max_pairs} pairs.", 431)
    pairs = []
    # A blank in front makes the first pair look like the others, which follow "; ".
    parts[0] = f" {parts[0]}"
    for part in parts:
        pair = _read_pair(part)
        if pair is not None:
            pairs.append(pair)
    return pairs


def _read_pair(part: str) -> tuple[str, str] | None:
    sent_name, equals, value = part.partition("=")
    name = sent_name.strip(_BLANKS)
    if not equals or not name:
        return None
    # SAFETY: a cookie that a sibling domain set as "<blank>__Host-id" must not become "__Host-id",
    # whose prefix promises that this host set it. Browsers send no second blank.
    if name.startswith("__") and sent_name not in (name, f" {name}"):
        return None
    name, value = _decode(name), _decode(_unquote(value.strip(_BLANKS)))
    return None if _CONTROL.search(name) or _CONTROL.search(value) else (name, value)


def dump_cookie(
    key: str,
    value: str = "",
    max_age: timedelta | float | None = None,
    expires: str | date | float | None = None,
    path: str | None = "/",
    domain: str | None = None,
    secure: bool = False,
    httponly: bool = False,
    *,
    sync_expires: bool = True,
    max_size: int = 4093,
    samesite: str | None = None,
    partitioned: bool = False,
) -> str:
    """Return the value of a ``Set-Cookie`` field.

    Args:
        key: The name, a token.
        value: Any text without control characters; quoted and escaped where it must be.
        max_age: Lifetime in seconds; zero or less deletes the cookie.
        expires: When the cookie ends: a datetime, a date, seconds since the epoch, or an HTTP
            date; without it and *max_age* the cookie lives as long as the browser's session.
        path: Prefix of the paths that get the cookie, percent-encoded as needed; ``None`` leaves
            it to the browser.
        domain: Host whose subdomains get the cookie too; a leading dot and a port are dropped.
        secure: Send over https only.
        httponly: Hide from scripts.
        sync_expires: Add ``Expires`` to match *max_age*, for very old clients.
        max_size: Most bytes of the whole field value, 0 for any; browsers ignore above 4,096.
        samesite: ``"Strict"``, ``"Lax"`` or ``"None"``, in any case.
        partitioned: Keep one cookie per top-level site; implies *secure*.

    Raises:
        ValueError: The developer's mistake: a browser would refuse the cookie, or an argument
            would smuggle in another attribute.
        TypeError: *value* is no text.

    Source: RFC 6265 section 4.1; draft-ietf-httpbis-rfc6265bis sections 4.1.3 (prefixes) and
    5.6.7 (SameSite).
    """
    secure = secure or partitioned
    same_site = _dump_samesite(key, samesite)
    _check_name(key, path=path, domain=domain, secure=secure, same_site=same_site)
    if max_age is not None:
        max_age = _seconds(key, max_age)
        if expires is None and sync_expires:
            expires = min(max(int(time()) + max_age, 0), _LAST_SECOND)
    attributes = (
        f"{key}={_dump_value(key, value)}",
        f"Domain={_dump_domain(key, domain)}" if domain else "",
        f"Expires={_dump_expires(key, expires)}" if expires is not None else "",
        f"Max-Age={max_age}" if max_age is not None else "",
        "Secure" if secure else "",
        "HttpOnly" if httponly else "",
        f"Path={_dump_path(key, path)}" if path is not None else "",
        f"SameSite={same_site}" if same_site else "",
        "Partitioned" if partitioned else "",
    )
    field = "; ".join(filter(None, attributes))
    if 0 < max_size < len(field):
        raise ValueError(
            f"The cookie {key!r} takes {len(field)} bytes, over the limit of {max_size}; browsers "
            "would drop it silently. Store less in it, or keep the data on the server."
        )
    return field


def is_plain_value(value: str) -> bool:
    """Whether :func:`dump_cookie` writes *value* as it is."""
    return _PLAIN_VALUE.fullmatch(value) is not None


def _unquote(value: str) -> str:
    """Undo the quoting of a value that starts with ``"``; its end may have been cut by ``;``."""
    if value[:1] != '"':
        return value
    return _ESCAPE.sub(_unescape, value[1:])


def _unescape(match: re.Match[str]) -> str:
    octal, character = match.groups()
    return chr(int(octal, 8)) if octal else character or ""


def _decode(text: str) -> str:
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _check_name(
    key: str, *, path: str | None, domain: str | None, secure: bool, same_site: str | None
) -> None:
    if _TOKEN.fullmatch(key) is None:
        raise ValueError(
            f"{key!r} is not a cookie name. Use letters, digits, '-', '_' and '.' only."
        )
    # SPEC: rfc6265bis section 5.7: browsers compare the prefixes without regard to case.
    prefix = key[:9].lower()
    if prefix.startswith("__host-") and not (secure and path == "/" and not domain):
        raise ValueError(
            f"The cookie {key!r} bears the prefix '__Host-' with secure={secure}, path={path!r}, "
            f"domain={domain!r}. Set secure=True, path='/' and no domain, or browsers refuse it."
        )
    if prefix == "__secure-" and not secure:
        raise ValueError(
            f"The cookie {key!r} bears the prefix '__Secure-' without secure=True. "
            "Set secure=True, or browsers refuse it."
        )
    if same_site == "None" and not secure:
        raise ValueError(
            f"The cookie {key!r} has SameSite=None without secure=True. "
            "Set secure=True, or browsers refuse it."
        )


def _dump_value(key: str, value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(
            f"The cookie {key!r} has the value {value!r} of type {type(value).__name__}. "
            "Give text: str(value) of a number."
        )
    if _PLAIN_VALUE.fullmatch(value):
        return value
    try:
        octets = value.encode()
    except UnicodeEncodeError:
        octets = b"\0"
    if b"\0" in octets or _CONTROL.search(value):
        raise ValueError(
            f"The value of the cookie {key!r} holds control characters or lone surrogates. "
            "Encode such data first, for example with base64 or as JSON."
        )
    return f'"{_ESCAPED_OCTET.sub(_escape, octets).decode("ascii")}"'


def _escape(match: re.Match[bytes]) -> bytes:
    octet = match[0]
    return b"\\" + octet if octet in b'"\\' else b"\\%03o" % octet[0]


def _dump_domain(key: str, domain: str) -> str:
    name, colon, port = domain.removeprefix(".").partition(":")
    if colon and not port.isdecimal():
        name = ""
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            name = ""
    if _DOMAIN.fullmatch(name) is None:
        raise ValueError(
            f"The domain {domain!r} of the cookie {key!r} is not a host name. "
            "Give a name such as 'example.com', without scheme or attributes."
        )
    return name


def _dump_expires(key: str, expires: str | date | float) -> str:
    moment = parse_date(expires) if isinstance(expires, str) else expires
    try:
        if moment is not None:
            return http_date(moment)
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError(
        f"The expires {expires!r} of the cookie {key!r} is not a time that HTTP can write. "
        "Give a datetime, seconds since the epoch, or an HTTP date, in the years 1 to 9999."
    )


def _dump_path(key: str, path: str) -> str:
    if ";" in path or _CONTROL.search(path):
        raise ValueError(
            f"The path {path!r} of the cookie {key!r} holds ';' or control characters, which "
            "would start another attribute. Percent-encode them."
        )
    return quote(path, safe=_PATH_SAFE)


def _dump_samesite(key: str, samesite: str | None) -> str | None:
    if samesite is None:
        return None
    name = samesite.title()
    if name not in _SAME_SITE:
        raise ValueError(
            f"The cookie {key!r} has samesite={samesite!r}. "
            "SameSite must be 'Strict', 'Lax', or 'None'."
        )
    return name


def _seconds(key: str, max_age: timedelta | float) -> int:
    if isinstance(max_age, timedelta):
        max_age = max_age.total_seconds()
    try:
        return ceil(max_age)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"The max_age {max_age!r} of the cookie {key!r} is not a number of seconds. "
            "Give an integer or a timedelta."
        ) from None
