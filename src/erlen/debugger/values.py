"""Floor 8: values as text: short whatever they are, and silent about secrets."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

#: Characters of one value that are shown.
LIMIT = 1024
MASK = "***"
_SECRET = (
    "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "COOKIE", "AUTHORIZATION", "CREDENTIAL",
)  # fmt: skip
_KEYS = ("_KEY", "_KEYS", "APIKEY")
#: Arguments of URLs that are secrets there, and common words elsewhere.
_SECRET_ARGUMENTS = frozenset({"key", "code"})

#: Characters from which a text that is called just ``key`` is no key of a mapping, but a secret.
_KEY_LENGTH = 16

_DEPTH = 5
_ITEMS = 50
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("{", "}"),
    dict: ("{", "}"),
}


def is_secret(name: str) -> bool:
    """Whether what is called *name* is not to be shown: a password, token, key, cookie."""
    word = name.upper().replace("-", "_")
    return word.endswith(_KEYS) or any(secret in word for secret in _SECRET)


def is_secret_argument(name: str) -> bool:
    """Whether an argument of a URL is not to be shown."""
    return name.lower() in _SECRET_ARGUMENTS or is_secret(name)


def shown(name: str, value: object) -> str:
    """Return what is shown of a variable: its text, or the mask."""
    is_key = name.lower() == "key" and isinstance(value, str | bytes) and len(value) >= _KEY_LENGTH
    return MASK if is_key or (is_secret(name) and value is not None) else text_of(value)


def text_of(value: object, limit: int = LIMIT) -> str:
    """Return ``repr(value)``, cut to *limit* characters; what is in containers is cut before.

    Never raises an ``Exception``; how long it takes is for the caller to watch.
    """
    try:
        return cut("".join(_until(limit, _pieces(value, _DEPTH))), limit)
    except Exception as error:  # noqa: BLE001  # whatever a repr() of the user's may raise
        return f"<{type(value).__name__}: its repr() raised {type(error).__name__}>"


def cut(text: str, limit: int = LIMIT) -> str:
    """Return *text* without what goes beyond *limit* characters."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def _until(limit: int, pieces: Iterable[str]) -> Iterator[str]:
    """Give pieces until they are more than *limit* characters."""
    for piece in pieces:
        yield piece
        limit -= len(piece)
        if limit < 0:
            return


def _pieces(value: Any, depth: int) -> Iterator[str]:
    kind = type(value)  # a subclass may have any repr
    if kind in (str, bytes, bytearray):
        yield repr(value[: LIMIT + 1])
    elif kind not in _BRACKETS:
        yield repr(value)
    elif depth == 0:
        yield "…".join(_BRACKETS[kind])
    else:
        write: Callable[[Any, int], Iterator[str]] = _PARTS.get(kind, _sequence)
        yield from write(value, depth - 1)


def _sequence(values: Collection[Any], depth: int) -> Iterator[str]:
    opening, closing = _BRACKETS[type(values)]
    yield opening
    for index, value in enumerate(islice(values, _ITEMS)):
        yield ", " if index else ""
        yield from _pieces(value, depth)
    count = len(values)
    if count > _ITEMS:
        yield f", … {count - _ITEMS} more"
    yield ",)" if (type(values), count) == (tuple, 1) else closing


def _set(values: Collection[Any], depth: int) -> Iterator[str]:
    name = type(values).__name__
    if not values:
        yield f"{name}()"
    elif name == "set":
        yield from _sequence(values, depth)
    else:
        yield f"{name}("
        yield from _sequence(values, depth)
        yield ")"


def _mapping(values: Mapping[Any, Any], depth: int) -> Iterator[str]:
    yield "{"
    for index, (key, value) in enumerate(islice(values.items(), _ITEMS)):
        yield ", " if index else ""
        yield from _pieces(key, depth)
        yield ": "
        if type(key) is str and is_secret(key) and value is not None:
            yield MASK
        else:
            yield from _pieces(value, depth)
    if len(values) > _ITEMS:
        yield f", … {len(values) - _ITEMS} more"
    yield "}"


_PARTS: dict[type, Callable[[Any, int], Iterator[str]]] = {
    set: _set,
    frozenset: _set,
    dict: _mapping,
}
