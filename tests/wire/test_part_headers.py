"""Headers of parts and names of files: security.md B-101, B-106 to B-108."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import WireError
from erlen.wire.part_headers import (
    MAX_HEADER_BYTES,
    check_header_lines,
    clean_filename,
    read_disposition,
)
from tests.wire.form_bodies import quoted


def disposition(value: str) -> tuple[str, str | None]:
    return read_disposition([("Content-Type", "text/plain"), ("Content-Disposition", value)])


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        (r"..\..\x", "x"),
        ("/etc/x", "x"),
        (r"C:\x", "x"),
        (r"\\h\s", "s"),
        (r"a/b\c.txt", "c.txt"),
        ("a\0.txt", "a.txt"),
        ("a\rb\n", "ab"),
        ("CON", "CON"),
        ("con.txt ", "con.txt "),
        (".", ""),
        ("..", ""),
        ("a/..", ""),
        (".\0.", ""),
        ("", ""),
        ("a/", ""),
        ("x:$DATA", "x:$DATA"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("a\u2066\u2029b", "ab"),
        ("\u05d0\u200f.txt", "\u05d0\u200f.txt"),
        ("👩\u200d🔬.png", "👩\u200d🔬.png"),
        ("a\ud800b", "ab"),
        (".htaccess", ".htaccess"),
        ("x" * 5000, "x" * 255),
        ("x" * 5000 + ".jpeg", "x" * 250 + ".jpeg"),
        ("." + "x" * 5000, "." + "x" * 254),
        ("y." + "x" * 5000, "y." + "x" * 253),
        ("é" * 200 + ".é", "é" * 126 + ".é"),
    ],
)
def test_b101_filename_is_cleaned(raw: str, cleaned: str) -> None:
    assert clean_filename(raw) == cleaned


@given(st.text(st.characters(), max_size=400))
def test_b101_cleaned_filename_has_no_directory_and_no_control(raw: str) -> None:
    cleaned = clean_filename(raw)
    assert not set(cleaned) & set("/\\\0\r\n\x7f\u202e")
    assert cleaned not in {".", ".."}
    assert len(cleaned.encode()) <= 255
    assert clean_filename(cleaned) == cleaned


@pytest.mark.parametrize(
    ("value", "name", "filename"),
    [
        ('form-data; name="a"', "a", None),
        ('form-data; name=""', "", None),
        ('form-data; name="é"; filename=""', "é", ""),
        ('form-data; name="a%22b%0D%0A%25%0a"; filename="%22"', 'a"b\r\n%25%0a', '"'),
        (r'form-data; name="a\\b"; filename="C:\x\"', r"a\\b", "C:\\x\\"),
        (r'form-data; name="a\"', "a\\", None),
        ("form-data;name=a", "a", None),
        ("FORM-DATA ;\tNAME = a b ; FileName = x y.txt ", "a b", "x y.txt"),
        ('form-data; filename="f"; name="a"', "a", "f"),
        ('form-data; name="a"; size=3; creation-date="x;y"; filename="f";', "a", "f"),
        (r'form-data; name="a\"b\\c"; filename="\""', r'a"b\c', '"'),
        (r'form-data; name="a\"; filename=\"x"', 'a"; filename="x', None),
        (r'form-data; filename="C:\x%22"; name="a"', "a", r'C:\x"'),
        ("form-data;; name=a;", "a", None),
    ],
)
def test_disposition_gives_name_and_filename(value: str, name: str, filename: str | None) -> None:
    assert disposition(value) == (name, filename)


@pytest.mark.parametrize(
    ("value", "filename"),
    [
        ("form-data; name=a; filename=plain; filename*=UTF-8''ext", "plain"),
        ("form-data; name=a; filename*=UTF-8''ext; filename=plain", "plain"),
        ("form-data; name=a; filename*=UTF-8''%C3%A9.txt", "é.txt"),
        ("form-data; name=a; filename*=utf-16''x", None),
        ("form-data; name=a; filename*0=x; filename*1=y", None),
        ("form-data; name=a; name*=UTF-8''b", None),
    ],
)
def test_b107_plain_parameter_wins_over_the_extended(value: str, filename: str | None) -> None:
    assert disposition(value) == ("a", filename)


BAD_DISPOSITIONS = {
    "b106 no name": "form-data",
    "b106 only a filename": 'form-data; filename="x"',
    "b107 only name*": "form-data; name*=UTF-8''a",
    "b106 two names": "form-data; name=a; name=a",
    "b106 two names, quoted": 'form-data; name="a"; NAME="b"',
    "b106 two filenames": 'form-data; name="a"; filename="b"; filename="c"',
    "attachment": 'attachment; name="a"',
    "empty": "",
    "quote never closes": 'form-data; name="a',
    "quote never closes after an escape": r'form-data; name="a\"; filename="b',
    "text after the quote": 'form-data; name="a"b',
    "quote inside of a token": 'form-data; name=a"b"',
    "no equals": "form-data; name",
    "no parameter name": 'form-data; ="a"',
}


@pytest.mark.parametrize("value", BAD_DISPOSITIONS.values(), ids=BAD_DISPOSITIONS)
def test_malformed_disposition_is_400(value: str) -> None:
    with pytest.raises(WireError) as caught:
        disposition(value)
    assert caught.value.status == 400


def test_b106_a_part_has_one_disposition() -> None:
    once = ("Content-Disposition", 'form-data; name="a"')
    for headers in ([], [("Content-Type", "x")], [once, once]):
        with pytest.raises(WireError, match="one Content-Disposition"):
            read_disposition(headers)


@given(st.text(), st.none() | st.text())
def test_names_that_browsers_escape_come_back(name: str, filename: str | None) -> None:
    value = f'form-data; name="{quoted(name)}"'
    if filename is not None:
        value += f'; filename="{quoted(filename)}"'
    read = disposition(value)
    assert quoted(read[0]) == quoted(name)
    assert quoted(read[1] or "") == quoted(filename or "")


@given(st.text(st.sampled_from('";\\=%2 \tname')))
def test_any_disposition_is_read_or_refused(rest: str) -> None:
    with suppress(WireError):
        disposition(f"form-data;{rest}")


@pytest.mark.parametrize(
    "unit", ['"', "\\", '\\"', ';a="', ";", " ", '"\\', "; a", "=", ";a=b", '";'], ids=ascii
)
def test_a52_a_long_disposition_takes_linear_time(unit: str) -> None:
    value = ("form-data; a=" + unit * MAX_HEADER_BYTES)[:MAX_HEADER_BYTES]
    started = time.process_time()
    with pytest.raises(WireError):
        disposition(value)
    assert time.process_time() - started < 0.02


@pytest.mark.parametrize(
    "lines",
    [
        b"A: b\r\n",
        b"a-B_c:\r\nX:\t \xc3\xa9 \r\n",
        b"X:" + b" " * (MAX_HEADER_BYTES - 4) + b"\r\n",
    ],
    ids=["one", "two", "longest"],
)
def test_sound_header_lines_pass(lines: bytes) -> None:
    check_header_lines(lines)


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"\r\n",
        b"A b\r\n",
        b": b\r\n",
        b"A : b\r\n",
        b" A: b\r\n",
        b"A: b\r\n c\r\n",
        b"A: b\r\n\tc\r\n",
        b"A: b\nC: d\r\n",
        b"\nA: b\r\n",
        b"A: b\rc\r\n",
        b"A\r: b\r\n",
        b"A: b\0\r\n",
        b"A\0: b\r\n",
        b"A: \x7f\r\n",
        b"A: b",
        b"X:" + b" " * (MAX_HEADER_BYTES - 3) + b"\r\n",
    ],
    ids=ascii,
)
def test_b108_b109_malformed_header_lines_are_400(lines: bytes) -> None:
    with pytest.raises(WireError) as caught:
        check_header_lines(lines)
    assert caught.value.status == 400
