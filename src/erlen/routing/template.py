"""Floor 2: the text of a rule or host with placeholders, taken apart."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote, unquote

from erlen.routing.converters import (
    DEFAULT_CONVERTERS,
    ENCODED_SLASH,
    BaseConverter,
    FloatConverter,
    IntegerConverter,
    PathConverter,
    UnicodeConverter,
    UUIDConverter,
    ValidationError,
    check_routable,
)
from erlen.routing.pattern import Part, Placeholder
from erlen.wire.patterns import late
from erlen.wire.urls import quote_path

# Splits a text at its placeholders into: text, converter, arguments, name, text, … Arguments may
# hold quoted strings with any character.
_PLACEHOLDER = late(
    r"""<(?:([A-Za-z_]\w*)(?:\(((?:[^"')]|"[^"]*"|'[^']*')*+)\))?:)?([A-Za-z_]\w*)>""", re.ASCII
)
_SLASHES = late("/{2,}")
_ENCODED_SLASHES = late("%2[fF]")
_ENCODED_DOTS = late("%2[eE]")

# The regular expression of <string:name> without arguments.
_ANY_TEXT = "[^/]{1,}"

# How the built-in converters write: as the grammar of a path demands.
_SOUND = frozenset(cls.to_url for cls in DEFAULT_CONVERTERS.values())
_WRITTEN_SAFE = "!$&'()*+,/:;=@%"
_WRITE_ASCII = frozenset({IntegerConverter, FloatConverter, UUIDConverter})


class PlaceholderSource(Protocol):
    """What a template asks of the map."""

    def placeholder(self, converter: str, arguments: str) -> Placeholder:
        """Return the placeholder for a converter's name and the text of its arguments."""
        ...


class Template:
    """Static texts and placeholders in turn.

    Args:
        text: Text with placeholders ``<name>``, ``<converter:name>``, ``<converter(args):name>``.
        may_repeat: Whether a name may occur more than once.

    Raises:
        ValueError: A placeholder is malformed, or a name occurs twice; the developer's fault.

    Attributes:
        texts: The static texts, one more than there are placeholders; they may be empty.
        names: The names of the placeholders.
        placeholders: The placeholders, once :meth:`bind` was called.
    """

    __slots__ = ("_converters", "names", "placeholders", "texts")

    def __init__(self, text: str, may_repeat: bool = False) -> None:
        fields: list[Any] = _PLACEHOLDER.split(text) if "<" in text else [text]
        self.texts: tuple[str, ...] = tuple(fields[::4])
        self.names: tuple[str, ...] = tuple(fields[3::4])
        self._converters = tuple(zip(fields[1::4], fields[2::4], strict=True))
        self.placeholders: tuple[Placeholder, ...] = ()
        for each in self.texts:
            if "<" in each or ">" in each:
                raise ValueError(
                    f"Malformed url rule: {text!r} has a '<' or '>' outside of a placeholder. "
                    "Write placeholders as <name>, <converter:name> or <converter(args):name>."
                )
        if not may_repeat and len(set(self.names)) != len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise ValueError(
                f"The variable {twice!r} occurs twice in {text!r}. "
                "Give every placeholder a name of its own."
            )

    def bind(self, source: PlaceholderSource) -> None:
        """Make the converters; ``LookupError`` when one is unknown."""
        self.placeholders = tuple(
            source.placeholder(converter or "default", arguments or "")
            for converter, arguments in self._converters
        )

    def merge_slashes(self) -> None:
        """Reduce every run of slashes to one."""
        self.texts = tuple(_SLASHES.sub("/", text) for text in self.texts)

    def pieces(self) -> list[str | Placeholder]:
        """Return the texts that are not empty and the placeholders, in order."""
        pieces: list[str | Placeholder] = [self.texts[0]] if self.texts[0] else []
        for placeholder, text in zip(self.placeholders, self.texts[1:], strict=True):
            pieces.append(placeholder)
            if text:
                pieces.append(text)
        return pieces


#: Whether what a converter wrote is text that its placeholder matches.
Test: TypeAlias = Callable[[str], object]


class Writer:
    """Puts values into a template; compiled once, when the first URL is built.

    Args:
        template: The template, bound.
        is_host: Whether it is a host or subdomain, where a dot separates and not a slash.
    """

    __slots__ = ("_first", "_rest")

    def __init__(self, template: Template, is_host: bool = False) -> None:
        first, *texts = (quote_path(text) for text in template.texts)
        self._first = first
        self._rest: list[tuple[str, Callable[[Any], str], Test | None, str]] = [
            (name, _to_url(placeholder.converter), _test(placeholder.converter, is_host), text)
            for name, placeholder, text in zip(
                template.names, template.placeholders, texts, strict=True
            )
        ]

    def __call__(self, values: Mapping[str, Any]) -> str:
        """Return the text.

        Raises:
            ValidationError: A converter refuses a value, or what it writes would not match it.
        """
        written = self._first
        for name, to_url, fits, text in self._rest:
            value = to_url(values[name])
            if fits is not None and not fits(value):
                raise ValidationError(
                    f"The value of {name!r} is not one that the rule would match. "
                    "Give one that its converter accepts."
                )
            written += value + text
        return written


def _to_url(converter: BaseConverter) -> Callable[[Any], str]:
    """Return what writes a value; what an application's own method returns is made sound."""
    to_url = converter.to_url
    if type(converter).to_url in _SOUND:
        return to_url

    def write(value: Any) -> str:
        text = to_url(value)
        check_routable(unquote(text))
        # SAFETY: a "?" or "#" that was not encoded must not end the path. An encoded dot is a dot
        # for clients (WHATWG URL section 4.4) and must be seen when dots alone are looked for.
        return quote(_ENCODED_DOTS.sub(".", text), safe=_WRITTEN_SAFE)

    return write


def _test(converter: BaseConverter, is_host: bool) -> Test | None:
    """Return the test of what a converter writes, ``None`` for ``path``.

    ``path`` writes what it does not read: no text at all, so that ``/static/`` is the URL of the
    folder itself, and a slash in front, which a redirect takes away.
    """
    regex, cls = converter.regex, type(converter)
    if regex == PathConverter.regex:
        return None
    if regex == _ANY_TEXT and cls is UnicodeConverter and not is_host:
        # PERF: 0.03 us; by the regular expression 0.1 us, and 2.5 us when it is to be decoded.
        return len
    matches = re.compile(regex.replace("[^/", "[^./") if is_host else regex).fullmatch
    if cls in _WRITE_ASCII:
        return matches
    return lambda text: matches(unquote(_ENCODED_SLASHES.sub(ENCODED_SLASH, text)))


def split_parts(pieces: Sequence[str | Placeholder]) -> list[str | Part]:
    """Return the parts of a rule: static segments as text, the others as :class:`Part`.

    Args:
        pieces: The pieces of a path without its leading slash and without its last slash.
    """
    parts: list[str | Part] = []
    segment: list[str | Placeholder] = []
    for index, piece in enumerate(pieces):
        if not isinstance(piece, str):
            if not piece.converter.part_isolating:
                return [*parts, Part((*segment, *pieces[index:]))]
            segment.append(piece)
            continue
        first, *others = piece.split("/")
        if first:
            segment.append(first)
        for text in others:
            parts.append(_part(segment))
            segment = [text] if text else []
    return [*parts, _part(segment)]


def _part(segment: list[str | Placeholder]) -> str | Part:
    if not segment:
        return ""
    [first, *others] = segment
    if others:
        return Part(tuple(segment))
    return first if isinstance(first, str) else first.part
