"""What proxies tell: Forwarded and the X-Forwarded fields."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import WireError
from erlen.wire.forwarded import (
    MAX_BYTES,
    from_the_right,
    parse_forwarded,
    parse_node,
    parse_port,
    parse_prefix,
    parse_scheme,
    parse_x_forwarded,
)

ELEMENTS = [
    ("for=192.0.2.43", [{"for": "192.0.2.43"}]),
    ('For="[2001:db8:cafe::17]:4711"', [{"for": "[2001:db8:cafe::17]:4711"}]),
    ("for=192.0.2.60;proto=http;by=203.0.113.43",
     [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}]),
    ("for=192.0.2.43, for=198.51.100.17", [{"for": "192.0.2.43"}, {"for": "198.51.100.17"}]),
    ('host="a\\"b"', [{"host": 'a"b'}]),
    (" for=a ; proto=https\t,\tfor=b ", [{"for": "a", "proto": "https"}, {"for": "b"}]),
    ('for=""', [{"for": ""}]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "elements"), ELEMENTS)
def test_elements_of_forwarded(value: str, elements: list[dict[str, str]]) -> None:
    assert parse_forwarded([value]) == elements


def test_lines_of_forwarded_are_one_list() -> None:
    assert parse_forwarded(["for=a", "for=b"]) == [{"for": "a"}, {"for": "b"}]


@pytest.mark.parametrize(
    "value",
    [
        "", "for", "for=", "for=a b", "for=a;for=b", "for=a,,for=b", "for=a,", 'for="a',
        'for="a\x00"', "=a", "for=a x", "for=" + "a" * MAX_BYTES,
    ],
)  # fmt: skip
def test_b168_a_malformed_forwarded_is_refused_as_a_whole(value: str) -> None:
    with pytest.raises(WireError):
        parse_forwarded([value])


@given(st.text(max_size=200))
def test_forwarded_is_parsed_or_refused(text: str) -> None:
    try:
        elements = parse_forwarded([text])
    except WireError:
        return
    assert all(elements)


def test_b163_repeated_lines_are_concatenated_in_order() -> None:
    assert parse_x_forwarded(["a, b", "c"]) == ["a", "b", "c"]


@pytest.mark.parametrize("values", [["a,,b"], [""], ["a", " "], ["a," * MAX_BYTES + "b"]])
def test_b163_an_empty_entry_spoils_the_field(values: list[str]) -> None:
    with pytest.raises(WireError):
        parse_x_forwarded(values)


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 0),
        ("192.0.2.1:99", "192.0.2.1", 99),
        ("2001:db8::1", "2001:db8::1", 0),
        ("[2001:db8::1]", "2001:db8::1", 0),
        ("[2001:db8::1]:99", "2001:db8::1", 99),
        ("::ffff:192.0.2.1", "192.0.2.1", 0),
    ],
)
def test_b163_a_hop_is_an_address_with_or_without_a_port(
    text: str, address: str, port: int
) -> None:
    assert parse_node(text) == (ip_address(address), port)


@pytest.mark.parametrize("text", ["unknown", "_hidden", "_a:80", "unknown:80"])
def test_b163_a_hidden_hop_has_no_address(text: str) -> None:
    assert parse_node(text)[0] is None


@pytest.mark.parametrize(
    "text",
    [
        "", "_", "evil", "1.2.3", "[::1", "[1.2.3.4]", "[::1]x", "[::1]:", "1.2.3.4:x",
        "1.2.3.4:99999", "1.2.3.4:0", "1.2.3.4:٨٠", "[::1]x:80",
    ],
)  # fmt: skip
def test_b163_anything_else_is_no_hop(text: str) -> None:
    with pytest.raises(WireError):
        parse_node(text)


@pytest.mark.parametrize("text", ["http", "HTTPS"])
def test_b165_a_scheme_is_http_or_https(text: str) -> None:
    assert parse_scheme(text) == text.lower()


@pytest.mark.parametrize("text", ["javascript", "wss", ""])
def test_b165_any_other_scheme_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        parse_scheme(text)


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("/a", "/a"), ("/a/", "/a"), ("/a/b%20%C3%A9", "/a/b é"), ("/", ""), ("", "")],
)
def test_b167_a_prefix_is_a_path(text: str, prefix: str) -> None:
    assert parse_prefix(text) == prefix


@pytest.mark.parametrize(
    "text",
    [
        "//evil.example",
        "/a/../b",
        "/a/.",
        "a",
        "/a\r\n",
        "javascript:",
        "/a b",
        "/a?b",
        "/%2e%2e/b",
        "/a%0d%0a",
        "/a%00",
        "/a%FF",
        "/%2fevil",
        "/a%5cb",
    ],
)
def test_b167_anything_else_is_no_prefix(text: str) -> None:
    with pytest.raises(WireError):
        parse_prefix(text)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "+5", "080", "x", ""])
def test_a_port_is_within_its_range(text: str) -> None:
    with pytest.raises(WireError):
        parse_port(text)


@pytest.mark.parametrize(("count", "value"), [(0, None), (1, "c"), (3, "a"), (4, None)])
def test_b162_entries_are_counted_from_the_right(count: int, value: str | None) -> None:
    assert from_the_right(["a", "b", "c"], count) == value
