"""A failure as its client wants it."""

import ast
import json
import time
from contextvars import copy_context
from typing import Any

import pytest

from erlen.debugger.facts import Facts, facts_of
from erlen.debugger.failures import Failure
from erlen.debugger.reports import HTML, PROBLEM, TEXT, as_problem, as_text, traceback_of, wanted
from tests.debugger.raising import raised
from tests.exchange.wire import scope_of

ADDRESS = "http://localhost/_erlen/1"


def failure_of(error: BaseException) -> Failure:
    variables = copy_context()
    return Failure(error, variables, facts_of(variables, scope_of("/orders/7")))


def divide() -> None:
    1 / 0  # noqa: B018  # it fails


def wrap() -> None:
    try:
        divide()
    except ZeroDivisionError as error:
        error.add_note("a note")
        raise ExceptionGroup("all", [ValueError("<b>")]) from error


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, TEXT),
        (b"*/*", TEXT),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        (b"application/json", PROBLEM),
        (b"application/problem+json", PROBLEM),
        (b"application/json, text/plain, */*", PROBLEM),
        (b"text/plain", TEXT),
        (b"text/html;q=0.1, application/json", PROBLEM),
        (b"image/png", TEXT),
        (b"\xff;;,,", TEXT),
    ],
)
def test_the_client_chooses(accept: bytes | None, kind: str) -> None:
    headers = [] if accept is None else [(b"accept", accept)]
    assert wanted(scope_of(headers=headers)) == kind


def test_json_has_the_chain_with_frames_and_code() -> None:
    problem = json.loads(as_problem(failure_of(raised(wrap)), ADDRESS, hidden=""))
    assert (problem["status"], problem["detail"]) == (500, "ExceptionGroup: all (1 sub-exception)")
    told = [(each["relation"], each["type"], each["depth"]) for each in problem["exceptions"]]
    assert told == [
        (None, "ExceptionGroup", 0),
        ("member", "ValueError", 1),
        ("cause", "ZeroDivisionError", 0),
    ]
    frame = problem["exceptions"][2]["frames"][0]
    assert (frame["function"], frame["code"]) == ("divide", "1 / 0  # noqa: B018  # it fails")
    assert problem["page"] == ADDRESS


def test_b264_json_for_others_has_neither_code_nor_page() -> None:
    problem = json.loads(as_problem(failure_of(raised(wrap)), ADDRESS, hidden="Not for you."))
    frames = [frame for each in problem["exceptions"] for frame in each["frames"]]
    assert all("code" not in frame for frame in frames)
    assert (problem["hidden"], "page" in problem) == ("Not for you.", False)


def test_text_is_a_traceback_that_begins_with_the_application() -> None:
    lines = as_text(failure_of(raised(wrap)), ADDRESS, hidden="").decode().splitlines()
    assert lines[:3] == ["GET /orders/7", "", "Traceback (most recent call last):"]
    assert "in wrap" in lines[3]
    assert lines[-1].endswith(ADDRESS)


def test_text_names_the_endpoint() -> None:
    failure = failure_of(raised(divide))
    failure.facts.endpoint = "order"
    assert as_text(failure, ADDRESS, hidden="").startswith(b"GET /orders/7 \xc2\xb7 order\n")


def test_b264_text_for_others_has_no_source() -> None:
    text = as_text(failure_of(raised(wrap)), ADDRESS, hidden="Not for you.").decode()
    assert "1 / 0" not in text
    assert "Caused by:\nZeroDivisionError: division by zero\n  a note\n" in text
    assert "Member of the group:\n  ValueError: <b>" in text
    assert text.endswith("\n\nNot for you.\n")


def test_an_error_of_libraries_alone_keeps_its_frames() -> None:
    error = raised(json.loads, "{")
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next
    assert "in loads" in traceback_of(failure_of(error))


def test_who_has_imported_a_syntax_error_is_left_out() -> None:
    error = raised(ast.parse, "def f(:")
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next
    assert traceback_of(failure_of(error)).splitlines()[:2] == [
        '  File "<unknown>", line 1',
        "    def f(:",
    ]


class Unspeakable(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name == "__suppress_context__":
            raise RuntimeError("no")
        return super().__getattribute__(name)


def test_b274_what_python_cannot_tell_is_outlined(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = failure_of(Unspeakable("why"))
    assert traceback_of(failure) == f"{__name__}.Unspeakable: why"


def test_b274_a_chain_of_a_thousand_is_cut() -> None:
    error: Exception = ValueError("x" * 1000)
    for number in range(900):
        after = ValueError(f"{number} {'y' * 1000}")
        after.__cause__, error = error, after
    text = traceback_of(failure_of(error))
    assert 1000 < len(text) < 300_000
    assert "…" in text


def test_b273_a_message_of_100_mb_holds_up_nobody() -> None:
    failure = failure_of(ValueError("x" * 100_000_000 + "password='hunter2'"))
    began = time.perf_counter()
    text = traceback_of(failure)
    assert time.perf_counter() - began < 2  # looking for secrets in all of it takes 10
    assert len(text) < 300_000
    assert text.endswith("xpassword='***'\n")


def test_b274_an_outline_tells_how_many_are_left_out() -> None:
    error: Exception = ValueError(0)
    for number in range(90):
        after = ValueError(number)
        after.__cause__, error = error, after
    text = as_text(failure_of(error), ADDRESS, hidden="No.").decode()
    assert "… and 67 exceptions more." in text


def test_b274_surrogates_are_escaped() -> None:
    failure = failure_of(ValueError("\ud800"))
    assert b"\\ud800" in as_text(failure, ADDRESS, hidden="")
    assert json.loads(as_problem(failure, ADDRESS, hidden=""))["detail"] == "ValueError: \ud800"


@pytest.mark.parametrize("hidden", ["", "No."])
def test_text_for_a_terminal_cannot_steer_it(hidden: str) -> None:
    failure = failure_of(ValueError("\x1b[2J\x1b]0;title\x07 \u202e \u2028 \r über\ttab\nnext"))
    text = as_text(failure, ADDRESS, hidden=hidden).decode()
    assert "ValueError: \\x1b[2J\\x1b]0;title\\x07 \\u202e \\u2028 \\r über" in text
    assert not set(text) & set("\x1b\x07\u202e\u2028\r\t")
    assert "tab\nnext" in text


def test_facts_without_a_scope_are_told() -> None:
    failure = Failure(ValueError("a"), copy_context(), Facts("background task", "a task"))
    assert as_text(failure, ADDRESS, hidden="").startswith(b"a task\n\nValueError: a\n")
