"""Floor 1: regular expressions that are compiled when they are first used."""

import re
from typing import Any, AnyStr, cast

_METHODS = ("findall", "finditer", "fullmatch", "match", "search", "split", "sub", "subn")


def late(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what behaves as ``re.compile(pattern, flags)`` and costs nothing before it is used.

    A malformed pattern is told by its first use.

    PERF: eighty expressions are 9 ms of an import, and a request needs three of them. A use costs
    0.02 µs more than that of a compiled one.
    """
    return cast("re.Pattern[AnyStr]", _Late(pattern, flags))


class _Compiled:
    """The methods of an expression, as attributes of its own."""


class _Late(_Compiled):
    """The same before its first use."""

    def __init__(self, pattern: AnyStr, flags: int) -> None:
        self.pattern: Any = pattern
        self.flags = flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(self.pattern, self.flags)
        for method in _METHODS:
            setattr(self, method, getattr(compiled, method))
        self.__class__ = _Compiled  # type: ignore[assignment]  # from here on without __getattr__
        return getattr(compiled, name)
