"""What placeholders accept and write."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import BuildError, NotFound
from erlen.routing.converters import (
    DEFAULT_CONVERTERS,
    BaseConverter,
    FloatConverter,
    IntegerConverter,
    PathConverter,
    StringConverter,
    UnicodeConverter,
    UUIDConverter,
    ValidationError,
    parse_converter_args,
)
from erlen.routing.map import Map
from erlen.routing.rule import Rule

MISSING = object()
UUID_TEXT = "12345678-1234-5678-9abc-123456789abc"


def read(placeholder: str, text: str, **converters: type[BaseConverter]) -> Any:
    """Match *text* as one segment against one placeholder."""
    url_map = Map([Rule(f"/<{placeholder}:x>", endpoint="e")], converters=converters)
    try:
        return url_map.match([text], "GET")[1]["x"]
    except NotFound:
        return MISSING


@pytest.mark.parametrize(
    ("placeholder", "text", "value"),
    [
        pytest.param("string", "ann", "ann", id="CV-3-string"),
        pytest.param("default", "a b", "a b", id="CV-3-default"),
        pytest.param("string(minlength=2)", "a", MISSING, id="CV-3-minlength"),
        pytest.param("string(minlength=2)", "ab", "ab", id="CV-3-minlength-reached"),
        pytest.param("string(maxlength=2)", "abc", MISSING, id="CV-3-maxlength"),
        pytest.param("string(length=2)", "ab", "ab", id="CV-3-length"),
        pytest.param("string(length=2)", "abc", MISSING, id="CV-3-length-exceeded"),
        pytest.param("string", "a/b", MISSING, id="B-010-string"),
        pytest.param("path", "a/b", "a/b", id="B-010-path"),
        pytest.param("path", "/a", MISSING, id="CV-3-path-begins-with-slash"),
        pytest.param("any(a, b)", "b", "b", id="CV-3-any"),
        pytest.param("any(a, b)", "c", MISSING, id="CV-3-any-other"),
        pytest.param('any("a/b", c)', "a/b", "a/b", id="CV-3-any-with-slash"),
        pytest.param("int", "42", 42, id="CV-3-int"),
        pytest.param("int", "007", 7, id="CV-3-int-zeros"),
        pytest.param("int", str(2**63 - 1), 2**63 - 1, id="B-018-64-bits"),
        pytest.param("int", str(2**63), MISSING, id="B-018-65-bits"),
        pytest.param("int(signed=True)", f"-{2**63}", MISSING, id="B-018-negative-65-bits"),
        pytest.param("int", "9" * 20, MISSING, id="B-018-20-digits"),
        pytest.param("int", "9" * 5000, MISSING, id="B-018-5000-digits"),
        pytest.param("int", "٣", MISSING, id="B-018-CV-4-arabic-digit"),
        pytest.param("int", "²", MISSING, id="B-018-superscript"),
        pytest.param("int", "1_0", MISSING, id="B-018-underscore"),
        pytest.param("int", "+1", MISSING, id="B-018-plus"),
        pytest.param("int", "-1", MISSING, id="B-018-minus"),
        pytest.param("int", " 1", MISSING, id="B-018-space"),
        pytest.param("int", "0x1", MISSING, id="B-018-hexadecimal"),
        pytest.param("int", "1e3", MISSING, id="B-018-exponent"),
        pytest.param("int(signed=True)", "-1", -1, id="CV-3-signed"),
        pytest.param("int(signed=True)", "--1", MISSING, id="CV-3-signed-twice"),
        pytest.param("int(fixed_digits=4)", "0005", 5, id="CV-5-fixed"),
        pytest.param("int(fixed_digits=4)", "5", MISSING, id="CV-5-too-short"),
        pytest.param("int(fixed_digits=25)", "1" * 25, int("1" * 25), id="B-018-wider-on-demand"),
        pytest.param("int(fixed_digits=3, signed=True)", "-05", -5, id="CV-5-signed"),
        pytest.param("int(fixed_digits=1, signed=True)", "-", MISSING, id="CV-5-only-a-sign"),
        pytest.param("int(min=5)", "4", MISSING, id="CV-7-below-min"),
        pytest.param("int(max=5)", "6", MISSING, id="CV-7-above-max"),
        pytest.param("int(min=5, max=5)", "5", 5, id="CV-7-within"),
        pytest.param("float", "1.5", 1.5, id="CV-3-float"),
        pytest.param("float", "1", MISSING, id="CV-3-float-needs-point"),
        pytest.param("float", "-1.5", MISSING, id="CV-3-float-unsigned"),
        pytest.param("float(signed=True)", "-1.5", -1.5, id="CV-3-float-signed"),
        pytest.param("float(max=1.0)", "1.5", MISSING, id="CV-7-float-max"),
        pytest.param("float", "nan", MISSING, id="B-019-nan"),
        pytest.param("float", "inf", MISSING, id="B-019-inf"),
        pytest.param("float", "1e999", MISSING, id="B-019-exponent"),
        pytest.param("float", ".5", MISSING, id="B-019-no-integer"),
        pytest.param("float", "1.", MISSING, id="B-019-no-fraction"),
        pytest.param("float", f"{'9' * 340}.0", MISSING, id="B-019-overflow"),
        pytest.param("float", f"{'9' * 400}.0", MISSING, id="B-019-400-digits"),
        pytest.param("float", f"0.{'9' * 400}", MISSING, id="B-019-400-decimals"),
        pytest.param("uuid", UUID_TEXT, UUID(UUID_TEXT), id="CV-3-uuid"),
        pytest.param("uuid", UUID_TEXT.upper(), MISSING, id="B-020-upper-case"),
        pytest.param("uuid", f"{{{UUID_TEXT}}}", MISSING, id="B-020-braces"),
        pytest.param("uuid", f"urn:uuid:{UUID_TEXT}", MISSING, id="B-020-urn"),
        pytest.param("uuid", UUID_TEXT * 300, MISSING, id="B-020-10-kB"),
        pytest.param("string", "a\nb", "a\nb", id="CV-9-newline"),
        pytest.param("string", "a;jsessionid=1", "a;jsessionid=1", id="B-023-matrix-parameter"),
        pytest.param("string", "é", "é", id="B-022-composed"),
        pytest.param("string", "é", "é", id="B-022-decomposed"),
        pytest.param("string", "a. ", "a. ", id="B-022-trailing-dot-and-space"),
        pytest.param("string", "..\\c", "..\\c", id="B-011-backslash"),
    ],
)
def test_a_placeholder_accepts_and_converts(placeholder: str, text: str, value: Any) -> None:
    found = read(placeholder, text)
    assert found == value
    assert type(found) is type(value)


class Even(IntegerConverter):
    """Refuses odd numbers."""

    def to_python(self, value: str) -> int:
        number = int(super().to_python(value))
        if number % 2:
            raise ValidationError
        return number


class Three(BaseConverter):
    regex = "[^/]{3}"


class Slashed(BaseConverter):
    regex = "[a-z]/[a-z]"


class Raw(BaseConverter):
    """Forgets to encode."""

    def to_url(self, value: str) -> str:
        return value


class Several(BaseConverter):
    def to_url(self, value: list[str]) -> str:
        return "+".join(super(Several, self).to_url(each) for each in value)


class Maybe(BaseConverter):
    regex = "[a-z]*"


def test_a_subclass_of_a_built_in_converter_is_obeyed() -> None:
    assert read("even", "4", even=Even) == 4
    assert read("even", "5", even=Even) is MISSING


def test_cv6_a_custom_regex_counts() -> None:
    assert read("three", "abc", three=Three) == "abc"
    assert read("three", "abcd", three=Three) is MISSING
    assert read("three", "a/b", three=Three) is MISSING


def test_cv6_a_custom_regex_with_a_slash_is_not_isolating() -> None:
    assert Slashed.part_isolating is False
    assert Three.part_isolating is True
    url_map = Map([Rule("/<s:x>/end", endpoint="e")], converters={"s": Slashed})
    assert url_map.match("/a/b/end", "GET")[1] == {"x": "a/b"}
    assert read("slashed", "a/b", slashed=Slashed) == "a/b"
    assert read("slashed", "ab", slashed=Slashed) is MISSING


def test_cv6_a_custom_regex_may_match_nothing() -> None:
    url_map = Map([Rule("/<m:x>", endpoint="e")], converters={"m": Maybe})
    assert url_map.match("/", "GET")[1] == {"x": ""}
    assert url_map.match("/ab", "GET")[1] == {"x": "ab"}
    with pytest.raises(NotFound):
        url_map.match("/1/", "GET")


def test_the_base_converter_has_no_short_cut() -> None:
    with pytest.raises(NotImplementedError):
        BaseConverter(Map()).read("x")


@pytest.mark.parametrize(
    ("placeholder", "value", "text"),
    [
        pytest.param("string", "a b/ü", "a%20b%2F%C3%BC", id="URL-9"),
        pytest.param("path", "a b/ü", "a%20b/%C3%BC", id="URL-9-path"),
        pytest.param('any("a/b", c)', "a/b", "a/b", id="any-with-slash"),
        pytest.param("int", 2.0, "2", id="B-237-whole"),
        pytest.param("int", Decimal(3), "3", id="B-237-decimal"),
        pytest.param("int", True, "1", id="B-237-true"),
        pytest.param("int(signed=True)", -5, "-5", id="signed"),
        pytest.param("int(fixed_digits=3, signed=True)", -5, "-05", id="CV-5-signed"),
        pytest.param("int(max=5)", "5", "5", id="max"),
        pytest.param("float(signed=True, min=-2)", -1.5, "-1.5", id="float-signed"),
        pytest.param("string(length=3)", "é/é", "%C3%A9%2F%C3%A9", id="length-decoded"),
        pytest.param("string", "a?b#c%d\\", "a%3Fb%23c%25d%5C", id="B-238"),
        pytest.param("string", 5, "5", id="any-object"),
        pytest.param("path", "a b/é.css", "a%20b/%C3%A9.css", id="URL-16"),
        pytest.param("int", "5", "5", id="int-from-text"),
        pytest.param("int(fixed_digits=4)", 5, "0005", id="CV-5"),
        pytest.param("float", 1e22, "10000000000000000000000.0", id="float-large"),
        pytest.param("float", 1e-7, "0.0000001", id="float-small"),
        pytest.param("float", 5, "5.0", id="float-from-int"),
        pytest.param("uuid", UUID(UUID_TEXT), UUID_TEXT, id="uuid"),
        pytest.param("uuid", UUID_TEXT.upper(), UUID_TEXT, id="uuid-is-made-canonical"),
        pytest.param("any(a, b)", "b", "b", id="any"),
    ],
)
def test_a_placeholder_writes(placeholder: str, value: Any, text: str) -> None:
    url_map = Map([Rule(f"/x<{placeholder}:x>", endpoint="e")])
    assert url_map.bind("h").build("e", {"x": value}) == f"/x{text}"


@pytest.mark.parametrize(
    ("placeholder", "value", "message"),
    [
        ("any(a, b)", "c", "'c' is not one of 'a', 'b'"),
        ("int", "x", "invalid literal"),
        ("float", float("nan"), "nan has no place in a URL"),
        ("uuid", "x", "badly formed"),
    ],
)
def test_url15_a_value_that_cannot_be_written_is_a_value_error(
    placeholder: str, value: Any, message: str
) -> None:
    adapter = Map([Rule(f"/<{placeholder}:x>", endpoint="e")]).bind("h")
    with pytest.raises(ValueError, match=message):
        adapter.build("e", {"x": value})


@pytest.mark.parametrize(
    ("placeholder", "value", "reason"),
    [
        pytest.param("int", 10**19, "more than 64 bits", id="B-237-20-digits"),
        pytest.param("int", 2**63, "more than 64 bits", id="B-237-64-bits"),
        pytest.param("int", 10**9999, "more than 64 bits", id="B-237-10000-digits"),
        pytest.param("int(fixed_digits=25)", 10**9999, "Exceeds the limit", id="B-237-written"),
        pytest.param("int(max=5)", 6, "outside of the rule's range", id="B-237-range"),
        pytest.param("int", -1, "'x'", id="B-237-sign"),
        pytest.param("int", 1.5, "1.5 is no integer", id="B-237-fraction"),
        pytest.param("int", Decimal("0.5"), "is no integer", id="B-237-decimal"),
        pytest.param("int", float("inf"), "inf is no integer", id="B-237-infinite"),
        pytest.param("int(fixed_digits=2)", 100, "'x'", id="B-237-too-wide"),
        pytest.param("int(min=5)", 4, "min=5 and max=None", id="B-237-min"),
        pytest.param("int(max=5)", 6, "min=None and max=5", id="B-237-max"),
        pytest.param("float", 10**400, "too large", id="B-237-float-overflow"),
        pytest.param("float", -1.5, "'x'", id="B-237-float-sign"),
        pytest.param("float(max=1)", 1.5, "max=1", id="B-237-float-max"),
        pytest.param("string", "", "'x'", id="B-238-empty"),
        pytest.param("string", 10**9999, "Exceeds the limit", id="B-237-text"),
        pytest.param("string(length=2)", "é", "'x'", id="B-238-length"),
        pytest.param("string(minlength=3)", " ", "'x'", id="B-238-encoded-is-not-longer"),
        pytest.param("string(maxlength=2)", "abc", "'x'", id="B-238-maxlength"),
        pytest.param("three", "ab", "'x'", id="B-238-custom"),
        pytest.param("three", "a/bc", "'x'", id="B-238-custom-with-slash"),
        pytest.param("raw", "a/b", "'x'", id="B-238-raw-slash"),
        pytest.param("raw", "a\r\nb", "no request path", id="B-238-raw-crlf"),
        pytest.param("raw", "a%0Ab", "no request path", id="B-238-raw-encoded-lf"),
        pytest.param("raw", "\ud800", "no request path", id="B-238-raw-surrogate"),
        pytest.param("raw", "..", "clients resolve", id="B-238-raw-dots"),
        pytest.param("raw", "%2e%2E", "clients resolve", id="B-238-raw-encoded-dots"),
    ],
)
def test_a_value_that_would_not_be_matched_is_a_build_error(
    placeholder: str, value: Any, reason: str
) -> None:
    rule = Rule(f"/x/<{placeholder}:x>", endpoint="e")
    adapter = Map([rule], converters={"three": Three, "raw": Raw}).bind("h")
    with pytest.raises(BuildError, match=reason):
        adapter.build("e", {"x": value})


@pytest.mark.parametrize(
    ("value", "text"), [("a?b#c", "a%3Fb%23c"), ("a b", "a%20b"), ("é", "%C3%A9"), ("%C3", "%C3")]
)
def test_b238_what_a_custom_converter_left_unencoded_is_encoded(value: str, text: str) -> None:
    adapter = Map([Rule("/<raw:x>", endpoint="e")], converters={"raw": Raw}).bind("h")
    assert adapter.build("e", {"x": value}) == f"/{text}"


def test_cv6_a_custom_converter_may_write_in_parts() -> None:
    adapter = Map([Rule("/<all:x>", endpoint="e")], converters={"all": Several}).bind("h")
    assert adapter.build("e", {"x": ["a", "b c", "d/e"]}) == "/a+b%20c+d%2Fe"


@pytest.mark.parametrize("value", ["a\0", "a\r\nb", "\ud800", "\x85"])
def test_b238_a_value_that_no_request_could_bring_back_is_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        StringConverter(Map()).to_url(value)


def test_characters_that_only_look_odd_are_written() -> None:
    assert PathConverter(Map()).to_url("a\u2028b") == "a%E2%80%A8b"


def test_every_name_of_the_field_has_a_converter() -> None:
    names = ["default", "string", "any", "path", "int", "float", "uuid"]
    assert list(DEFAULT_CONVERTERS) == names
    assert StringConverter is UnicodeConverter


@pytest.mark.parametrize(
    ("text", "args", "kwargs"),
    [
        ("", (), {}),
        ("True, False, None", (True, False, None), {}),
        ("1, -2, +3", (1, -2, 3), {}),
        ("1.5, -2.", (1.5, -2.0), {}),
        ("a, b_c.d-e", ("a", "b_c.d-e"), {}),
        ("\"a, b\", 'c)>'", ("a, b", "c)>"), {}),
        ("min=1,max = 2 , x='y'", (), {"min": 1, "max": 2, "x": "y"}),
        ("a, k=v", ("a",), {"k": "v"}),
    ],
)
def test_cv2_arguments_are_literals(
    text: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    assert parse_converter_args(text) == (args, kwargs)


@pytest.mark.parametrize("text", ["a b", "(1)", "a,,b", "=1", "'a", "__import__('os')", "1+1*2"])
def test_cv2_other_arguments_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Cannot parse converter argument"):
        parse_converter_args(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_comes_back(value: float) -> None:
    converter = FloatConverter(Map(), signed=True)
    text = converter.to_url(value)
    assert "e" not in text
    assert read("float(signed=True)", text) == value


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_every_number_comes_back(value: int) -> None:
    assert IntegerConverter(Map()).read(IntegerConverter(Map()).to_url(value)) == (value,)


@given(st.uuids())
def test_every_uuid_comes_back(value: UUID) -> None:
    assert read("uuid", UUIDConverter(Map()).to_url(value)) == value


@given(st.text())
def test_no_text_makes_a_converter_raise(text: str) -> None:
    for name in ("string", "path", "int", "float", "uuid", "any(a)", "int(fixed_digits=2)"):
        read(name, text)
