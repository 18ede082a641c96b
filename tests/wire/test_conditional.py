"""Entity tags, and the order in which the conditions of a request are decided."""

from datetime import UTC, datetime, timedelta, timezone
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import http as werkzeug_http

from erlen.wire.conditional import (
    ETags,
    Precondition,
    decide,
    generate_etag,
    parse_etags,
    quote_etag,
    unquote_etag,
)

PROCEED, NOT_MODIFIED, FAILED = Precondition.PROCEED, Precondition.NOT_MODIFIED, Precondition.FAILED
EARLIER = "Thu, 01 Jan 2026 00:00:00 GMT"
SAME = "Fri, 02 Jan 2026 00:00:00 GMT"
LATER = "Sat, 03 Jan 2026 00:00:00 GMT"
MODIFIED = datetime(2026, 1, 2, 0, 0, 0, 999_999, tzinfo=UTC)

OPAQUE = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF).filter(
        lambda c: c != '"' and not "\x7e" < c < "\x80"
    )
)


@pytest.mark.parametrize(
    ("value", "strong", "weak"),
    [
        pytest.param(None, set(), set(), id="absent"),
        pytest.param("", set(), set(), id="empty"),
        pytest.param('"a"', {"a"}, set(), id="one"),
        pytest.param('"a", W/"b" ,"c"', {"a", "c"}, {"b"}, id="B-138 list with weak"),
        pytest.param('"a,b","c"', {"a,b", "c"}, set(), id="B-138 comma inside"),
        pytest.param("a", set(), set(), id="B-138 unquoted"),
        pytest.param('x, "a"', {"a"}, set(), id="B-138 unquoted first"),
        pytest.param('"a", "b', {"a"}, set(), id="B-138 unterminated"),
        pytest.param('"a"x, "b"', {"b"}, set(), id="junk behind a tag"),
        pytest.param('""', {""}, set(), id="empty tag"),
        pytest.param('w/"a"', set(), set(), id="weak mark is case-sensitive"),
        pytest.param('"a", *', {"a"}, set(), id="star in a list is no star"),
        pytest.param(', ,"a",, ', {"a"}, set(), id="empty members"),
    ],
)
def test_ds7_parse_etags(value: str | None, strong: set[str], weak: set[str]) -> None:
    assert parse_etags(value) == ETags(strong, weak)


@pytest.mark.parametrize("value", ["*", " * "])
def test_b138_star_contains_every_tag_but_lists_none(value: str) -> None:
    tags = parse_etags(value)
    assert tags.star_tag
    assert tags
    assert "x" in tags
    assert tags.contains_weak("x")
    assert not tags.is_strong("x")
    assert (len(tags), tags.to_header()) == (0, "*")


def test_ds7_strong_comparison_ignores_weak_tags() -> None:
    tags = ETags(["s"], ["w"])
    assert (tags.contains("s"), tags.contains("w")) == (True, False)
    assert (tags.contains_weak("s"), tags.contains_weak("w"), tags.contains_weak("x")) == (
        True,
        True,
        False,
    )
    assert (tags.is_strong("s"), tags.is_strong("w")) == (True, False)
    assert (tags.is_weak("w"), tags.is_weak("s")) == (True, False)
    assert (tags.as_set(), tags.as_set(include_weak=True)) == ({"s"}, {"s", "w"})
    assert (list(tags), len(tags)) == (["s"], 1)


@pytest.mark.parametrize(
    ("raw", "contained"),
    [('"s"', True), ('W/"s"', True), ('"w"', False), ('W/"w"', True), ("", False)],
)
def test_ds7_contains_raw_compares_as_the_tag_is_written(raw: str, contained: bool) -> None:
    assert ETags(["s"], ["w"]).contains_raw(raw) is contained


def test_etags_are_values() -> None:
    tags = ETags(["b", "a"], ["c"])
    assert str(tags) == '"a", "b", W/"c"'
    assert repr(tags) == '<ETags \'"a", "b", W/"c"\'>'
    assert tags == parse_etags(str(tags))
    assert hash(tags) == hash(parse_etags(str(tags)))
    assert tags != str(tags)
    assert not ETags()


@pytest.mark.parametrize("text", ['"a",', '"', '"a, ', '"a" x, ', ",", " ", 'W/"'])
def test_b138_reading_etags_is_linear(text: str) -> None:
    def seconds(count: int) -> float:
        laps = []
        for _ in range(3):
            start = thread_time()
            parse_etags(text * count)
            laps.append(thread_time() - start)
        return min(laps)

    assert seconds(50_000) < 40 * max(seconds(5_000), 1e-5)


@given(st.lists(OPAQUE), st.lists(OPAQUE))
def test_etags_round_trip(strong: list[str], weak: list[str]) -> None:
    tags = ETags(strong, weak)
    assert parse_etags(tags.to_header()) == tags


@given(st.lists(st.tuples(OPAQUE.filter(bool), st.booleans())))
def test_etags_are_read_as_werkzeug_does(pairs: list[tuple[str, bool]]) -> None:
    # Differences: Werkzeug takes unquoted words as tags and reads the empty tag as None;
    # RFC 9110 section 8.8.3 knows no tag without quotes, and the empty one is a tag.
    header = ",".join(quote_etag(tag, weak) for tag, weak in pairs)
    ours, theirs = parse_etags(header), werkzeug_http.parse_etags(header)
    assert ours.as_set() == theirs.as_set()
    assert ours.as_set(include_weak=True) == theirs.as_set(include_weak=True)


@given(st.text())
def test_parse_etags_never_raises(value: str) -> None:
    parse_etags(value)


@given(OPAQUE, st.booleans())
def test_quote_and_unquote_are_inverse(tag: str, weak: bool) -> None:
    assert unquote_etag(quote_etag(tag, weak)) == (tag, weak)


@pytest.mark.parametrize("tag", ['a"b', "a\r\nb", "a b", "\x00", "€", "\x7f"])
def test_b234_a_tag_that_no_header_can_carry_is_a_value_error(tag: str) -> None:
    with pytest.raises(ValueError, match="holds quotes, blanks, control characters"):
        quote_etag(tag)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (None, (None, None)),
        ("", (None, None)),
        ('"a"', ("a", False)),
        ('W/"a"', ("a", True)),
        ("a", ("a", False)),
        ('"', ('"', False)),
        (' "a" ', ("a", False)),
    ],
)
def test_unquote_etag(written: str | None, read: tuple[str | None, bool | None]) -> None:
    assert unquote_etag(written) == read


def test_rs6_generated_etags_depend_on_the_data_alone() -> None:
    assert generate_etag(b"a") == generate_etag(b"a") != generate_etag(b"b")
    assert quote_etag(generate_etag(b"")) == '"e3b0c44298fc1c149afbf4c8996fb924"'


@pytest.mark.parametrize(
    ("method", "headers", "decision"),
    [
        pytest.param("GET", {}, PROCEED, id="no conditions"),
        pytest.param("GET", {"if-match": '"x"'}, PROCEED, id="B-141 If-Match"),
        pytest.param("GET", {"if-match": '"y"'}, FAILED, id="B-141 If-Match mismatch"),
        pytest.param("PUT", {"if-match": '"y"'}, FAILED, id="B-141 If-Match mismatch PUT"),
        pytest.param("PUT", {"if-match": "*"}, PROCEED, id="B-141 If-Match star"),
        pytest.param("PUT", {"if-match": 'W/"x"'}, FAILED, id="If-Match compares strongly"),
        pytest.param("PUT", {"if-match": "junk"}, FAILED, id="If-Match junk"),
        pytest.param("PUT", {"if-match": ""}, PROCEED, id="If-Match empty"),
        pytest.param(
            "PUT", {"if-unmodified-since": EARLIER}, FAILED, id="B-141 If-Unmodified-Since"
        ),
        pytest.param("PUT", {"if-unmodified-since": SAME}, PROCEED, id="B-141 same second"),
        pytest.param("PUT", {"if-unmodified-since": "junk"}, PROCEED, id="B-142 junk date"),
        pytest.param(
            "PUT", {"if-match": '"x"', "if-unmodified-since": EARLIER}, PROCEED, id="If-Match wins"
        ),
        pytest.param("GET", {"if-none-match": '"x"'}, NOT_MODIFIED, id="SF-7 If-None-Match"),
        pytest.param("HEAD", {"if-none-match": 'W/"x"'}, NOT_MODIFIED, id="B-138 weak comparison"),
        pytest.param("GET", {"if-none-match": "*"}, NOT_MODIFIED, id="B-138 star"),
        pytest.param("GET", {"if-none-match": "x"}, PROCEED, id="B-138 unquoted"),
        pytest.param("GET", {"if-none-match": '"x'}, PROCEED, id="B-138 unterminated"),
        pytest.param("POST", {"if-none-match": '"x"'}, FAILED, id="B-139"),
        pytest.param("PUT", {"if-none-match": "*"}, FAILED, id="B-139 star"),
        pytest.param(
            "GET", {"if-none-match": '"y"', "if-modified-since": SAME}, PROCEED, id="B-140"
        ),
        pytest.param("GET", {"if-modified-since": SAME}, NOT_MODIFIED, id="SF-7 same second"),
        pytest.param("GET", {"if-modified-since": LATER}, NOT_MODIFIED, id="SF-7 later"),
        pytest.param("GET", {"if-modified-since": EARLIER}, PROCEED, id="SF-7 earlier"),
        pytest.param(
            "POST", {"if-modified-since": SAME}, PROCEED, id="If-Modified-Since is for GET"
        ),
        pytest.param(
            "GET", {"if-modified-since": "Fri, 02 Jan 12026 00:00:00 GMT"}, PROCEED, id="B-142 year"
        ),
        pytest.param(
            "GET", {"if-match": '"x"', "if-none-match": '"x"'}, NOT_MODIFIED, id="both tags match"
        ),
        pytest.param(
            "GET", {"if-match": '"y"', "if-none-match": '"x"'}, FAILED, id="If-Match first"
        ),
        pytest.param("OPTIONS", {"if-match": '"y"'}, PROCEED, id="no representation is selected"),
    ],
)
def test_rs7_decide(method: str, headers: dict[str, str], decision: Precondition) -> None:
    assert decide(method, headers, etag='"x"', last_modified=MODIFIED) is decision
    named = decide(method, headers, etag='"x"', last_modified=MODIFIED, names=headers.keys())
    assert named is decision


@pytest.mark.parametrize(
    ("headers", "decision"),
    [
        ({"if-match": '"x"'}, FAILED),
        ({"if-match": "*"}, PROCEED),
        ({"if-none-match": '"x"'}, PROCEED),
        ({"if-none-match": "*"}, NOT_MODIFIED),
        ({"if-unmodified-since": EARLIER}, PROCEED),
        ({"if-modified-since": LATER}, PROCEED),
    ],
)
def test_without_tag_and_date_only_star_matches(
    headers: dict[str, str], decision: Precondition
) -> None:
    assert decide("GET", headers, etag=None, last_modified=None) is decision


@pytest.mark.parametrize(
    ("etag", "decision"), [('W/"x"', FAILED), ('"x"', PROCEED), ("x", PROCEED)]
)
def test_if_match_needs_a_strong_tag_of_the_representation(
    etag: str, decision: Precondition
) -> None:
    assert decide("PUT", {"if-match": '"x"'}, etag=etag, last_modified=None) is decision


@pytest.mark.parametrize(
    "modified",
    [datetime(2026, 1, 2), datetime(2026, 1, 2, 2, tzinfo=timezone(timedelta(hours=2)))],  # noqa: DTZ001  # a naive datetime is the case
    ids=["naive is UTC", "other zone"],
)
def test_dates_are_compared_as_instants(modified: datetime) -> None:
    assert (
        decide("GET", {"if-modified-since": SAME}, etag=None, last_modified=modified)
        is NOT_MODIFIED
    )
