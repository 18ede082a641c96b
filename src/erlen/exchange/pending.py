"""Floor 3: a property that must be awaited, and says so to who forgets it."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, NoReturn, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Pending(Generic[T_co]):
    """What ``request.json`` is before it is awaited: ``await`` gives the value.

    Everything else that one would do with the value raises a ``TypeError`` that says to await it.
    """

    __slots__ = ("_name", "_read")

    def __init__(self, name: str, read: Callable[[], Coroutine[Any, Any, T_co]]) -> None:
        """*name* is how the user wrote it, ``"request.json"``; *read* gets the value."""
        self._name = name
        self._read = read

    def __await__(self) -> Generator[Any, Any, T_co]:
        return self._read().__await__()

    def _refuse(self, *_args: object) -> NoReturn:
        raise TypeError(
            f"{self._name} was used like its value, but it reads the network and must be awaited. "
            f"Write '(await {self._name})' in its place."
        )

    __getattr__ = __getitem__ = __contains__ = __iter__ = __len__ = __bool__ = __eq__ = _refuse
    __str__ = __hash__ = _refuse

    def __repr__(self) -> str:
        return f"<{self._name}, not awaited>"
