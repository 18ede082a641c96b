"""Floor 1: the Content-Disposition of a response (RFC 6266, RFC 8187)."""

import unicodedata
from typing import Final
from urllib.parse import quote

from erlen.wire.params import quote_header_value
from erlen.wire.patterns import late

_TOKEN: Final = late(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
#: Fewer than a token has: some readers stumble over its marks, as in "it's.txt".
_NEVER_QUOTED: Final = late(r"[A-Za-z0-9_.-]+")
_LINE_BREAKS: Final = late(r"[\r\n\0]")
#: SAFETY: controls, line separators, and what turns the direction of writing: the name "exe.",
#: U+202E, "txt" is shown as "exe.txt" read backwards, so that its true extension is hidden.
_INVISIBLE: Final = late(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SURROGATE: Final = late(r"[\ud800-\udfff]")
_SEPARATOR: Final = late(r"[/\\]")
#: Some readers decode percent signs, and the standard library's takes ``<>`` for quotes.
_UNSAFE_IN_ASCII: Final = late(r"[/\\%<>]")
# SPEC: RFC 8187 section 3.2.1 attr-char, beside the letters, digits and "_.-~" of quote().
_ATTR_SAFE: Final = "!#$&+^`|"
_MAX_BYTES: Final = 255
_MAX_SUFFIX: Final = 32


def dump_content_disposition(kind: str, filename: str | None = None) -> str:
    """Return the field value: ``attachment; filename=e.txt; filename*=UTF-8''%C3%A9.txt``.

    Args:
        kind: ``"attachment"``, which the browser saves, or ``"inline"``.
        filename: The name to save it under, ``None`` for no name. Only the last part of a path is
            told, without invisible characters; a name over 255 bytes is shortened.

    Raises:
        ValueError: *kind* is no token; *filename* has a line break or NUL, or comes to nothing,
            ``.`` or ``..``.

    Source: RFC 6266 section 4.3 and appendix D. ``filename`` is ASCII and without what some
    readers change; where that changes the name, ``filename*`` tells it, and wins.
    """
    if _TOKEN.fullmatch(kind) is None:
        raise ValueError(f"{kind!r} is no disposition. Use 'attachment' or 'inline'.")
    if filename is None:
        return kind
    name = _cleaned(filename)
    plain = _in_ascii(name)
    is_plain = _NEVER_QUOTED.fullmatch(plain) is not None
    value = f"{kind}; filename={quote_header_value(plain, allow_token=is_plain)}"
    return value if plain == name else f"{value}; filename*=UTF-8''{quote(name, safe=_ATTR_SAFE)}"


def _cleaned(filename: str) -> str:
    if _LINE_BREAKS.search(filename) is not None:
        raise ValueError(
            f"The file name {filename[:100]!r} has a line break or NUL. Remove it before the name "
            "goes into a header."
        )
    name = _SURROGATE.sub("_", _INVISIBLE.sub("", _SEPARATOR.split(filename)[-1])).strip()
    if name in {"", ".", ".."}:
        raise ValueError(
            f"The file name {filename[:100]!r} names no file. Give the name of one, "
            "for example 'report.pdf'."
        )
    return _shortened(name)


def _shortened(name: str) -> str:
    """Return at most 255 bytes of UTF-8, with the extension if it is a short one."""
    if len(name.encode()) <= _MAX_BYTES:
        return name
    stem, _, extension = name.rpartition(".")
    suffix = f".{extension}".encode()
    if len(suffix) > _MAX_SUFFIX:
        stem, suffix = name, b""
    return (stem.encode()[: _MAX_BYTES - len(suffix)] + suffix).decode(errors="ignore")


def _in_ascii(name: str) -> str:
    """Return the nearest name in ASCII; ``_`` stands for what has no letter there."""
    if name.isascii():
        return _UNSAFE_IN_ASCII.sub("_", name)
    text = _UNSAFE_IN_ASCII.sub("_", "".join(map(_letter_in_ascii, name)))
    return "_" if text in {"", ".", ".."} else _shortened(text)


def _letter_in_ascii(letter: str) -> str:
    if letter.isascii():
        return letter
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    is_mark = unicodedata.category(letter) in {"Mn", "Mc", "Me", "Cf"}
    return plain if plain.strip() else "" if is_mark else "_"
