"""Cookie and Set-Cookie: what browsers send, what they accept, and what must never come through."""

import re
from datetime import UTC, date, datetime, timedelta
from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import http as werkzeug_http
from werkzeug.datastructures import MultiDict as WerkzeugMultiDict

from erlen.exceptions import WireError
from erlen.wire.cookies import dump_cookie, parse_cookie, read_cookies
from erlen.wire.multidict import ImmutableMultiDict

PLAIN_TEXT = st.text(
    st.characters(exclude_categories=["Cs"]).filter(lambda c: c > "\x1f" and c != "\x7f")
)
NAMES = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1).filter(lambda name: "__" not in name)


@pytest.mark.parametrize(
    ("header", "pairs"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("a=1; b=2", [("a", "1"), ("b", "2")], id="order"),
        pytest.param(
            r'a=1; =x; b; c="q\"uo;te"; d=%00; e=]f=1',
            [("a", "1"), ("c", 'q"uo'), ("d", "%00"), ("e", "]f=1")],
            id="B-073",
        ),
        pytest.param("=__Host-a=bad", [], id="B-074 nameless"),
        pytest.param(" __Host-a=x", [], id="B-074 leading blank"),
        pytest.param("a=1;  __Host-a=x", [("a", "1")], id="B-074 second blank"),
        pytest.param("a=1; __Host-a\t=x", [("a", "1")], id="B-074 blank before ="),
        pytest.param("\xa0__Host-a=x", [("\xa0__Host-a", "x")], id="B-074 no-break space"),
        pytest.param("__host-a=x", [("__host-a", "x")], id="B-074 case"),
        pytest.param("a=1; __Host-a=x", [("a", "1"), ("__Host-a", "x")], id="B-074 exact"),
        pytest.param(
            "__Host-a=x;__Secure-b=y", [("__Host-a", "x"), ("__Secure-b", "y")], id="B-074 no blank"
        ),
        pytest.param("a=1; a=2", [("a", "1"), ("a", "2")], id="B-075"),
        pytest.param("a=\x801; b=2", [("a", "\x801"), ("b", "2")], id="B-077 latin-1"),
        pytest.param("a=\xc3\xa9", [("a", "é")], id="B-077 UTF-8"),
        pytest.param("\xc3\xa9=1", [("é", "1")], id="B-077 UTF-8 name"),
        pytest.param("a=€", [("a", "€")], id="B-077 no latin-1 at all"),
        pytest.param("a=\x00; b=2; c\x01=3; d=\x7f", [("b", "2")], id="B-077 controls"),
        pytest.param(r'a="\000"; b=2', [("b", "2")], id="B-077 escaped control"),
        pytest.param("a=1\t2", [("a", "1\t2")], id="B-077 tab"),
        pytest.param(
            "$Version=1; $Path=/; a=1", [("$Version", "1"), ("$Path", "/"), ("a", "1")], id="B-079"
        ),
        pytest.param("a=%41+%2B", [("a", "%41+%2B")], id="B-080"),
        pytest.param("__proto__=1; class=2", [("__proto__", "1"), ("class", "2")], id="B-081"),
        pytest.param("a=; b=x y, z=1", [("a", ""), ("b", "x y, z=1")], id="B-082"),
        pytest.param("a =1;b= 2 ; ;; c", [("a", "1"), ("b", "2")], id="CK-3 blanks"),
        pytest.param(r'a="\303\251\073x"', [("a", "é;x")], id="CK-3 octal"),
        pytest.param(
            r'a="\\"; b="\x"; c="\400"', [("a", "\\"), ("b", "x"), ("c", "400")], id="CK-3 escapes"
        ),
        pytest.param('a="; b=""; c="x', [("a", ""), ("b", ""), ("c", "x")], id="CK-3 open quotes"),
        pytest.param('a="\\', [("a", "\\")], id="CK-3 lone backslash"),
        pytest.param('a=x"y"', [("a", 'x"y"')], id="CK-3 quote inside"),
    ],
)
def test_parse_cookie_reads_what_browsers_send(header: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_cookie(header) == pairs


@pytest.mark.parametrize(
    "header",
    ["", "a=1", "a=1; b=2; a=3", "a=1 ; b= 2;c=3", "a; =b; c", " a=1", "__Host-a=1; b=2", "a=b=c"],
)
def test_cookies_by_name_are_the_same(header: str) -> None:
    assert read_cookies(header) == ImmutableMultiDict(parse_cookie(header))


@given(st.text('ab=; "\\é\t_', max_size=12))
def test_cookies_by_name_are_the_same_for_any_text(header: str) -> None:
    assert read_cookies(header) == ImmutableMultiDict(parse_cookie(header))


def test_b077_301_cookies_by_name_are_431() -> None:
    assert len(read_cookies("; ".join(f"a{n}=1" for n in range(300)))) == 300
    with pytest.raises(WireError, match="more than 300 pairs"):
        read_cookies("; ".join(["a=1"] * 301))


def test_b077_300_pairs_are_read_and_301_are_431() -> None:
    assert len(parse_cookie("a=1;" * 300)) == 300
    with pytest.raises(WireError, match="more than 300 pairs") as caught:
        parse_cookie("a=1;" * 301)
    assert caught.value.status == 431


def test_max_pairs_counts_what_is_no_cookie_too() -> None:
    assert parse_cookie("a; b=1", max_pairs=2) == [("b", "1")]
    assert parse_cookie(" \t", max_pairs=0) == []
    with pytest.raises(WireError):
        parse_cookie("a; =; b=1", max_pairs=2)


@pytest.mark.parametrize("text", ['\\"', "\\", '"', " ", "="])
def test_b078_reading_is_linear(text: str) -> None:
    def seconds(count: int) -> float:
        header = f'a="{text * count}'
        laps = []
        for _ in range(5):
            start = thread_time()
            parse_cookie(header)
            laps.append(thread_time() - start)
        return min(laps)

    assert seconds(100_000) < 40 * max(seconds(10_000), 1e-5)


@given(st.text())
def test_parse_cookie_never_raises_on_any_text(header: str) -> None:
    assert all(name for name, _ in parse_cookie(header, max_pairs=1000))


@given(st.binary(max_size=60))
def test_latin1_bytes_make_no_control_characters(header: bytes) -> None:
    for name, value in parse_cookie(header.decode("latin-1"), max_pairs=100):
        assert re.search("[\x00-\x08\x0a-\x1f\x7f]", name + value) is None


@given(NAMES, PLAIN_TEXT)
def test_what_is_dumped_is_read_back(name: str, value: str) -> None:
    header = dump_cookie(name, value, path=None, max_size=0)
    assert parse_cookie(header) == [(name, value)]
    assert parse_cookie(f"x=1; {header}; y=2") == [("x", "1"), (name, value), ("y", "2")]


@given(NAMES, PLAIN_TEXT)
def test_values_are_dumped_as_werkzeug_does(name: str, value: str) -> None:
    assert dump_cookie(name, value, max_size=0) == werkzeug_http.dump_cookie(
        name, value, max_size=0
    )


@given(st.lists(st.tuples(st.text("abc", min_size=1), PLAIN_TEXT), max_size=5))
def test_cookies_are_read_as_werkzeug_does(pairs: list[tuple[str, str]]) -> None:
    # Differences, for B-073 and B-074: Werkzeug keeps "b" without "=" as an empty value, keeps the
    # quote of a value that ";" has cut, and knows no prefixes. Its multi-dict groups equal names.
    header = "; ".join(dump_cookie(name, value, path=None, max_size=0) for name, value in pairs)
    assert WerkzeugMultiDict(parse_cookie(header)) == werkzeug_http.parse_cookie(header)


def test_ck2_attributes_stand_in_flasks_order() -> None:
    header = dump_cookie(
        "a", "b", max_age=60, expires=0, path="/x", domain="example.com",
        secure=True, httponly=True, samesite="lax", partitioned=True,
    )  # fmt: skip
    assert header == (
        "a=b; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60; Secure; "
        "HttpOnly; Path=/x; SameSite=Lax; Partitioned"
    )


@pytest.mark.parametrize(
    ("options", "header"),
    [
        pytest.param({}, "a=v; Path=/", id="CK-1 defaults"),
        pytest.param({"path": None}, "a=v", id="CK-1 no path"),
        pytest.param({"path": "/ä b%20"}, "a=v; Path=/%C3%A4%20b%20", id="CK-1 path quoted"),
        pytest.param({"value": "é;x"}, r'a="\303\251\073x"; Path=/', id="CK-3 octal"),
        pytest.param({"value": 'a"\\ b,'}, r'a="a\"\\ b\054"; Path=/', id="CK-3 quotes"),
        pytest.param(
            {"domain": ".example.com:80"}, "a=v; Domain=example.com; Path=/", id="CK-1 domain"
        ),
        pytest.param(
            {"domain": "bücher.example"},
            "a=v; Domain=xn--bcher-kva.example; Path=/",
            id="CK-1 IDNA",
        ),
        pytest.param({"domain": ""}, "a=v; Path=/", id="CK-1 empty domain"),
        pytest.param({"samesite": "STRICT"}, "a=v; Path=/; SameSite=Strict", id="CK-1 SameSite"),
        pytest.param(
            {"samesite": "none", "secure": True},
            "a=v; Secure; Path=/; SameSite=None",
            id="CK-1 None",
        ),
        pytest.param(
            {"partitioned": True}, "a=v; Secure; Path=/; Partitioned", id="CK-1 partitioned"
        ),
        pytest.param(
            {"max_age": 5, "sync_expires": False}, "a=v; Max-Age=5; Path=/", id="CK-1 no sync"
        ),
        pytest.param(
            {"max_age": timedelta(minutes=1), "sync_expires": False},
            "a=v; Max-Age=60; Path=/",
            id="CK-1 timedelta",
        ),
        pytest.param(
            {"max_age": 0.5, "sync_expires": False}, "a=v; Max-Age=1; Path=/", id="CK-1 rounds up"
        ),
        pytest.param(
            {"max_age": -1, "sync_expires": False}, "a=v; Max-Age=-1; Path=/", id="B-149 negative"
        ),
        pytest.param(
            {"max_age": 10**30},
            f"a=v; Expires=Fri, 31 Dec 9999 23:59:59 GMT; Max-Age={10**30}; Path=/",
            id="far",
        ),
        pytest.param(
            {"max_age": -(10**30)},
            f"a=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age={-(10**30)}; Path=/",
            id="long ago",
        ),
        pytest.param(
            {"expires": date(2020, 1, 2)},
            "a=v; Expires=Thu, 02 Jan 2020 00:00:00 GMT; Path=/",
            id="CK-1 date",
        ),
        pytest.param(
            {"expires": datetime(2020, 1, 2, 3, tzinfo=UTC)},
            "a=v; Expires=Thu, 02 Jan 2020 03:00:00 GMT; Path=/",
            id="CK-1 datetime",
        ),
        pytest.param(
            {"expires": "Thu, 02 Jan 2020 03:00:00 GMT"},
            "a=v; Expires=Thu, 02 Jan 2020 03:00:00 GMT; Path=/",
            id="CK-1 text",
        ),
        pytest.param(
            {"key": "__Host-a", "secure": True},
            "__Host-a=v; Secure; Path=/",
            id="B-149 __Host- as it must be",
        ),
    ],
)
def test_dump_cookie_writes(options: dict[str, Any], header: str) -> None:
    assert dump_cookie(**{"key": "a", "value": "v", **options}) == header


def test_ck4_zero_max_age_and_epoch_delete() -> None:
    header = dump_cookie("a", expires=0, max_age=0)
    assert header == "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/"


def test_ck1_max_age_is_mirrored_in_expires() -> None:
    header = dump_cookie("a", max_age=3600)
    expires = werkzeug_http.parse_date(header.split("Expires=")[1].split(";")[0])
    assert expires is not None
    assert abs(expires - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "options",
    [
        *({"key": key} for key in ["a;b", "a=b", "a b", "a\r\nb", "", "é", 'a"b']),
        {"key": "__Host-a"},
        {"key": "__Host-a", "secure": True, "domain": "example.com"},
        {"key": "__host-a", "secure": True, "path": "/x"},
        {"key": "__Host-a", "secure": True, "path": None},
        {"key": "__Secure-a"},
        {"samesite": "None"},
        {"samesite": "Lax; HttpOnly"},
        {"samesite": ""},
        *({"value": value} for value in ["a\r\nb", "\x00", "\x7f", "\ud800", "x" * 5000]),
        *(
            {"domain": domain}
            for domain in ["a.com; HttpOnly", "a..b", "é" * 80, "http://a", ":80", "a\n"]
        ),
        *({"path": path} for path in ["/;Secure", "/\r\n", "/\x00"]),
        *({"max_age": age} for age in ["1; x", float("nan"), float("inf"), [], "60"]),
        *(
            {"expires": moment}
            for moment in [253_402_300_800, float("nan"), "1; x", "Fri, 31 Dec 10000 00:00:00 GMT"]
        ),
    ],
    ids=repr,
)
def test_b149_what_browsers_refuse_is_a_value_error_in_two_sentences(
    options: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=r"(?s)[^.]\. .+\.$"):
        dump_cookie(**{"key": "a", "value": "v", **options})


def test_ck1_the_error_of_samesite_has_flasks_sentence() -> None:
    with pytest.raises(ValueError, match=r"SameSite must be 'Strict', 'Lax', or 'None'\."):
        dump_cookie("a", samesite="lose")


def test_ck5_zero_disables_the_size_limit() -> None:
    header = dump_cookie("a", "x" * 4093, path=None, max_size=0)
    assert len(header) == 4095
    with pytest.raises(ValueError, match="takes 4095 bytes, over the limit of 4094"):
        dump_cookie("a", "x" * 4093, path=None, max_size=4094)
    assert dump_cookie("a", "x" * 4093, path=None, max_size=4095) == header


def test_ck1_value_that_is_no_text_is_a_type_error_that_says_so() -> None:
    with pytest.raises(TypeError, match=r"The cookie 'visits' has the value 5 of type int\. Give"):
        dump_cookie("visits", 5)  # type: ignore[arg-type]  # what is often written
