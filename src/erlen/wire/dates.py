"""Floor 1: HTTP dates, read in the three formats of RFC 9110 section 5.6.7 and written in one."""

import re
import time
from datetime import UTC, date, datetime
from time import struct_time

from erlen.wire.patterns import late

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBER = {name: number for number, name in enumerate(_MONTHS, 1)}
_LONGEST = 64

_MONTH = "(?P<month>[A-Za-z]{3})"
_CLOCK = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMATS = tuple(
    late(pattern, re.ASCII)
    for pattern in (
        # SPEC: IMF-fixdate "Sun, 06 Nov 1994 08:49:37 GMT"
        rf"[A-Za-z]{{3}}, (?P<day>[0-9]{{1,2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT",
        # SPEC: RFC 850 "Sunday, 06-Nov-94 08:49:37 GMT"
        rf"[A-Za-z]{{6,9}}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT",
        # SPEC: asctime "Sun Nov  6 08:49:37 1994"
        rf"[A-Za-z]{{3}} {_MONTH} (?P<day>[ 0-9][0-9]) {_CLOCK} (?P<year>[0-9]{{4}})",
    )
)


def http_date(timestamp: datetime | date | float | struct_time | None = None) -> str:
    """Return an instant as ``"Sun, 06 Nov 1994 08:49:37 GMT"`` (IMF-fixdate).

    Args:
        timestamp: Seconds since the epoch, a datetime (a naive one is UTC), a date (its midnight),
            a ``struct_time`` in UTC, or ``None`` for now. Fractions of a second are cut off.

    Raises:
        ValueError: The instant is outside the years 1 to 9999.
    """
    if timestamp is None:
        timestamp = int(time.time())
    try:
        moment = _moment(timestamp)
    except (OverflowError, OSError, ValueError):
        raise ValueError(
            f"The instant {timestamp!r} is not within the years 1 to 9999. "
            "Give a date, or seconds since 1970-01-01 UTC."
        ) from None
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month - 1]} "
        f"{moment.year:04d} {moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} GMT"
    )


def _moment(timestamp: datetime | date | float | struct_time) -> datetime:
    if isinstance(timestamp, datetime):
        return timestamp if timestamp.tzinfo is None else timestamp.astimezone(UTC)
    if isinstance(timestamp, date):
        return datetime(timestamp.year, timestamp.month, timestamp.day, tzinfo=UTC)
    if isinstance(timestamp, struct_time):
        return datetime(*timestamp[:5], min(timestamp[5], 59), tzinfo=UTC)
    return datetime.fromtimestamp(timestamp, UTC)


def parse_date(value: str | None) -> datetime | None:
    """Return the instant of an HTTP date in UTC, ``None`` for anything that is none; never raises.

    The name of the day is not compared with the date. Two-digit years are at most 50 years ahead
    (RFC 9110 section 5.6.7). A leap second counts as the second before it.
    """
    if not value or len(value) > _LONGEST:
        return None
    text = value.strip()
    for pattern in _FORMATS:
        found = pattern.fullmatch(text)
        if found is not None:
            return _from_fields(found.groupdict())
    return None


def _from_fields(fields: dict[str, str]) -> datetime | None:
    month = _MONTH_NUMBER.get(fields["month"].capitalize())
    if month is None:
        return None
    year = int(fields["year"])
    if len(fields["year"]) == 2:
        year = _century(year)
    hour, minute, second = int(fields["hour"]), int(fields["minute"]), int(fields["second"])
    if second == 60:
        second = 59
    try:
        return datetime(year, month, int(fields["day"]), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _century(two_digits: int) -> int:
    earliest = time.gmtime().tm_year - 49
    return earliest + (two_digits - earliest) % 100
