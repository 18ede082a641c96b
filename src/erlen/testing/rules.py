"""Floor 8: what single values in ASGI messages must look like; pure checks, no states.

Each function returns the broken rule as a sentence, or ``None``. The source is the ASGI
specification, HTTP & WebSocket message format 2.5, where no other is named.
"""

import re
from collections.abc import Iterable
from typing import Any

__all__ = [
    "broken_body",
    "broken_close",
    "broken_headers",
    "broken_hint",
    "broken_push",
    "broken_start",
    "declared_length",
    "forbids_body",
]

#: RFC 9110 section 5.6.2, without the capitals that ASGI forbids in names.
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_FORBIDDEN_IN_VALUE = re.compile(rb"[\r\n\0]")
_DIGITS = re.compile(rb"[0-9]+")

#: RFC 6455 section 5.5: a control frame carries 125 bytes, two of them the code.
MAX_REASON_BYTES = 123


def broken_headers(headers: object) -> str | None:
    """Check raw header pairs."""
    if not isinstance(headers, Iterable) or isinstance(headers, str | bytes):
        return f"headers must be an iterable of pairs, not {type(headers).__name__}"
    for pair in headers:
        broken = _broken_pair(pair)
        if broken is not None:
            return broken
    return None


def _broken_pair(pair: Any) -> str | None:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        return f"a header must be a pair of byte strings, not {pair!r}"
    name, value = pair
    if not isinstance(name, bytes) or not isinstance(value, bytes):
        return f"header name and value must be byte strings, not {pair!r}"
    if _NAME.fullmatch(name) is None:
        return f"a header name must be a lower-cased token, not {name!r}"
    if _FORBIDDEN_IN_VALUE.search(value) is not None:
        return f"the value of header {name!r} must not hold CR, LF or NUL: {value!r}"
    return None


def broken_start(message: Any) -> str | None:
    """Check status and headers of a response start, HTTP or WebSocket denial."""
    status = message.get("status")
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        return f"status must be an integer from 100 to 599, not {status!r}"
    headers = message.get("headers", ())
    broken = broken_headers(headers)
    if broken is not None:
        return broken
    return _broken_length(status, [value for name, value in headers if name == b"content-length"])


def _broken_length(status: int, values: list[bytes]) -> str | None:
    if len(values) > 1 or (values and _DIGITS.fullmatch(values[0]) is None):
        return f"content-length must be one decimal number, not {values!r}"
    # SPEC: RFC 9110 section 8.6.
    if values and (status == 204 or status < 200):
        return f"a response with status {status} must not have a content-length"
    return None


def declared_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the Content-Length of checked headers, ``None`` when there is none."""
    return next((int(value) for name, value in headers if name == b"content-length"), None)


def forbids_body(method: str, status: int) -> bool:
    """Whether the response must carry no body bytes (RFC 9110 section 6.4.1)."""
    return method == "HEAD" or status in {204, 304} or status < 200


def broken_body(message: Any) -> str | None:
    """Check body and ``more_body`` of a response body message."""
    body = message.get("body", b"")
    if not isinstance(body, bytes):
        return f"body must be a byte string, not {type(body).__name__}"
    if not isinstance(message.get("more_body", False), bool):
        return f"more_body must be a bool, not {message['more_body']!r}"
    return None


def broken_hint(message: Any) -> str | None:
    """Check the links of early hints (ASGI, Early Hint)."""
    links = message.get("links")
    if not isinstance(links, list | tuple):
        return f"links must be an iterable of byte strings, not {type(links).__name__}"
    return broken_headers((b"link", link) for link in links)


def broken_push(message: Any) -> str | None:
    """Check path and headers of a promised push (ASGI, HTTP/2 Server Push)."""
    path = message.get("path")
    if not isinstance(path, str) or not path.startswith("/") or not path.isascii():
        return f"path must be the path of a request in ASCII, not {path!r}"
    return broken_headers(message.get("headers", ()))


def broken_close(code: object, reason: object) -> str | None:
    """Check close code and reason of a WebSocket (RFC 6455 section 7.4)."""
    if not isinstance(code, int) or isinstance(code, bool) or not _may_be_sent(code):
        return f"close code {code!r} may not be sent: it must be 1000-1003, 1007-1014 or 3000-4999"
    if not isinstance(reason, str | None):
        return f"reason must be text or None, not {type(reason).__name__}"
    if reason and len(reason.encode()) > MAX_REASON_BYTES:
        return f"reason must have at most {MAX_REASON_BYTES} bytes, not {len(reason.encode())}"
    return None


def _may_be_sent(code: int) -> bool:
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
