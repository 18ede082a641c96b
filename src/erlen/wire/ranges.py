"""Floor 1: byte ranges: Range, Content-Range and If-Range (RFC 9110 sections 13.1.5 and 14).

A ``Range`` field that is malformed, of another unit or longer than a person would need is ignored,
which the parser says by ``None``; the answer is then the whole representation with 200. Only a
well-formed field that asks for nothing that exists is a 416. All intervals are half-open.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from erlen.exceptions import RequestedRangeNotSatisfiable
from erlen.wire.dates import http_date, parse_date
from erlen.wire.patterns import late

_MAX_RANGES: Final = 16
_BLANKS: Final = " \t"
#: SAFETY: ASCII digits only, at most 20: enough for 2**64, too few to be slow to convert.
_RANGE: Final = late(r"([0-9]{0,20})-([0-9]{0,20})")
_CONTENT_RANGE: Final = late(
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (?:([0-9]{1,20})-([0-9]{1,20})|\*)/(?:([0-9]{1,20})|\*)"
)


class Range:
    """What a ``Range`` field asks for.

    Args:
        units: Unit of the numbers, ``"bytes"``.
        ranges: Pairs ``(start, stop)``. A *stop* of ``None`` means to the end; a negative *start*
            with it means the last bytes; ``(0, 0)`` stands for ``-0``, the last no bytes.

    Raises:
        ValueError: No ranges, or one that ends before it starts.
    """

    __slots__ = ("ranges", "units")

    def __init__(self, units: str, ranges: Sequence[tuple[int, int | None]]) -> None:
        for start, stop in ranges:
            if stop is not None and not 0 <= start < stop and (start, stop) != (0, 0):
                raise ValueError(
                    f"The range ({start}, {stop}) is empty. "
                    "Give a start below its stop, or a negative start and None."
                )
        if not ranges:
            raise ValueError("A Range needs at least one range. Give pairs (start, stop).")
        self.units = units
        self.ranges = tuple(ranges)

    def range_for_length(self, length: int | None) -> tuple[int, int] | None:
        """Return ``(start, stop)`` within *length* bytes.

        ``None`` when there is not exactly one range, it lies outside, or *length* is unknown.
        """
        if self.units != "bytes" or length is None or len(self.ranges) != 1:
            return None
        return _clip(*self.ranges[0], length)

    def make_content_range(self, length: int | None) -> "ContentRange | None":
        """Return the ``Content-Range`` of a 206 with the one range asked for, or ``None``."""
        span = self.range_for_length(length)
        return None if span is None else ContentRange(self.units, *span, length)

    def to_header(self) -> str:
        """Return the field value."""
        return f"{self.units}={','.join(_dump(*pair) for pair in self.ranges)}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        return (self.units, self.ranges) == (other.units, other.ranges)

    def __hash__(self) -> int:
        return hash((self.units, self.ranges))

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"<Range {self.to_header()!r}>"


def parse_range_header(value: str | None, *, unit: str = "bytes") -> Range | None:
    """Return what a ``Range`` field asks for, or ``None`` when it must be ignored.

    Ignored are: other units than *unit*, anything malformed, ranges that end before they start,
    and more than 16 ranges.

    Source: RFC 9110 section 14.1.1; section 14.2 permits to ignore excessive ranges.
    """
    name, equals, specs = (value or "").partition("=")
    if not equals or name.strip(_BLANKS).lower() != unit:
        return None
    items = specs.split(",", _MAX_RANGES)
    # SAFETY: many small ranges cost far more to answer than to ask (CVE-2011-3192).
    if len(items) > _MAX_RANGES:
        return None
    ranges = [_parse(item.strip(_BLANKS)) for item in items]
    found = [pair for pair in ranges if pair is not None]
    return Range(unit, found) if len(found) == len(items) else None


def resolve(asked: Range, length: int) -> list[tuple[int, int]]:
    """Return the byte spans to send, each within the representation, none overlapping.

    Args:
        asked: A range in bytes.
        length: Size of the representation in bytes; 0 is allowed.

    Returns:
        Half-open spans in the order asked for; spans that overlap or touch are merged, so the sum
        is never over *length*.

    Raises:
        RequestedRangeNotSatisfiable: Every range lies outside; 416 with *length*.
        ValueError: *asked* counts in another unit.

    Source: RFC 9110 sections 14.1.2, 14.2 and 15.3.7.2.
    """
    if asked.units != "bytes":
        raise ValueError(f"The range counts in {asked.units!r}. Only bytes can be resolved.")
    spans = [span for pair in asked.ranges if (span := _clip(*pair, length)) is not None]
    if not spans:
        raise RequestedRangeNotSatisfiable(length)
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return sorted(merged, key=lambda whole: _first_within(whole, spans))


def _parse(item: str) -> tuple[int, int | None] | None:
    """Return one range of a ``Range`` field, or ``None`` when it is malformed."""
    match = _RANGE.fullmatch(item)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        if not last:
            return None
        return (-int(last), None) if int(last) else (0, 0)
    if not last:
        return int(first), None
    return (int(first), int(last) + 1) if int(first) <= int(last) else None


def _dump(start: int, stop: int | None) -> str:
    if stop is None:
        return str(start) if start < 0 else f"{start}-"
    return f"{start}-{stop - 1}" if stop else "-0"


def _first_within(whole: tuple[int, int], spans: list[tuple[int, int]]) -> int:
    """Return the position of the first of *spans* that went into *whole*."""
    return next(i for i, (start, _) in enumerate(spans) if whole[0] <= start < whole[1])


def _clip(start: int, stop: int | None, length: int) -> tuple[int, int] | None:
    """Return the part of a range that exists, or ``None``."""
    if start < 0:
        start = max(start + length, 0)
    stop = length if stop is None else min(stop, length)
    return (start, stop) if start < stop else None


class ContentRange:
    """The part of a representation that a message carries; changes are told to *on_update*.

    Args:
        units: Unit of the numbers, or ``None`` for no field at all.
        start: First position, or ``None`` when no range could be served.
        stop: One past the last position, or ``None`` as *start*.
        length: Size of the whole, or ``None`` when unknown.
        on_update: Called with this object after every change.

    Raises:
        ValueError: The interval is empty or reaches past *length*.
    """

    __slots__ = ("_length", "_start", "_stop", "_units", "on_update")

    def __init__(
        self,
        units: str | None,
        start: int | None,
        stop: int | None,
        length: int | None = None,
        on_update: "Callable[[ContentRange], None] | None" = None,
    ) -> None:
        self.on_update: Callable[[ContentRange], None] | None = None
        self.set(start, stop, length, units)
        self.on_update = on_update

    @property
    def units(self) -> str | None:
        """Unit of the numbers; ``None`` means that there is no field."""
        return self._units

    @property
    def start(self) -> int | None:
        """First position, counted from 0."""
        return self._start

    @property
    def stop(self) -> int | None:
        """One past the last position."""
        return self._stop

    @property
    def length(self) -> int | None:
        """Size of the whole; ``None`` when unknown."""
        return self._length

    def set(
        self,
        start: int | None,
        stop: int | None,
        length: int | None = None,
        units: str | None = "bytes",
    ) -> None:
        """Replace all four values at once, as they constrain one another."""
        if (start is None) != (stop is None):
            raise ValueError(
                f"Only one of start={start} and stop={stop} is given. Give both or neither."
            )
        if start is not None and stop is not None:
            end = stop if length is None else length
            if not 0 <= start < stop <= end:
                raise ValueError(
                    f"The range {start} to {stop} of {length} does not exist. "
                    "Give 0 <= start < stop <= length."
                )
        self._units, self._start, self._stop, self._length = units, start, stop, length
        if self.on_update is not None:
            self.on_update(self)

    def unset(self) -> None:
        """Remove the field."""
        self.set(None, None, units=None)

    def to_header(self) -> str:
        """Return the field value, ``""`` when there is none."""
        if self._units is None:
            return ""
        length = "*" if self._length is None else self._length
        if self._start is None or self._stop is None:
            return f"{self._units} */{length}"
        return f"{self._units} {self._start}-{self._stop - 1}/{length}"

    def __bool__(self) -> bool:
        return self._units is not None

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"<ContentRange {self.to_header()!r}>"


def parse_content_range_header(
    value: str | None, on_update: Callable[[ContentRange], None] | None = None
) -> ContentRange | None:
    """Return the object of a ``Content-Range`` field, or ``None`` when it is malformed.

    Source: RFC 9110 section 14.4.
    """
    match = _CONTENT_RANGE.fullmatch((value or "").strip(_BLANKS))
    if match is None:
        return None
    units, first, last, size = match.groups()
    length = None if size is None else int(size)
    if first is None:
        return None if length is None else ContentRange(units, None, None, length, on_update)
    try:
        return ContentRange(units, int(first), int(last) + 1, length, on_update)
    except ValueError:
        return None


class IfRange(NamedTuple):
    """The condition of an ``If-Range`` field: send the range only if nothing has changed.

    Attributes:
        etag: Opaque strong tag, or ``None``.
        date: Date of the representation that the client has, or ``None``.
        unmet: The field was there, but can match nothing: a weak tag, or neither tag nor date.
    """

    etag: str | None = None
    date: datetime | None = None
    unmet: bool = False

    def allows_range(self, etag: str | None, last_modified: datetime | None) -> bool:
        """Return whether the range may be served; without a field it always may.

        Args:
            etag: ``ETag`` of the representation as it would be sent, or ``None``.
            last_modified: Its date, or ``None``; compared in whole seconds, naive means UTC.

        Source: RFC 9110 section 13.1.5: strong comparison, dates must be equal.
        """
        if self.etag is not None:
            return etag == f'"{self.etag}"'
        if self.date is None:
            return not self.unmet
        if last_modified is None:
            return False
        if last_modified.tzinfo is None:
            last_modified = last_modified.replace(tzinfo=UTC)
        return last_modified.replace(microsecond=0) == self.date

    def to_header(self) -> str:
        """Return the field value, ``""`` when there is no tag and no date."""
        if self.etag is not None:
            return f'"{self.etag}"'
        return "" if self.date is None else http_date(self.date)

    def __str__(self) -> str:
        return self.to_header()


def parse_if_range_header(value: str | None) -> IfRange:
    """Return the condition of a field value; without one, the condition that always holds."""
    text = (value or "").strip(_BLANKS)
    if not text:
        return IfRange()
    if len(text) >= 2 and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
        return IfRange(etag=text[1:-1])
    date = parse_date(text)
    return IfRange(unmet=True) if date is None else IfRange(date=date)
