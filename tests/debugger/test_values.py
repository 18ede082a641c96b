"""Values as text: short whatever they are, and silent about secrets."""

from typing import Any

import pytest

from erlen.debugger.values import LIMIT, is_secret, is_secret_argument, shown, text_of


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Long:
    def __repr__(self) -> str:
        return "x" * 10_000_000


class Wrong:
    def __repr__(self) -> Any:
        return 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        ("a<b>", "'a<b>'"),
        (b"\x00", "b'\\x00'"),
        (bytearray(b"a"), "bytearray(b'a')"),
        ([], "[]"),
        ([1, "a"], "[1, 'a']"),
        ((1,), "(1,)"),
        ((1, 2), "(1, 2)"),
        ((), "()"),
        ({}, "{}"),
        ({1: "a", "b": None}, "{1: 'a', 'b': None}"),
        ({1}, "{1}"),
        (set(), "set()"),
        (frozenset(), "frozenset()"),
        (frozenset({1}), "frozenset({1})"),
        ([[[[[[1]]]]]], "[[[[[[…]]]]]]"),
        (list(range(60)), str(list(range(50)))[:-1] + ", … 10 more]"),
        (dict.fromkeys(range(52), 0), str(dict.fromkeys(range(50), 0))[:-1] + ", … 2 more}"),
        (Hostile(), "<Hostile: its repr() raised RuntimeError>"),
        (Wrong(), "<Wrong: its repr() raised TypeError>"),
        ([Hostile()], "<list: its repr() raised RuntimeError>"),
    ],
)
def test_values_are_written_as_repr_does(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize("value", ["x" * 100_000_000, b"x" * 100_000_000, Long(), ["x" * 500] * 9])
def test_b273_long_values_are_cut(value: object) -> None:
    assert len(text_of(value)) == LIMIT + 1


def test_b273_a_container_that_holds_itself_ends() -> None:
    value: list[Any] = []
    value.append(value)
    assert text_of(value) == "[[[[[[…]]]]]]"


@pytest.mark.parametrize(
    "name",
    ["password", "DB_PASSWORD", "secret_key", "SECRET", "api_token", "Authorization", "cookie",
     "Set-Cookie", "X-API-Key", "api_keys", "apikey", "credentials", "passwd", "passphrase"],
)  # fmt: skip
def test_b273_secrets_are_masked_by_name(name: str) -> None:
    assert is_secret(name)
    assert shown(name, "hunter2") == "***"
    assert "hunter2" not in text_of([{name: "hunter2"}])


@pytest.mark.parametrize("name", ["key", "keyboard", "user", "monkey", "pass"])
def test_common_words_are_no_secrets(name: str) -> None:
    assert not is_secret(name)
    assert shown(name, 1) == "1"


@pytest.mark.parametrize(
    ("value", "text"),
    [("page", "'page'"), ("0123456789abcdef", "***"), (b"0123456789abcdef", "***"), (7, "7")],
)
def test_b273_what_is_called_key_is_a_secret_when_it_is_long(value: object, text: str) -> None:
    assert shown("key", value) == text


def test_a_missing_secret_is_no_secret() -> None:
    assert shown("password", None) == "None"
    assert text_of({"token": None}) == "{'token': None}"


@pytest.mark.parametrize(
    ("name", "secret"), [("key", True), ("code", True), ("token", True), ("page", False)]
)
def test_d32_arguments_of_urls_are_masked(name: str, secret: bool) -> None:
    assert is_secret_argument(name) is secret
