"""What an evaluation prints, kept apart from what everything else prints."""

import io
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context

import pytest

from erlen.debugger.output import LIMIT, Output


def test_what_is_printed_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    with output.capturing():
        sys.stdout.write("a\n")
        sys.stderr.write("b\n")
        sys.stdout.flush()
        assert not sys.stdout.isatty()
    assert output.text() == "a\nb\n"
    assert capsys.readouterr() == ("", "")


def test_others_print_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    output, outside = Output(), copy_context()
    with output.capturing():
        thread = threading.Thread(target=outside.run, args=(print, "from elsewhere"))
        thread.start()
        thread.join()
        outside.run(sys.stdout.isatty)
    assert output.text() == ""
    assert capsys.readouterr().out == "from elsewhere\n"


def test_two_at_once_are_kept_apart() -> None:
    stdout, first, second = sys.stdout, Output(), Output()
    with first.capturing():
        with second.capturing():
            sys.stdout.write("second\n")
        sys.stdout.write("first\n")
    assert (first.text(), second.text()) == ("first\n", "second\n")
    assert sys.stdout is stdout


def test_b272_a_gibibyte_is_cut() -> None:
    output = Output()
    output.write("x" * (LIMIT - 1))
    output.write("yz")
    for _ in range(1024):
        output.write("x" * 1024)
    assert output.text() == "x" * (LIMIT - 1) + "y" + f"\n… {1024 * 1024 + 1} characters more"


@pytest.mark.parametrize(
    ("read", "got"),
    [
        (lambda: sys.stdin.read(), ""),  # noqa: PLW0108  # of the stream that is there then
        (lambda: list(sys.stdin), []),
        (lambda: sys.stdin.isatty(), False),  # noqa: PLW0108  # as above
    ],
)
def test_b272_there_is_nothing_to_read(
    read: Callable[[], object], got: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO("for the server\n")
    monkeypatch.setattr(sys, "stdin", terminal)
    outside = copy_context()
    with Output().capturing():
        assert read() == got
        with pytest.raises(EOFError):
            input()
        assert outside.run(lambda: [sys.stdin.readline()]) == ["for the server\n"]
        terminal.seek(0)
        assert outside.run(lambda: list(sys.stdin)) == ["for the server\n"]
    assert sys.stdin is terminal


def test_a_stream_that_somebody_else_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    other = io.StringIO()
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    with Output().capturing():
        sys.stdout = other
    assert sys.stdout is other
