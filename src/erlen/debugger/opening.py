"""Floor 8: a debugger is opened: never in production, and its token goes to the terminal."""

import os
import sys
from collections.abc import Callable

from erlen.debugger.desk import PATH, Desk
from erlen.debugger.failures import Failures
from erlen.debugger.gate import Gate
from erlen.debugger.live import Live
from erlen.exceptions import SetupError

#: What takes the line that has the token.
Say = Callable[[str], object]


def open_desk(token: str | None, *, host: str, workers: int = 1, say: Say | None = None) -> Desk:
    """Return a desk with nothing on it, and say how its consoles are unlocked.

    Args:
        token: One that a supervisor hands on, so that it outlives a reload.
        host: What the server listens on; other hosts than this machine's have no console.
        workers: Processes that serve; several have no console.
        say: Called with the line that has the token; it is written to stderr otherwise.

    Raises:
        SetupError: ``ERLEN_ENV`` is ``production``.
        ValueError: *token* is too short.
    """
    if os.environ.get("ERLEN_ENV") == "production":
        raise SetupError(
            "The debugger was started although ERLEN_ENV is 'production'. It shows the inside "
            "of the application and runs what is typed; serve without debug mode."
        )
    gate = Gate(token, host=host, workers=workers)
    (say or _write)(
        f" * {gate.refusal}" if gate.refusal else f" * Debugger at {PATH}, token: {gate.token}"
    )
    return Desk(gate, Failures(), Live())


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
