"""Headers: DS-3, B-038 to B-045, B-053, B-076, B-147, B-148, B-152, B-322."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers as Oracle

from erlen.exceptions import BadRequestKeyError
from erlen.wire import headers
from erlen.wire.headers import Headers, RequestHeaders
from erlen.wire.multidict import MultiDict

PAIRS = [("A", "1"), ("b", "2"), ("a", "3")]


def make() -> Headers:
    return Headers(PAIRS)


@pytest.mark.parametrize(
    "source",
    [
        PAIRS,
        iter(PAIRS),
        MultiDict(PAIRS),
        Headers(PAIRS),
        {"A": ["1"], "b": "2", "a": {"3"}},
        RequestHeaders([(b"A", b"1"), (b"b", b"2"), (b"a", b"3")]),
    ],
)
def test_ds3_every_source_gives_the_same_headers(source: Any) -> None:
    assert Headers(source) == make()


def test_ds3_names_are_found_without_regard_to_case() -> None:
    h = make()
    assert (h["a"], h["B"], "A" in h, "c" in h) == ("1", "2", True, False)
    assert h.__contains__(1) is False
    with pytest.raises(BadRequestKeyError):
        h["c"]


def test_ds3_index_gives_a_pair_and_slice_gives_headers() -> None:
    assert make()[0] == ("A", "1")
    assert make()[1:] == Headers(PAIRS[1:])


def test_ds3_get_converts_or_falls_back() -> None:
    h = Headers({"n": "7", "x": "1_0"})
    assert (h.get("n"), h.get("z"), h.get("z", "9"), h.get("n", type=int)) == ("7", None, "9", 7)
    assert h.get("x", 1, type=int) == 1


def test_ds3_getlist_and_get_all_give_every_value() -> None:
    assert make().getlist("A") == ["1", "3"] == make().get_all("a")
    assert make().getlist("a", type=int) == [1, 3]
    assert make().getlist("z") == []


def test_ds3_iteration_gives_pairs_as_written() -> None:
    h = make()
    assert list(h) == PAIRS == h.to_wsgi_list() == list(h.items())
    assert next(iter(h.items(lower=True))) == ("a", "1")
    assert (list(h.keys()), list(h.keys(lower=True))) == (["A", "b", "a"], ["a", "b", "a"])
    assert (list(h.values()), len(h)) == (["1", "2", "3"], 3)


def test_ds3_equality_ignores_order_and_case_of_names() -> None:
    assert make() == Headers(reversed([(name.upper(), value) for name, value in PAIRS]))
    assert make() != Headers(PAIRS[:2])
    assert make() != PAIRS


def test_headers_have_no_hash() -> None:
    with pytest.raises(TypeError):
        hash(make())


def test_ds3_add_appends_with_parameters() -> None:
    h = Headers()
    h.add("X", 1)
    h.add_header("D", "attachment", filename='ü"', file_size=3)
    h.add("E", None, a="b")
    assert h["d"] == "attachment; filename*=UTF-8''%C3%BC%22; file-size=3"
    assert (h["x"], h["e"]) == ("1", "a=b")


def test_ds3_set_replaces_every_field_of_the_name_in_place() -> None:
    h = make()
    h.set("a", "x", p="q")
    h["c"] = "y"
    assert list(h) == [("a", "x; p=q"), ("b", "2"), ("c", "y")]


def test_ds3_setting_by_position() -> None:
    h = make()
    h[0] = ("X", 1)
    h[1:] = [("Y", "2")]
    assert list(h) == [("X", "1"), ("Y", "2")]


def test_ds3_setlist_and_defaults() -> None:
    h = make()
    h.setlist("a", [4, "5"])
    assert h.getlist("a") == ["4", "5"]
    assert (h.setdefault("a", "9"), h.setdefault("c", 9)) == ("4", "9")
    assert (h.setlistdefault("a", ["9"]), h.setlistdefault("d", ["8", "9"])) == (
        ["4", "5"],
        ["8", "9"],
    )


def test_ds3_extend_appends_everything() -> None:
    h = make()
    h.extend({"b": ["8", "9"]}, c="7")
    h.extend(d="6")
    assert h.getlist("b") == ["2", "8", "9"]
    assert (h["c"], h["d"]) == ("7", "6")


@pytest.mark.parametrize("source", [{"a": ["8", "9"]}, MultiDict([("a", "8"), ("A", "9")])])
def test_ds3_update_replaces_per_key(source: Any) -> None:
    h = make()
    h.update(source, c="7")
    assert sorted(h.items(lower=True)) == [("a", "8"), ("a", "9"), ("b", "2"), ("c", "7")]


def test_ds3_update_with_pairs_keeps_the_last() -> None:
    h = make()
    h.update([("a", "8"), ("a", "9")])
    assert h.getlist("a") == ["9"]


def test_ds3_update_with_an_empty_list_removes() -> None:
    h = make()
    h.update({"A": []})
    assert list(h) == [("b", "2")]


def test_update_with_headers_keeps_names_that_differ_in_case() -> None:
    h = Headers()
    h.update(make())
    assert h.getlist("a") == ["1", "3"]


def test_ds3_unions() -> None:
    h = make()
    assert (h | {"a": "9"}).getlist("a") == ["9"]
    h |= [("b", "9")]
    assert list(h) == [("A", "1"), ("b", "9"), ("a", "3")]
    with pytest.raises(TypeError):
        h | [("a", "1")]  # type: ignore[operator]  # what must fail


def test_ds3_removing() -> None:
    h = make()
    h.remove("A")
    h.remove("zz")
    del h["zz"]
    assert list(h) == [("b", "2")]
    del h[0]
    h.extend(PAIRS)
    del h["B"]
    del h[:1]
    assert list(h) == [("a", "3")]
    h.clear()
    assert not h


def test_ds3_popping() -> None:
    h = make()
    assert (h.pop("a"), list(h)) == ("1", [("b", "2")])
    assert h.pop("a", "d") == "d"
    with pytest.raises(BadRequestKeyError):
        h.pop("a")
    assert h.pop() == ("b", "2")
    h.extend(PAIRS)
    assert (h.pop(0), h.popitem()) == (("A", "1"), ("a", "3"))


def test_ds3_copies_are_independent() -> None:
    h = make()
    for duplicate in (h.copy(), copy.copy(h)):
        duplicate.clear()
    assert len(h) == 3
    assert repr(h[:1]) == "Headers([('A', '1')])"


SETTERS: dict[str, Callable[[Headers, str, Any], object]] = {
    "item": lambda h, key, value: h.__setitem__(key, value),
    "add": lambda h, key, value: h.add(key, value),
    "set": lambda h, key, value: h.set(key, value),
    "setlist": lambda h, key, value: h.setlist(key, [value]),
    "setdefault": lambda h, key, value: h.setdefault(key, value),
    "extend": lambda h, key, value: h.extend({key: [value]}),
    "update": lambda h, key, value: h.update([(key, value)]),
    "index": lambda h, key, value: h.__setitem__(0, (key, value)),
    "slice": lambda h, key, value: h.__setitem__(slice(0, 1), [(key, value)]),
    "constructor": lambda _, key, value: Headers([(key, value)]),
}


@pytest.mark.parametrize("set_by", SETTERS.values(), ids=SETTERS)
@pytest.mark.parametrize("value", ["a\r\nb", "a\n", "\r", "\0", "\x0b", "\x7f", "\n"])
def test_b147_control_character_in_a_value_is_refused_where_it_is_set(
    set_by: Callable[[Headers, str, Any], object], value: str
) -> None:
    h = make()
    with pytest.raises(ValueError, match=r"'X-Evil'.*must not contain newline characters"):
        set_by(h, "X-Evil", value)
    assert h == make()


@pytest.mark.parametrize("set_by", SETTERS.values(), ids=SETTERS)
@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "é", "a\n", "a\0", "a\u017f"])
def test_b147_name_that_is_no_token_is_refused(
    set_by: Callable[[Headers, str, Any], object], name: str
) -> None:
    with pytest.raises(ValueError, match="not a token"):
        set_by(make(), name, "x")


@pytest.mark.parametrize("value", ["€", "😀", "a\u2028", "\ud800"])
def test_b148_value_beyond_latin1_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"'X'.*latin-1 lacks"):
        Headers({"X": value})


@pytest.mark.parametrize(
    ("value", "sent"), [("é", b"\xe9"), ("a\tb", b"a\tb"), (" a\t", b"a"), (3, b"3")]
)
def test_b148_what_fits_is_sent_as_latin1(value: object, sent: bytes) -> None:
    assert Headers({"X-Y": value}).raw() == [(b"x-y", sent)]


def test_echoed_names_do_not_grow_the_memory() -> None:
    h = Headers((f"X-{number}", "1") for number in range(2000))
    assert len(headers._ENCODED_NAMES) <= headers._NAMES_KEPT
    assert h.raw()[0] == (b"x-0", b"1")
    assert len(h.raw()) == 2000


@given(
    st.lists(st.tuples(st.sampled_from(["a", "A", "b"]), st.text("xyz"))), st.sampled_from("aBc")
)
def test_ds3_reading_agrees_with_werkzeug(pairs: list[tuple[str, str]], key: str) -> None:
    ours, theirs = Headers(pairs), Oracle(pairs)
    assert list(ours) == list(theirs)
    assert ours.getlist(key) == theirs.getlist(key)
    for h in (ours, theirs):
        h.set(key, "n")
    assert list(ours) == list(theirs)


# --- request headers ------------------------------------------------------------------------------

RAW = [(b"host", b"h"), (b"X-A", b"1"), (b"x-a", b"2"), (b"cookie", b"a=1"), (b"x-l", b"\xe9\x85")]


def test_request_headers_read_as_headers_do() -> None:
    h = RequestHeaders(RAW)
    assert (h["X-a"], h.get("HOST"), h.get("zz"), len(h)) == ("1", "h", None, 5)
    assert h.getlist("x-A") == ["1", "2"]
    assert ("host" in h, "zz" in h, "é" in h, "\ud800" in h) == (True, False, False, False)
    assert list(h)[1] == ("x-a", "1")
    assert h == h.copy()


def test_names_of_a_request_are_known_in_lower_case() -> None:
    assert set(RequestHeaders([(b"Host", b"a"), (b"x-a", b"1"), (b"x-a", b"2")]).names) == {
        "host",
        "x-a",
    }


def test_a_field_that_a_request_lacks_is_a_bad_request() -> None:
    with pytest.raises(BadRequestKeyError, match="zz"):
        RequestHeaders(RAW)["zz"]


def test_repeated_fields_are_joined_in_their_order() -> None:
    assert RequestHeaders(RAW).joined("x-a", ", ") == "1, 2"
    assert RequestHeaders(RAW).joined("zz", ", ") == ""
    assert RequestHeaders(RAW[3:]).joined("cookie", "; ") == "a=1"
    assert RequestHeaders(RAW[3:]).joined("zz", "; ") == ""
    assert RequestHeaders(RAW[3:]).getlist("Cookie") == ["a=1"]


def test_headers_of_checked_pairs_keep_their_list() -> None:
    pairs = [("Content-Type", "text/plain")]
    assert Headers.of_checked(pairs) == Headers(pairs)


def test_a_checked_field_is_added_and_its_name_is_encoded_once() -> None:
    h = Headers.of_checked([("X-Not-Seen-Before", "1")])
    h.add("X-This", "2")
    h.add_checked(("X-Nor-That", "3"))
    fields = [(b"x-not-seen-before", b"1"), (b"x-this", b"2"), (b"x-nor-that", b"3")]
    assert h.raw() == h.raw() == fields
    assert {"X-Not-Seen-Before", "X-Nor-That"} <= headers._ENCODED_NAMES.keys()


def test_b044_bytes_beyond_ascii_come_back_the_same() -> None:
    h = RequestHeaders(RAW)
    assert h["x-l"] == "\xe9\x85"
    assert h.copy().raw()[-1] == (b"x-l", b"\xe9\x85")
    assert h.raw() is RAW


def test_names_of_clients_do_not_grow_the_memory() -> None:
    for number in range(2000):
        assert RequestHeaders([(b"x-%d" % number, b"1")]).get(f"X-{number}") == "1"
    assert len(headers._PLACES) <= headers._PLACES_KEPT
    long = b"x" * 2000
    assert RequestHeaders([(long, b"1")]).get(long.decode()) == "1"
    assert (long,) not in headers._PLACES


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        pytest.param({"content-length": "5"}, 5, id="declared"),
        pytest.param({}, None, id="missing"),
        pytest.param({"content-length": "5x"}, None, id="malformed"),
        pytest.param({"content-length": "-5"}, None, id="negative"),
        pytest.param({"content-length": "5" * 19}, None, id="too-long"),
        pytest.param(
            {"content-length": "5", "transfer-encoding": "chunked"}, None, id="b061-overruled"
        ),
    ],
)
def test_length_of_the_body(fields: dict[str, str], length: int | None) -> None:
    raw = [(name.encode(), value.encode()) for name, value in fields.items()]
    assert RequestHeaders(raw).body_length() == length


def test_b041_underscore_is_no_dash() -> None:
    assert "x-forwarded-for" not in RequestHeaders([(b"x_forwarded_for", b"1")])


def test_request_headers_may_come_from_any_iterable() -> None:
    """B-322."""
    h = RequestHeaders(iter(RAW))
    assert list(h) == list(RequestHeaders(RAW))
    assert repr(h[:1]) == "Headers([('host', 'h')])"


CHANGES: dict[str, tuple[Any, ...]] = {
    "add": ("a", "1"),
    "add_checked": (("a", "1"),),
    "add_header": ("a", "1"),
    "set": ("a", "1"),
    "setlist": ("a", []),
    "setdefault": ("a", "1"),
    "setlistdefault": ("a", []),
    "extend": ({},),
    "update": ({},),
    "remove": ("a",),
    "pop": ("a",),
    "popitem": (),
    "clear": (),
    "__setitem__": ("a", "1"),
    "__delitem__": ("a",),
    "__ior__": ({},),
}


@pytest.mark.parametrize("name", CHANGES)
def test_request_headers_refuse_every_change(name: str) -> None:
    with pytest.raises(TypeError, match="read-only"):
        getattr(RequestHeaders(RAW), name)(*CHANGES[name])
