"""Floor 2: the text of a rule or host with placeholders, taken apart."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from erlen.routing.pattern import Part, Placeholder
from erlen.wire.urls import quote_path

# Splits a text at its placeholders into: text, converter, arguments, name, text, … Arguments may
# hold quoted strings with any character.
_PLACEHOLDER = re.compile(
    r"""<(?:([A-Za-z_]\w*)(?:\(((?:[^"')]|"[^"]*"|'[^']*')*+)\))?:)?([A-Za-z_]\w*)>""", re.ASCII
)
_SLASHES = re.compile("/{2,}")


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


class Writer:
    """Puts values into a template; compiled once, when the first URL is built."""

    __slots__ = ("_first", "_rest")

    def __init__(self, template: Template) -> None:
        first, *texts = (quote_path(text) for text in template.texts)
        self._first = first
        self._rest: list[tuple[str, Callable[[Any], str], str]] = [
            (name, placeholder.converter.to_url, text)
            for name, placeholder, text in zip(
                template.names, template.placeholders, texts, strict=True
            )
        ]

    def __call__(self, values: Mapping[str, Any]) -> str:
        """Return the text; ``ValidationError`` when a converter refuses a value."""
        written = self._first
        for name, to_url, text in self._rest:
            written += to_url(values[name]) + text
        return written


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
