"""Range, Content-Range and If-Range: what is served, what is ignored and what is 416."""

from datetime import UTC, datetime
from timeit import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import http as werkzeug_http

from erlen.exceptions import RequestedRangeNotSatisfiable
from erlen.wire.ranges import (
    ContentRange,
    IfRange,
    Range,
    parse_content_range_header,
    parse_if_range_header,
    parse_range_header,
    resolve,
)

SAME = "Fri, 02 Jan 2026 00:00:00 GMT"
MODIFIED = datetime(2026, 1, 2, 0, 0, 0, 999_999, tzinfo=UTC)

PAIRS = st.one_of(
    st.tuples(st.integers(0, 50), st.none()),
    st.tuples(st.integers(-50, -1), st.none()),
    st.tuples(st.integers(0, 50), st.integers(1, 50)).map(
        lambda pair: (pair[0], pair[0] + pair[1])
    ),
)


def spans(value: str, length: int = 13) -> list[tuple[int, int]]:
    asked = parse_range_header(value)
    assert asked is not None
    return resolve(asked, length)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param("bytes=0-4", [(0, 5)], id="B-121"),
        pytest.param("bytes=-99999", [(0, 13)], id="B-124"),
        pytest.param("bytes=-5", [(8, 13)], id="SF-8 suffix"),
        pytest.param("bytes=4-", [(4, 13)], id="SF-8 open"),
        pytest.param("BYTES=0-1", [(0, 2)], id="B-127"),
        pytest.param(" bytes =0-1 , 3-4", [(0, 2), (3, 5)], id="blanks"),
        pytest.param("bytes=0-1,3-4", [(0, 2), (3, 5)], id="B-128"),
        pytest.param("bytes=7-8,0-1", [(7, 9), (0, 2)], id="B-128 order"),
        pytest.param("bytes=7-8,0-1,8-9", [(7, 10), (0, 2)], id="B-128 order of merged"),
        pytest.param("bytes=0-,0-,0-", [(0, 13)], id="B-130"),
        pytest.param("bytes=0-4,5-6", [(0, 7)], id="B-130 touching"),
        pytest.param("bytes=0-9,2-3", [(0, 10)], id="B-130 inside"),
        pytest.param("bytes=0-9223372036854775808", [(0, 13)], id="B-132"),
        pytest.param("bytes=99-,0-0", [(0, 1)], id="one of two exists"),
        pytest.param("bytes=-0,0-0", [(0, 1)], id="B-133 with another"),
    ],
)
def test_ranges_of_13_bytes(value: str, found: list[tuple[int, int]]) -> None:
    assert spans(value) == found


@pytest.mark.parametrize(
    ("value", "length"),
    [
        pytest.param("bytes=999-", 13, id="B-123"),
        pytest.param("bytes=13-", 13, id="B-123 just past"),
        pytest.param("bytes=-0", 13, id="B-133"),
        pytest.param("bytes=0-0", 0, id="B-136"),
        pytest.param("bytes=-1", 0, id="B-136 suffix"),
    ],
)
def test_range_past_the_end_is_416(value: str, length: int) -> None:
    with pytest.raises(RequestedRangeNotSatisfiable) as caught:
        spans(value, length)
    assert caught.value.get_headers() == [("Content-Range", f"bytes */{length}")]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="absent"),
        pytest.param("", id="empty"),
        pytest.param("bytes=5-2", id="B-122"),
        *(pytest.param(f"bytes={text}", id=f"B-125 {text}") for text in ["--5", "", "a-b", "0-1,", "-", "5", "1-2-3"]),
        pytest.param("bytes 0-1", id="B-125 no equals"),
        pytest.param("items=0-5", id="B-126"),
        pytest.param("bytes=" + "0-0," * 16 + "1-1", id="B-129 17"),
        pytest.param("bytes=" + "0-0," * 20_000, id="B-129 20,000"),
        *(pytest.param(f"bytes={text}", id=f"B-131 {text[:5]!a}") for text in ["\u0660-\u0664", "²-", "1_0-", "+0-1", "9" * 5000 + "-"]),
        pytest.param("bytes=0 -1", id="blank inside"),
        pytest.param("bytes=0-1\n", id="newline"),
    ],
)  # fmt: skip
def test_a_malformed_or_foreign_range_is_ignored(value: str | None) -> None:
    assert parse_range_header(value) is None


def test_b129_sixteen_ranges_are_served_and_20000_cost_nothing() -> None:
    assert len(spans("bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(16)), 100)) == 16
    many = "bytes=" + "0-0," * 20_000
    assert parse_range_header(many) is None
    assert min(repeat(lambda: parse_range_header(many), number=1, repeat=5)) < 0.005


def test_other_units_are_read_when_asked_for_but_never_resolved() -> None:
    asked = parse_range_header("Items=0-4", unit="items")
    assert asked == Range("items", [(0, 5)])
    assert asked.range_for_length(10) is None
    with pytest.raises(ValueError, match="counts in 'items'"):
        resolve(asked, 10)


@given(st.lists(PAIRS, min_size=1, max_size=16))
def test_ds7_ranges_round_trip(pairs: list[tuple[int, int | None]]) -> None:
    asked = Range("bytes", pairs)
    assert parse_range_header(asked.to_header()) == asked


@given(st.lists(PAIRS, min_size=1, max_size=16), st.integers(0, 60))
def test_b130_spans_cover_the_asked_bytes_once(
    pairs: list[tuple[int, int | None]], length: int
) -> None:
    asked = {i for a, b in pairs for i in list(range(length))[a:b]}
    try:
        found = resolve(Range("bytes", pairs), length)
    except RequestedRangeNotSatisfiable:
        found = []
    assert sorted(i for a, b in found for i in range(a, b)) == sorted(asked)


@given(st.text())
def test_parse_range_header_never_raises(value: str) -> None:
    parse_range_header(value)
    parse_range_header(f"bytes={value}")
    parse_content_range_header(f"bytes {value}")
    parse_if_range_header(value)


@given(PAIRS, st.integers(1, 60))
def test_single_ranges_are_read_as_werkzeug_does(pair: tuple[int, int | None], length: int) -> None:
    # Differences: Werkzeug keeps ranges of any number and unit, takes "-0", and answers None for a
    # suffix longer than the representation (B-124, B-126, B-129, B-133).
    header = Range("bytes", [pair]).to_header()
    theirs = werkzeug_http.parse_range_header(header)
    ours = parse_range_header(header)
    assert ours is not None
    assert theirs is not None
    assert list(ours.ranges) == list(theirs.ranges)
    if pair[0] >= -length:
        assert ours.range_for_length(length) == theirs.range_for_length(length)


@pytest.mark.parametrize(
    ("pairs", "length", "span"),
    [
        ([(0, 5)], 13, (0, 5)),
        ([(0, 5)], 3, (0, 3)),
        ([(-3, None)], 13, (10, 13)),
        ([(13, None)], 13, None),
        ([(0, 5)], None, None),
        ([(0, 1), (3, 4)], 13, None),
    ],
)
def test_ds7_range_for_length(
    pairs: list[tuple[int, int | None]], length: int | None, span: tuple[int, int] | None
) -> None:
    asked = Range("bytes", pairs)
    assert asked.range_for_length(length) == span
    content = asked.make_content_range(length)
    assert (content is None) == (span is None)
    assert content is None or (content.start, content.stop, content.length) == (
        *(span or ()),
        length,
    )


@pytest.mark.parametrize(
    "pairs", [[], [(5, 5)], [(5, 2)], [(-5, -2)], [(-5, 3)], [(0, 1), (3, 2)]], ids=repr
)
def test_a_range_that_is_none_is_a_value_error(pairs: list[tuple[int, int | None]]) -> None:
    with pytest.raises(ValueError, match=r"\. Give"):
        Range("bytes", pairs)


def test_ranges_are_values() -> None:
    asked = Range("bytes", [(0, 5), (-3, None), (7, None), (0, 0)])
    assert str(asked) == "bytes=0-4,-3,7-,-0"
    assert repr(asked) == "<Range 'bytes=0-4,-3,7-,-0'>"
    assert hash(asked) == hash(Range("bytes", asked.ranges))
    assert asked != str(asked)


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("bytes 0-4/13", ("bytes", 0, 5, 13)),
        ("bytes 0-4/*", ("bytes", 0, 5, None)),
        ("bytes */13", ("bytes", None, None, 13)),
        (" items 0-0/1 ", ("items", 0, 1, 1)),
    ],
)
def test_ds7_content_range_is_read_and_written(value: str, fields: tuple[object, ...]) -> None:
    found = parse_content_range_header(value)
    assert found
    assert (found.units, found.start, found.stop, found.length) == fields
    assert str(found) == value.strip()


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "bytes",
        "bytes 0-4",
        "bytes */*",
        "bytes 4-0/13",
        "bytes 0-13/13",
        "bytes -4/13",
        "bytes \u0660-\u0664/9",
    ],
)
def test_a_malformed_content_range_is_none(value: str | None) -> None:
    assert parse_content_range_header(value) is None


def test_ds6_changes_of_a_content_range_are_told() -> None:
    told: list[str] = []
    content = ContentRange(
        "bytes", 0, 5, 13, on_update=lambda changed: told.append(changed.to_header())
    )
    content.set(1, 3, 10)
    content.set(None, None, 10)
    content.unset()
    assert told == ["bytes 1-2/10", "bytes */10", ""]
    assert not content
    assert repr(content) == "<ContentRange ''>"


@pytest.mark.parametrize(
    ("start", "stop", "length"),
    [(0, None, 13), (None, 5, 13), (5, 5, 13), (-1, 5, 13), (0, 14, 13)],
)
def test_a_content_range_that_cannot_be_is_a_value_error(
    start: int, stop: int, length: int
) -> None:
    with pytest.raises(ValueError, match=r"\. Give"):
        ContentRange("bytes", start, stop, length)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        pytest.param(None, True, id="absent"),
        pytest.param(" ", True, id="blank"),
        pytest.param('"x"', True, id="B-137 strong tag"),
        pytest.param('"y"', False, id="B-137 other tag"),
        pytest.param('W/"x"', False, id="B-137 weak tag"),
        pytest.param(SAME, True, id="B-137 date equal"),
        pytest.param("Sat, 03 Jan 2026 00:00:00 GMT", False, id="B-137 date later"),
        pytest.param("Thu, 01 Jan 2026 00:00:00 GMT", False, id="B-137 date earlier"),
        pytest.param("junk", False, id="B-137 junk"),
        pytest.param("x", False, id="B-137 unquoted"),
        pytest.param('"x", "y"', False, id="B-137 list"),
        pytest.param('"', False, id="B-137 lone quote"),
    ],
)
def test_if_range_decides_between_part_and_whole(value: str | None, allowed: bool) -> None:
    assert parse_if_range_header(value).allows_range('"x"', MODIFIED) is allowed


def test_if_range_never_matches_a_weak_or_absent_validator() -> None:
    assert not parse_if_range_header('"x"').allows_range('W/"x"', None)
    assert not parse_if_range_header('"x"').allows_range(None, MODIFIED)
    assert not parse_if_range_header(SAME).allows_range('"x"', None)


def test_if_range_takes_naive_dates_as_utc() -> None:
    assert parse_if_range_header(SAME).allows_range(None, MODIFIED.replace(tzinfo=None))


@pytest.mark.parametrize("value", ["", '"x"', SAME])
def test_ds7_if_range_round_trips(value: str) -> None:
    assert str(parse_if_range_header(value)) == value


def test_if_range_tells_junk_from_absence() -> None:
    assert parse_if_range_header("junk") == IfRange(unmet=True) != IfRange()
