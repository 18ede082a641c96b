"""Floor 2: what a placeholder of a rule accepts, and its value as Python and as URL text."""

import re
import sys
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol  # noqa: TID251  # see below

from erlen.wire.multidict import LARGEST_INTEGER
from erlen.wire.patterns import late
from erlen.wire.urls import printable, quote_path

if TYPE_CHECKING:  # PERF: 2 ms of an import, for a converter that most do not use
    from uuid import UUID

#: Stands for a percent-encoded slash inside a decoded segment while a path is matched.
#: SAFETY: ``%2F`` must never act as a separator. NUL serves because a path with NUL is refused
#: with 400 before it is routed.
ENCODED_SLASH: Final = "\0"

# What a request path may not contain: control characters and lone surrogates.
_UNROUTABLE = late("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_ARGUMENT = late(
    r"""\s*(?:([A-Za-z_]\w*)\s*=\s*)?("[^"]*"|'[^']*'|[\w.+-]+)\s*(?:,|\Z)""", re.ASCII
)
_INTEGER = late(r"[+-]?[0-9]+")
_FLOAT = late(r"[+-]?[0-9]+\.[0-9]*")
_CONSTANTS: dict[str, bool | None] = {"True": True, "False": False, "None": None}

Argument = str | int | float | bool | None


class ValidationError(ValueError):
    """Raised by a converter: this value is not one of mine, so the next rule is tried.

    When a URL is built, the message ends the :exc:`BuildError` of which it is the reason.
    """


class ConverterMap(Protocol):
    """What a converter may ask of the map that it belongs to."""

    converters: dict[str, type["BaseConverter"]]
    host_matching: bool


class BaseConverter:
    """Accept any text of one segment; the class that custom converters extend.

    Attributes:
        regex: Regular expression of the text accepted, without groups that capture by name.
        weight: Specificity among the placeholders of one segment; the lowest is tried first.
            ``int`` 50, ``float`` 60, ``uuid`` 70, ``any`` 80, ``string`` and custom ones 100,
            ``path`` 200.
        part_isolating: Whether the text never contains ``/``. A subclass that sets only a
            :attr:`regex` with ``/`` in it gets ``False``.
    """

    regex: str = "[^/]+"
    weight: int = 100
    part_isolating: bool = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        if "regex" in own and "part_isolating" not in own:
            cls.part_isolating = "/" not in cls.regex.replace("[^/", "")

    def __init__(self, map: ConverterMap, *args: Any, **kwargs: Any) -> None:  # noqa: A002, ARG002  # Werkzeug's name; subclasses read them
        self.map = map

    def to_python(self, value: str) -> Any:
        """Return the view's argument for *value*, decoded text that matches :attr:`regex`.

        Raises:
            ValidationError: The value is not accepted; the next rule is tried.
        """
        return value

    def to_url(self, value: Any) -> str:
        """Return *value* as percent-encoded text for a path.

        A slash is written as ``%2F`` when :attr:`part_isolating` is true. The value then stays
        within its segment, and the converter does not match it: such a link is a 404, unless a
        rule with ``path`` answers it.

        What this returns, also in a subclass, must match :attr:`regex` once it is decoded, apart
        from such slashes; otherwise no URL is built.

        Raises:
            ValidationError: No URL with this value could ever be routed; another rule of the
                endpoint is tried, then building fails.
        """
        try:
            text = str(value)
        except ValueError as error:  # an integer of more digits than Python writes
            raise ValidationError(f"The value cannot be written: {error}.") from error
        check_routable(text)
        written = quote_path(text)
        # SAFETY: "../a" in one segment would lead to another page than the rule's.
        return written.replace("/", "%2F") if "/" in written and self.part_isolating else written

    def read(self, text: str) -> tuple[Any] | None:
        """Return the value of a whole segment in a tuple, ``None`` when it is not accepted.

        A class may define this as a short cut past :attr:`regex`. Only the definition in the
        very class of the converter counts, so that a subclass which changes :attr:`regex` or
        :meth:`to_python` is obeyed.
        """
        raise NotImplementedError


class UnicodeConverter(BaseConverter):
    """``string``: text without a slash.

    Args:
        map: The map of the rule.
        minlength: Fewest characters.
        maxlength: Most characters; ``None`` for no limit.
        length: Exact number of characters, instead of the two others.
    """

    part_isolating = True

    def __init__(
        self,
        map: ConverterMap,  # noqa: A002  # Werkzeug's name
        minlength: int = 1,
        maxlength: int | None = None,
        length: int | None = None,
    ) -> None:
        super().__init__(map)
        if length is not None:
            minlength = maxlength = int(length)
        self.minlength = int(minlength)
        self.maxlength = None if maxlength is None else int(maxlength)
        self._most = sys.maxsize if self.maxlength is None else self.maxlength
        most = "" if self.maxlength is None else self.maxlength
        self.regex = f"[^/]{{{self.minlength},{most}}}"

    def read(self, text: str) -> tuple[str] | None:
        """Accept by length alone: a segment has no slash."""
        if self.minlength <= len(text) <= self._most and ENCODED_SLASH not in text:
            return (text,)
        return None


StringConverter = UnicodeConverter


class AnyConverter(BaseConverter):
    """``any``: one of the given words.

    Args:
        map: The map of the rule.
        items: The words, as in ``<any(about, help):page>``.
    """

    weight = 80

    def __init__(self, map: ConverterMap, *items: str) -> None:  # noqa: A002  # Werkzeug's name
        super().__init__(map)
        self.items = tuple(str(item) for item in items)
        self.regex = f"(?:{'|'.join(re.escape(item) for item in self.items)})"
        self.part_isolating = not any("/" in item for item in self.items)

    def read(self, text: str) -> tuple[str] | None:
        """Accept by comparison."""
        text = text.replace(ENCODED_SLASH, "/")
        return (text,) if text in self.items else None

    def to_url(self, value: Any) -> str:
        """Return one of the words; ``ValueError`` for any other value, the caller's fault."""
        if str(value) in self.items:
            return super().to_url(value)
        words = ", ".join(repr(item) for item in sorted(self.items))
        raise ValueError(f"{value!r} is not one of {words}. Give one of these words.")


class PathConverter(BaseConverter):
    """``path``: text with slashes; does not start with one."""

    part_isolating = False
    regex = "[^/](?s:.)*?"
    weight = 200

    def read(self, text: str) -> tuple[str] | None:
        """Accept all that does not begin with a slash; encoded slashes become real ones."""
        text = text.replace(ENCODED_SLASH, "/")
        return (text,) if text and text[0] != "/" else None


class NumberConverter(BaseConverter):
    """What ``int`` and ``float`` share.

    Args:
        map: The map of the rule.
        min: Least value accepted.
        max: Greatest value accepted.
        signed: Whether a ``-`` may stand in front.
    """

    number: ClassVar[type[int] | type[float]]

    def __init__(
        self,
        map: ConverterMap,  # noqa: A002  # Werkzeug's name
        min: float | None = None,  # noqa: A002  # Werkzeug's name
        max: float | None = None,  # noqa: A002  # Werkzeug's name
        signed: bool = False,
    ) -> None:
        super().__init__(map)
        self.min = min
        self.max = max
        self.signed = signed

    def to_python(self, value: str) -> Any:
        """Return the number; ``ValidationError`` outside of *min* … *max*."""
        number = self.number(value)
        self._check_range(number)
        return number

    def _check_range(self, number: float) -> None:
        if (self.min is not None and number < self.min) or (
            self.max is not None and number > self.max
        ):
            raise ValidationError(
                f"The number is outside of the rule's range, min={self.min} and max={self.max}. "
                "Give one within."
            )


class IntegerConverter(NumberConverter):
    r"""``int``: ASCII digits, a number of at most 64 bits with its sign, or of *fixed_digits*.

    SAFETY: ``\d`` would take digits of every script, ``int()`` of some thousand digits raises or
    burns the processor, and a database refuses what does not fit its integers.

    Args:
        map: The map of the rule.
        fixed_digits: Exact number of characters, sign included; 0 for any.
        min: Least value accepted.
        max: Greatest value accepted.
        signed: Whether a ``-`` may stand in front.
    """

    weight = 50
    part_isolating = True
    number = int

    def __init__(
        self,
        map: ConverterMap,  # noqa: A002  # Werkzeug's name
        fixed_digits: int = 0,
        min: int | None = None,  # noqa: A002  # Werkzeug's name
        max: int | None = None,  # noqa: A002  # Werkzeug's name
        signed: bool = False,
    ) -> None:
        super().__init__(map, min, max, signed)
        self.fixed_digits = int(fixed_digits)
        self.is_plain = not fixed_digits and not signed and min is None and max is None
        self.regex = self._pattern()

    def _pattern(self) -> str:
        count = self.fixed_digits
        digits = f"[0-9]{{{count}}}" if count else "[0-9]{1,19}"
        if not self.signed:
            return digits
        if not count:
            return f"-?{digits}"
        return f"(?:{digits}|-[0-9]{{{count - 1}}})" if count > 1 else digits

    def read(self, text: str) -> tuple[int] | None:
        """Accept plain numbers without the regular expression."""
        if self.is_plain:
            # PERF: 0.16 us; by the regular expression 0.5 us.
            if len(text) <= 19 and text.isdigit() and text.isascii():
                number = int(text)
                return (number,) if number <= LARGEST_INTEGER else None
            return None
        return read_by_regex(self, text)

    def _check_range(self, number: float) -> None:
        if abs(number) > LARGEST_INTEGER and not self.fixed_digits:
            raise ValidationError("The number has more than 64 bits. Give a smaller one.")
        super()._check_range(number)

    def to_url(self, value: Any) -> str:
        """Return the digits, filled with zeros to *fixed_digits*.

        Raises:
            ValidationError: The number has a fraction or is infinite, is outside of *min* … *max*
                or has more digits than Python writes.
            ValueError: The value is text that is no integer, or NaN; the caller's fault.
        """
        number = value if type(value) is int else _whole(value)
        self._check_range(number)
        try:
            return str(number).zfill(self.fixed_digits)
        except ValueError as error:
            raise ValidationError(f"The number cannot be written: {error}.") from error


class FloatConverter(NumberConverter):
    """``float``: ASCII digits, a point, ASCII digits; finite, at most 340 digits on a side.

    340 digits hold every finite double without an exponent.

    Args:
        map: The map of the rule.
        min: Least value accepted.
        max: Greatest value accepted.
        signed: Whether a ``-`` may stand in front.
    """

    weight = 60
    part_isolating = True
    number = float

    def __init__(
        self,
        map: ConverterMap,  # noqa: A002  # Werkzeug's name
        min: float | None = None,  # noqa: A002  # Werkzeug's name
        max: float | None = None,  # noqa: A002  # Werkzeug's name
        signed: bool = False,
    ) -> None:
        super().__init__(map, min, max, signed)
        self.regex = rf"{'-?' if signed else ''}[0-9]{{1,340}}\.[0-9]{{1,340}}"

    def to_python(self, value: str) -> float:
        """Return the number; ``ValidationError`` when it is out of range or infinite."""
        number: float = super().to_python(value)
        if not isfinite(number):
            raise ValidationError(f"{value!r} is greater than every finite number.")
        return number

    def to_url(self, value: Any) -> str:
        """Return the number in positional notation, never with an exponent.

        Raises:
            ValidationError: The number is outside of *min* … *max*, or an integer that is greater
                than every finite number.
            ValueError: The value is NaN, infinite or text that is no number; the caller's fault.
        """
        try:
            number = float(value)
        except OverflowError as error:
            raise ValidationError(f"The number cannot be written: {error}.") from error
        if not isfinite(number):
            raise ValueError(f"{value!r} has no place in a URL. Give a finite number.")
        self._check_range(number)
        text = repr(number)
        if "e" in text:
            from decimal import Decimal

            text = format(Decimal(text), "f")
        return text if "." in text else f"{text}.0"


class UUIDConverter(BaseConverter):
    """``uuid``: the canonical form of RFC 9562 section 4, lower-case hexadecimal."""

    regex = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    weight = 70

    def to_python(self, value: str) -> "UUID":
        """Return the UUID."""
        from uuid import UUID

        return UUID(value)

    def to_url(self, value: Any) -> str:
        """Return the canonical form; ``ValueError`` for text that is no UUID."""
        from uuid import UUID

        return str(value if isinstance(value, UUID) else UUID(str(value)))


#: The converters of a new map, by the name that rules use.
DEFAULT_CONVERTERS: Mapping[str, type[BaseConverter]] = {
    "default": UnicodeConverter,
    "string": UnicodeConverter,
    "any": AnyConverter,
    "path": PathConverter,
    "int": IntegerConverter,
    "float": FloatConverter,
    "uuid": UUIDConverter,
}


def check_routable(text: str) -> None:
    """Raise ``ValidationError`` when *text* has characters that no request path may have."""
    if not text.isprintable() and _UNROUTABLE.search(text):
        raise ValidationError(
            f"The text '{printable(text)}' has characters that no request path may have. "
            "Leave control characters and lone surrogates out."
        )


def _whole(value: Any) -> int:
    """Return *value* as an integer, unless that would change a number."""
    try:
        number = int(value)
    except OverflowError as error:
        raise ValidationError(f"{value!r} is no integer. Give one.") from error
    from numbers import Number

    if number != value and isinstance(value, Number):
        # SAFETY: 1.5 as 1 would be a link to another's page.
        raise ValidationError(f"{value!r} is no integer. Round it as you mean it.")
    return number


def read_by_regex(converter: BaseConverter, text: str) -> tuple[Any] | None:
    """Return the value of *text* in a tuple, ``None`` when the converter does not accept it."""
    if re.fullmatch(converter.regex, text) is None:
        return None
    try:
        return (converter.to_python(text),)
    except ValidationError:
        return None


def parse_converter_args(text: str) -> tuple[tuple[Argument, ...], dict[str, Argument]]:
    """Return the positional and the keyword arguments of a placeholder.

    Args:
        text: What stands between the parentheses: a comma list of ``value`` and ``name=value``.
            Values are ``True``, ``False``, ``None``, integers, decimals, quoted strings, or bare
            words, which are strings.

    Raises:
        ValueError: The text is not such a list; the developer's fault.
    """
    args: list[Argument] = []
    kwargs: dict[str, Argument] = {}
    position = 0
    while position < len(text):
        item = _ARGUMENT.match(text, position)
        if item is None:
            raise ValueError(
                f"Cannot parse converter argument {text[position:]!r}. "
                "Write values or name=value, separated by commas, and quote other text."
            )
        name, value = item.groups()
        if name is None:
            args.append(_literal(value))
        else:
            kwargs[name] = _literal(value)
        position = item.end()
    return tuple(args), kwargs


def _literal(text: str) -> Argument:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] in "\"'":
        return text[1:-1]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
