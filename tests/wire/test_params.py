"""Parameters, lists, dictionaries and sets in header values: RFC 9110 section 5.6, RFC 8187, DS-6."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import http as oracle

from erlen.wire.params import (
    HeaderSet,
    dump_header,
    dump_options_header,
    parse_dict_header,
    parse_list_header,
    parse_options_header,
    parse_set_header,
    quote_header_value,
    unquote_header_value,
)

TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1)
NAMES = st.text("abcxyz019-_", min_size=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))

OPTIONS = [
    (None, "", {}),
    ("", "", {}),
    ("text/html", "text/html", {}),
    ('text/html; charset="utf-8"; a=b', "text/html", {"charset": "utf-8", "a": "b"}),
    ("A ;\tFOO=Bar", "A", {"foo": "Bar"}),
    (r'a; b="x\"y\\z"; c=d', "a", {"b": r'x"y\z', "c": "d"}),
    ('a; b="x;y,z=1"; c=d', "a", {"b": "x;y,z=1", "c": "d"}),
    ('a; b="C:\\dir\\"; c="d"', "a", {"b": 'C:\\dir"; c='}),
    ('a; b="%22"', "a", {"b": '"'}),
    ("a; b; =2;;; c=", "a", {"c": ""}),
    ("a; n a=1; b=2", "a", {"b": "2"}),
    ('a; b=1; c="open', "a", {"b": "1"}),
    ('a; b="x"junk; c=d', "a", {"b": "x", "c": "d"}),
    ('a; b="x"', "a", {"b": "x"}),
    ("a; b=1; b=2", "a", {"b": "1"}),
    ("a; f=x; f*=UTF-8''%e2%82%ac", "a", {"f": "€"}),
    ("a; f*=UTF-8''%e2%82%ac; f=x", "a", {"f": "€"}),
    ("a; f*=iso-8859-1'en'%A3", "a", {"f": "£"}),
    ("a; f=x; f*=utf-7''%A3", "a", {"f": "x"}),
    ("a; f=x; f*=UTF-8''%ff", "a", {"f": "x"}),
    ("a; f=x; f*=UTF-8''é", "a", {"f": "x"}),
    ("a; f*=UTF-8", "a", {}),
    ("a; f*=UTF-8'en", "a", {}),
]


@pytest.mark.parametrize(("value", "main", "options"), OPTIONS)
def test_options_header(value: str | None, main: str, options: dict[str, str]) -> None:
    assert parse_options_header(value) == (main, options)


#: Where Werkzeug reads otherwise, and why erlen does not.
DIFFERENCES = {
    'a; b="C:\\dir\\"; c="d"',  # a backslash before a quote escapes it for both; Werkzeug gives up
    'a; b=1; c="open',  # what stood before the open quote is kept
    "a; b=1; b=2",  # first instead of last: a later parameter cannot override what a proxy checked
    "a; f*=UTF-8''%e2%82%ac; f=x",  # RFC 6266: the extended one wins in either order
    "a; f=x; f*=utf-7''%A3",  # a malformed extended value does not hide the plain one
    "a; f=x; f*=UTF-8''%ff",
    "a; f=x; f*=UTF-8''é",
    "a; f*=UTF-8",
    "a; f*=UTF-8'en",
    "a; b; =2;;; c=",  # an empty value is a value
    "a; n a=1; b=2",
    'a; b="x"junk; c=d',
}


@pytest.mark.parametrize("value", [row[0] for row in OPTIONS if row[0] not in DIFFERENCES])
def test_options_header_agrees_with_werkzeug(value: str | None) -> None:
    assert parse_options_header(value) == oracle.parse_options_header(value)


def test_continuations_of_rfc_2231_stay_apart() -> None:
    """RFC 8187 does not have them; Werkzeug joins them, which lets two readers see two names."""
    assert parse_options_header("a; f*0=x; f*1=y")[1] == {"f*0": "x", "f*1": "y"}


@given(NAMES, st.dictionaries(NAMES, TEXTS.filter(lambda text: "%22" not in text)))
def test_dumped_options_read_back(main: str, options: dict[str, str]) -> None:
    assert parse_options_header(dump_options_header(main, options)) == (main, options)


def test_dump_options_writes_what_each_value_needs() -> None:
    options = {"b": "x y", "c": None, "d": "ü'", "e": 1, "f*": "UTF-8''x"}
    expected = "a; b=\"x y\"; d*=UTF-8''%C3%BC%27; e=1; f*=UTF-8''x"
    assert dump_options_header("a", options) == expected
    assert dump_options_header(None, {"b": 1}) == "b=1"


LISTS = [
    'a, "b, c", d',
    'token, "quoted value"',
    "a,,b ,",
    "",
    '"a\\"b"',
    '"a',
    'a="b,c"',
    ' "x" ,y',
]


@pytest.mark.parametrize("value", LISTS)
def test_lists_agree_with_werkzeug(value: str) -> None:
    assert parse_list_header(value) == oracle.parse_list_header(value)


def test_list_ends_before_an_open_quote() -> None:
    assert parse_list_header('a, b, "c, d') == ["a", "b"]
    assert parse_list_header(None) == []


@given(st.lists(TEXTS.filter(bool)))
def test_dumped_lists_read_back(members: list[str]) -> None:
    assert parse_list_header(dump_header(members)) == members


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (None, {}),
        ('a=1, b, c="x, y", e=', {"a": "1", "b": None, "c": "x, y", "e": ""}),
        ("d*=UTF-8''%e2%82%ac, =x", {"d": "€"}),
        ("d*=nothing", {}),
        ("a = 1, a=2", {"a": "2"}),
        ('"a b"', {"a b": None}),
    ],
)
def test_dict_header(value: str | None, members: dict[str, str | None]) -> None:
    assert parse_dict_header(value) == members


@given(st.dictionaries(TOKENS.filter(lambda name: name[-1] != "*"), st.none() | TEXTS))
def test_dumped_dicts_read_back(members: dict[str, str | None]) -> None:
    assert parse_dict_header(dump_header(members)) == members


def test_dump_header_leaves_extended_values_alone() -> None:
    assert dump_header({"a": 1, "b": None, "c": "x y", "d*": "u'"}) == 'a=1, b, c="x y", d*=u\''


@pytest.mark.parametrize("value", ["", "a", "a b", 'a"b\\', 1, "é"])
def test_quoting_agrees_with_werkzeug(value: str | int) -> None:
    assert quote_header_value(value) == oracle.quote_header_value(value)
    assert quote_header_value(value, False) == oracle.quote_header_value(value, allow_token=False)
    assert unquote_header_value(quote_header_value(value)) == str(value)


@pytest.mark.parametrize("text", ["a", '"a', 'a"', '"', ""])
def test_unquoting_leaves_what_is_not_quoted(text: str) -> None:
    assert unquote_header_value(text) == text


@pytest.mark.parametrize("read", [parse_options_header, parse_list_header, parse_dict_header])
@pytest.mark.parametrize("piece", ['"', '\\"', 'a;"', ";=", ",", 'a="\\', "a=;", "f*=''"])
def test_reading_takes_linear_time(read: Callable[[str], object], piece: str) -> None:
    started = time.process_time()
    read("a;b=" + piece * 100_000)
    assert time.process_time() - started < 2


@given(st.text("ab=;,*\"\\'% ") | st.text())
def test_reading_never_raises(text: str) -> None:
    parse_options_header(text)
    parse_list_header(text)
    parse_dict_header(text)


def test_header_set_ignores_case_and_keeps_order() -> None:
    """DS-6."""
    words = HeaderSet(["Accept", "Cookie", "ACCEPT"])
    assert list(words) == ["Accept", "Cookie"]
    assert "cookie" in words
    assert words.__contains__(1) is False
    assert (words[0], words.find("COOKIE"), words.find("x"), len(words)) == ("Accept", 1, -1, 2)
    assert (str(words), repr(words)) == ("Accept, Cookie", "HeaderSet(['Accept', 'Cookie'])")
    assert (words.as_set(), words.as_set(True)) == ({"accept", "cookie"}, {"Accept", "Cookie"})


def test_header_set_index_of_a_stranger_is_an_index_error() -> None:
    assert HeaderSet(["a"]).index("A") == 0
    with pytest.raises(IndexError):
        HeaderSet(["a"]).index("b")
    with pytest.raises(KeyError):
        HeaderSet(["a"]).remove("b")


def test_header_set_tells_each_change_once() -> None:
    """DS-6."""
    seen: list[str] = []
    words = parse_set_header('a, "b c"', lambda changed: seen.append(changed.to_header()))
    words.add("A")
    words.discard("x")
    words.add("d")
    words.update(["e", "f"])
    words.remove("a")
    words.discard("d")
    words.clear()
    words.clear()
    assert seen == ['a, "b c", d', 'a, "b c", d, e, f', '"b c", d, e, f', '"b c", e, f', ""]
    assert not words
