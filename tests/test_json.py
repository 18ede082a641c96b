"""The JSON provider: what it writes, what it refuses."""

import enum
import inspect
import io
import json
import math
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from erlen import Erlen
from erlen.exceptions import SetupError, WireError
from erlen.exchange.json_value import prepare_response_value
from erlen.json import DefaultJSONProvider, depth, dump, dumps, load, loads
from erlen.protocols import JSONProvider
from erlen.wire.multidict import ImmutableMultiDict

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from('a"\\[{}]é')), inner),
)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@dataclass
class Point:
    x: int
    when: date


class Html:
    def __html__(self) -> str:
        return "<b>"


class Answer:
    def __init__(self, body: bytes, *, mimetype: str) -> None:
        self.body = body
        self.mimetype = mimetype


class App:
    response_class = Answer


@pytest.fixture
def provider() -> DefaultJSONProvider:
    return DefaultJSONProvider()


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def true_depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(true_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(true_depth, value), default=0)
    return 0


# --- writing --------------------------------------------------------------------------------------


def test_js1_it_fills_the_seat() -> None:
    seat: JSONProvider = DefaultJSONProvider()
    assert seat.mimetype == "application/json"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [None, True]}, '{"b":1,"a":[null,true]}'),
        ("é\u2028", '"é\u2028"'),
        ((1, 2), "[1,2]"),
        (date(2026, 1, 2), '"2026-01-02"'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05+00:00"'),
        (time(3, 4), '"03:04:00"'),
        (Decimal("1.10"), '"1.10"'),
        (UUID(int=0), '"00000000-0000-0000-0000-000000000000"'),
        (Colour.RED, '"red"'),
        (Level.LOW, "1"),
        (Point(1, date(2026, 1, 2)), '{"x":1,"when":"2026-01-02"}'),
        (Html(), '"<b>"'),
        (ImmutableMultiDict([("a", "1"), ("a", "2")]), '{"a":"1"}'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        ({1: 2, None: 3}, '{"1":2,"null":3}'),
    ],
)
def test_js2_js3_compact_in_insertion_order_in_utf8(
    provider: DefaultJSONProvider, value: object, text: str
) -> None:
    assert provider.dumps(value) == text
    assert provider.encode(value) == text.encode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1}, "because a set has no order. Return sorted"),
        (frozenset(), "because a set has no order. Return sorted"),
        (object(), "Object of type object is not JSON serializable. Convert"),
        (Point, "Object of type type is not JSON serializable. Convert"),
        (b"", "Object of type bytes is not JSON serializable. Convert"),
        ({(1, 2): 3}, "keys must be str"),
    ],
)
def test_js3_value_without_a_json_form_is_a_type_error(
    provider: DefaultJSONProvider, value: object, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        provider.dumps(value)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_not_written(provider: DefaultJSONProvider, number: float) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        provider.dumps({"a": number})
    with pytest.raises(ValueError, match="Out of range float"):
        provider.dumps({"a": number}, indent=1)


def test_half_a_surrogate_pair_is_not_written(provider: DefaultJSONProvider) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        provider.encode({"a": "\ud800"})


def test_depth_128_is_written_and_129_is_a_clear_error(provider: DefaultJSONProvider) -> None:
    assert provider.dumps(nested(128)) == "[" * 128 + "]" * 128
    with pytest.raises(ValueError, match="contains itself or is nested deeper than 128"):
        provider.dumps(nested(129))


@pytest.mark.parametrize("options", [{}, {"indent": 1, "check_circular": False}])
def test_value_that_contains_itself_is_a_clear_error(
    provider: DefaultJSONProvider, options: dict[str, Any]
) -> None:
    value: list[object] = []
    value.append({"self": value})
    with pytest.raises(ValueError, match="contains itself or is nested deeper than 128") as caught:
        provider.dumps(value, **options)
    assert isinstance(caught.value.__cause__, RecursionError)


def test_wide_values_are_not_deep(provider: DefaultJSONProvider) -> None:
    value = [{"key": '["\\', "list": []} for _ in range(500)]
    assert provider.loads(provider.encode(value)) == value


# --- options --------------------------------------------------------------------------------------


def test_js2_options_set_after_the_first_use_count(provider: DefaultJSONProvider) -> None:
    assert provider.dumps({"b": "é", "a": 1}) == '{"b":"é","a":1}'
    provider.sort_keys = True
    provider.ensure_ascii = True
    assert provider.dumps({"b": "é", "a": 1}) == '{"a":1,"b":"\\u00e9"}'
    provider.compact = False
    assert provider.dumps({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'


def test_js2_default_can_be_replaced(provider: DefaultJSONProvider) -> None:
    provider.default = list
    assert provider.dumps({1}) == "[1]"


def test_js2_default_can_be_a_method_of_a_subclass() -> None:
    class Provider(DefaultJSONProvider):
        def default(self, value: Any) -> Any:
            return type(value).__name__

    assert Provider().dumps({1}) == '"set"'


def test_dumps_takes_the_options_of_the_standard_library(provider: DefaultJSONProvider) -> None:
    assert provider.dumps({"b": 1, "a": 2}, sort_keys=True) == '{"a":2,"b":1}'
    assert provider.dumps([1], indent=1) == "[\n 1\n]"
    assert provider.dumps({"a": 1}, separators=(", ", "=")) == '{"a"=1}'


def test_without_the_c_encoder_the_output_is_the_same(
    provider: DefaultJSONProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("json.encoder.c_make_encoder", None)
    value = {"b": "é", "a": [date(2026, 1, 2), 1.5]}
    assert provider.dumps(value) == '{"b":"é","a":["2026-01-02",1.5]}'


def test_one_encoder_serves_threads_that_write_the_same_object() -> None:
    barrier = threading.Barrier(2)
    meet = threading.local()

    def wait_once(value: object) -> object:
        if not hasattr(meet, "met"):
            meet.met = True
            barrier.wait(10)
        return str(value)

    provider, shared, results = DefaultJSONProvider(), [UUID(int=0)], []
    provider.default = wait_once
    threads = [
        threading.Thread(target=lambda: results.append(provider.dumps(shared))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ['["00000000-0000-0000-0000-000000000000"]'] * 2


def test_override_of_dumps_changes_every_way_of_writing() -> None:
    class Provider(DefaultJSONProvider):
        def dumps(self, value: object, /, **options: Any) -> str:
            return f"<{value}>"

    file = io.StringIO()
    Provider().dump(1, file)
    assert file.getvalue() == "<1>"
    assert Provider().encode(1) == b"<1>"
    assert Provider(response_class=Answer).response(1).body == b"<1>"


# --- files and responses --------------------------------------------------------------------------


def test_js1_dump_and_load(provider: DefaultJSONProvider) -> None:
    file = io.StringIO()
    provider.dump({"a": 1}, file, indent=0)
    file.seek(0)
    assert provider.load(file) == {"a": 1}
    assert provider.load(io.BytesIO(b"[1.5]"), parse_float=Decimal) == [Decimal("1.5")]


@pytest.mark.parametrize(
    "provider", [DefaultJSONProvider(App()), DefaultJSONProvider(response_class=Answer)]
)
def test_js4_response_is_compact_without_a_newline(provider: DefaultJSONProvider) -> None:
    provider.mimetype = "application/problem+json"
    answer = provider.response(a=1)
    assert (answer.body, answer.mimetype) == (b'{"a":1}', "application/problem+json")


def test_response_without_a_class_to_make_it_is_an_error(provider: DefaultJSONProvider) -> None:
    with pytest.raises(SetupError, match="knows no response class"):
        provider.response(1)


@pytest.mark.parametrize(
    ("args", "kwargs", "value"),
    [
        ((), {}, None),
        ((1,), {}, 1),
        (([],), {}, []),
        ((1, 2), {}, [1, 2]),
        ((), {"a": 1}, {"a": 1}),
    ],
)
def test_rv2_arguments_mean_one_value(args: Any, kwargs: dict[str, Any], value: object) -> None:
    assert prepare_response_value(args, kwargs) == value


def test_rv2_both_kinds_of_arguments_are_an_error() -> None:
    with pytest.raises(TypeError, match="Give either positional arguments or keywords"):
        prepare_response_value((1,), {"a": 2})


# --- reading --------------------------------------------------------------------------------------

DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(DEEP, id="B-083"),
        pytest.param("[" * 100_000, id="B-083-unclosed"),
        pytest.param("[" * 129 + "]" * 129, id="B-084-array"),
        pytest.param('{"a":' * 129 + "1" + "}" * 129, id="B-084-object"),
        pytest.param('["]]]]\\"]",' * 129 + "1" + "]" * 129, id="B-084-closers-in-strings"),
        *[
            pytest.param(f'{{"a":{word}}}', id=f"B-085-{word}")
            for word in ("NaN", "Infinity", "-Infinity")
        ],
        *[pytest.param(f"[{word}]", id=f"B-086-{word}") for word in ("1e400", "-1E+400")],
        pytest.param("1" * 400 + ".0", id="B-086-long"),
        pytest.param("1" * 5000, id="B-087"),
        pytest.param(b'"\xff"', id="B-089-invalid"),
        pytest.param(b'"\xed\xa0\x80"', id="B-089-surrogate"),
        *[
            pytest.param('{"é":1}'.encode(name), id=f"B-089-{name}")
            for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "latin-1")
        ],
        pytest.param(b"+ACIA6QAi-", id="B-089-utf-7"),
        pytest.param(b"\xef\xbb\xbf{}", id="B-090-bytes"),
        pytest.param("\ufeff{}", id="B-090-text"),
        *[
            pytest.param(f'"{half}"', id=f"B-091-{half}")
            for half in (
                "\\ud800",
                "\\uDC00",
                "\\udc00\\ud800",
                "\\ud800\\ud800\\udc00",
                "\\ud800x\\udc00",
                "\\ud800\\\\udc00",
                "\\\\\\ud800",
                "\\ud83d\\ude00\\udfff",
            )
        ],
        pytest.param('"\ud800"', id="B-091-text"),
        *[
            pytest.param(text, id=f"B-092-{text}")
            for text in ("", " \n", "{} x", "//c", "[1,]", '{"a":1,}', "{'a':1}", '"\x01"', '"\n"')
        ],
    ],
)
def test_text_that_is_not_strict_json_is_400(
    provider: DefaultJSONProvider, body: str | bytes
) -> None:
    with pytest.raises(WireError) as caught:
        provider.loads(body)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param("[" * 128 + "]" * 128, nested(128), id="B-084"),
        pytest.param('["[[[{{{' + "[" * 200 + '"]', ["[[[{{{" + "[" * 200], id="B-084-in-strings"),
        pytest.param('{"a":1,"a":2}', {"a": 2}, id="B-088-last-wins"),
        pytest.param('"\\ud83d\\uDE00"', "😀", id="B-091-pair"),
        pytest.param('"\\\\ud800"', "\\ud800", id="B-091-escaped-backslash"),
        pytest.param('"\\n"', "\n", id="escape"),
        pytest.param(" {}\r\n\t", {}, id="white-space"),
        pytest.param("[1e308, -0.0, 1e-999]", [1e308, -0.0, 0.0], id="B-086-in-range"),
        pytest.param("9" * 4300, 10**4300 - 1, id="B-087-in-range"),
        pytest.param(bytearray(b"[1]"), [1], id="bytearray"),
        pytest.param(memoryview(b'"\xc3\xa9"'), "é", id="memoryview"),
    ],
)
def test_strict_json_is_read(provider: DefaultJSONProvider, body: Any, value: object) -> None:
    assert provider.loads(body) == value


def test_messages_for_the_log_hold_no_byte_of_the_body(provider: DefaultJSONProvider) -> None:
    with pytest.raises(WireError) as caught:
        provider.loads('{"a": hush}')
    assert str(caught.value) == "The JSON is malformed: Expecting value (character 6)."


def test_raised_depth_still_ends_in_400(provider: DefaultJSONProvider) -> None:
    provider.max_depth = 10**6
    levels = sys.getrecursionlimit() * 100
    with pytest.raises(WireError, match="cannot be read"):
        provider.loads("[" * levels + "]" * levels)


def test_loads_takes_the_options_of_the_standard_library(provider: DefaultJSONProvider) -> None:
    assert provider.loads("[NaN]", parse_constant=str) == ["NaN"]
    assert provider.loads('{"a":1}', object_pairs_hook=list) == [("a", 1)]
    with pytest.raises(WireError):
        provider.loads("[1e400]", object_pairs_hook=list)


@given(JSON_VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    provider = DefaultJSONProvider()
    assert provider.loads(provider.encode(value)) == value


@given(st.binary() | st.text(st.sampled_from('[]{}",:\\ud8cC01eE.- ')))
@example(b"[\xff")
def test_loads_agrees_with_the_standard_library_or_raises_wire_error(body: str | bytes) -> None:
    try:
        value = DefaultJSONProvider().loads(body)
    except WireError:
        return
    assert value == json.loads(body)


@given(JSON_VALUES, st.sampled_from([None, 1]), st.booleans())
def test_depth_counts_brackets_outside_strings(
    value: object, indent: int | None, ascii_only: bool
) -> None:
    assert depth(json.dumps(value, indent=indent, ensure_ascii=ascii_only)) == true_depth(value)


# --- functions of the module: JS-1 ------------------------------------------------------------------


class Shouting(DefaultJSONProvider):
    def dumps(self, value: object, /, **options: Any) -> str:
        return super().dumps(value, **options).upper()

    def loads(self, text: str | bytes | bytearray | memoryview, /, **options: Any) -> Any:
        return ["read", super().loads(text, **options)]


def test_js1_without_an_application_the_functions_are_those_of_the_default_provider() -> None:
    assert dumps({"b": "\xe9", "a": UUID(int=1)}, sort_keys=True) == (
        '{"a":"00000000-0000-0000-0000-000000000001","b":"\xe9"}'
    )
    assert loads(b'{"a": 1}', parse_int=str) == {"a": "1"}
    with pytest.raises(WireError, match="NaN"):
        loads("NaN")


def test_js1_files_are_written_and_read() -> None:
    file = io.StringIO()
    dump({"b": 1, "a": 2}, file, sort_keys=True)
    assert file.getvalue() == '{"a":2,"b":1}'
    file.seek(0)
    assert load(file, parse_int=str) == {"a": "2", "b": "1"}
    assert load(io.BytesIO(b"[1]")) == [1]


def test_js1_in_a_context_the_functions_are_those_of_its_application() -> None:
    app, file = Erlen("shop"), io.StringIO()
    app.json = Shouting(app)
    with app.app_context():
        dump("a", file)
        assert (dumps("a"), file.getvalue()) == ('"A"', '"A"')
        assert loads("1") == load(io.StringIO("1")) == ["read", 1]
    assert dumps("a") == '"a"'


async def name() -> str:
    return "Ada"


@pytest.mark.parametrize("place", [lambda value: value, lambda value: {"a": [value]}])
def test_coroutine_in_a_value_says_to_await_it(provider: DefaultJSONProvider, place: Any) -> None:
    """The coroutine is closed, or the interpreter would warn that nobody awaited it."""
    coroutine = name()
    with pytest.raises(TypeError, match=r"type coroutine .* not awaited\. Write 'await' in front"):
        provider.dumps(place(coroutine))
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


class Later:
    def __await__(self) -> Any:
        yield


def test_any_other_awaitable_in_a_value_says_to_await_it(provider: DefaultJSONProvider) -> None:
    with pytest.raises(TypeError, match=r"type Later .* not awaited"):
        provider.dumps([Later()])


def test_set_in_a_value_says_to_sort_it(provider: DefaultJSONProvider) -> None:
    with pytest.raises(TypeError, match=r"type set .* no order\. Return sorted"):
        provider.dumps({"a": {1}})
