"""HTTP dates: RFC 9110 section 5.6.7."""

import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import http_date as oracle_http_date

from erlen.wire.dates import http_date, parse_date

MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
TEXT = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    "value",
    [
        MOMENT,
        MOMENT.replace(tzinfo=None),
        MOMENT.astimezone(timezone(timedelta(hours=9))),
        784111777,
        784111777.9,
        time.gmtime(784111777),
    ],
)
def test_every_kind_of_instant_is_written_alike(value: Any) -> None:
    assert http_date(value) == TEXT


def test_date_is_its_midnight() -> None:
    assert http_date(date(2020, 1, 1)) == "Wed, 01 Jan 2020 00:00:00 GMT"


def test_leap_second_of_a_struct_time_is_the_second_before() -> None:
    moment = time.struct_time((2016, 12, 31, 23, 59, 60, 5, 366, 0))
    assert http_date(moment) == "Sat, 31 Dec 2016 23:59:59 GMT"


def test_nothing_means_now() -> None:
    before = int(time.time())
    now = parse_date(http_date())
    assert now is not None
    assert before <= now.timestamp() <= time.time()


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        10**20,
        -(10**20),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_instant_out_of_range_is_a_value_error(value: float) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        http_date(value)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        f" {TEXT} ",
    ],
    ids=["IMF-fixdate", "RFC 850", "asctime", "one-digit day", "blanks around"],
)
def test_every_format_is_read(text: str) -> None:
    assert parse_date(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "soon",
        "0",
        "Sun, 06 Nov 19940000000 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun Nov  x 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 GMT" + " " * 100,
    ],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert parse_date(text) is None


def test_leap_second_counts_as_the_second_before() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == datetime(
        2016, 12, 31, 23, 59, 59, tzinfo=UTC
    )


def test_two_digit_year_is_at_most_fifty_years_ahead() -> None:
    this_year = time.gmtime().tm_year
    for ahead, expected in ((50, this_year + 50), (51, this_year - 49)):
        found = parse_date(f"Sunday, 06-Nov-{(this_year + ahead) % 100:02d} 08:49:37 GMT")
        assert found is not None
        assert found.year == expected


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_reads_back(moment: datetime) -> None:
    assert parse_date(http_date(moment)) == moment.replace(microsecond=0)
    assert http_date(moment) == oracle_http_date(moment)


@given(
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4,11} [0-9:]{8} GMT")
)
def test_reading_never_raises(text: str) -> None:
    parse_date(text)
