"""Floor 2: the dynamic parts of rules: what one part matches, and which of two is tried first.

A part is one segment with a placeholder (``<int:id>``, ``<name>-<int:id>``), or, from the segment
of the first placeholder that may contain slashes, all the rest of the rule (``<path:p>/edit``).
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias

from erlen.routing.converters import (
    DEFAULT_CONVERTERS,
    ENCODED_SLASH,
    BaseConverter,
    PathConverter,
    UnicodeConverter,
    ValidationError,
    read_by_regex,
)

#: The values in a decoded text, ``None`` when the text does not match.
Reader: TypeAlias = Callable[[str], tuple[Any, ...] | None]

#: The texts of the placeholders in a text, ``None`` when the text does not match.
Splitter: TypeAlias = Callable[[str], list[str] | None]

_BUILT_IN = frozenset(DEFAULT_CONVERTERS.values())


class Placeholder:
    """A converter with its arguments; its name in the rule does not count.

    Attributes:
        converter: The converter.
        key: Equal for placeholders that accept the same: class and arguments.
        part: This placeholder alone as a part.
    """

    __slots__ = ("converter", "key", "part")

    def __init__(self, converter: BaseConverter, key: tuple[Any, ...]) -> None:
        self.converter = converter
        self.key = key
        self.part = Part((self,))
        self.part.may_be_empty = re.fullmatch(converter.regex, "") is not None


class Part:
    """A dynamic part of a rule.

    Attributes:
        pieces: Static text and placeholders in order.
        is_rest: Whether the part takes all remaining segments.
        key: Equal for parts that match the same.
        is_text: Whether the part is a placeholder for any text of a segment.
        may_be_empty: Whether the part, a single placeholder, accepts no text at all.
    """

    __slots__ = ("is_rest", "is_text", "key", "may_be_empty", "pieces")

    def __init__(self, pieces: "tuple[str | Placeholder, ...]") -> None:
        self.pieces = pieces
        self.is_rest = any(
            not isinstance(piece, str) and not piece.converter.part_isolating for piece in pieces
        )
        self.key = tuple(piece if isinstance(piece, str) else piece.key for piece in pieces)
        self.is_text = len(pieces) == 1 and _is_plain_text(pieces[0])
        self.may_be_empty = False

    def specificity(self) -> tuple[Any, ...]:
        """Return the key by which the parts at one place are sorted; the least is tried first."""
        return _rank(self._first_segment()), _rank(self.pieces)

    def _first_segment(self) -> "list[str | Placeholder]":
        pieces: list[str | Placeholder] = []
        for piece in self.pieces:
            if isinstance(piece, str) and "/" in piece:
                text = piece.partition("/")[0]
                return [*pieces, text] if text else pieces
            pieces.append(piece)
        return pieces

    def reader(self) -> Reader:
        """Return the function that matches this part."""
        piece = self.pieces[0]
        if len(self.pieces) > 1 or isinstance(piece, str):
            return Pattern(self.pieces)
        converter = piece.converter
        if "read" in vars(type(converter)):
            return converter.read
        if self.is_rest:
            return partial(_read_rest, converter)
        return partial(_read_segment, re.compile(converter.regex), converter.to_python)


def _is_plain_text(piece: "str | Placeholder") -> bool:
    """Whether a piece is ``<name>``: any text that is not empty, without another reader."""
    if isinstance(piece, str) or type(piece.converter) is not UnicodeConverter:
        return False
    return piece.converter.minlength == 1 and piece.converter.maxlength is None


def _read_segment(
    expression: re.Pattern[str], to_python: Callable[[str], Any], text: str
) -> tuple[Any] | None:
    if ENCODED_SLASH in text or expression.fullmatch(text) is None:
        return None
    try:
        return (to_python(text),)
    except ValidationError:
        return None


def _read_rest(converter: BaseConverter, text: str) -> tuple[Any] | None:
    return read_by_regex(converter, text.replace(ENCODED_SLASH, "/"))


def _rank(pieces: "Sequence[str | Placeholder]") -> tuple[Any, ...]:
    """Return a key: more static texts, then longer ones, then converters by specificity."""
    literals = [(index, -len(text)) for index, text in enumerate(pieces) if isinstance(text, str)]
    converters = [_converter_rank(piece) for piece in pieces if not isinstance(piece, str)]
    return -len(literals), literals, -len(converters), converters


def _converter_rank(placeholder: Placeholder) -> tuple[Any, ...]:
    """Return a key: by weight; then limited ones and the application's own before plain ones."""
    cls, args, kwargs = placeholder.key
    is_plain = cls in _BUILT_IN and not args and not kwargs
    return placeholder.converter.weight, is_plain, cls.__qualname__, repr(args), repr(kwargs)


class Pattern:
    """Matches a text against pieces as a backtracking regular expression would, in linear time.

    ``path`` takes as little as it can, every other converter as much as it can, left to right.

    SAFETY: a regular expression with two placeholders of unlimited length needs quadratic time
    for hostile paths (``<a>-<b>.txt`` and a segment of dashes), with three cubic. So only pieces
    with one are left to ``re``; for the others no end of a placeholder is tried twice.
    """

    __slots__ = ("_converters", "_pieces", "_split")

    def __init__(self, pieces: "tuple[str | Placeholder, ...]") -> None:
        self._pieces = pieces
        self._converters = [piece.converter for piece in pieces if not isinstance(piece, str)]
        # PERF: compiling an expression costs 35 us, so thousands of rules wait until asked for.
        self._split: Splitter | None = None

    def __call__(self, text: str) -> tuple[Any, ...] | None:
        """Return the values of the placeholders, ``None`` when *text* does not match."""
        if self._split is None:
            self._split = _splitter(self._pieces)
        texts = self._split(text)
        if texts is None:
            return None
        values: list[Any] = []
        for converter, value in zip(self._converters, texts, strict=True):
            read = read_by_regex(converter, value.replace(ENCODED_SLASH, "/"))
            if read is None:
                return None
            values += read
        return tuple(values)


def domain_reader(pieces: "Sequence[str | Placeholder]") -> Reader:
    """Return the function that matches a host or subdomain with placeholders.

    What does not cross a slash in a path does not cross a dot here.
    """
    converters = [piece.converter for piece in pieces if not isinstance(piece, str)]
    source = _expression(pieces).replace("[^/", "[^./")
    split = partial(_split_by_regex, re.compile(source), len(converters))

    def read(text: str) -> tuple[Any, ...] | None:
        texts = split(text)
        if texts is None:
            return None
        try:
            return tuple(c.to_python(value) for c, value in zip(converters, texts, strict=True))
        except ValidationError:
            return None

    return read


def _splitter(pieces: "Sequence[str | Placeholder]") -> Splitter:
    if sum(_is_unlimited(piece) for piece in pieces) <= 1:
        count = sum(not isinstance(piece, str) for piece in pieces)
        return partial(_split_by_regex, re.compile(_expression(pieces)), count)
    return partial(_split_linearly, _steps(pieces))


def _is_unlimited(piece: "str | Placeholder") -> bool:
    if isinstance(piece, str):
        return False
    converter = piece.converter
    if type(converter) is UnicodeConverter:
        return converter.maxlength is None
    return type(converter) is PathConverter


def _expression(pieces: "Sequence[str | Placeholder]") -> str:
    """Return the regular expression of pieces, whose group ``_n`` is the n-th placeholder."""
    number = 0
    source = ""
    for piece in pieces:
        if isinstance(piece, str):
            source += re.escape(piece)
        else:
            source += f"(?P<_{number}>{piece.converter.regex})"
            number += 1
    return source


def _split_by_regex(expression: re.Pattern[str], count: int, text: str) -> list[str] | None:
    found = expression.fullmatch(text)
    return found and [found[f"_{number}"] for number in range(count)]


class _Fixed:
    """Static text and converters of limited length, as one regular expression."""

    __slots__ = ("count", "expression")

    def __init__(self, pieces: "Sequence[str | Placeholder]", suffix: str) -> None:
        self.expression = re.compile(_expression(pieces) + suffix)
        self.count = sum(not isinstance(piece, str) for piece in pieces)


class _Unlimited:
    """A ``string`` of at least *least* characters, or a ``path``, which crosses slashes."""

    __slots__ = ("crosses", "least")

    def __init__(self, converter: BaseConverter) -> None:
        self.crosses = not isinstance(converter, UnicodeConverter)
        self.least = converter.minlength if isinstance(converter, UnicodeConverter) else 1


def _steps(pieces: "Sequence[str | Placeholder]") -> "list[_Fixed | _Unlimited]":
    steps: list[_Fixed | _Unlimited] = []
    done = 0
    for is_unlimited, group in groupby(pieces, _is_unlimited):
        run = list(group)
        done += len(run)
        if is_unlimited:
            steps += [_Unlimited(piece.converter) for piece in run if not isinstance(piece, str)]
        else:
            steps.append(_Fixed(run, suffix=r"\Z" if done == len(pieces) else ""))
    return steps


def _split_linearly(steps: "list[_Fixed | _Unlimited]", text: str) -> list[str] | None:
    return _Attempt(steps, text).follow(0, 0)


class _Attempt:
    """One text against the steps of a pattern with several unlimited placeholders."""

    def __init__(self, steps: "list[_Fixed | _Unlimited]", text: str) -> None:
        self._steps = steps
        self._text = text
        self._slashes = [found.start() for found in re.finditer("/", text)] + [len(text)]
        # (step, last possible end) → all ends from here on were tried and led nowhere.
        self._tried: dict[tuple[int, int], int] = {}

    def follow(self, index: int, start: int) -> list[str] | None:
        """Return the texts of the placeholders from step *index* on, matched at *start*."""
        if index == len(self._steps):
            return []
        step = self._steps[index]
        if isinstance(step, _Unlimited):
            for end in self._ends(index, step, start):
                rest = self.follow(index + 1, end)
                if rest is not None:
                    return [self._text[start:end], *rest]
            return None
        found = step.expression.match(self._text, start)
        while found is not None:
            rest = self.follow(index + 1, found.end())
            if rest is not None:
                return [*(found[f"_{number}"] for number in range(step.count)), *rest]
            found = step.expression.match(self._text, start, found.end() - 1)
        return None

    def _ends(self, index: int, step: _Unlimited, start: int) -> Iterable[int]:
        """Return where the placeholder that begins at *start* may end, best first."""
        if step.crosses:
            stop = len(self._text) if self._text[start : start + 1] != "/" else -1
        else:
            stop = self._slashes[bisect_left(self._slashes, start)]
        first = start + step.least
        if index + 1 == len(self._steps):
            return (stop,) if first <= stop == len(self._text) else ()
        tried = self._tried.get((index, stop), stop + 1)
        if first >= tried:
            return ()
        self._tried[index, stop] = first
        return range(first, tried) if step.crosses else range(tried - 1, first - 1, -1)
