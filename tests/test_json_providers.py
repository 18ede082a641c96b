"""The JSON providers by orjson and msgspec: the outcomes of the default one, sooner (deps.md 4).

What stays different, each with its reason:

- Numbers in exponent form: ``1e16``, not ``1e+16``. The libraries know no other notation; the value
  is the same (``test_number_in_exponent_form_has_the_notation_of_the_library``).
- orjson does not ask ``default`` about UUIDs and enum members: it writes them itself, to the same
  text, and cannot be told not to (``test_orjson_writes_uuids_and_enums_without_asking``).
- msgspec also writes a ``msgspec.Struct``, which the default has no form for.
"""

import enum
import json
import subprocess
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from erlen import Erlen, abort, jsonify
from erlen.exceptions import MissingExtraError, SetupError, WireError
from erlen.json import DefaultJSONProvider
from erlen.json_providers import MsgspecProvider, OrjsonProvider, create_provider
from tests.test_json import (  # noqa: F401  # the same tests, with the fixture of this module
    Answer,
    App,
    Colour,
    test_any_other_awaitable_in_a_value_says_to_await_it,
    test_coroutine_in_a_value_says_to_await_it,
    test_depth_128_is_written_and_129_is_a_clear_error,
    test_dumps_takes_the_options_of_the_standard_library,
    test_half_a_surrogate_pair_is_not_written,
    test_js1_dump_and_load,
    test_js2_default_can_be_replaced,
    test_js2_js3_compact_in_insertion_order_in_utf8,
    test_js2_options_set_after_the_first_use_count,
    test_js3_value_without_a_json_form_is_a_type_error,
    test_loads_takes_the_options_of_the_standard_library,
    test_messages_for_the_log_hold_no_byte_of_the_body,
    test_nan_and_infinity_are_not_written,
    test_raised_depth_still_ends_in_400,
    test_response_without_a_class_to_make_it_is_an_error,
    test_set_in_a_value_says_to_sort_it,
    test_strict_json_is_read,
    test_text_that_is_not_strict_json_is_400,
    test_value_that_contains_itself_is_a_clear_error,
    test_wide_values_are_not_deep,
    test_without_the_c_encoder_the_output_is_the_same,
)

PROVIDERS: list[type[DefaultJSONProvider]] = [OrjsonProvider, MsgspecProvider]
DEFAULT = DefaultJSONProvider()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ATOMS = (
    st.none() | st.booleans() | st.integers() | FLOATS | TEXTS | st.uuids() | st.decimals()
    | st.dates() | st.times() | st.datetimes() | st.datetimes(timezones=st.just(UTC))
    | st.sampled_from(Colour) | st.floats() | st.binary(max_size=2) | st.timedeltas()
)  # fmt: skip
VALUES = st.recursive(
    ATOMS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS | st.integers() | st.none(), inner)
)


class Pair(NamedTuple):
    a: int
    b: int


class Word(str):
    __slots__ = ()


class Count(int):
    pass


class First(dict[str, list[int]]):
    """A dict whose items are not what it keeps, as those of a multi-dict."""

    def items(self) -> Any:
        return [(key, values[0]) for key, values in super().items()]


class Mode(enum.StrEnum):
    ON = "on"


class Flags(enum.Flag):
    A = 1


@dataclass
class Account:
    name: str
    _secret: int = 2


@dataclass(slots=True)
class Slotted:
    at: time


class Order(msgspec.Struct, rename="camel", tag="order", omit_defaults=True):
    ordered_at: datetime
    items: list[Any]
    note: str = ""


@pytest.fixture(params=PROVIDERS, ids=["orjson", "msgspec"])
def provider(request: pytest.FixtureRequest) -> DefaultJSONProvider:
    made: DefaultJSONProvider = request.param()
    return made


def outcome(call: Callable[[], Any]) -> Any:
    """Return the result, or kind and sentence of the error."""
    try:
        return call()
    except (TypeError, ValueError) as error:
        return type(error), str(error)


def same(left: Any, right: Any) -> bool:
    """Whether two outcomes are equal, but for the notation of numbers."""
    if isinstance(left, bytes) and isinstance(right, bytes):
        return left == right or repr(json.loads(left)) == repr(json.loads(right))
    return repr(left) == repr(right)


# --- the seat ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cls"),
    [("json", DefaultJSONProvider), ("orjson", OrjsonProvider), ("msgspec", MsgspecProvider)],
)
def test_js1_provider_is_made_by_its_name(name: str, cls: type[DefaultJSONProvider]) -> None:
    made = create_provider(name, App())
    assert type(made) is cls
    assert made.mimetype == "application/json"
    assert made.response({"a": 1}).body == b'{"a":1}'


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SetupError, match=r"no JSON provider 'ujson'.*'json', 'orjson', 'msgspec'"):
        create_provider("ujson", App())


@pytest.mark.parametrize(("name", "extra"), [("orjson", "fast"), ("msgspec", "typed")])
def test_missing_package_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, name: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"provider '{name}'.*'erlen\[{extra}\]'"):
        create_provider(name, App())


def test_package_that_cannot_be_imported_is_not_called_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "orjson.py").write_text("import something_else_that_is_missing")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "orjson", raising=False)
    with pytest.raises(ModuleNotFoundError, match="something_else_that_is_missing") as caught:
        create_provider("orjson", App())
    assert not isinstance(caught.value, MissingExtraError)


def test_importing_erlen_loads_neither_library() -> None:
    code = "import sys, erlen.json_providers; print(sorted({'orjson', 'msgspec'} & {*sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_js4_response_has_the_media_type(provider: DefaultJSONProvider) -> None:
    made = type(provider)(response_class=Answer)
    made.mimetype = "application/problem+json"
    answer = made.response(a=1)
    assert (answer.body, answer.mimetype) == (b'{"a":1}', "application/problem+json")


def test_override_of_dumps_changes_every_way_of_writing(provider: DefaultJSONProvider) -> None:
    class Shouting(type(provider)):  # type: ignore[misc]  # whose class is the parameter
        def dumps(self, value: object, /, **options: Any) -> str:
            return str(super().dumps(value, **options).upper())

    assert Shouting().dumps("a") == '"A"'
    assert Shouting().encode("a") == b'"A"'
    assert Shouting(response_class=Answer).response("a").body == b'"A"'


@pytest.mark.parametrize(
    ("option", "value", "written"),
    [
        ("sort_keys", True, b'{"a":"\xc3\xa9","b":[]}'),
        ("ensure_ascii", True, b'{"b":[],"a":"\\u00e9"}'),
        ("compact", False, b'{\n  "b": [],\n  "a": "\xc3\xa9"\n}'),
        ("default", str, b'{"b":[],"a":"\xc3\xa9"}'),
    ],
)
def test_options_count_that_are_set_after_something_was_written(
    provider: DefaultJSONProvider, option: str, value: Any, written: bytes
) -> None:
    document = {"b": [], "a": "é"}
    assert provider.encode(document) == b'{"b":[],"a":"\xc3\xa9"}'
    setattr(provider, option, value)
    assert (provider.encode(document), provider.dumps(document).encode()) == (written, written)


def test_option_that_is_taken_back_counts_no_more(provider: DefaultJSONProvider) -> None:
    with mock.patch.object(provider, "sort_keys", True):
        assert provider.encode({"b": 1, "a": 2}) == b'{"a":2,"b":1}'
    assert provider.encode({"b": 1, "a": 2}) == b'{"b":1,"a":2}'


def test_override_of_encode_stands(provider: DefaultJSONProvider) -> None:
    class Lined(type(provider)):  # type: ignore[misc]  # as above
        def dumps(self, value: object, /, **options: Any) -> str:
            return str(super().dumps(value, **options))

        def encode(self, value: object, /) -> bytes:
            return self.dumps(value).encode() + b"\n"

    assert Lined().encode(1) == b"1\n"


# --- writing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        2**70,
        -(2**63) - 1,
        10**5000,
        (1, (2, ())),
        Pair(1, 2),
        Word("é"),
        Count(3),
        Markup("<b>"),
        First(a=[1, 2]),
        OrderedDict(b=1, a=2),
        defaultdict(int, a=1),
        Mode.ON,
        Flags.A,
        Account("Ada"),
        [Slotted(time(3, 4, tzinfo=UTC)), None],
        {True: 1},
        {1.5: 1},
        {Word("a"): 1},
        {UUID(int=0): 1},
        {date(2026, 1, 1): 1},
        {"b": {"d": 1, "c": [{}, []]}, "a": "\x7f\x00\x1f\b\f/\u2028é😀"},
        timedelta(1),
        bytearray(b"a"),
        range(3),
        {"a": [float("nan")], "b": None},
        {"a": "null", "b": float("inf")},
        [Decimal("NaN"), None, datetime(2026, 1, 2, 3, 4, 5, 6, UTC)],
        {"a": None, "b": "\ud800"},
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_is_written_or_refused_as_by_the_default(
    provider: DefaultJSONProvider, value: object
) -> None:
    expected = outcome(lambda: DEFAULT.encode(value))
    assert outcome(lambda: provider.encode(value)) == expected
    as_text = outcome(lambda: DEFAULT.dumps(value))
    assert outcome(lambda: provider.dumps(value)) == as_text


@pytest.mark.parametrize("cls", PROVIDERS)
@given(value=VALUES)
def test_any_value_has_the_outcome_of_the_default(
    cls: type[DefaultJSONProvider], value: object
) -> None:
    assert same(outcome(lambda: cls().encode(value)), outcome(lambda: DEFAULT.encode(value)))


@pytest.mark.parametrize(("number", "text"), [(1e16, "1e16"), (-1.5e300, "-1.5e300")])
def test_number_in_exponent_form_has_the_notation_of_the_library(number: float, text: str) -> None:
    written = {provider().dumps(number) for provider in PROVIDERS}
    assert written <= {text, DEFAULT.dumps(number)}
    assert {json.loads(each) for each in written} == {number}


def test_orjson_writes_uuids_and_enums_without_asking() -> None:
    provider = OrjsonProvider()
    provider.default = repr
    assert provider.encode([UUID(int=0), Colour.RED]) == DEFAULT.encode([UUID(int=0), Colour.RED])
    assert provider.encode([date(2026, 1, 2)]) == b'["datetime.date(2026, 1, 2)"]'


def test_nan_from_default_is_found(provider: DefaultJSONProvider) -> None:
    provider.default = lambda _value: float("nan")
    with pytest.raises(ValueError, match="Out of range float"):
        provider.encode([object()])


def test_error_of_default_arrives_as_it_was_raised(provider: DefaultJSONProvider) -> None:
    error = LookupError("no such thing")

    def fail(_value: object) -> None:
        raise error

    provider.default = fail
    with pytest.raises(LookupError) as caught:
        provider.encode({"a": object()})
    assert caught.value is error


def test_lower_limit_of_depth_counts(provider: DefaultJSONProvider) -> None:
    provider.max_depth = 2
    assert provider.encode([[], None]) == b"[[],null]"
    values: list[Any] = [[[[]]], {"a": {"b": {}}}, [[[]], "x" * 20]]
    for value in values:
        with pytest.raises(ValueError, match="nested deeper than 2"):
            provider.encode(value)
        with pytest.raises(WireError, match="nested deeper than 2"):
            provider.loads(json.dumps(value))


def test_raised_limit_of_depth_counts(provider: DefaultJSONProvider) -> None:
    provider.max_depth = 400
    text = "[" * 400 + "]" * 400
    assert provider.dumps(provider.loads(text)) == text


def test_a_struct_of_msgspec_is_written_by_its_own_rules() -> None:
    order = Order(datetime(2026, 1, 2, tzinfo=UTC), [Decimal("1.10"), Colour.RED, Account("a")])
    assert MsgspecProvider().encode({"order": order}) == (
        b'{"order":{"type":"order","orderedAt":"2026-01-02T00:00:00+00:00",'
        b'"items":["1.10","red",{"name":"a","_secret":2}]}}'
    )


# --- reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "18446744073709551615", "18446744073709551616", "-9223372036854775809", "9" * 40,
        '"' + "9" * 40 + '"', "[123456789012345678901234567890.5]", "0." + "1" * 40, "-0", "-0.0",
        "1E+2", "0.1e1", "5e-324", "2.2250738585072011e-308", "01", "-", "1.", ".5", "+1", "0x1",
        "tru", "nullx", '"\\x41"', '"\\u00"', '"\\/"', '"\\ud83d\\ude00"', "[\x0c1]", "[\xa01]",
        "\x00", "[1]\x00", '{"a"}', "{1:2}", '{"a":1 "b":2}', "[1 2]", '{"":{"":[]}}', "[]]",
    ],
)  # fmt: skip
def test_text_is_read_or_refused_as_by_the_default(
    provider: DefaultJSONProvider, text: str
) -> None:
    expected = outcome(lambda: DEFAULT.loads(text))
    forms: list[Any] = [text, text.encode(), bytearray(text.encode()), memoryview(text.encode())]
    for form in forms:
        assert repr(outcome(partial(provider.loads, form))) == repr(expected)


@pytest.mark.parametrize("cls", PROVIDERS)
@given(
    text=st.binary()
    | st.text(st.sampled_from('[]{}",:\\ud8cC01eE.- '))
    | VALUES.map(lambda value: repr(value).replace("'", '"'))
    | FLOATS.map(repr)
    | st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
)
def test_any_text_has_the_outcome_of_the_default(
    cls: type[DefaultJSONProvider], text: str | bytes
) -> None:
    assert same(outcome(lambda: cls().loads(text)), outcome(lambda: DEFAULT.loads(text)))


def test_what_is_no_text_is_a_type_error(provider: DefaultJSONProvider) -> None:
    for value in (5, None, [1]):
        with pytest.raises(TypeError):
            provider.loads(value)  # type: ignore[arg-type]  # on purpose


# --- in an application ------------------------------------------------------------------------------


@pytest.fixture(params=["json", "orjson", "msgspec"])
def app(request: pytest.FixtureRequest) -> Erlen:
    app = Erlen("shop")
    app.json = create_provider(request.param, app)
    return app


RICH = {
    "when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "price": Decimal("1.10"),
    "id": UUID(int=1),
    "colour": Colour.RED,
    "account": Account("Ada"),
    "nothing": None,
}
TEXT = (
    b'{"when":"2026-01-02T03:04:05+00:00","price":"1.10",'
    b'"id":"00000000-0000-0000-0000-000000000001","colour":"red",'
    b'"account":{"name":"Ada","_secret":2},"nothing":null}'
)


async def test_rich_values_are_written_by_every_provider(app: Erlen) -> None:
    app.add_url_rule("/dict", "dict", lambda: RICH)
    app.add_url_rule("/jsonify", "jsonify", lambda: jsonify(**RICH))
    app.add_url_rule("/list", "list", lambda: ([RICH], 201))
    client = app.test_client()
    assert (await client.get("/dict")).data == TEXT
    assert (await client.get("/jsonify")).data == TEXT
    response = await client.get("/list")
    assert (response.status_code, response.data) == (201, b"[" + TEXT + b"]")
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [400, 404, 405, 500])
async def test_errors_are_problem_details_by_every_provider(app: Erlen, status: int) -> None:
    """RFC 9457, for a client that prefers JSON."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/400", "bad", lambda: abort(400, "No é."))
    app.add_url_rule("/405", "post", lambda: "", methods=["POST"])
    app.add_url_rule("/500", "broken", lambda: 1 / 0)
    async with app.test_client() as client:
        response = await client.get(f"/{status}", headers={"Accept": "application/json"})
    problem = response.get_json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"], problem["type"]) == (
        status,
        status,
        "about:blank",
    )
    assert problem["detail"] == "No é." if status == 400 else problem["title"]


async def test_websocket_messages_are_of_every_provider(app: Erlen) -> None:
    from erlen import websocket

    @app.websocket("/ws")
    async def ws() -> None:
        await websocket.send_json(await websocket.receive_json(), RICH)

    async with app.test_client().websocket("/ws") as peer:
        await peer.send('{"a":[18446744073709551616]}')
        assert await peer.receive() == f'[{{"a":[18446744073709551616]}},{TEXT.decode()}]'
