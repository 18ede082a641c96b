"""The body of a 206."""

from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exchange.byteranges import Piece, Selection, make_boundary, select_parts

WHOLE = bytes(range(256))


def test_one_span_is_sent_bare() -> None:
    selection = Selection([Piece(3, 5)])
    assert (selection.length, selection.of(WHOLE)) == (2, b"\x03\x04")


def test_b128_several_spans_are_framed_by_crlf() -> None:
    selection = select_parts([(0, 2), (65, 67)], 256, "text/plain; charset=utf-8", "B")
    assert selection.of(WHOLE) == (
        b"--B\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/256\r\n\r\n"
        b"\x00\x01\r\n--B\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 65-66/256\r\n\r\n"
        b"AB\r\n--B--\r\n"
    )


def test_b128_an_unknown_type_is_not_told() -> None:
    selection = select_parts([(0, 1)], 256, None, "B")
    assert selection.pieces[0].head == b"--B\r\nContent-Range: bytes 0-0/256\r\n\r\n"


def test_two_boundaries_differ_and_need_no_quotes() -> None:
    first, second = make_boundary(), make_boundary()
    assert first != second
    assert len(first) == 32
    assert first.isalnum()


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=16))
def test_b128_another_parser_reads_the_parts(pairs: list[tuple[int, int]]) -> None:
    spans = [(min(pair), max(pair) + 1) for pair in pairs]
    boundary = make_boundary()
    selection = select_parts(spans, 256, "application/octet-stream", boundary)
    body = selection.of(WHOLE)
    assert len(body) == selection.length
    head = f"Content-Type: multipart/byteranges; boundary={boundary}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + body).walk()
    assert [part["Content-Range"] for part in parts][1:] == [
        f"bytes {start}-{stop - 1}/256" for start, stop in spans
    ]


@pytest.mark.parametrize("spans", [[(0, 1)], [(0, 256)], [(5, 9), (100, 200)]])
def test_the_length_is_told_before_the_bytes_are_known(spans: list[tuple[int, int]]) -> None:
    selection = select_parts(spans, 256, "text/plain", make_boundary())
    assert selection.length == len(selection.of(WHOLE))
