"""Floor 3: the Content-Type of a response: the charset of a media type, and the header pair."""

from typing import TypeVar

from erlen.wire.headers import Headers

T = TypeVar("T")

_TEXT_APPLICATION = {
    "application/javascript",
    "application/ecmascript",
    "application/sql",
    "application/xml",
    "application/xml-dtd",
    "application/xml-external-parsed-entity",
}


def with_charset(mimetype: str) -> str:
    """Return *mimetype* with ``; charset=utf-8`` where it is text; JSON has none (RFC 8259)."""
    if ";" in mimetype:
        return mimetype
    if mimetype.startswith("text/") or mimetype in _TEXT_APPLICATION or mimetype.endswith("+xml"):
        return f"{mimetype}; charset=utf-8"
    return mimetype


_CONTENT_TYPES: dict[str, str] = {}
_TYPE_PAIRS: dict[str, tuple[bytes, bytes]] = {}


def content_type_of(mimetype: str) -> str:
    """Return :func:`with_charset` of *mimetype*, remembered."""
    try:
        return _CONTENT_TYPES[mimetype]
    except KeyError:
        return _remember(_CONTENT_TYPES, mimetype, with_charset(mimetype))


def type_pair(content_type: str) -> tuple[bytes, bytes]:
    """Return the raw header pair of a Content-Type, remembered.

    Raises:
        ValueError: It cannot be sent.
    """
    try:
        return _TYPE_PAIRS[content_type]
    except KeyError:
        checked = Headers([("Content-Type", content_type)]).raw()[0]
        return _remember(_TYPE_PAIRS, content_type, checked)


def _remember(memo: dict[str, T], key: str, value: T) -> T:
    # SAFETY: a content type made from user input must not fill the memory.
    if len(memo) < 256:
        memo[key] = value
    return value
