"""Floor 8: how a name goes on that a developer has begun to type."""

import builtins
import keyword
from collections.abc import Iterable, Mapping
from typing import Any

#: Suggestions for one word.
LIMIT = 50
_LONGEST = 200


def complete(text: str, namespace: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Return where the word at the end of *text* begins, and what it may become, sorted.

    Attributes are found by asking the object, so that a property of it may run.
    """
    found = _word_before_end(text)
    path, dot, begun = found.rpartition(".")
    start = len(text) - len(begun)
    if not dot:
        names: Iterable[str] = {*namespace, *dir(builtins), *keyword.kwlist} if begun else ()
        return start, _fitting(names, begun)
    try:
        return start, _fitting(dir(_resolve(path, namespace)), begun)
    except Exception:  # noqa: BLE001  # a name that is not there, or a property of the user's
        return start, []


def _word_before_end(text: str) -> str:
    """Return the names with dots between them that *text* ends with."""
    start = end = len(text)
    while start > max(0, end - _LONGEST) and (text[start - 1].isalnum() or text[start - 1] in "_."):
        start -= 1
    *owners, begun = text[start:].split(".")
    is_name = all(map(str.isidentifier, owners)) and (not begun or begun.isidentifier())
    return text[start:] if is_name else ""


def _resolve(path: str, namespace: Mapping[str, Any]) -> Any:
    first, *rest = path.split(".")
    value = namespace[first] if first in namespace else getattr(builtins, first)
    for name in rest:
        value = getattr(value, name)
    return value


def _fitting(names: Iterable[str], begun: str) -> list[str]:
    """Return what begins so; private names only for those who have typed an underscore."""
    fitting = [
        name
        for name in names
        if name.startswith(begun) and (begun.startswith("_") or not name.startswith("_"))
    ]
    return sorted(fitting)[:LIMIT]
