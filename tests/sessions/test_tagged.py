"""Tagged JSON: every type round trips exactly, and Flask reads the same text."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from flask.json.tag import TaggedJSONSerializer as FlaskSerializer
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from erlen.sessions import JSONTag, SecureCookieSession, TaggedJSONSerializer
from erlen.wire.cookies import dump_cookie, parse_cookie
from tests.sessions.exchanges import make_app, opened, saved, value_of

tagged = TaggedJSONSerializer()
A_UUID = UUID("0123456789abcdef0123456789abcdef")
NOON = datetime(2024, 2, 29, 12, 0, 1, tzinfo=UTC)


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"a": [1, 2.5, True, None, "ü"]}, '{"a":[1,2.5,true,null,"\\u00fc"]}', id="plain"),
        pytest.param((1, (2,)), '{" t":[1,{" t":[2]}]}', id="tuple"),
        pytest.param(b"\x00\xff", '{" b":"AP8="}', id="bytes"),
        pytest.param(Markup("<b>"), '{" m":"<b>"}', id="markup"),
        pytest.param(A_UUID, '{" u":"0123456789abcdef0123456789abcdef"}', id="uuid"),
        pytest.param(NOON, '{" d":"Thu, 29 Feb 2024 12:00:01 GMT"}', id="datetime"),
        pytest.param({" t": [1]}, '{" di":{" t__":[1]}}', id="imitated tag"),
        pytest.param({" di": {" t": 1}}, '{" di":{" di__":{" di":{" t__":1}}}}', id="imitated escape"),
        pytest.param({" t__": 1}, '{" t__":1}', id="imitated escaped key"),
        pytest.param({" t": 1, "a": 2}, '{" t":1,"a":2}', id="two keys imitate nothing"),
        pytest.param({"x": {" b": "?"}}, '{"x":{" di":{" b__":"?"}}}', id="imitation inside"),
    ],
)  # fmt: skip
def test_js7_b255_the_types_have_flasks_form(value: Any, text: str) -> None:
    assert tagged.dumps(value) == text
    assert tagged.loads(text) == value
    assert type(tagged.loads(text)) is type(value)
    assert FlaskSerializer().loads(text) == value


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(datetime(2024, 1, 2, 3, 4, 5, 678901, UTC), id="microseconds"),
        pytest.param(datetime(2024, 1, 2, 3, 4, 5), id="naive"),  # noqa: DTZ001  # a naive one comes back naive
        pytest.param(datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=-5))), id="offset"),
        pytest.param(datetime.min.replace(tzinfo=UTC), id="first"),
        pytest.param(datetime.max.replace(tzinfo=UTC), id="last"),
    ],
)
def test_b255_every_datetime_round_trips_exactly(moment: datetime) -> None:
    back = tagged.loads(tagged.dumps(moment))
    assert back == moment
    assert back.utcoffset() == moment.utcoffset()


def test_a_tuple_with_names_and_a_subclass_of_a_dict_come_back_without() -> None:
    assert tagged.loads(tagged.dumps(Point(1, 2))) == (1, 2)


def test_what_has_html_comes_back_as_markup() -> None:
    class Widget:
        def __html__(self) -> str:
            return "<i>"

    back = tagged.loads(tagged.dumps(Widget()))
    assert (back, type(back)) == (Markup("<i>"), Markup)


# --- what cannot be written or read ---------------------------------------------------------------


@pytest.mark.parametrize("value", [{1, 2}, object(), date(2024, 1, 1), Decimal(1), 1j])
def test_b255_a_value_without_a_form_is_an_error_that_names_its_type(value: object) -> None:
    with pytest.raises(TypeError, match=rf"type {type(value).__name__} has no form .* Convert it"):
        tagged.dumps({"a": [value]})


@pytest.mark.parametrize("value", [{1: 2}, {None: 1}, {(1, 2): 1, "a": 2}])
def test_b255_a_key_that_is_no_text_is_an_error(value: Any) -> None:
    with pytest.raises(TypeError, match=r"The key .* JSON would make text of it\. Make the key"):
        tagged.dumps({"a": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_b253_what_json_does_not_have_is_not_written(value: float) -> None:
    with pytest.raises(ValueError, match=r"no form in JSON: .* Keep None or text"):
        tagged.dumps([value])


@pytest.mark.parametrize(
    "text",
    ["", "NaN", "[1,-Infinity]", "{", '{" d":"never"}', '{" u":"x"}', '{" t":1}', '{" b":"a"}'],
)
def test_b253_what_is_not_tagged_json_is_an_error_that_open_session_knows(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        tagged.loads(text)


def test_b253_depth_is_an_error_that_open_session_knows() -> None:
    with pytest.raises(RecursionError):
        tagged.loads("[" * 60_000)


def test_what_is_written_does_not_depend_on_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"a": [1, 2.5, None, True], "é": '"\\/\u2028', "b": {"c": {}}}
    text = TaggedJSONSerializer().dumps(value)
    monkeypatch.setattr("json.encoder.c_make_encoder", None)
    assert TaggedJSONSerializer().dumps(value) == text


@pytest.mark.parametrize("text", ['{"a":1}', ' {"a":1}', '{"a":1}\n'])
def test_blanks_around_a_value_mean_nothing(text: str) -> None:
    assert TaggedJSONSerializer().loads(text) == {"a": 1}


def test_a_value_that_holds_itself_is_an_error() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueError, match=r"nested too deep, or holds itself\. Keep flat"):
        tagged.dumps(value)


# --- tags of one's own ----------------------------------------------------------------------------


class TagDecimal(JSONTag):
    __slots__ = ()
    key = " n"

    def check(self, value: Any) -> bool:
        return isinstance(value, Decimal)

    def to_json(self, value: Any) -> Any:
        return str(value)

    def to_python(self, value: Any) -> Any:
        return Decimal(value)


class TagShouting(JSONTag):
    __slots__ = ()
    key = " s"

    def check(self, value: Any) -> bool:
        return isinstance(value, str) and value.isupper()

    def to_json(self, value: Any) -> Any:
        return value.lower()

    def to_python(self, value: Any) -> Any:
        return value.upper()


class TagItems(JSONTag):
    __slots__ = ()
    key = " i"

    def check(self, value: Any) -> bool:
        return type(value) is dict

    def to_json(self, value: Any) -> Any:
        return [[key, self.serializer.tag(inner)] for key, inner in value.items()]

    def to_python(self, value: Any) -> Any:
        return dict(value)


class Special(TaggedJSONSerializer):
    default_tags = (TagShouting, TagItems, *TaggedJSONSerializer.default_tags)


def test_js7_a_registered_type_may_be_a_case_of_a_dict() -> None:
    serializer = TaggedJSONSerializer()
    serializer.register(TagItems, index=0)
    assert serializer.dumps([{"a": 1}, {}]) == '[{" i":[["a",1]]},{" i":[]}]'


def test_js7_the_tags_of_a_subclass_have_plain_values_too() -> None:
    assert Special().dumps([{"a": 1}, {}]) == '[{" i":[["a",1]]},{" i":[]}]'
    assert Special().dumps("A") == '{" s":"a"}'


def test_js7_a_registered_type_round_trips() -> None:
    serializer = TaggedJSONSerializer()
    serializer.register(TagDecimal)
    assert serializer.loads(serializer.dumps((Decimal("1.10"),))) == (Decimal("1.10"),)
    assert isinstance(serializer.order[-1], TagDecimal)


def test_js7_a_registered_type_may_be_a_case_of_a_plain_one() -> None:
    serializer = TaggedJSONSerializer()
    serializer.register(TagShouting, index=0)
    assert isinstance(serializer.order[0], TagShouting)
    assert serializer.dumps(["A", "b"]) == '[{" s":"a"},"b"]'
    assert serializer.loads('{" s":"a"}') == "A"


def test_js7_a_tag_is_replaced_only_by_force() -> None:
    serializer = TaggedJSONSerializer()
    serializer.register(TagDecimal)
    with pytest.raises(KeyError, match=r"Tag ' n' is already registered"):
        serializer.register(TagDecimal)
    serializer.register(TagDecimal, force=True)


def test_a_tag_that_says_nothing_is_no_tag() -> None:
    tag = JSONTag(tagged)
    for method in (tag.check, tag.to_json, tag.to_python, tag.tag):
        with pytest.raises(NotImplementedError):
            method(1)


# --- properties -----------------------------------------------------------------------------------

# Flask reads a year below 100 as one of two digits, so the common years are those after it.
start = datetime(1000, 1, 1)  # noqa: DTZ001  # a naive one comes back naive
moments = st.datetimes(start) | st.datetimes(start, timezones=st.just(UTC))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
    | st.uuids()
    | moments
    | st.text().map(Markup)
)
keys = st.text() | st.sampled_from([" t", " di", " b", " m", " u", " d", " t__", " di__"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=12,
)


def kinds(value: Any) -> Any:
    """Return the types in *value*: 1 and True are equal, and so are text and Markup."""
    if isinstance(value, dict):
        return {key: kinds(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [kinds(item) for item in value]
    return type(value)


@given(values)
def test_b255_whatever_the_types_hold_round_trips_through_a_cookie(value: Any) -> None:
    sent = dump_cookie("session", tagged.dumps(value), max_size=0).partition("; ")[0]
    [(name, text)] = parse_cookie(sent)
    back = tagged.loads(text)
    assert (name, back, kinds(back)) == ("session", value, kinds(value))


@given(st.dictionaries(keys, values, min_size=1, max_size=4))
def test_b255_a_session_round_trips_through_answer_and_request(content: dict[str, Any]) -> None:
    app = make_app(MAX_COOKIE_SIZE=0)
    again = opened(app, value_of(saved(app, SecureCookieSession(content))))
    assert (dict(again), kinds(dict(again))) == (content, kinds(content))


@given(values)
def test_differential_flask_reads_what_erlen_writes(value: Any) -> None:
    # A datetime with microseconds or without an offset has no HTTP date; Flask would cut it off.
    theirs = FlaskSerializer()
    if " d" not in tagged.dumps(value):
        assert theirs.loads(tagged.dumps(value)) == value


@given(values)
def test_differential_erlen_reads_what_flask_writes(value: Any) -> None:
    theirs = FlaskSerializer()
    text = theirs.dumps(value)
    assert tagged.loads(text) == theirs.loads(text)


@given(st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(keys, inner)))
def test_b255_json_that_imitates_tags_comes_back_as_itself(value: Any) -> None:
    assert tagged.loads(tagged.dumps(value)) == value
