"""Admission of header sections: security.md B-038 to B-045, B-053, B-076, B-152, B-322."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exceptions import WireError
from erlen.wire import section
from erlen.wire.headers import RequestHeaders
from erlen.wire.section import check_block, sound_host


def refuse(raw: Any, **limits: int) -> int:
    """Return the status of the refusal."""
    with pytest.raises(WireError) as caught:
        check_block(raw, **limits)
    return caught.value.status


def test_usual_block_is_admitted_as_a_dict() -> None:
    raw = [(b"host", b"h"), (b"accept", b"*/*"), (b"content-length", b"12")]
    assert check_block(raw) == dict(raw)
    assert check_block([]) == {}


@pytest.mark.parametrize(
    "raw",
    [
        ((b"host", b"h"), (b"x-y", b"1")),
        [[b"host", b"h"], [b"x-y", b"1"]],
        iter([(b"host", b"h"), (b"x-y", b"1")]),
        ([name, value] for name, value in [(b"Host", b"h"), (b"X-Y", b"1")]),
    ],
)
def test_b322_any_iterable_of_pairs_will_do(raw: Any) -> None:
    assert check_block(raw) == {b"host": b"h", b"x-y": b"1"}


@pytest.mark.parametrize(
    "raw",
    [
        None,
        3,
        [3],
        [("host", "h")],
        [("host", b"h")],
        [(b"host", "h")],
        [(b"host", None)],
        [b"ab"],
        [(b"a",)],
        [(b"a", b"b", b"c")],
        [(b"x-new", bytearray(b"b"))],
        [(bytearray(b"a"), b"b")],
    ],
)
def test_b322_what_is_no_pairs_of_bytes_is_the_servers_fault(raw: Any) -> None:
    with pytest.raises(TypeError, match="server"):
        check_block(raw)


@pytest.mark.parametrize("byte", [*(set(range(32)) - {9}), 127])
def test_b038_b039_control_byte_in_a_value_is_400(byte: int) -> None:
    assert refuse([(b"accept", b"a" + bytes([byte]) + b"b")]) == 400
    assert refuse([(b"accept", b"a"), (b"accept", bytes([byte]))]) == 400


def test_b044_tab_and_bytes_beyond_ascii_are_allowed() -> None:
    value = b"\t" + bytes(range(128, 256))
    assert check_block([(b"accept", value)]) == {b"accept": value}


@pytest.mark.parametrize(
    "name",
    [b"", b"a b", b"a ", b":", b"a:", b"a\r", b"a\0", b"\xe9", "é".encode(), b"a\n", b"(", b"\xb5"],
)
def test_b040_name_that_is_no_token_is_400(name: bytes) -> None:
    assert refuse([(b"host", b"h"), (name, b"1")]) == 400


def test_b040_upper_case_names_are_lower_cased() -> None:
    assert check_block([(b"HOST", b"h"), (b"X-Up", b"1")]) == {b"host": b"h", b"x-up": b"1"}
    assert refuse([(b"HOST", b"h"), (b"host", b"h")]) == 400


@pytest.mark.parametrize("name", [b"content-length", b"content-type", b"transfer-encoding"])
def test_b045_repetition_with_another_value_is_400(name: bytes) -> None:
    assert refuse([(name, b"1"), (name, b"2")]) == 400
    assert check_block([(name, b"1"), (name, b"1")]) == {name: b"1"}


def test_b152_repeated_host_is_400_even_if_equal() -> None:
    assert refuse([(b"host", b"h"), (b"host", b"h")]) == 400


def test_b045_first_value_of_other_headers_counts() -> None:
    assert check_block([(b"authorization", b"1"), (b"authorization", b"2")]) == {
        b"authorization": b"1"
    }


def test_b076_cookies_are_joined() -> None:
    raw = [(b"cookie", b"a=1"), (b"host", b"h"), (b"cookie", b"b=2"), (b"cookie", b"c=3")]
    assert check_block(raw) == {b"cookie": b"a=1; b=2; c=3", b"host": b"h"}


@pytest.mark.parametrize(
    "value",
    [b"+2", b"-1", b"1_0", b" 2", b"2,2", b"0x2", "٢".encode(), b"9" * 30, b"9" * 19, b"", b"\xb2"],
)
def test_b053_content_length_that_is_no_number_is_400(value: bytes) -> None:
    assert refuse([(b"content-length", value)]) == 400
    assert refuse([(b"accept", b"a"), (b"accept", b"a"), (b"content-length", value)]) == 400


def test_b053_eighteen_digits_are_allowed() -> None:
    assert check_block([(b"content-length", b"9" * 18)])


@pytest.mark.parametrize("name", [b"accept", b"x-%d"])
def test_b043_too_many_headers_are_431(name: bytes) -> None:
    raw = [(name % number if b"%" in name else name, b"1") for number in range(201)]
    assert refuse(raw) == 431
    assert check_block(raw[:200])
    assert refuse(raw[:3], max_count=2) == 431


def test_b043_too_many_bytes_are_431() -> None:
    raw = [(b"accept", b"a" * (65536 - 6))]
    assert check_block(raw) == dict(raw)
    assert refuse([(b"accept", b"a" * (65536 - 5))]) == 431
    assert refuse([(b"x" * 70_000, b"")]) == 431
    assert refuse([(b"accept", b"12345")], max_bytes=10) == 431


def test_b042_a_hundred_thousand_headers_take_linear_time() -> None:
    started = time.process_time()
    assert refuse([(b"x-f", b"1")] * 100_000) == 431
    assert time.process_time() - started < 1


def test_long_fields_are_admitted_but_not_remembered() -> None:
    pair = (b"accept", b"a" * 300)
    assert check_block([pair]) == dict([pair])
    assert pair not in section._SOUND


def test_a_field_that_was_sound_is_admitted_again() -> None:
    raw = [(b"accept", b"again"), (b"host", b"h")]
    assert check_block(raw) == check_block(raw) == dict(raw)
    assert set(raw) <= section._SOUND


@pytest.mark.parametrize("name", [b"cookie", b"authorization", b"x-api-key", b"x-anything"])
def test_secrets_are_not_remembered(name: bytes) -> None:
    assert check_block([(name, b"secret")]) == {name: b"secret"}
    assert (name, b"secret") not in section._SOUND


def test_invented_fields_do_not_grow_the_memory() -> None:
    for number in range(3000):
        check_block([(b"user-agent", b"invented %d" % number)])
    assert len(section._SOUND) <= section._SOUND_KEPT


NAMES = st.sampled_from([b"host", b"Host", b"cookie", b"content-length", b"x-y", b"", b"a b"])


@given(st.lists(st.tuples(NAMES | st.binary(max_size=3), st.binary(max_size=4))))
def test_admission_raises_only_wire_errors_and_admits_what_headers_admit(
    raw: list[tuple[bytes, bytes]],
) -> None:
    try:
        block = check_block(raw)
    except WireError:
        return
    assert set(block) == {name.lower() for name, _ in raw}
    assert len(RequestHeaders(raw).copy()) == len(raw)


HOST = (b"host", b"example.com")


@pytest.mark.parametrize("code", range(256))
def test_a_section_is_as_sound_as_its_fields(code: int) -> None:
    raw = [HOST, (b"cookie", b"a%cb" % code)]
    try:
        check_block(raw)
    except WireError:
        assert not sound_host(raw, 200, 65536)
    else:
        assert sound_host(raw, 200, 65536)


def test_a_section_is_sound_when_its_fields_are_and_it_names_a_host() -> None:
    fields = [HOST, (b"accept", b"*/*"), (b"cookie", b"a=b")]
    assert sound_host(fields, 200, 65536) == "example.com"
    assert not sound_host([(b"accept", b"*/*")], 200, 65536)


@pytest.mark.parametrize(
    "headers",
    [
        [HOST, (b"x y", b"1")],
        [HOST, (b"x", b"a\r\nb")],
        [HOST, HOST],
        [(b"host", b"a/b")],
        [HOST, [b"x", b"1"]],
        (HOST,),
        iter([HOST]),
        [HOST, (b"x", 1)],
        [HOST] + [(b"x%d" % number, b"1") for number in range(200)],
        [HOST, (b"x", b"1" * 65536)],
        [HOST, (b"content-length", b"1x")],
        [HOST, (b"X", b"1")],
        [HOST, (b"x" * 2000, b"1")],
        [],
    ],
    ids=[
        "name",
        "value",
        "twice",
        "host",
        "list",
        "tuple",
        "iterator",
        "text",
        "many",
        "long",
        "length",
        "capital",
        "long-name",
        "none",
    ],
)
def test_what_is_not_beyond_doubt_is_not_sound(headers: Any) -> None:
    assert not sound_host(headers, 200, 65536)


def test_a_section_is_kept_only_if_it_proves_nobody_and_is_short() -> None:
    many = [HOST, *[(b"accept", b"*/*")] * section.KNOWN_FIELDS]
    for headers in ([HOST, (b"cookie", b"secret")], [HOST, (b"authorization", b"secret")], many):
        sound_host(headers, 200, 65536)
        assert tuple(headers) not in section._known
        assert tuple(headers) not in [known for known, _ in section._latest.values()]
    assert sound_host([HOST], 200, 65536)
    assert (HOST,) in section._known


def test_sections_that_end_alike_are_told_apart() -> None:
    ends = (b"accept", b"text/ends-alike")
    for name in (b"a.example", b"b.example", b"a.example", b"b.example"):
        assert sound_host([(b"host", name), ends], 200, 65536) == name.decode()
    assert not sound_host([(b"host", b"a/b"), ends], 200, 65536)


def test_names_that_a_client_invents_do_not_fill_the_memory() -> None:
    for number in range(section._FORMS_KEPT + 2):
        assert sound_host([HOST, (b"x-%d" % number, b"1")], 200, 65536)
    assert len(section._FORMS) <= section._FORMS_KEPT


def test_sections_that_a_client_invents_do_not_fill_the_memory() -> None:
    for number in range(section._KNOWN_KEPT + 2):
        assert sound_host([HOST, (b"user-agent", b"%d" % number)], 200, 65536)
    assert len(section._latest) <= len(section._known) <= section._KNOWN_KEPT
