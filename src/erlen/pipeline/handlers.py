"""Floor 6: which error handler takes an error, looked for once for each kind of error."""

from collections.abc import Iterable

from erlen.exceptions import HTTPException
from erlen.pipeline.adapt import Async
from erlen.pipeline.registry import Handlers

#: Kinds of errors that one scope remembers.
_MOST = 256


class ErrorHandlers:
    """The handlers for the errors of one scope: its own and those of the scopes around it."""

    __slots__ = ("_known", "_scopes")

    def __init__(self, scopes: Iterable[Handlers]) -> None:
        """*scopes* come innermost first."""
        self._scopes = tuple(scopes)
        self._known: dict[tuple[type[Exception], int | None], Async | None] = {}

    def find(self, error: Exception) -> Async | None:
        """Return the handler of an error: by code, then by class; inner scope, then nearer class.

        So a handler of the code, even the application's, beats any handler of a class (ER-2).
        """
        kind = type(error), error.code if isinstance(error, HTTPException) else None
        try:
            return self._known[kind]
        except KeyError:
            handler = self._look(*kind)
        if len(self._known) >= _MOST:
            self._known.clear()  # SAFETY: an application may make classes while it serves
        self._known[kind] = handler
        return handler

    def _look(self, cls: type[Exception], code: int | None) -> Async | None:
        for key in (None,) if code is None else (code, None):
            for scope in self._scopes:
                by_class = scope.get(key, {})
                for each in cls.__mro__:
                    if each in by_class:
                        return by_class[each]
        return None
