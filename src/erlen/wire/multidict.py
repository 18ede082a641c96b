"""Floor 1: mappings in which a key has one value or many, as queries and forms need."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from collections.abc import ItemsView as _ItemsView
from copy import deepcopy
from typing import Any, Generic, Literal, NoReturn, Self, TypeVar, overload

from erlen.exceptions import BadRequestKeyError
from erlen.wire.patterns import late

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")
T = TypeVar("T")

#: SAFETY: what is larger is refused by databases and by most other languages.
LARGEST_INTEGER = 2**63 - 1
_INT = late(r"[+-]?[0-9]{1,19}", re.ASCII)
_FLOAT = late(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_FLOAT_LENGTH = 64
#: Digits of which any number has at most 64 bits.
_SURELY_64_BITS = 18
_MISSING: Any = object()


def convert(value: object, type: Callable[[Any], T]) -> T:  # noqa: A002  # the field's own name
    """Return ``type(value)``, strictly where Python is generous with text from outside.

    Args:
        value: What a client sent, mostly text.
        type: ``int`` takes ``[+-]?[0-9]{1,19}`` of at most 64 bits and ``float`` a finite decimal
            number of at most 64 characters, both in ASCII without blanks; any other callable takes
            what it takes.

    Raises:
        ValueError: The text is not of that type.
    """
    if isinstance(value, str):
        # SAFETY: int() reads Arabic digits, "1_0" and " 1 ", and refuses 5,000 digits with an
        # error that a filter elsewhere may have taken for another number.
        if type is int and not (_is_short_number(value) or _is_integer(value)):
            raise ValueError("not an integer of at most 64 bits")
        if type is float and not _is_finite(value):
            raise ValueError("not a finite decimal number")
    return type(value)


def _is_short_number(text: str) -> bool:
    # PERF: most numbers are; the exact look below takes 1 µs more.
    return len(text) <= _SURELY_64_BITS and text.isascii() and text.isdigit()


def _is_integer(text: str) -> bool:
    return bool(_INT.fullmatch(text)) and abs(int(text)) <= LARGEST_INTEGER


def convert_all(values: Iterable[V], type: Callable[[V], T]) -> list[T]:  # noqa: A002  # as above
    """Return :func:`convert` of each of *values*, those that do not convert left out."""
    converted = []
    for value in values:
        try:
            converted.append(convert(value, type))
        except (ValueError, TypeError):
            continue
    return converted


def _is_finite(text: str) -> bool:
    if len(text) > _FLOAT_LENGTH or not _FLOAT.fullmatch(text):
        return False
    return math.isfinite(float(text))


def pairs_of(source: Any) -> Iterable[tuple[Any, Any]]:
    """Return the single pairs of a multi-dict, a mapping (list values are many) or pairs."""
    # PERF: the test for Mapping is the dear one (0.3 us); lists of pairs are the usual source.
    if isinstance(source, list) or not isinstance(source, Mapping):
        return source
    if isinstance(source, MultiDict):
        return source.items(multi=True)
    return _pairs_of_mapping(source)


def _pairs_of_mapping(source: Mapping[K, Any]) -> Iterator[tuple[K, Any]]:
    for key, value in source.items():
        if isinstance(value, list | tuple | set | frozenset):
            for item in value:
                yield key, item
        else:
            yield key, value


class _Pairs(_ItemsView[K, V]):
    """Every pair of a multi-dict, keys repeated; its length is the number of values."""

    __slots__ = ("_lists",)

    def __init__(self, owner: "MultiDict[K, V]", lists: dict[K, list[V]]) -> None:
        super().__init__(owner)
        self._lists = lists

    def __iter__(self) -> Iterator[tuple[K, V]]:
        for key, values in self._lists.items():
            for value in values:
                yield key, value

    def __len__(self) -> int:
        return sum(map(len, self._lists.values()))

    def __contains__(self, item: object) -> bool:
        return any(item == pair for pair in self)


class MultiDict(MutableMapping[K, V], Generic[K, V]):  # noqa: PLW1641  # it changes: no hash
    """A mapping whose keys keep every value given, in order; ``d[key]`` is the first.

    It reads as a plain mapping of first values (``dict(d)``, ``Model(**d)``); ``getlist``,
    ``lists()`` and ``items(multi=True)`` tell the rest. ``len`` counts keys. Look-ups cost the same
    however many values there are. A missing key raises ``BadRequestKeyError``, which is both a
    ``KeyError`` and a 400.

    Args:
        mapping: A multi-dict, a mapping (a list, tuple or set as value means many values), or
            pairs in which keys may repeat.
    """

    __slots__ = ("_lists",)

    def __init__(self, mapping: "Mapping[K, Any] | Iterable[tuple[K, V]] | None" = None, /) -> None:
        self._lists: dict[K, list[V]] = {}
        if mapping is not None:
            self._extend(mapping)

    @classmethod
    def of_lists(cls, lists: dict[K, list[V]]) -> Self:
        """Return a multi-dict of *lists*, none of them empty; it keeps them, and copies nothing."""
        made = cls.__new__(cls)
        made._lists = lists
        return made

    def _extend(self, source: Any) -> None:
        lists = self._lists
        for key, value in source if type(source) is list else pairs_of(source):
            if key in lists:
                lists[key].append(value)
            else:
                lists[key] = [value]

    # --- reading ----------------------------------------------------------------------------------

    def __getitem__(self, key: K) -> V:
        try:
            return self._lists[key][0]
        except KeyError:
            raise BadRequestKeyError(key) from None

    def __iter__(self) -> Iterator[K]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def __contains__(self, key: object) -> bool:
        return key in self._lists

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MultiDict):
            return self._lists == other._lists
        if isinstance(other, Mapping):
            return self._lists == MultiDict(other)._lists
        return NotImplemented

    @overload
    def get(self, key: K, default: None = None, type: None = None) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D, type: None = None) -> V | D: ...
    @overload
    def get(self, key: K, default: None = None, *, type: Callable[[V], T]) -> T | None: ...
    @overload
    def get(self, key: K, default: D, type: Callable[[V], T]) -> T | D: ...
    def get(self, key: K, default: Any = None, type: Any = None) -> Any:  # noqa: A002  # see above
        """Return the first value, *default* when there is none or it does not convert.

        ``type=int`` and ``type=float`` are strict (see :func:`convert`); a ``ValueError`` or
        ``TypeError`` of any other *type* means *default*.
        """
        values = self._lists.get(key)
        if values is None:
            return default
        value: Any = values[0]
        if type is None:
            return value
        if type is int and value.__class__ is str and _is_short_number(value):
            return int(value)  # PERF: 0.2 µs, as convert() would do in 0.35
        try:
            return convert(value, type)
        except (ValueError, TypeError):
            return default

    @overload
    def getlist(self, key: K, type: None = None) -> list[V]: ...
    @overload
    def getlist(self, key: K, type: Callable[[V], T]) -> list[T]: ...
    def getlist(self, key: K, type: Any = None) -> Any:  # noqa: A002  # see above
        """Return every value of *key* in order, those that do not convert left out."""
        values = self._lists.get(key, ())
        return list(values) if type is None else convert_all(values, type)

    def items(self, multi: bool = False) -> _ItemsView[K, V]:
        """Return pairs with the first value of each key, with *multi* every pair."""
        return _Pairs(self, self._lists) if multi else _ItemsView(self)

    def lists(self) -> Iterator[tuple[K, list[V]]]:
        """Yield each key with a new list of its values."""
        for key, values in self._lists.items():
            yield key, list(values)

    def listvalues(self) -> Iterator[list[V]]:
        """Yield a new list of values for each key."""
        for values in self._lists.values():
            yield list(values)

    @overload
    def to_dict(self, flat: Literal[True] = True) -> dict[K, V]: ...
    @overload
    def to_dict(self, flat: Literal[False]) -> dict[K, list[V]]: ...
    def to_dict(self, flat: bool = True) -> Any:
        """Return a plain dict of first values, or of lists when not *flat*."""
        return dict(self.items()) if flat else dict(self.lists())

    def copy(self) -> "MultiDict[K, V]":
        """Return a mutable copy; the values themselves are shared."""
        return MultiDict(self)

    def deepcopy(self, memo: Any = None) -> "MultiDict[K, V]":
        """Return a mutable copy of the values too."""
        return MultiDict(deepcopy(self._lists, memo))

    def __copy__(self) -> "MultiDict[K, V]":
        return self.copy()

    def __deepcopy__(self, memo: Any) -> "MultiDict[K, V]":
        return self.deepcopy(memo)

    def __or__(self, other: Mapping[K, Any]) -> "MultiDict[K, V]":
        if not isinstance(other, Mapping):
            return NotImplemented
        merged = self.copy()
        merged.update(other)
        return merged

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.items(multi=True))!r})"

    # --- writing ----------------------------------------------------------------------------------

    def __setitem__(self, key: K, value: V) -> None:
        self._lists[key] = [value]

    def __delitem__(self, key: K) -> None:
        try:
            del self._lists[key]
        except KeyError:
            raise BadRequestKeyError(key) from None

    def __ior__(self, other: "Mapping[K, Any] | Iterable[tuple[K, V]]") -> Self:
        self.update(other)
        return self

    def add(self, key: K, value: V) -> None:
        """Append *value* to those of *key*."""
        self._lists.setdefault(key, []).append(value)

    def setlist(self, key: K, new_list: Iterable[V]) -> None:
        """Replace every value of *key*; without any, *key* is removed."""
        values = list(new_list)
        if values:
            self._lists[key] = values
        else:
            self._lists.pop(key, None)

    def setdefault(self, key: K, default: Any = None) -> V:
        """Return the first value of *key*, after setting it to *default* when it is missing."""
        first: V = self._lists.setdefault(key, [default])[0]
        return first

    def setlistdefault(self, key: K, default_list: Iterable[V] | None = None) -> list[V]:
        """Return the values of *key*, after setting them to *default_list* when it is missing."""
        if key not in self._lists:
            self.setlist(key, default_list or ())
        return self.getlist(key)

    def update(self, *others: Any, **kwargs: Any) -> None:
        """Append the pairs of each argument; nothing is replaced, as in Werkzeug."""
        for other in (*others, kwargs):
            self._extend(other)

    def pop(self, key: K, default: Any = _MISSING) -> Any:
        """Remove *key* and return its first value; *default*, if given, when it is missing."""
        values = self._lists.pop(key, None)
        if values is not None:
            return values[0]
        if default is _MISSING:
            raise BadRequestKeyError(key)
        return default

    def popitem(self) -> tuple[K, V]:
        """Remove the last key and return it with its first value."""
        key, values = self.popitemlist()
        return key, values[0]

    def poplist(self, key: K) -> list[V]:
        """Remove *key* and return its values, ``[]`` when it is missing."""
        return self._lists.pop(key, [])

    def popitemlist(self) -> tuple[K, list[V]]:
        """Remove the last key and return it with its values."""
        try:
            return self._lists.popitem()
        except KeyError:
            raise BadRequestKeyError("the dict is empty") from None

    def clear(self) -> None:
        """Remove everything."""
        self._lists.clear()


def _refuse(self: object, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ARG001  # stands in for methods of any signature
    name = type(self).__name__
    raise TypeError(
        f"{name!r} objects are read-only. Change a copy of it instead: use its copy() method."
    )


class ImmutableMultiDict(MultiDict[K, V]):
    """A :class:`MultiDict` that cannot change and can be hashed; ``copy()`` is mutable."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _refuse
    add = setlist = setdefault = setlistdefault = update = _refuse
    pop = popitem = poplist = popitemlist = clear = _refuse

    def __hash__(self) -> int:
        return hash(frozenset((key, tuple(values)) for key, values in self._lists.items()))

    def __copy__(self) -> Self:
        return self


class CombinedMultiDict(ImmutableMultiDict[K, V]):
    """Several multi-dicts read as one, as ``request.values`` is.

    The first that has a key wins; ``getlist`` gives the values of all of them in order. The content
    is that of the moment of construction.

    Args:
        dicts: The multi-dicts, the first one first.
    """

    __slots__ = ()

    def __init__(self, dicts: Iterable[MultiDict[K, V]] = (), /) -> None:
        super().__init__()
        for each in dicts:
            self._extend(each)


class ImmutableDict(dict[K, V]):
    """A dict that cannot change; ``copy()`` is a plain dict."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _refuse
    setdefault = update = pop = popitem = clear = _refuse

    def copy(self) -> dict[K, V]:
        """Return a mutable copy."""
        return dict(self)

    def __copy__(self) -> Self:
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"
