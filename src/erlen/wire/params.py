"""Floor 1: the small languages inside header values: parameters, lists, dictionaries, quoting."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSet
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from erlen.wire.patterns import late

_TOKEN = late(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+", re.ASCII)
_QUOTE_OR_ESCAPE = late(r'["\\]')
_QUOTE_OR_COMMA = late(r'[",]')
_ESCAPED = late(r'\\(["\\])')
_BLANK = " \t"
# SPEC: RFC 8187 section 3.2.1 attr-char, beside the letters, digits and "_.-~" of quote().
_ATTR_SAFE = "!#$&+^`|"
_CHARSETS = {"utf-8": "utf-8", "iso-8859-1": "latin-1", "us-ascii": "ascii", "ascii": "ascii"}


# --- quoting --------------------------------------------------------------------------------------


def quote_header_value(value: object, allow_token: bool = True) -> str:
    """Return ``str(value)``, as a quoted string unless it is a token and *allow_token* is true."""
    text = str(value)
    if allow_token and _TOKEN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote_header_value(value: str) -> str:
    r"""Return the content of a quoted string; text without quotes comes back unchanged.

    Only ``\"`` and ``\\`` are escapes: browsers send a backslash in a file name as it is.
    """
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return _ESCAPED.sub(r"\1", value[1:-1])


def _end_of_quoted(text: str, start: int) -> int:
    """Return the index after the quoted string that opens at *start*; -1 when it never closes."""
    position = start + 1
    while found := _QUOTE_OR_ESCAPE.search(text, position):
        if found[0] == '"':
            return found.end()
        position = found.end() + 1
    return -1


def _decode_extended(value: str) -> str | None:
    """Return the text of ``charset'language'percent-encoded``, ``None`` when it is malformed."""
    charset, quote1, rest = value.partition("'")
    _language, quote2, encoded = rest.partition("'")
    codec = _CHARSETS.get(charset.lower())
    if not quote1 or not quote2 or codec is None or not encoded.isascii():
        return None
    try:
        return unquote_to_bytes(encoded).decode(codec)
    except UnicodeDecodeError:
        return None


# --- parameters -----------------------------------------------------------------------------------


def parse_options_header(value: str | None) -> tuple[str, dict[str, str]]:
    """Split ``form-data; name="a"; filename*=UTF-8''b`` into its value and its parameters.

    Returns:
        The text before the first semicolon, as written, and the parameters by lower-cased name. The
        first of two equal names counts. A ``name*`` in the encoding of RFC 8187 is decoded and wins
        over ``name``; a malformed one is left out. Reading stops at a quote that never closes.

    Source: RFC 9110 section 5.6.6, RFC 6266 section 4.3, RFC 8187; takes linear time.
    """
    if not value:
        return "", {}
    main, _, rest = value.partition(";")
    plain: dict[str, str] = {}
    extended: dict[str, str] = {}
    for name, text in _parameters(rest):
        if not name.endswith("*"):
            plain.setdefault(name, text)
        elif (decoded := _decode_extended(text)) is not None:
            extended.setdefault(name[:-1], decoded)
    return main.strip(_BLANK), plain | extended


def _parameters(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        end = text.find(";", position)
        end = len(text) if end < 0 else end
        equals = text.find("=", position, end)
        if equals < 0:
            position = end + 1
            continue
        name = text[position:equals].strip(_BLANK).lower()
        start = equals + 1
        if text[start : start + 1] == '"':
            stop = _end_of_quoted(text, start)
            if stop < 0:
                return
            # SPEC: the multipart/form-data encoding of HTML writes a quote in a name as %22.
            content = unquote_header_value(text[start:stop]).replace("%22", '"')
            end = text.find(";", stop)
            end = len(text) if end < 0 else end
        else:
            content = text[start:end].strip(_BLANK)
        position = end + 1
        if _TOKEN.fullmatch(name):
            yield name, content


def dump_options_header(header: str | None, options: Mapping[str, object]) -> str:
    """Write a value with its parameters; the reverse of :func:`parse_options_header`.

    Args:
        header: The value, or ``None`` for parameters alone.
        options: Parameters; ``None`` leaves one out. Text beyond ASCII is written as ``name*`` in
            the encoding of RFC 8187. A name that ends with ``*`` has its value written unchanged.
    """
    segments = [] if header is None else [header]
    for name, value in options.items():
        if value is None:
            continue
        text = str(value)
        if name.endswith("*"):
            segments.append(f"{name}={text}")
        elif text.isascii():
            segments.append(f"{name}={quote_header_value(text)}")
        else:
            segments.append(f"{name}*=UTF-8''{quote(text, safe=_ATTR_SAFE)}")
    return "; ".join(segments)


# --- lists and dictionaries -----------------------------------------------------------------------


def _split_list(text: str) -> Iterator[str]:
    """Yield the members between commas that stand outside of quotes, trimmed, empty ones left out.

    A member with a quote that never closes is left out, and with it everything after.
    """
    start = position = 0
    while found := _QUOTE_OR_COMMA.search(text, position):
        position = found.end()
        if found[0] == '"':
            position = _end_of_quoted(text, found.start())
            if position < 0:
                return
        else:
            if member := text[start : found.start()].strip(_BLANK):
                yield member
            start = position
    if member := text[start:].strip(_BLANK):
        yield member


def parse_list_header(value: str | None) -> list[str]:
    """Return the members of a comma-separated value, quoted ones without their quotes.

    Source: RFC 9110 section 5.6.1; takes linear time.
    """
    return [unquote_header_value(member) for member in _split_list(value or "")]


def parse_dict_header(value: str | None) -> dict[str, str | None]:
    """Return ``a=1, b, c*=UTF-8''d`` as a dict; a member without ``=`` has the value ``None``.

    Names keep their case; the last of two equal names counts, as structured fields (RFC 8941
    section 4.2.2) have it. A malformed ``name*`` is left out.
    """
    members: dict[str, str | None] = {}
    for member in _split_list(value or ""):
        name, equals, text = member.partition("=")
        name = name.strip(_BLANK)
        if not equals:
            members[unquote_header_value(member)] = None
        elif name.endswith("*"):
            if (decoded := _decode_extended(text.strip(_BLANK))) is not None:
                members[name[:-1]] = decoded
        elif name:
            members[name] = unquote_header_value(text.strip(_BLANK))
    return members


def dump_header(iterable: Mapping[str, object] | Iterable[Any]) -> str:
    """Write members with commas between them, quoted where they must be.

    A mapping is written as ``name=value``; the value ``None`` leaves the name alone, and the value
    of a name that ends with ``*`` is written unchanged.
    """
    if not isinstance(iterable, Mapping):
        return ", ".join(quote_header_value(member) for member in iterable)
    members = []
    for name, value in iterable.items():
        if value is None:
            members.append(name)
        elif name.endswith("*"):
            members.append(f"{name}={value}")
        else:
            members.append(f"{name}={quote_header_value(value)}")
    return ", ".join(members)


# --- sets -----------------------------------------------------------------------------------------


class HeaderSet(MutableSet[str]):
    """An ordered set of words that ignores case, as in ``Vary``, ``Allow``, ``Content-Language``.

    Args:
        headers: The first members; each keeps the case in which it came first.
        on_update: Called with the set after each change, so that a response can follow it.
    """

    __slots__ = ("_members", "on_update")

    def __init__(
        self,
        headers: Iterable[str] | None = None,
        on_update: "Callable[[HeaderSet], None] | None" = None,
    ) -> None:
        self._members: dict[str, str] = {}
        self.on_update: Callable[[HeaderSet], None] | None = None
        self.update(headers or ())
        self.on_update = on_update

    def _changed(self) -> None:
        if self.on_update is not None:
            self.on_update(self)

    def add(self, header: str) -> None:
        """Add *header* unless it is a member."""
        self.update((header,))

    def update(self, iterable: Iterable[str]) -> None:
        """Add every member of *iterable*; ``on_update`` is called once, if anything was new."""
        before = len(self._members)
        for header in iterable:
            self._members.setdefault(header.lower(), header)
        if len(self._members) != before:
            self._changed()

    def remove(self, header: str) -> None:
        """Remove *header*; ``KeyError`` when it is no member."""
        del self._members[header.lower()]
        self._changed()

    def discard(self, header: str) -> None:
        """Remove *header* if it is a member."""
        if header in self:
            self.remove(header)

    def clear(self) -> None:
        """Remove every member."""
        if self._members:
            self._members.clear()
            self._changed()

    def find(self, header: str) -> int:
        """Return the position of *header*, -1 when it is no member."""
        lowered = header.lower()
        return list(self._members).index(lowered) if lowered in self._members else -1

    def index(self, header: str) -> int:
        """Return the position of *header*; ``IndexError`` when it is no member."""
        position = self.find(header)
        if position < 0:
            raise IndexError(header)
        return position

    def as_set(self, preserve_casing: bool = False) -> set[str]:
        """Return the members as a set, lower-cased unless *preserve_casing*."""
        return set(self._members.values() if preserve_casing else self._members)

    def to_header(self) -> str:
        """Return the members as a header value."""
        return dump_header(self)

    def __contains__(self, header: object) -> bool:
        return isinstance(header, str) and header.lower() in self._members

    def __getitem__(self, position: int) -> str:
        return list(self._members.values())[position]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._members.values()))

    def __len__(self) -> int:
        return len(self._members)

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"


def parse_set_header(
    value: str | None, on_update: Callable[[HeaderSet], None] | None = None
) -> HeaderSet:
    """Return a comma-separated value as a :class:`HeaderSet`."""
    return HeaderSet(parse_list_header(value), on_update)
