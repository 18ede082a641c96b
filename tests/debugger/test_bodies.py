"""What a page tells of the body of a request."""

import pytest

from erlen.debugger.bodies import Pairs, body_of

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("content_type", "body", "told"),
    [
        (FORM, b"", ("", [])),
        (FORM, b"a=1&password=x&b=%C3%A4", ("Form", [("a", "1"), ("password", "***"), ("b", "ä")])),
        (f"{FORM}; charset=utf-8", b"a=1", ("Form", [("a", "1")])),
        (
            "application/json",
            b'{"a": [1], "token": "x"}',
            ("JSON", [("a", "[1]"), ("token", "***")]),
        ),
        ("application/problem+json", b"[1]", ("JSON", [("", "[1]")])),
        ("application/json", b"{", ("JSON", [("", "{")])),
        ("text/plain", b"hello \xff", ("Body", [("", "hello �")])),
        ("image/png", b"\x89PNG", ("Body", [("", "4 bytes of image/png")])),
        ("", b"abc", ("Body", [("", "3 bytes of an unknown type")])),
    ],
)
def test_bodies_are_told(content_type: str, body: bytes, told: tuple[str, Pairs]) -> None:
    assert body_of(content_type, body, len(body)) == told


def test_a_body_of_which_only_the_beginning_is_here_is_only_counted() -> None:
    assert body_of(FORM, b"a=1", 70_000) == ("Body", [("", f"70,000 bytes of {FORM}")])


def test_a_form_of_too_many_fields_is_told_as_it_is() -> None:
    kind, ((name, value),) = body_of(FORM, b"a=1&" * 2000, 8000)
    assert (kind, name, value[:7]) == ("Form", "", "a=1&a=1")


def test_json_that_nests_too_deep_is_text() -> None:
    body = b"[" * 20_000
    assert body_of("application/json", body, len(body))[1][0][1].startswith("[[[")
