"""The terminal is left as it was."""

import os
import pty
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from erlen.serving.terminal import remember_terminal, reopen_stdin


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal, in whose foreground this process is."""
    ours, theirs = pty.openpty()
    monkeypatch.setattr(os, "tcgetpgrp", lambda _tty: os.getpgrp())
    yield theirs
    os.close(ours)
    os.close(theirs)


def break_echo(tty: int) -> None:
    attributes = termios.tcgetattr(tty)
    attributes[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(tty, termios.TCSANOW, attributes)


def test_p72_a_terminal_without_echo_has_it_again(tty: int) -> None:
    before = termios.tcgetattr(tty)
    restore = remember_terminal(tty)
    break_echo(tty)
    restore()
    assert termios.tcgetattr(tty) == before


def test_the_terminal_of_others_is_left_alone(tty: int, monkeypatch: pytest.MonkeyPatch) -> None:
    restore = remember_terminal(tty)
    break_echo(tty)
    broken = termios.tcgetattr(tty)
    monkeypatch.setattr(os, "tcgetpgrp", lambda _tty: os.getpgrp() + 1)
    restore()
    assert termios.tcgetattr(tty) == broken


def test_what_is_no_terminal_is_left_alone() -> None:
    reading, writing = os.pipe()
    remember_terminal(reading)()
    os.close(reading)
    os.close(writing)


def test_a_system_without_such_terminals_has_nothing_to_remember(
    tty: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "termios", None)
    remember_terminal(tty)()


def test_stdin_is_what_the_program_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        reopen_stdin()
        assert sys.stdin.fileno() == 0


def test_a_program_without_stdin_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise OSError(9, "Bad file descriptor")

    before = sys.stdin
    monkeypatch.setattr("builtins.open", fail)
    reopen_stdin()
    assert sys.stdin is before
