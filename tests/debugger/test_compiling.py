"""What was typed becomes code."""

import inspect
from typing import Any

import pytest

from erlen.debugger.compiling import VALUE, compile_input, is_incomplete


@pytest.mark.parametrize(
    "source",
    ["f(", "def f():", "for x in y:\n    z", "'''a", "x = \\", "async with x:", "if a:\n\tb"],
)
def test_lines_are_missing(source: str) -> None:
    assert is_incomplete(source)


@pytest.mark.parametrize(
    "source",
    [
        "1",
        "",
        "# nothing",
        "await x",
        "for x in y:\n    z\n",
        "for x in y:\n    z\n\n",
        "a = 1\nb",
        "1 +",
        "?",
    ],
)
def test_nothing_is_missing(source: str) -> None:
    assert not is_incomplete(source)


def evaluated(source: str) -> Any:
    names: dict[str, Any] = {}
    exec(compile_input(source, "<input>"), names)
    return names.get(VALUE)


@pytest.mark.parametrize(
    ("source", "value"), [("1 + 1", 2), ("a = 3\na * 2", 6), ("a = 1", None), ("", None)]
)
def test_the_last_expression_is_the_value(source: str, value: object) -> None:
    assert evaluated(source) == value


def test_await_at_the_top_makes_a_coroutine() -> None:
    assert compile_input("await x", "<input>").co_flags & inspect.CO_COROUTINE
    assert not compile_input("x", "<input>").co_flags & inspect.CO_COROUTINE


@pytest.mark.parametrize("source", ["1 +", "return 1", "x = = 1"])
def test_what_is_no_python_raises(source: str) -> None:
    with pytest.raises(SyntaxError):
        compile_input(source, "<input>")
