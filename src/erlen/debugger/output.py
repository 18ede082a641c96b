"""Floor 8: what an evaluation prints, kept apart from what everything else prints."""

import io
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

#: Characters of one evaluation that are kept.
LIMIT = 64 * 1024

_running: ContextVar["Output"] = ContextVar("erlen.debugger.output")


class Output:
    """What was printed, up to :data:`LIMIT` characters."""

    def __init__(self) -> None:
        """Nothing was printed yet."""
        self._parts: list[str] = []
        self._room = LIMIT
        self._dropped = 0

    def write(self, text: str) -> int:
        """Keep *text*, or what there is room for."""
        if self._room:
            self._parts.append(text[: self._room])
        self._dropped += max(0, len(text) - self._room)
        self._room -= min(len(text), self._room)
        return len(text)

    def text(self) -> str:
        """Return what was kept, and how much was not."""
        text = "".join(self._parts)
        return f"{text}\n… {self._dropped} characters more" if self._dropped else text

    @contextmanager
    def capturing(self) -> Generator[None, None, None]:
        """Take what the current context prints, in this and every thread or task that copies it."""
        token = _running.set(self)
        try:
            with _switched():
                yield
        finally:
            _running.reset(token)


class _Switch:
    """A stream that gives to the running evaluation what comes out of it, and else passes it on."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        written: int = (_running.get(None) or self.stream).write(text)
        return written

    def isatty(self) -> bool:
        """No pager must open in the server's terminal."""
        return _running.get(None) is None and bool(self.stream.isatty())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _NoInput(_Switch):
    """The standard input, which is at its end for an evaluation.

    SAFETY: ``input()`` in a console would wait for a line of the server's terminal, in a function
    that nothing can interrupt, and take it away from the server.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream if _running.get(None) is None else io.StringIO(), name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.stream if _running.get(None) is None else ())


_STREAMS = {"stdout": _Switch, "stderr": _Switch, "stdin": _NoInput}
_lock = threading.Lock()
_users = 0


@contextmanager
def _switched() -> Generator[None, None, None]:
    """Have the standard streams switch, as long as any evaluation runs."""
    global _users  # noqa: PLW0603  # the streams are the process's, too
    with _lock:
        _users += 1
        for name, switch in _STREAMS.items():
            stream = getattr(sys, name)
            if not isinstance(stream, _Switch):  # or somebody has put another in its place
                setattr(sys, name, switch(stream))
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                for name in _STREAMS:
                    stream = getattr(sys, name)
                    if isinstance(stream, _Switch):
                        setattr(sys, name, stream.stream)
