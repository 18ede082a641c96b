"""Urlencoded bodies: security.md 2.7, BD-2."""

import time
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import WireError
from erlen.wire.forms import UrlencodedParser, parse_urlencoded
from erlen.wire.multidict import ImmutableMultiDict
from erlen.wire.urls import parse_query, read_query, unquote_bytes
from tests.wire.form_bodies import singly, splits

MEBIBYTE = 1024 * 1024
#: Short texts full of what the syntax is made of.
ODD_BODIES = st.lists(
    st.sampled_from([b"&", b"=", b"+", b"%", b"%4", b"%41", b"%c3", b"%A9", b"%zz", b"a", b"\xff"])
).map(b"".join)


def read(
    *pieces: bytes, max_fields: int | None = 1000, max_size: int | None = MEBIBYTE
) -> list[tuple[str, str]]:
    parser = UrlencodedParser(max_fields=max_fields, max_size=max_size)
    for piece in pieces:
        parser.feed(piece)
    return parser.close()


@pytest.mark.parametrize(
    ("body", "pairs"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"a=1&b=&c&=d", [("a", "1"), ("b", ""), ("c", ""), ("", "d")], id="bd2"),
        pytest.param(b"a=%zz&b=%ff", [("a", "%zz"), ("b", "\ufffd")], id="b095"),
        pytest.param(b"a=%&b=%4&c=%", [("a", "%"), ("b", "%4"), ("c", "%")], id="b095-cut"),
        pytest.param(
            b"_charset_=utf-16&a=%e9", [("_charset_", "utf-16"), ("a", "\ufffd")], id="b098"
        ),
        pytest.param(b"a=%2B+%20%C3%A9", [("a", "+  é")], id="b100-escapes"),
        pytest.param(b"&&&", [], id="b100-no-field"),
        pytest.param(b"=", [("", "")], id="b100-equals"),
        pytest.param(b"a=b=c%3d%26", [("a", "b=c=&")], id="b100-encoded-separators"),
        pytest.param(b"a=1;b=2", [("a", "1;b=2")], id="a58-semicolon"),
    ],
)
def test_body_gives_its_pairs(body: bytes, pairs: list[tuple[str, str]]) -> None:
    assert read(body) == pairs


def test_b096_the_first_field_over_the_limit_is_413() -> None:
    assert len(read(b"a&" * 1000)) == 1000
    for pieces in ([b"a&" * 5000], singly(b"a&" * 1001), [b"a&" * 1000, b"&&", b"a"]):
        with pytest.raises(WireError, match="more fields") as caught:
            read(*pieces)
        assert caught.value.status == 413


def test_b096_last_byte_may_begin_the_field_over_the_limit() -> None:
    with pytest.raises(WireError, match="more fields"):
        read(b"a&%", max_fields=1)


def test_b096_200000_fields_cost_no_more_than_the_first_thousand() -> None:
    started = time.process_time()
    with pytest.raises(WireError):
        read(b"a=1&" * 200_000)
    assert time.process_time() - started < 0.05


def test_b097_the_first_byte_over_the_size_is_413() -> None:
    assert read(b"a=" + b"x" * 8, max_size=10) == [("a", "x" * 8)]
    with pytest.raises(WireError, match="more bytes") as caught:
        read(b"a=", b"x" * 9, max_size=10)
    assert caught.value.status == 413


def test_without_limits_everything_is_read() -> None:
    assert len(read(b"a&" * 2000, max_fields=None, max_size=None)) == 2000


@given(ODD_BODIES)
def test_b099_pieces_do_not_matter(body: bytes) -> None:
    whole = read(body)
    assert read(*singly(body)) == whole
    assert all(read(*pieces) == whole for pieces in splits(body))


def test_b099_reference_body_is_the_same_at_every_split() -> None:
    body = urlencode([("naïve", "50 % & more"), ("q", "ü+ö=Ä"), ("", "\0\r\n"), ("z", "𝄞" * 12)])
    whole = parse_qsl(body, keep_blank_values=True)
    assert len(body) > 200
    for pieces in [singly(body.encode()), *splits(body.encode())]:
        assert read(*pieces) == whole


@given(ODD_BODIES)
def test_b026_b095_a_body_reads_as_the_same_query(body: bytes) -> None:
    assert read(body) == parse_query(body)


@given(st.lists(st.tuples(st.text(), st.text())))
def test_pairs_are_the_standard_library_s(pairs: list[tuple[str, str]]) -> None:
    body = urlencode(pairs, errors="replace")
    assert read(body.encode()) == parse_qsl(body, keep_blank_values=True)


@given(
    ODD_BODIES | st.lists(st.sampled_from([b"%", b"=", b"3D", b"_", b" \r\n", b"."])).map(b"".join)
)
def test_percent_sequences_are_decoded_as_by_the_standard_library(raw: bytes) -> None:
    assert unquote_bytes(raw) == unquote_to_bytes(raw)


@given(st.binary())
def test_any_bytes_give_pairs(body: bytes) -> None:
    assert read(body) == parse_query(body)


@pytest.mark.parametrize(
    "unit", [b"%", b"+", b"%41", b"%41a", b"%z", b"&", b"=", b"%c3%a9"], ids=ascii
)
def test_b100_a_mebibyte_takes_linear_time(unit: bytes) -> None:
    def cost(size: int) -> float:
        body = unit * (size // len(unit))
        started = time.process_time()
        read(*[body[i : i + 4096] for i in range(0, len(body), 4096)])
        return time.process_time() - started

    assert cost(MEBIBYTE) < 16 * min(cost(MEBIBYTE // 8) for _ in range(3)) + 0.02


# --- whole bodies ---------------------------------------------------------------------------------


@given(st.binary(max_size=30) | ODD_BODIES | st.text("a=&%+26dD3é").map(str.encode))
def test_a_whole_body_reads_as_its_pieces(body: bytes) -> None:
    whole = parse_urlencoded(body, max_fields=None, max_size=None)
    assert whole == ImmutableMultiDict(read(body))
    assert read_query(body) == ImmutableMultiDict(parse_query(body))


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        pytest.param(b"a&b&c", {"max_fields": 2}, id="b096-fields"),
        pytest.param(b"a&b%26&c", {"max_fields": 2}, id="b096-fields-split-before"),
        pytest.param(b"a=bc", {"max_size": 3}, id="b097-bytes"),
        pytest.param(b"a=%26", {"max_size": 3}, id="b097-bytes-split-before"),
    ],
)
def test_a_whole_body_over_a_limit_is_413(body: bytes, limits: dict[str, int]) -> None:
    with pytest.raises(WireError) as caught:
        parse_urlencoded(body, **({"max_fields": None, "max_size": None} | limits))
    assert caught.value.status == 413


def test_b096_empty_fields_of_a_whole_body_do_not_count() -> None:
    assert len(parse_urlencoded(b"&&a&&&b&&", max_fields=2, max_size=9)) == 2
