"""The name under which a browser saves a file."""

from email.message import Message
from email.utils import collapse_rfc2231_value

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header as werkzeug_parse

from erlen.wire.disposition import dump_content_disposition
from erlen.wire.headers import Headers
from erlen.wire.params import parse_options_header


def by_email(value: str) -> str:
    """Return the name that the standard library's parser of mail reads.

    It does not prefer the extended form, so the last of its names is taken, which that is.
    """
    message = Message()
    message["Content-Disposition"] = value
    names = message.get_params([], "content-disposition")
    return [collapse_rfc2231_value(text) for name, text in names if name == "filename"][-1]


PARSERS = {
    "own": lambda value: parse_options_header(value)[1]["filename"],
    "werkzeug": lambda value: werkzeug_parse(value)[1]["filename"],
    "email": by_email,
}


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("inline", None, "inline"),
        ("inline", "x", "inline; filename=x"),
        ("attachment", "a b.txt", 'attachment; filename="a b.txt"'),
        ("attachment", "é.txt", "attachment; filename=e.txt; filename*=UTF-8''%C3%A9.txt"),
        ("attachment", "it's", 'attachment; filename="it\'s"'),
    ],
)
def test_sf4_a_disposition_is_written(kind: str, name: str | None, value: str) -> None:
    assert dump_content_disposition(kind, name) == value


@pytest.mark.parametrize("kind", ["", "a b", "inline; x", "inline\r\n", "é"])
def test_sf4_a_kind_that_is_no_token_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="no disposition"):
        dump_content_disposition(kind, "a")


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\0b", "a\r\n/b"])
def test_b226_a_name_with_a_line_break_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="line break or NUL"):
        dump_content_disposition("attachment", name)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    ("name", "fallback"),
    [
        pytest.param('a";x="b.txt', r'"a\";x=\"b.txt"', id="b227-quotes"),
        pytest.param("a;b,c=d.txt", '"a;b,c=d.txt"', id="b227-separators"),
        pytest.param("%41.txt", "_41.txt", id="b227-percent"),
        pytest.param("a%22b.txt", "a_22b.txt", id="b227-percent-of-a-quote"),
        pytest.param('%"€.txt', r'"_\"_.txt"', id="b227-all-of-it"),
        pytest.param("€.txt", "_.txt", id="b228-euro"),
        pytest.param("\U0001f600.txt", "_.txt", id="b228-emoji"),
        pytest.param("\U0001f468\u200d\U0001f469.txt", "__.txt", id="b228-joined-emoji"),
        pytest.param("e\u0301.txt", "e.txt", id="b228-combining"),
        pytest.param("naïve ﬁle.txt", '"naive file.txt"', id="b228-letters"),
        pytest.param("\uff0fa.txt", "_a.txt", id="b228-a-separator-only-in-ascii"),
        pytest.param("\uff0e\uff0e", "_", id="b228-dots-only-in-ascii"),
        pytest.param("\u200d", "_", id="b228-nothing-in-ascii"),
        pytest.param("\ufdfa.txt", "_.txt", id="b228-only-blanks-in-ascii"),
    ],
)
def test_a_name_is_read_back_by_every_parser(name: str, fallback: str, parser: str) -> None:
    value = dump_content_disposition("attachment", name)
    assert value.partition("filename=")[2].partition("; filename*")[0] == fallback
    assert PARSERS[parser](value) == name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("exe.\u202etxt", "exe.txt", id="b228-right-to-left"),
        pytest.param("a\u2066\u200f\u061c.txt", "a.txt", id="b228-isolates-and-marks"),
        pytest.param("a\x01\x1f\x7f\x85.txt", "a.txt", id="b228-controls"),
        pytest.param("a\u2028\u2029\ufeff.txt", "a.txt", id="b228-separators"),
        pytest.param("../../etc/passwd", "passwd", id="b229-dots"),
        pytest.param("C:\\x", "x", id="b229-drive"),
        pytest.param("/a/b", "b", id="b229-absolute"),
        pytest.param("a\\b/c\\d", "d", id="b229-mixed"),
        pytest.param(" a.txt ", "a.txt", id="b230-blanks"),
        pytest.param("\ud800.txt", "_.txt", id="b230-surrogate"),
    ],
)
def test_what_a_name_must_not_have_is_left_out(name: str, told: str) -> None:
    value = dump_content_disposition("attachment", name)
    assert {parse(value) for parse in PARSERS.values()} == {told}


@pytest.mark.parametrize(
    "name", ["", ".", "..", " ", "/", "a/", "a/..", "\u202e", ".\u200e.", "\x01"]
)
def test_b230_a_name_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names no file"):
        dump_content_disposition("attachment", name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x" * 5000, "x" * 255),
        ("x" * 5000 + ".pdf", "x" * 251 + ".pdf"),
        ("€" * 5000 + ".pdf", "€" * 83 + ".pdf"),
        ("a." + "x" * 5000, "a." + "x" * 253),
        ("." + "x" * 5000, "." + "x" * 254),
    ],
)
def test_b230_a_long_name_is_shortened_before_its_extension(name: str, told: str) -> None:
    assert PARSERS["own"](dump_content_disposition("attachment", name)) == told


@example("<>")
@given(st.text(st.characters(exclude_characters="\r\n\0"), max_size=300))
def test_every_name_is_refused_or_read_back_alike(name: str) -> None:
    try:
        value = dump_content_disposition("attachment", name)
    except ValueError:
        return
    told = {parse(value) for parse in PARSERS.values()}
    assert len(told) == 1
    assert len(told.pop().encode()) <= 255
    assert len(value) < 1100
    Headers([("Content-Disposition", value)])
