"""Multipart bodies: security.md 2.8, as far as the parser decides it."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import WireError
from erlen.wire.forms import PART_END, PartStart, boundary_of
from tests.wire.form_bodies import (
    BOUNDARY,
    Part,
    disposition,
    encode,
    end,
    parser,
    raw_part,
    read,
    singly,
    splits,
    status,
)

FIELD = b'Content-Disposition: form-data; name="a"'
FILE = b'Content-Disposition: form-data; name="a"; filename="b"'
#: What parts are made of to look like the end of one.
FRAGMENTS = st.sampled_from(
    [b"\r", b"\n", b"-", b"--", b"\r\n", b"\r\n--", b"\r\n--Bo", b"\r\n-Bo-und", b"--Bo-und", b"x"]
)
DATA = (
    st.lists(FRAGMENTS, max_size=8).map(b"".join).filter(lambda data: b"\r\n--Bo-und" not in data)
)
NAMES = st.text(st.sampled_from('a"%\\;=é\r\n -'), max_size=6)
PARTS = st.lists(st.builds(Part, NAMES, DATA, st.none() | NAMES), max_size=4)
REFERENCE = [
    Part("title", "Grüße".encode()),
    Part("empty", b""),
    Part("title", b"\r\n--Bo-un\r\n\r\n--\r\r\n"),
    Part("file", bytes(range(256)) * 4, "C:\\dir\\übung.bin"),
    Part("none", b"", ""),
]


def browser_reading(part: Part) -> Part:
    """Return what is left of a name after escaping, which has no escape for the percent sign."""
    name, filename = (
        text and text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
        for text in (part.name, part.filename)
    )
    return Part(name or "", part.data, filename)


def test_events_of_a_form() -> None:
    body = raw_part(FIELD, b"1") + raw_part(FILE.replace(b'"b"', b'"x/b"') + b"\r\nX-y: 2") + end()
    start, data, stop, file_start, file_stop = parser().feed(body)
    assert start == PartStart("a", None, None, [("Content-Disposition", FIELD[21:].decode())], None)
    assert (data, stop, file_stop) == (b"1", PART_END, PART_END)
    assert isinstance(file_start, PartStart)
    assert file_start[:3] == ("a", "b", "x/b")
    assert file_start.headers[1:] == [("X-Y", "2")]


def test_content_type_of_a_part_is_told_as_sent() -> None:
    header = FILE + b"\r\ncontent-type: Text/Plain; charset=Rot13"
    (start, _) = parser().feed(raw_part(header) + end())
    assert isinstance(start, PartStart)
    assert start.content_type == "Text/Plain; charset=Rot13"


@given(PARTS)
def test_b099_b117_pieces_do_not_matter(parts: list[Part]) -> None:
    body = encode(parts)
    expected = [browser_reading(part) for part in parts]
    assert read([body]) == expected
    assert read(singly(body)) == expected


@given(st.builds(Part, NAMES, DATA, st.none() | NAMES))
def test_b117_a_part_is_the_same_at_every_split(part: Part) -> None:
    body = b"preamble\r\n" + encode([part, part])
    expected = [browser_reading(part)] * 2
    assert all(read(pieces) == expected for pieces in splits(body))


def test_b117_reference_body_is_the_same_at_every_split() -> None:
    body = encode(REFERENCE)
    assert read(singly(body)) == REFERENCE
    assert all(read(pieces) == REFERENCE for pieces in splits(body))


@given(
    st.lists(FRAGMENTS | st.sampled_from([b"\r\n--Bo-und\r\n", FIELD, b"\r\n\r\n"])).map(b"".join)
)
def test_whether_a_body_is_refused_does_not_depend_on_pieces(middle: bytes) -> None:
    body = b"--Bo-und" + middle + b"\r\n--Bo-und--"
    expected = status([body])
    assert status(singly(body)) == expected
    assert {status(pieces) for pieces in splits(body)} == {expected}


@given(st.lists(st.binary(max_size=40)))
def test_random_bytes_are_read_or_refused(pieces: list[bytes]) -> None:
    status([b"--Bo-und\r\n", *pieces])
    status([raw_part(FIELD)[:-2], *pieces])
    status(pieces)


# --- boundary and framing -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "boundary", ["x", "----WebKitFormBoundaryA1", "'()+_,-./:=?", "=_" * 35, "--=_123--"]
)
def test_sound_boundary_is_used(boundary: str) -> None:
    assert boundary_of({"charset": "utf-8", "boundary": boundary}) == boundary
    part = Part("a", b"--\r\n--")
    assert read(singly(encode([part], boundary)), parser(boundary)) == [part]


@pytest.mark.parametrize(
    "params",
    [{}]
    + [
        {"boundary": boundary}
        for boundary in ["", "x" * 71, "a b", "a ", " a", "é", 'a"', "--", "-", "a\n", "a;b", "a\0"]
    ],
    ids=ascii,
)
def test_b102_missing_or_odd_boundary_is_400(params: dict[str, str]) -> None:
    with pytest.raises(WireError) as caught:
        boundary_of(params)
    assert caught.value.status == 400


def test_b103_body_cut_at_any_byte_is_400() -> None:
    body = encode(REFERENCE)
    started = time.process_time()
    for stop in range(len(body) - len("\r\n")):
        assert status([body[:stop]]) == 400, stop
        assert status([body[: stop // 2], body[stop // 2 : stop]]) == 400, stop
    assert (time.process_time() - started) / len(body) < 0.05


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"", 400, id="b104-empty"),
        pytest.param(b"--Bo-und--\r\n", 200, id="b104-only-the-end"),
        pytest.param(b"\r\n--Bo-und--", 200, id="b104-only-the-end-in-a-second-line"),
        pytest.param(b"preamble only", 400, id="b104-preamble-only"),
        pytest.param(b"preamble --Bo-und--", 400, id="b104-boundary-in-the-preamble"),
        pytest.param(b"\n--Bo-und--", 400, id="b109-LF-before-the-boundary"),
        pytest.param(b"--Bo-und--epilogue", 200, id="b110-epilogue-in-the-same-line"),
        pytest.param(b"--Bo-und", 400, id="b103-boundary-cut"),
        pytest.param(b"--Bo-undX\r\n" + raw_part(FIELD) + end(), 400, id="b116-longer-boundary"),
        pytest.param(b"--Bo-und \r\n" + raw_part(FIELD) + end(), 400, id="blank-after-boundary"),
        pytest.param(b"--Bo-und\n" + raw_part(FIELD) + end(), 400, id="b109-LF-after-boundary"),
        pytest.param(raw_part(FIELD, b"\n--Bo-und\n"), 400, id="b109-LF-around-boundary"),
        pytest.param(raw_part(FIELD, b"\r\n--Bo-und\n") + end(), 400, id="b109-LF-in-the-middle"),
    ],
)
def test_framing_is_kept(body: bytes, expected: int) -> None:
    assert status([body]) == expected
    assert status(singly(body)) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"--Bo-und",
        b"x--Bo-und--",
        b"\n--Bo-und\n",
        b"\r--Bo-und--\r",
        b"\r\n--Bo-unX",
        b"\r\n-" * 99,
    ],
    ids=ascii,
)
def test_b116_boundary_without_a_line_break_before_it_is_data(data: bytes) -> None:
    part = Part("a", data)
    assert read([encode([part])]) == [part]
    assert read(singly(encode([part]))) == [part]


@pytest.mark.parametrize("tail", [b"x", b"-", b"-x", b" ", b"\r", b"\rx"], ids=ascii)
def test_b116_boundary_that_begins_a_line_of_data_is_400(tail: bytes) -> None:
    """By RFC 2046 section 5.1.1 it is a boundary, whatever follows; here nothing sound does."""
    body = encode([Part("a", b"1\r\n--Bo-und" + tail + b"2")])
    assert status([body]) == 400
    assert status(singly(body)) == 400


@pytest.mark.parametrize("size", [0, 1, 1024, 1025, 100_000])
def test_b110_preamble_over_a_kibibyte_is_400(size: int) -> None:
    body = b"p" * size + b"\r\n" + encode([Part("a", b"1")])
    expected = 200 if size <= 1024 else 400
    assert status([body]) == expected
    assert status([body[i : i + 7] for i in range(0, len(body), 7)]) == expected


def test_b110_long_preamble_is_refused_as_soon_as_it_is_too_long() -> None:
    reader = parser()
    assert list(reader.feed(b"\r\n" * 515)) == []
    with pytest.raises(WireError, match="does not begin with its boundary"):
        list(reader.feed(b"p" * 10))


def test_b110_epilogue_is_discarded_without_scanning() -> None:
    reader = parser()
    whole = encode([Part("a", b"1")])
    assert read([whole + b"\r\n--Bo-und\r\n" * 9000], parser()) == [Part("a", b"1")]
    assert len(list(reader.feed(whole))) == 3
    assert reader.closed
    started = time.process_time()
    for _ in range(16):
        assert list(reader.feed(b"\r\n--Bo-und\r\n" * 87_000)) == []
    assert time.process_time() - started < 0.05


def test_parser_is_closed_by_the_final_boundary_only() -> None:
    reader, body = parser(), encode([Part("a", b"1"), Part("b", b"2")])
    for byte in singly(body[:-3]):
        list(reader.feed(byte))
        assert not reader.closed
    list(reader.feed(body[-3:-2]))
    assert reader.closed
    reader.close()


def test_empty_pieces_mean_nothing() -> None:
    body = encode([Part("a", b"1")])
    assert read([b"", body[:60], b"", body[60:], b""]) == [Part("a", b"1")]


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        pytest.param(raw_part(FIELD) * 1001, {}, id="b105-parts"),
        pytest.param(raw_part(FILE) * 101, {}, id="b105-files"),
        pytest.param(raw_part(FIELD) * 2, {"max_parts": 1}, id="b105-one-part"),
        pytest.param(raw_part(FILE), {"max_files": 0}, id="b105-no-file"),
        pytest.param(raw_part(FIELD, b"x" * 2 * 1024 * 1024), {}, id="b111-one-text"),
        pytest.param(raw_part(FIELD, b"x" * 2048) * 1000, {}, id="b111-many-texts"),
        pytest.param(raw_part(FIELD, b"x" * 11), {"max_memory": 10}, id="b111-eleven-bytes"),
    ],
)
def test_over_a_limit_is_413_before_the_end(body: bytes, limits: dict[str, int | None]) -> None:
    pieces = [body[i : i + 65536] for i in range(0, len(body), 65536)]
    assert status(pieces, parser(BOUNDARY, **limits)) == 413


def test_b111_bytes_of_files_do_not_count_as_text() -> None:
    body = encode([Part("a", b"x" * 10), Part("b", b"y" * 100_000, ""), Part("c", b"")])
    assert status([body], parser(max_memory=10)) == 200


def test_without_limits_everything_is_read() -> None:
    body = (raw_part(FILE) + raw_part(FIELD, b"x" * 1024)) * 1100 + end()
    assert len(read([body], parser(max_parts=None, max_files=None, max_memory=None))) == 2200


# --- headers --------------------------------------------------------------------------------------


BAD_HEADERS = {
    "b106 none": b"",
    "b106 no disposition": b"Content-Type: text/plain",
    "b106 no name": b"Content-Disposition: form-data",
    "b106 two names": FIELD + b"; name=b",
    "b106 two dispositions": FIELD + b"\r\n" + FIELD,
    "b106 attachment": b"Content-Disposition: attachment; name=a",
    "b108 17 headers": FIELD + b"\r\nX: y" * 16,
    "b108 100 KB": FIELD + b"\r\nX: " + b"y" * 100_000,
    "b108 8 KiB and a byte": FIELD + b"\r\nX: " + b"y" * (8186 - len(FIELD)),
    "b108 no colon": FIELD + b"\r\nX",
    "b108 blank before the colon": FIELD + b"\r\nX : y",
    "b108 obs-fold": FIELD + b"\r\nX: y\r\n z",
    "b108 obs-fold first": b" " + FIELD,
    "b108 bare CR": FIELD + b"\r\nX: y\rz",
    "b108 CR before a name": FIELD + b"\r\n\rX: y",
    "b108 NUL": FIELD + b"\r\nX: \0",
    "b108 NUL in a name": FIELD[:-1] + b'\0"',
    "b109 LF": FIELD + b"\nX: y",
    "b109 LF before a name": FIELD + b"\r\n\nX: y",
    "b109 LF only": FIELD + b"\n",
    "b112 name in Latin-1": b'Content-Disposition: form-data; name="\xe9"',
}


@pytest.mark.parametrize("headers", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_bad_headers_of_a_part_are_400(headers: bytes) -> None:
    body = raw_part(headers) + end()
    assert status([body]) == 400
    assert status(singly(body)) == 400


@pytest.mark.parametrize("size", [8186, 8187])
def test_b108_headers_of_8_kib_are_read_however_they_come(size: int) -> None:
    headers = FIELD + b"\r\nX:" + b" " * (size - len(FIELD))
    body = raw_part(headers) + end()
    expected = 200 if len(headers) + 2 <= 8192 else 400
    assert status([body]) == expected
    assert status(singly(body)) == expected


def test_b108_endless_headers_are_refused_as_soon_as_they_are_too_long() -> None:
    reader = parser()
    list(reader.feed(b"--Bo-und\r\nX: "))
    with pytest.raises(WireError, match="longer than allowed"):
        list(reader.feed(b"y" * 8191))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"Content-Type: text/plain; charset=nope", id="b112-unknown-charset"),
        pytest.param(b"Content-Type: text/plain; charset=rot13", id="b112-codec"),
        pytest.param(b"Content-Type: ; ; =", id="b112-no-type"),
        pytest.param(b"Content-Transfer-Encoding: base64", id="b113-base64"),
        pytest.param(b"Content-Transfer-Encoding: quoted-printable", id="b113-qp"),
        pytest.param(b"Content-Encoding: gzip", id="b114-gzip"),
        pytest.param(b"Content-Length: 6", id="b114-length"),
        pytest.param(b"Content-Type: multipart/mixed; boundary=y", id="b115-nested"),
    ],
)
def test_what_headers_say_of_the_data_is_ignored(header: bytes) -> None:
    body = raw_part(FIELD + b"\r\n" + header, b"YQ=3D=") + end()
    assert read([body]) == [Part("a", b"YQ=3D=")]


@pytest.mark.parametrize("length", [b"-1", b"5", b"7", b"x", b"6\r\nContent-Length: 6"])
def test_b114_a_part_that_differs_from_its_content_length_is_400(length: bytes) -> None:
    body = raw_part(FIELD + b"\r\nContent-Length: " + length, b"6bytes") + end()
    assert status([body]) == 400
    assert status(singly(body)) == 400


def test_b112_charset_field_has_no_magic() -> None:
    parts = [Part("_charset_", b"utf-16"), Part("a", b"\xff\xfe")]
    assert read([encode(parts)]) == parts


def test_b118_order_of_equal_names_is_kept() -> None:
    parts = [Part("a", b"%d" % i, "f" if i % 3 else None) for i in range(100)]
    assert read([encode(parts)]) == parts


# --- cost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit",
    [b"\r\n", b"\r", b"--", b"\r\n--", b"\r\n--" + b"a" * 69, b"a" * 69 + b"c", b"a", b"\0"],
    ids=ascii,
)
def test_b116_data_takes_linear_time(unit: bytes) -> None:
    def cost(size: int) -> float:
        boundary = "a" * 69 + "b"
        body = raw_part(disposition(Part("a", b"", "f")), unit * (size // len(unit)), boundary)
        started = time.process_time()
        for i in range(0, len(body), 16384):
            list(reader.feed(body[i : i + 16384]))
        return time.process_time() - started

    reader = parser("a" * 69 + "b")
    small = cost(1 << 20)
    reader = parser("a" * 69 + "b")
    assert cost(1 << 23) < 16 * small + 0.02


def test_importing_the_module_does_not_load_the_library() -> None:
    program = "import sys, erlen.wire.forms; raise SystemExit('multipart' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
