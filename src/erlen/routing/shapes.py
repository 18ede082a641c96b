"""Floor 2: the plainest rules, each found by one regular expression in place of the tree.

A rule is plain when its placeholders are ``<name>``, ``<int:name>`` or, alone at the end,
``<path:name>``. Where other rules might come before it for the same path, it is left to the tree,
so what is found here is what the tree would find.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from erlen.routing.converters import IntegerConverter, PathConverter
from erlen.routing.pattern import Part
from erlen.routing.rule import Rule
from erlen.wire.multidict import LARGEST_INTEGER

#: What a placeholder takes of a path that was sent as it is: printable ASCII without ``%``.
_TEXT = "[ -$&-.0-~]+"
_REST = "[ -$&-.0-~][ -$&-~]*"
_NUMBER = "[0-9]{1,19}"
#: More rules with the same first segment than these are the tree's.
_MOST = 8


def may_be_sent(text: str) -> bool:
    """Whether the text of a rule is found in paths as they are sent, so that it may be found here.

    SAFETY: a bare ``%`` is refused with 400 before paths are matched.
    """
    return text.isascii() and text.isprintable() and "%" not in text


class Shape:
    """One rule as a regular expression, which is compiled when it is first asked.

    Attributes:
        match: Path → what the placeholders have taken of it, ``None`` when it is not the rule's.
        numbers: Names of the placeholders that take integers.
    """

    __slots__ = ("_source", "match", "methods", "numbers", "rule")

    def __init__(self, rule: Rule, source: str, numbers: tuple[str, ...]) -> None:
        """*source* has a group for each placeholder."""
        assert rule.methods is not None
        self.rule = rule
        self.methods = rule.methods
        self.numbers = numbers
        self._source = source
        self.match: Callable[[str], re.Match[str] | None] = self._compile

    def _compile(self, path: str) -> "re.Match[str] | None":
        # PERF: compiling takes 100 us, so thousands of rules wait until asked for. Later the
        # expression is asked without a function of Python between.
        self.match = re.compile(self._source).fullmatch
        return self.match(path)


class Shapes:
    """The plain rules of one tree."""

    __slots__ = ("_by_first", "_others")

    def __init__(self, rules: Iterable[Rule]) -> None:
        """*rules* are all of the tree."""
        families: dict[str | None, list[Rule]] = {}
        for rule in rules:
            if not rule.websocket:
                families.setdefault(_first_of(rule), []).append(rule)
        self._others = _shapes_of(families.pop(None, ()))
        self._by_first = {first: _shapes_of(family) for first, family in families.items()}

    def find(self, path: str, method: str) -> tuple[Rule, dict[str, Any]] | None:
        """Return the rule and its arguments for an HTTP request; ``None`` says nothing.

        Args:
            path: A path that was sent as it is.
            method: The method in upper case.
        """
        # PERF: 0.8 us for two placeholders, where Map.match() takes 2.1 us.
        try:
            first = path.split("/", 2)[1]
        except IndexError:  # "*", or nothing
            return None
        for shape in self._by_first.get(first, self._others):
            match = shape.match  # PERF: to call a slot as a method takes 0.03 us more (3.11)
            found = match(path)
            if found is not None and method in shape.methods:
                arguments: dict[str, Any] = found.groupdict()
                for name in shape.numbers:
                    arguments[name] = number = int(arguments[name])
                    if number > LARGEST_INTEGER:  # SPEC: it does not match
                        return None
                return shape.rule, arguments
        return None


def _first_of(rule: Rule) -> str | None:
    first = rule.parts[0] if rule.parts else ""
    return first if isinstance(first, str) else None


def _shapes_of(family: Sequence[Rule]) -> Sequence[Shape]:
    """Return the shapes of rules that begin alike, none if it is open which comes first.

    SPEC: DESIGN section 4: "/a" is sent on to "/a/" by the first rule that fits, and "/a/<path:p>"
    may come before "/a/<b>/c".
    """
    dynamic = [rule for rule in family if rule.value_names]
    if not dynamic or len(dynamic) > _MOST or not all(map(_is_settled, family)):
        return ()
    has_rest = any(_has_rest(rule) for rule in dynamic)
    branches = {len(rule.parts) for rule in family if rule.is_branch}
    leaves = {len(rule.parts) for rule in family if not rule.is_branch}
    if (has_rest and len(family) > 1) or branches & leaves:
        return ()
    shapes = [_shape_of(rule) for rule in sorted(dynamic, key=_order)]
    return () if None in shapes else [shape for shape in shapes if shape is not None]


def _has_rest(rule: Rule) -> bool:
    return any(part.is_rest for part in rule.parts if isinstance(part, Part))


def _is_settled(rule: Rule) -> bool:
    """Whether a match is the rule's own answer, with nothing to redirect or to add."""
    return bool(
        rule.is_final and rule.strict_slashes and rule.methods is not None and not rule.defaults
    )


def _order(rule: Rule) -> list[Any]:
    """Return the key by which the tree would try a rule among those of as many segments."""
    return [() if isinstance(part, str) else part.specificity() for part in rule.parts]


def _shape_of(rule: Rule) -> Shape | None:
    """Return the shape of a rule, ``None`` if one of its parts is not plain."""
    source = ""
    numbers = []
    names = iter(rule.value_names)
    for part in rule.parts:
        if isinstance(part, str):
            if not may_be_sent(part):
                return None
            source += "/" + re.escape(part)
            continue
        expression = _expression_of(part)
        if expression is None:
            return None
        name = next(names)
        source += f"/(?P<{name}>{expression})"
        if expression is _NUMBER:
            numbers.append(name)
    return Shape(rule, source + "/" * rule.is_branch, tuple(numbers))


def _expression_of(part: Part) -> str | None:
    """Return the regular expression of a plain placeholder, ``None`` for any other part."""
    if part.is_text:
        return _TEXT
    piece = part.pieces[0]
    if len(part.pieces) > 1 or isinstance(piece, str):
        return None
    converter = piece.converter
    if type(converter) is IntegerConverter and converter.is_plain:
        return _NUMBER
    return _REST if type(converter) is PathConverter else None
