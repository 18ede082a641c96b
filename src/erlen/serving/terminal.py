"""Floor 8: the lines for whoever sits at the terminal, and the terminal as it was before."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from uvicorn.config import STARTUP_FAILURE


def say(line: str) -> None:
    """Write a line to stderr, at once."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def refuse(reason: str) -> NoReturn:
    """Say why nothing is served, and end with uvicorn's code for that, 3."""
    say(f"Error: {reason}")
    sys.exit(STARTUP_FAILURE)


def remember_terminal(stdin: int = 0) -> Callable[[], None]:
    """Return a function that puts the terminal back into the state in which it is now.

    A process that is killed at a prompt, as of pdb, leaves it without echo and lines.
    """
    try:
        import termios
    except ImportError:  # Windows
        return _leave
    if not os.isatty(stdin):
        return _leave
    before = termios.tcgetattr(stdin)

    def restore() -> None:
        # Who changes the terminal of others, from the background, is stopped by the system.
        if os.tcgetpgrp(stdin) == os.getpgrp():
            termios.tcsetattr(stdin, termios.TCSADRAIN, before)

    return restore


def _leave() -> None:
    """Leave it as it is."""


def reopen_stdin() -> None:
    """Give ``sys.stdin`` back to a process whose own was exchanged for nothing.

    ``multiprocessing`` does so; a debugger that stops in a view reads there.
    """
    try:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  # a number; as long as we live
    except OSError:  # this program has none either
        return
