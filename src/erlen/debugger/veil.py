"""Floor 8: text in which secrets are masked that no name of a variable gives away."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from erlen.debugger.values import MASK, is_secret

#: Characters below which a secret is not looked for: ``"dev"`` is in ``"device"``, too.
SHORTEST = 8
_LONGEST = 4096

#: ``db://user:password@host``.
_IN_URL = re.compile(r"""(://[^\s:/@'"]{0,64}:)[^\s@/'"]{1,256}(?=@)""")
#: ``password='...'`` in a repr, a dict or a line of source.
_NAMED = re.compile(
    r"""((?:password|passwd|passphrase|secret|token|api_?key|authorization|cookie|credential)"""
    r"""[\w-]{0,40}['"]?\s{0,3}[:=]\s{0,3}[rbfu]{0,2})('[^'\n]{1,400}'|"[^"\n]{1,400}")""",
    re.IGNORECASE,
)


class Veil:
    """Called with a text, returns it with secrets masked."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """The secret values of *config*, an application's, are masked wherever they appear."""
        words = {word for key, value in (config or {}).items() for word in _words(key, value)}
        longest_first = sorted(words, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if words else None

    def __call__(self, text: str) -> str:
        """Return *text* without them."""
        if self._secrets is not None:
            text = self._secrets.sub(MASK, text)
        text = _IN_URL.sub(rf"\1{MASK}", text)
        return _NAMED.sub(rf"\1'{MASK}'", text)


def _words(key: str, value: object) -> Iterator[str]:
    """Give what a secret of the configuration looks like: itself, and within a repr."""
    if not is_secret(key):
        return
    for each in value if isinstance(value, list | tuple) else (value,):
        if isinstance(each, str | bytes) and SHORTEST <= len(each) <= _LONGEST:
            yield repr(each).removeprefix("b")[1:-1]
            yield each if isinstance(each, str) else each.decode("latin-1")
