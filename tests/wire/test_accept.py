"""Content negotiation: which offer a client likes best."""

from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import datastructures as werkzeug_datastructures
from werkzeug import http as werkzeug_http

from erlen.wire.accept import (
    Accept,
    CharsetAccept,
    LanguageAccept,
    MIMEAccept,
    parse_accept_header,
)

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
QUALITIES = st.sampled_from([0.0, 0.001, 0.3, 0.5, 1.0])


@pytest.mark.parametrize(
    ("value", "items"),
    [
        pytest.param(None, [], id="absent"),
        pytest.param("", [], id="empty"),
        pytest.param("gzip, br;q=0.5,*;q=0", [("gzip", 1), ("br", 0.5), ("*", 0)], id="plain"),
        pytest.param("a;q=0.2, b;q=0.9, *", [("b", 0.9), ("a", 0.2), ("*", 1)], id="DS-5 order"),
        pytest.param("a ; q=0.5 , b", [("b", 1), ("a", 0.5)], id="blanks"),
        pytest.param(
            "a;Q=1.000,b;q=1.,c;q=0.", [("a", 1), ("b", 1), ("c", 0)], id="q written otherwise"
        ),
        pytest.param("a;;q=0.5;x=y", [("a", 0.5)], id="extensions are dropped"),
        pytest.param("a;v=1;q=0.5", [("a; v=1", 0.5)], id="parameters are kept"),
        pytest.param(',,a,"b",c d,é, ', [("a", 1)], id="malformed items"),
        pytest.param('a;x="y', [], id="open quote"),
        *(
            pytest.param(f"a;q={q},b", [("b", 1)], id=f"q={q!a}")
            for q in [
                "2",
                "-1",
                "1.001",
                "0.1234",
                ".5",
                "",
                "x",
                "nan",
                "1e0",
                "\u0660",
                '"1"',
                " 1",
            ]
        ),
    ],
)
def test_ds5_parse_accept_header(value: str | None, items: list[tuple[str, float]]) -> None:
    assert list(parse_accept_header(value)) == items


def test_commas_inside_quotes_do_not_end_an_item() -> None:
    accept = parse_accept_header('text/plain;x="a,b;\\"c";q=0.5, text/html', MIMEAccept)
    assert list(accept.values()) == ['text/plain; x="a,b;\\"c"', "text/html"]
    assert accept['text/plain; x="a,b;\\"\\c"'] == 0.5


def test_at_most_100_items_are_read() -> None:
    assert len(parse_accept_header(",".join(f"a{i}" for i in range(5000)))) == 100
    assert len(parse_accept_header(",".join(f'a{i};x="y"' for i in range(5000)))) == 100


@pytest.mark.parametrize("text", [",", '"', '\\"', "\\", " ", ";", ";a=b", "a/b;", "a/b,", 'a="'])
@pytest.mark.parametrize("start", ["", 'a/b;c="'])
def test_reading_is_linear(start: str, text: str) -> None:
    def seconds(count: int) -> float:
        laps = []
        for _ in range(3):
            begin = thread_time()
            parse_accept_header(start + text * count, MIMEAccept)
            laps.append(thread_time() - begin)
        return min(laps)

    assert seconds(50_000) < 40 * max(seconds(5_000), 1e-5)


@given(st.text())
def test_parse_accept_header_never_raises(value: str) -> None:
    for cls in (Accept, MIMEAccept, LanguageAccept, CharsetAccept):
        accept = parse_accept_header(value, cls)
        assert accept.best_match(["a/b", "en-GB"]) in (None, "a/b", "en-GB")


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "*"]), QUALITIES), max_size=6))
def test_what_is_written_is_read_back(items: list[tuple[str, float]]) -> None:
    accept = Accept(items)
    assert parse_accept_header(accept.to_header()) == accept


@given(
    st.lists(
        st.tuples(st.sampled_from(["text/html", "text/*", "*/*", "a/b", "a/c"]), QUALITIES),
        unique_by=lambda x: x[0],
    ),
    st.lists(st.sampled_from(["text/html", "text/plain", "a/b", "a/c"]), max_size=4),
)
def test_media_types_are_weighed_as_werkzeug_does(
    items: list[tuple[str, float]], offers: list[str]
) -> None:
    # Differences: Werkzeug lets an entry without parameters cover none with them, says "in" of a
    # refused type, and its best_match() forgets a refusal (q=0) when a wider entry accepts.
    ours, theirs = MIMEAccept(items), werkzeug_datastructures.MIMEAccept(items)
    assert list(ours) == list(theirs)
    for offer in offers:
        assert ours.quality(offer) == theirs.quality(offer)
    if all(quality for _, quality in items):
        best, expected = ours.best_match(offers), theirs.best_match(offers)
        assert (best is None) == (expected is None)
        assert best is None or ours.quality(best) >= theirs.quality(str(expected))


@pytest.mark.parametrize("value", [BROWSER, "text/html;level=1;q=0.3, */*", "x/y", "*/*;q=0.1"])
def test_media_ranges_are_read_as_werkzeug_does(value: str) -> None:
    theirs = werkzeug_http.parse_accept_header(value, werkzeug_datastructures.MIMEAccept)
    assert list(parse_accept_header(value, MIMEAccept)) == list(theirs)


@pytest.mark.parametrize(
    ("value", "offers", "best"),
    [
        pytest.param(BROWSER, ["application/json", "text/html"], "text/html", id="browser"),
        pytest.param(BROWSER, ["application/json"], "application/json", id="wildcard"),
        pytest.param("*/*", ["b/b", "a/a"], "b/b", id="DS-5 server order"),
        pytest.param("text/*, */*", ["a/a", "text/plain"], "text/plain", id="DS-5 specificity"),
        pytest.param("*/*, text/html;q=0.5", ["text/html", "a/a"], "a/a", id="DS-5 quality first"),
        pytest.param("text/html;q=0, */*", ["text/html"], None, id="DS-5 q=0"),
        pytest.param("text/html;q=0, */*", ["text/html", "a/a"], "a/a", id="DS-5 q=0 with another"),
        pytest.param("TEXT/Html", ["text/html"], "text/html", id="case"),
        pytest.param(
            "text/html",
            ["text/html; charset=utf-8"],
            "text/html; charset=utf-8",
            id="offer with parameters",
        ),
        pytest.param("text/html;level=1", ["text/html"], None, id="DS-5 parameters must match"),
        pytest.param(
            "text/html;level=1",
            ["text/html;level=2", "text/html; Level=1"],
            "text/html; Level=1",
            id="level",
        ),
        pytest.param(
            "text/*;q=0.5, text/html;level=1",
            ["text/html", "text/html;level=1"],
            "text/html;level=1",
            id="both",
        ),
        pytest.param("", ["text/html"], None, id="empty"),
        pytest.param("text", ["text"], None, id="no media type"),
    ],
)
def test_ds5_best_media_type(value: str, offers: list[str], best: str | None) -> None:
    assert parse_accept_header(value, MIMEAccept).best_match(offers) == best


def test_best_match_falls_back_to_the_default() -> None:
    assert parse_accept_header("gzip").best_match(["br"], "identity") == "identity"
    assert parse_accept_header("de", LanguageAccept).best_match(["en"], "fr") == "fr"


@pytest.mark.parametrize(
    ("value", "html", "xhtml", "json"),
    [
        (BROWSER, True, True, True),
        ("text/html", True, False, False),
        ("application/xml", True, True, False),
        ("application/json", False, False, True),
        ("application/json;q=0, */*;q=0.1", True, True, False),
        ("", False, False, False),
    ],
)
def test_ds5_short_questions(value: str, html: bool, xhtml: bool, json: bool) -> None:
    accept = parse_accept_header(value, MIMEAccept)
    assert (accept.accept_html, accept.accept_xhtml, accept.accept_json) == (html, xhtml, json)


@pytest.mark.parametrize(
    ("value", "offers", "best"),
    [
        pytest.param("en-US, de;q=0.5", ["de", "en-us"], "en-us", id="whole tag"),
        pytest.param("en_US", ["en-US"], "en-US", id="underscore"),
        pytest.param("en-GB, de;q=0.5", ["fr", "en"], "en", id="DS-5 primary of the client"),
        pytest.param("en", ["fr", "en-US"], "en-US", id="DS-5 primary of the offer"),
        pytest.param("en-GB", ["en-US"], None, id="siblings do not match"),
        pytest.param("fr, *;q=0.1", ["ja"], "ja", id="wildcard"),
        pytest.param("en, en-US;q=0", ["en-US", "en-AU"], "en-AU", id="refused stays refused"),
        pytest.param("en, *;q=0", ["en-US"], "en-US", id="range is nearer than star"),
        pytest.param("en-GB;q=0, de", ["en"], None, id="refused primary"),
    ],
)
def test_ds5_best_language(value: str, offers: list[str], best: str | None) -> None:
    assert parse_accept_header(value, LanguageAccept).best_match(offers) == best


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["en", "en-US", "en_GB", "de", "zh-Hant-TW"]), QUALITIES.filter(bool)
        ),
        max_size=3,
        unique_by=lambda item: item[0],
    ),
    st.lists(st.sampled_from(["en", "en-US", "en-AU", "de", "de-AT", "zh"]), max_size=3),
)
def test_languages_are_weighed_as_werkzeug_does(
    items: list[tuple[str, float]], offers: list[str]
) -> None:
    # Difference: Werkzeug forgets refusals (q=0) when it falls back to the primary tag.
    theirs = werkzeug_datastructures.LanguageAccept(items)
    assert LanguageAccept(items).best_match(offers) == theirs.best_match(offers)


@pytest.mark.parametrize("offer", ["utf8", "UTF-8", "utf_8"])
def test_charsets_have_many_spellings(offer: str) -> None:
    accept = parse_accept_header("utf-8, latin1;q=0.5", CharsetAccept)
    assert accept.quality(offer) == 1
    assert accept["ISO-8859-1"] == 0.5


def test_ds5_an_accept_is_a_sequence_of_pairs() -> None:
    accept = parse_accept_header("a;q=0.5, b;q=0, *;q=0.1")
    assert (accept[0], accept["a"], accept["zz"], len(accept)) == (("a", 0.5), 0.5, 0.1, 3)
    assert ("a" in accept, "b" in accept) == (True, False)
    assert (accept.find("a"), accept.index("b"), accept.index("zz")) == (0, 1, 2)
    assert (accept.best, Accept([("a", 0)]).best, Accept().best) == ("a", None, None)
    assert bool(accept) is True
    assert bool(Accept()) is False


def test_index_of_what_nothing_covers_is_a_value_error() -> None:
    assert Accept([("a", 1)]).find("b") == -1
    with pytest.raises(ValueError, match="'b' is not covered by 'a'"):
        Accept([("a", 1)]).index("b")


def test_accepts_are_values() -> None:
    accept = parse_accept_header("a;q=0.5, b")
    assert str(accept) == "b,a;q=0.5"
    assert repr(accept) == "Accept([('b', 1), ('a', 0.5)])"
    assert hash(accept) == hash(Accept(accept))
    assert accept == Accept(accept)
    assert accept != LanguageAccept(accept)
    assert accept != [("b", 1), ("a", 0.5)]
