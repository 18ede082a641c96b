"""An exception with all that belongs to it."""

from typing import Any

import pytest

from erlen.debugger.chain import EXCEPTIONS, INNER_FRAMES, OUTER_FRAMES, name_of, unfold
from tests.debugger.raising import raised


def test_an_exception_alone() -> None:
    error = raised(int, "x")
    (only,), omitted = unfold(error)
    assert (only.relation, only.name, omitted) == ("", "ValueError", 0)
    assert only.line == "ValueError: invalid literal for int() with base 10: 'x'"


def caused() -> None:
    try:
        1 / 0  # noqa: B018  # it fails
    except ZeroDivisionError as error:
        raise KeyError("a") from error


def in_context() -> None:
    try:
        1 / 0  # noqa: B018  # it fails
    except ZeroDivisionError:
        raise KeyError("a")  # noqa: B904  # what is tried


def suppressed() -> None:
    try:
        1 / 0  # noqa: B018  # it fails
    except ZeroDivisionError:
        raise KeyError("a") from None


@pytest.mark.parametrize(
    ("function", "relation"),
    [(caused, "cause"), (in_context, "context"), (suppressed, "suppressed")],
)
def test_what_came_before_follows(function: Any, relation: str) -> None:
    chain, _ = unfold(raised(function))
    assert [(each.relation, each.name) for each in chain] == [
        ("", "KeyError"),
        (relation, "ZeroDivisionError"),
    ]


def test_members_follow_their_group() -> None:
    group = ExceptionGroup("all", [ValueError(1), ExceptionGroup("in", [KeyError(2)]), OSError(3)])
    chain, _ = unfold(group)
    assert [(each.depth, each.relation, each.name) for each in chain] == [
        (0, "", "ExceptionGroup"),
        (1, "member", "ValueError"),
        (1, "member", "ExceptionGroup"),
        (2, "member", "KeyError"),
        (1, "member", "OSError"),
    ]


def test_notes_are_told() -> None:
    error = ValueError()
    error.add_note("one")
    error.__notes__.append(2)  # type: ignore[arg-type]  # as anyone may
    chain, _ = unfold(error)
    assert (chain[0].notes, chain[0].line) == (["one"], "ValueError")
    error.__notes__ = "none"  # type: ignore[assignment]  # as anyone may
    assert unfold(error)[0][0].notes == []


def test_frames_are_numbered_through_the_innermost_first() -> None:
    chain, _ = unfold(raised(caused))
    numbers = [frame.index for each in chain for frame in each.frames]
    assert numbers == list(range(len(numbers)))
    assert chain[0].frames[0].function == "caused"


def test_b274_a_chain_of_a_thousand_is_cut() -> None:
    error: Exception = ValueError(0)
    for number in range(1, 2000):
        after = ValueError(number)
        after.__cause__, error = error, after
    chain, omitted = unfold(error)
    assert (len(chain), omitted) == (EXCEPTIONS, 1000 - EXCEPTIONS)


def test_b274_groups_in_groups_are_cut() -> None:
    error: Exception = ValueError(0)
    for _ in range(50):
        error = ExceptionGroup("in", [error])
    chain, omitted = unfold(error)
    assert (len(chain), omitted) == (EXCEPTIONS, 51 - EXCEPTIONS)


def test_b274_a_chain_in_a_circle_ends() -> None:
    one, two = ValueError(1), ValueError(2)
    one.__cause__, two.__cause__ = two, one
    chain, omitted = unfold(one)
    assert (len(chain), omitted) == (2, 0)


def test_b274_a_recursion_error_is_cut_in_the_middle() -> None:
    def fall(depth: int) -> None:
        fall(depth + 1)

    (only, *_), _ = unfold(raised(fall, 0))
    assert len(only.frames) == INNER_FRAMES + OUTER_FRAMES
    assert only.omitted > 500
    assert only.frames[-1].function.endswith("raised")


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Endless(Exception):
    def __str__(self) -> str:
        return "x" * 10_000_000


def test_b274_a_hostile_message_is_told_as_one() -> None:
    assert unfold(Hostile())[0][0].message == "<its str() raised RuntimeError>"
    assert len(unfold(Endless())[0][0].message) < 5000


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ValueError, "ValueError"),
        (Hostile, f"{__name__}.Hostile"),
        (type("Local", (Exception,), {"__module__": "__main__"}), "Local"),
    ],
)
def test_classes_are_named_with_their_module(kind: type, name: str) -> None:
    assert name_of(kind) == name
