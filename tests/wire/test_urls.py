"""Targets, queries, hosts and writing of URLs: security.md 2.1, 2.2 and 2.11, RQ-2, RQ-3."""

import time
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import urls as oracle
from werkzeug.datastructures import MultiDict
from werkzeug.sansio.utils import get_current_url as oracle_current_url

from erlen.exceptions import WireError
from erlen.wire import urls
from erlen.wire.urls import (
    Target,
    check_host,
    get_current_url,
    host_is_trusted,
    iri_to_uri,
    parse_query,
    printable,
    quote_fragment,
    quote_path,
    split_target,
    strip_default_port,
    uri_to_iri,
    urlencode,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


def target(raw: bytes, root_path: str = "") -> Target:
    """Split as a server gives it: decoded leniently, as servers do."""
    return split_target(unquote(raw.decode("latin-1")), raw, root_path)


BAD_PATHS = {
    "b001 NUL": b"/x/a%00b",
    "b002 invalid UTF-8": b"/x/%ff%fe",
    "b003 overlong": b"/x/%c0%ae%c0%ae/",
    "b004 surrogate": b"/x/%ed%a0%80",
    "b005 lone percent": b"/x/100%",
    "b005 no hex": b"/x/%zz",
    "b005 %u": b"/x/%u0041",
    "b005 one digit": b"/x/%2",
    "b007 LF": b"/x/a%0aINJECT",
    "b007 CR": b"/x/%0d",
    "b007 tab": b"/x/%09",
    "b007 ESC": b"/x/%1b[31m",
    "b007 DEL": b"/x/%7f",
    "b007 C1": b"/x/%c2%85",
    "b015 no slash": b"foo",
    "b015 authority form": b"example.com:443",
    "b013 bad authority": b"http://user@evil.com/x",
    "b013 no authority": b"http:///x",
}


@pytest.mark.parametrize("raw", BAD_PATHS.values(), ids=BAD_PATHS)
def test_bad_target_is_400(raw: bytes) -> None:
    with pytest.raises(WireError) as caught:
        target(raw)
    assert caught.value.status == 400


@pytest.mark.parametrize("path", ["/x/\x00", "/x/\n", "/x/\x85", "/x/\udcff", "foo"])
def test_bad_path_without_raw_path_is_400(path: str) -> None:
    with pytest.raises(WireError):
        split_target(path, None)


GOOD_PATHS = {
    "plain": (b"/a/b", "/a/b"),
    "b006 raw UTF-8": ("/x/é".encode(), "/x/é"),
    "b007 line separator": (b"/x/%e2%80%a8", "/x/\u2028"),
    "b007 bidi": (b"/x/%e2%80%ae", "/x/\u202e"),
    "b008 dots": (b"/x/%2e%2e/c", "/x/../c"),
    "b009 slashes": (b"//x//y", "//x//y"),
    "b011 backslash": (b"/x%5c..", "/x\\.."),
    "b012 asterisk": (b"*", "*"),
    "b014 empty": (b"", "/"),
    "b022 trailing space": (b"/x%20", "/x "),
    "b022 decomposed": ("/e\u0301".encode(), "/e\u0301"),
    "b023 matrix": (b"/x;jsessionid=1", "/x;jsessionid=1"),
    "percent sign": (b"/100%25", "/100%"),
}


@pytest.mark.parametrize(("raw", "path"), GOOD_PATHS.values(), ids=GOOD_PATHS)
def test_good_target_is_decoded_once(raw: bytes, path: str) -> None:
    expected = Target(path)
    assert split_target(path if raw else "", raw) == expected
    assert split_target(path if raw else "", None) == expected


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        (b"/x/a%2Fb", ["x", "a/b"]),
        (b"/%2f", ["/"]),
        (b"/a%2fb/%20/", ["a/b", " ", ""]),
    ],
)
def test_b010_encoded_slash_does_not_separate(raw: bytes, segments: list[str]) -> None:
    assert target(raw) == Target(unquote(raw.decode()), segments)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"http://Example.com/x", "/x"),
        (b"https://example.com/", "/"),
        (b"http://example.com", "/"),
        (b"WS://example.com:/x", "/x"),
    ],
)
def test_b013_b014_absolute_form_gives_path_and_authority(raw: bytes, path: str) -> None:
    assert target(raw) == Target(path, None, "example.com")
    assert split_target(raw.decode(), None) == Target(path, None, "example.com")
    assert split_target(path, raw) == Target(path, None, "example.com")


def test_b016_too_long_target_is_414_at_once() -> None:
    long = b"/" + b"a" * 100_000
    started = time.process_time()
    for raw in (long, None):
        with pytest.raises(WireError) as caught:
            split_target(long.decode(), raw)
        assert caught.value.status == 414
    assert time.process_time() - started < 0.05


def test_b016_limit_counts_raw_path_and_query_together() -> None:
    assert split_target("/é", b"/%c3%a9", max_length=10, query_length=3).path == "/é"
    assert split_target("/abc", b"/abc", max_length=10, query_length=6).path == "/abc"
    for path, raw, query_length in [("/é", b"/%c3%a9", 4), ("/abc", b"/abc", 7), ("/é", None, 8)]:
        with pytest.raises(WireError):
            split_target(path, raw, max_length=10, query_length=query_length)


def test_b017_many_encoded_slashes_take_linear_time() -> None:
    started = time.process_time()
    raw = b"/" + b"%2F" * 200_000
    found = split_target("/" + "/" * 200_000, raw, max_length=10**6)
    assert found.segments == ["/" * 200_000]
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("path", "raw"), [("/b", b"/a"), ("/a", b"/a/"), ("/%41", b"/%41"), ("/é", b"/e")]
)
def test_b024_raw_path_that_means_another_path_is_400(path: str, raw: bytes) -> None:
    with pytest.raises(WireError) as caught:
        split_target(path, raw)
    assert caught.value.status == 400


@pytest.mark.parametrize("raw", ["/a", bytearray(b"/a"), 1])
def test_b024_raw_path_of_wrong_type_is_the_servers_fault(raw: bytes) -> None:
    with pytest.raises(TypeError, match="server"):
        split_target("/é", raw)


@pytest.mark.parametrize("root", ["/r", "/r/", "r"])
@pytest.mark.parametrize(
    ("path", "below"), [("/r", "/"), ("/r/", "/"), ("/r/x", "/x"), ("/r//x", "//x"), ("*", "*")]
)
def test_b025_root_path_is_stripped(root: str, path: str, below: str) -> None:
    assert split_target(path, path.encode(), root).path == below
    assert split_target(path, None, root).path == below


@pytest.mark.parametrize("root", ["", "/", "//"])
def test_b025_root_path_of_slashes_is_none(root: str) -> None:
    assert split_target("/x", b"/x", root).path == "/x"


@pytest.mark.parametrize("path", ["/rx", "/x", "/", "/x/r", ""])
def test_b025_path_not_below_the_root_path_is_404(path: str) -> None:
    for raw in (path.encode(), None):
        with pytest.raises(WireError) as caught:
            split_target(path, raw, "/r")
        assert caught.value.status == 404


def test_b025_servers_may_leave_the_root_path_out_of_raw_path() -> None:
    assert split_target("/r/é", b"/%c3%a9", "/r") == Target("/é")
    assert split_target("/r/a/b", b"/a%2fb", "/r") == Target("/a/b", ["a/b"])


def test_b025_encoded_slash_is_no_boundary_of_the_root_path() -> None:
    assert target(b"/a/b/c%2fd", "/a/b") == Target("/c/d", ["c/d"])
    with pytest.raises(WireError) as caught:
        target(b"/a%2fb/c", "/a/b")
    assert caught.value.status == 404


@given(st.text(), st.none() | st.binary(), st.sampled_from(["", "/r", "/r/s/"]))
def test_splitting_raises_only_wire_errors(path: str, raw: bytes | None, root: str) -> None:
    try:
        found = split_target(path, raw, root)
    except WireError:
        return
    assert found.path[0] in "/*"


@given(st.lists(TEXTS, min_size=1))
def test_segments_or_split_path_are_the_decoded_segments(parts: list[str]) -> None:
    raw = "".join(f"/{quote_path(part).replace('/', '%2F')}" for part in parts).encode()
    found = split_target("/" + "/".join(parts), raw)
    assert (found.segments or found.path.split("/")[1:]) == parts


QUERIES = {
    "b026 bad percent": (b"a=%zz&b=%ff&c=%", [("a", "%zz"), ("b", "\ufffd"), ("c", "%")]),
    "b026 raw bytes": (b"a=\xff\xc3&b=\xc3\xa9", [("a", "\ufffd\ufffd"), ("b", "é")]),
    "b027 semicolon": (b"a=1;b=2", [("a", "1;b=2")]),
    "b029 NUL": (b"a=%00", [("a", "\x00")]),
    "b030 blank": (b"a", [("a", "")]),
    "b030 no name": (b"=b", [("", "b")]),
    "b030 empty": (b"&&", []),
    "b030 nothing": (b"", []),
    "b030 equals": (b"a=b=c", [("a", "b=c")]),
    "b030 brackets": (b"a[]=1&a[0]=2", [("a[]", "1"), ("a[0]", "2")]),
    "b031 repeated": (b"a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
    "plus": (b"a+b=c+d&e=%2B+", [("a b", "c d"), ("e", "+ ")]),
    "UTF-8": (b"%C3%BC=\xc3%bc", [("ü", "ü")]),
}


@pytest.mark.parametrize(("query", "pairs"), QUERIES.values(), ids=QUERIES)
def test_query(query: bytes, pairs: list[tuple[str, str]]) -> None:
    assert parse_query(query) == pairs


@pytest.mark.parametrize("field", [b"a=1&", b"%41&", b"&&a&"])
def test_b028_more_than_a_thousand_fields_is_400(field: bytes) -> None:
    assert len(parse_query(field * 1000)) == 1000
    with pytest.raises(WireError) as caught:
        parse_query(field * 1001)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "query", [b"&" * 2**20, b"&=&=&" * 100, b"a=" + b"%" * 2**20, b"a=" + b"%41" * 2**18]
)
def test_b028_hostile_queries_take_linear_time(query: bytes) -> None:
    started = time.process_time()
    parse_query(query)
    assert time.process_time() - started < 2


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_written_queries_read_back(pairs: list[tuple[str, str]]) -> None:
    assert parse_query(urlencode(pairs).encode()) == pairs


@given(st.binary())
def test_reading_a_query_never_raises(query: bytes) -> None:
    parse_query(query)


def test_urlencode_writes_text_of_values_and_agrees_with_werkzeug() -> None:
    assert urlencode([("a", 1), ("b", "x y/ü&=+")]) == "a=1&b=x+y/%C3%BC%26%3D%2B"
    pairs = [("q", "a/b c,d:e@f"), ("q", "é?$!")]
    assert urlencode(pairs) == oracle._urlencode(MultiDict(pairs))


GOOD_HOSTS = [
    (b"example.com", "example.com"),
    (b"EXAMPLE.com.", "example.com."),
    (b"EXAMPLE.COM:443", "example.com:443"),
    (b"a_b.c-d:65535", "a_b.c-d:65535"),
    (b"example.com:", "example.com"),
    (b"[::1]:80", "[::1]:80"),
    (b"[::FFFF:127.0.0.1]", "[::ffff:127.0.0.1]"),
    (b"2130706433", "2130706433"),
    (b"xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),
]


@pytest.mark.parametrize(("value", "host"), GOOD_HOSTS)
def test_b155_b156_b158_sound_hosts_are_lower_cased(value: bytes, host: str) -> None:
    assert check_host(value) == host
    assert check_host(value) == host


BAD_HOSTS = {
    "b151": [b"", b" ", b"   ", b" example.com"],
    "b153": [
        b"example.com/abc?x=",
        b"a#b",
        b"a\\b",
        b"a b",
        b"a%00",
        b"a\tb",
        b"a?b",
        b"a\n",
        b"a,b",
    ],
    "b154": [b"user:pw@example.com", b"user@example.com"],
    "b155": [
        b"a:99999",
        b"a:0",
        b"a:-1",
        "a:٨٠".encode(),
        b"a:80:80",
        b"a:080",
        b"a:65536",
        b":80",
        b":",
    ],
    "b158": [
        b"[::1",
        b"::1",
        b"[fe80::1%25eth0]",
        b"[1:2]",
        b"[]",
        b"[::1]x",
        b"[a]:80",
        b"[127.0.0.1]",
    ],
    "b159": ["пример.рф".encode(), "a\uff0eb".encode(), "\u212aelvin".encode(), b"\xff"],
    "dots": [b".a", b"a..b", b".", b"a" * 256],
}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(value, id=f"{row} {value!r:.20}")
        for row, values in BAD_HOSTS.items()
        for value in values
    ],
)
def test_malformed_host_is_400(value: bytes) -> None:
    with pytest.raises(WireError) as caught:
        check_host(value)
    assert caught.value.status == 400


def test_invented_hosts_do_not_grow_the_memory() -> None:
    for number in range(3000):
        check_host(b"h%d.example" % number)
    assert len(urls._HOSTS) <= urls._HOSTS_KEPT


@given(st.binary() | st.text("a.:[]1-@").map(str.encode))
def test_checking_a_host_raises_only_wire_errors(value: bytes) -> None:
    try:
        host = check_host(value)
    except WireError:
        return
    assert urlsplit(f"http://{host}/").path == "/"


TRUSTED = ["example.com", ".svc.example", "пример.рф", "[::1]", "Port.Example:8000"]


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("example.com", True),
        ("EXAMPLE.com.", True),
        ("example.com:443", True),
        ("examplexcom", False),
        ("example.com.evil.com", False),
        ("evil-example.com", False),
        ("evil.com#.svc.example", True),  # never reaches here: check_host refuses it
        ("svc.example", True),
        ("a.b.svc.example:1", True),
        ("xsvc.example", False),
        ("xn--e1afmkfd.xn--p1ai", True),
        ("[::1]:80", True),
        ("[::2]", False),
        ("port.example", True),
        ("", False),
    ],
)
def test_b156_b157_b158_b159_trusted_hosts(host: str, trusted: bool) -> None:
    assert host_is_trusted(host, TRUSTED) is trusted


def test_empty_entries_trust_nothing() -> None:
    assert not host_is_trusted("", ["", "."])
    assert not host_is_trusted("a", ["", "."])
    assert not host_is_trusted("a", [])


@pytest.mark.parametrize(
    ("host", "scheme", "stripped"),
    [
        ("a:80", "http", "a"),
        ("a:80", "ws", "a"),
        ("a:443", "https", "a"),
        ("a:443", "wss", "a"),
        ("a:443", "http", "a:443"),
        ("[::80]", "http", "[::80]"),
        ("a:80", "other", "a:80"),
    ],
)
def test_rq2_default_ports_are_stripped(host: str, scheme: str, stripped: str) -> None:
    assert strip_default_port(host, scheme) == stripped


@given(TEXTS)
def test_quoted_text_unquotes_to_itself(text: str) -> None:
    assert unquote(quote_path(text)) == text == unquote(quote_fragment(text))
    assert quote_path(text).isascii()
    assert not set(quote_path(text)) & set('?#"<>\\^`{|} ')


def test_fragments_may_have_a_question_mark() -> None:
    assert (quote_fragment("a?b c#"), quote_path("a?b")) == ("a?b%20c%23", "a%3Fb")


@pytest.mark.parametrize(
    "iri",
    [
        "http://пример.рф/ü?x=ü#ü",
        "/ü x",
        "/a%20b?c=d#e",
        "//h/x",
        "mailto:ü@x",
        "http://[::1]:80/x",
    ],
)
def test_iri_to_uri_agrees_with_werkzeug(iri: str) -> None:
    assert iri_to_uri(iri) == oracle.iri_to_uri(iri)


def test_iri_to_uri_keeps_account_and_port_and_encodes_newlines() -> None:
    assert iri_to_uri("http://ü:p@пример.рф:80/x") == "http://%C3%BC:p@xn--e1afmkfd.xn--p1ai:80/x"
    assert iri_to_uri("/a\r\nb\\c") == "/a%0D%0Ab%5Cc"


def test_uri_to_iri_shows_letters_and_hides_controls() -> None:
    assert uri_to_iri("/%C3%BC%2F%3F/%FF/%E2%80%AE") == "/ü%2F%3F/%FF/%E2%80%AE"


@given(TEXTS)
def test_iris_and_uris_mean_the_same(text: str) -> None:
    assert iri_to_uri(uri_to_iri(quote_path(text))) == quote_path(text)


@pytest.mark.parametrize(
    "parts",
    [
        ("http", "h"),
        ("http", "h", "/r"),
        ("http", "h", "/r", "/p ü?"),
        ("http", "h", "", "/", b""),
        ("http", "h", "/r/", "/p", b"a=%26&b=%C3%BC"),
    ],
)
def test_rq2_current_url_agrees_with_werkzeug(parts: tuple[str, str]) -> None:
    assert get_current_url(*parts) == oracle_current_url(*parts)


@given(TEXTS, st.sampled_from(["", "/r"]), st.binary())
def test_b021_current_url_parses_back(text: str, root: str, query: bytes) -> None:
    path = f"/{text}"
    found = urlsplit(get_current_url("http", "example.com:8000", root, path, query))
    assert found.netloc == "example.com:8000"
    assert unquote(found.path) == root + path
    assert parse_query(iri_to_uri(found.query).encode()) == parse_query(query)


@pytest.mark.parametrize("path", ["//evil.com", "/a?b", "/a#b", "/100%", "/a\\b", "/a b", "*"])
def test_b021_odd_paths_stay_paths(path: str) -> None:
    found = urlsplit(get_current_url("http", "h", None, path))
    assert (found.netloc, found.query, found.fragment) == ("h", "", "")
    assert unquote(found.path) == f"/{path.removeprefix('/')}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/plain é", "/plain é"),
        ("a\x1b[31m\r\n", r"a\x1b[31m\r\n"),
        ("\x85\u2028\u202e\udcff", r"\x85\u2028\u202e\udcff"),
        ("a" * 300, "a" * 199 + "…"),
        ("\n" * 150, r"\n" * 99 + "\\…"),
    ],
)
def test_b007_logged_text_is_escaped_and_cut(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_logged_text_prints_within_its_limit(text: str) -> None:
    assert printable(text, 50).isprintable()
    assert len(printable(text, 50)) <= 50
