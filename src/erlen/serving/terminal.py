"""Floor 8: the lines for whoever sits at the terminal."""

import sys
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
