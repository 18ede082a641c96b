"""The Origin field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.wire.origins import (
    field_values,
    is_origin,
    is_same_origin,
    listed_origins,
    origin_of,
)


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "http://a",
        "https://a.b-c_d.example:8443",
        "http://[::1]:80",
        "moz-extension://0a-1b",
    ],
)
def test_origin_is_read(text: str) -> None:
    assert is_origin(text)


@pytest.mark.parametrize(
    "text",
    ["", "a", "//a", "http:", "http://", "http:///", "http://a/", "http://a/b", "HTTP://a", "http://A",
     "http://u@a", "http://a:", "http://a:port", "http://a:123456", "http://a b", "http://a, http://a",
     "http://a http://b", "http://a\\b", "http://a?b", "http://a#b", "NULL", "null ", "http://é",
     "http://a\n"],
)  # fmt: skip
def test_other_text_is_no_origin(text: str) -> None:
    assert not is_origin(text)


@pytest.mark.parametrize(
    ("origin", "scheme", "host", "same"),
    [
        ("http://a", "http", "a", True),
        ("http://a", "http", "a:80", True),
        ("http://a:81", "http", "a:81", True),
        ("https://a", "https", "a", True),
        ("https://a", "https", "a:443", True),
        ("https://a", "wss", "a", True),
        ("http://[::1]:8", "http", "[::1]:8", True),
        pytest.param("https://a", "http", "a", True, id="a proxy ends TLS"),
        pytest.param("http://a", "https", "a", False, id="a page that could be forged"),
        ("http://a", "http", "b", False),
        ("http://a", "http", "a:81", False),
        ("http://a:81", "http", "a", False),
        ("http://a.evil", "http", "a", False),
        ("http://b.a", "http", "a", False),
        ("null", "http", "null", False),
        ("null", "http", "", False),
        ("http://", "http", "", False),
        ("moz-extension://a", "http", "a", False),
        ("HTTP://A", "http", "a", False),
    ],
)
def test_page_belongs_to_the_host_or_not(origin: str, scheme: str, host: str, same: bool) -> None:
    assert is_same_origin(origin, scheme, host) is same


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("http", "a:80", "http://a"),
        ("ws", "a:81", "http://a:81"),
        ("wss", "a:443", "https://a"),
        ("https", "a", "https://a"),
    ],
)
def test_host_has_an_origin(scheme: str, host: str, origin: str) -> None:
    assert origin_of(scheme, host) == origin
    assert is_same_origin(origin, scheme, host)


def test_listed_origins_are_as_browsers_write_them() -> None:
    assert listed_origins(["https://A.example/", "http://b:81"]) == {
        "https://a.example",
        "http://b:81",
    }
    assert listed_origins(None) == frozenset()


def test_field_values_are_those_of_all_fields_of_the_name() -> None:
    headers = [(b"origin", b"a"), (b"host", b"b"), (b"Origin", b"\xe9")]
    assert field_values(headers, b"origin") == ["a", "é"]


@given(st.text(), st.text())
def test_no_text_is_an_error(origin: str, host: str) -> None:
    is_same_origin(origin, "http", host)
    is_origin(origin)
