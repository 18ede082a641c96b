"""Floor 1: header fields, as an application writes them and as a request brings them."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, NoReturn, Self, SupportsIndex, TypeAlias, TypeVar, overload

from erlen.exceptions import BadRequestKeyError
from erlen.protocols import RawHeaders
from erlen.wire.multidict import convert, convert_all, pairs_of
from erlen.wire.params import dump_options_header
from erlen.wire.patterns import late

D = TypeVar("D")
T = TypeVar("T")
Pair = tuple[str, str]
#: What headers are made of: headers, a mapping (list values are several fields), or pairs.
HeadersSource: TypeAlias = "Headers | Mapping[str, Any] | Iterable[tuple[str, Any]]"

_MISSING: Any = object()
_TOKEN = late(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+", re.ASCII)
_UNFIT = late("[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")

#: Name as written → lower-cased bytes, for names that have been checked.
_ENCODED_NAMES: dict[str, bytes] = {}
_NAMES_KEPT = 512


# --- what an application writes -------------------------------------------------------------------


def _field(name: str, value: object) -> Pair:
    """Return a pair that can be sent."""
    text = value if type(value) is str else str(value)
    if name not in _ENCODED_NAMES:
        _learn_name(name)
    # PERF: isprintable() on ASCII excludes every control character; most values need no more.
    if not (text.isascii() and text.isprintable()):
        _check_text(name, text)
    return name, text.strip(" \t")


def _learn_name(name: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValueError(
            f"The header name {name!r} is not a token. "
            "Use letters, digits and !#$%&'*+-.^_`|~ only (RFC 9110 section 5.1)."
        )
    if len(_ENCODED_NAMES) >= _NAMES_KEPT:
        # SAFETY: an application that echoes names of its clients must not grow without bound.
        _ENCODED_NAMES.clear()
    _ENCODED_NAMES[name] = name.lower().encode("ascii")


def _check_text(name: str, text: str) -> None:
    found = _UNFIT.search(text)
    if found is None:
        return
    if found[0] > "\xff":
        raise ValueError(
            f"The value {text!r} of header {name!r} has the character {found[0]!r}, which latin-1 "
            "lacks. Percent-encode it, or write a parameter with dump_options_header (RFC 8187)."
        )
    # SAFETY: a newline would let the value end the header and write others (response splitting).
    raise ValueError(
        f"The value {text!r} of header {name!r} has the control character {found[0]!r}. "
        "Header values must not contain newline characters or other controls; remove them."
    )


def _with_params(value: object, params: Mapping[str, object]) -> object:
    options = {key.replace("_", "-"): each for key, each in params.items()}
    return dump_options_header(None if value is None else str(value), options)


def _converted(value: str, type: Callable[[str], T], default: D) -> T | D:  # noqa: A002  # Flask's
    try:
        return convert(value, type)
    except (ValueError, TypeError):
        return default


class Headers:  # noqa: PLW1641  # it changes, so it has no hash
    """Header fields in order, found by name without regard to case.

    Names and values are checked where they are set, so nothing that cannot be sent gets in: a name
    is a token, a value is latin-1 text without control characters but tab. Values that are no text
    are ``str()``-ed; blanks around a value are dropped, as they are no part of it (RFC 9110
    section 5.5). Iterating gives ``(name, value)`` pairs, names as written.

    Args:
        defaults: Headers, a mapping (a list, tuple or set as value means several fields), or pairs.

    Raises:
        ValueError: A name or value cannot be sent; the caller's fault. Every method that sets does.
    """

    __slots__ = ("_list",)

    def __init__(self, defaults: "HeadersSource | None" = None) -> None:
        self._list: list[Pair] = []
        if defaults is not None:
            self.extend(defaults)

    @classmethod
    def of_checked(cls, pairs: list[Pair]) -> Self:
        """Return headers of pairs that can be sent, as was found before; it keeps the list."""
        made = cls.__new__(cls)
        made._list = pairs
        return made

    # --- reading ----------------------------------------------------------------------------------

    def _pairs(self) -> list[Pair]:
        """Return the fields; the one thing that reading stands on."""
        return self._list

    def _first(self, key: str) -> str | None:
        lowered = key.lower()
        for name, value in self._pairs():
            if name.lower() == lowered:
                return value
        return None

    @overload
    def __getitem__(self, key: str) -> str: ...
    @overload
    def __getitem__(self, key: SupportsIndex) -> Pair: ...
    @overload
    def __getitem__(self, key: slice) -> "Headers": ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            value = self._first(key)
            if value is None:
                raise BadRequestKeyError(key)
            return value
        if isinstance(key, slice):
            return Headers(self._pairs()[key])
        return self._pairs()[key]

    @overload
    def get(self, key: str, default: None = None, type: None = None) -> str | None: ...
    @overload
    def get(self, key: str, default: str | D, type: None = None) -> str | D: ...
    @overload
    def get(self, key: str, default: None = None, *, type: Callable[[str], T]) -> T | None: ...
    @overload
    def get(self, key: str, default: D, type: Callable[[str], T]) -> T | D: ...
    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # noqa: A002  # Flask's
        """Return the first value of *key*, *default* when there is none or it does not convert.

        ``type=int`` and ``type=float`` are strict (see ``erlen.wire.multidict.convert``).
        """
        value = self._first(key)
        if value is None:
            return default
        return value if type is None else _converted(value, type, default)

    @overload
    def getlist(self, key: str, type: None = None) -> list[str]: ...
    @overload
    def getlist(self, key: str, type: Callable[[str], T]) -> list[T]: ...
    def getlist(self, key: str, type: Any = None) -> Any:  # noqa: A002  # Flask's
        """Return every value of *key* in order, those that do not convert left out."""
        values = self._values_of(key)
        return values if type is None else convert_all(values, type)

    def _values_of(self, key: str) -> list[str]:
        lowered = key.lower()
        return [value for name, value in self._pairs() if name.lower() == lowered]

    def get_all(self, name: str) -> list[str]:
        """Return every value of *name* in order; ``getlist`` by another name."""
        return self._values_of(name)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._first(key) is not None

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs())

    def __len__(self) -> int:
        return len(self._pairs())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return sorted(self.items(lower=True)) == sorted(other.items(lower=True))

    def items(self, lower: bool = False) -> Iterator[Pair]:
        """Yield the pairs, with lower-cased names when *lower*."""
        for name, value in self._pairs():
            yield (name.lower() if lower else name), value

    def keys(self, lower: bool = False) -> Iterator[str]:
        """Yield the name of each field, repeated ones too."""
        for name, _ in self.items(lower):
            yield name

    def values(self) -> Iterator[str]:
        """Yield the value of each field."""
        for _, value in self._pairs():
            yield value

    def to_wsgi_list(self) -> list[Pair]:
        """Return the pairs as a new list."""
        return list(self._pairs())

    def raw(self) -> RawHeaders:
        """Return the fields as ASGI carries them: lower-cased names and values in latin-1."""
        try:
            return [(_ENCODED_NAMES[name], value.encode("latin-1")) for name, value in self._list]
        except KeyError:
            for name, _ in self._list:
                if name not in _ENCODED_NAMES:
                    _learn_name(name)
            return [
                (name.lower().encode("ascii"), value.encode("latin-1"))
                for name, value in self._list
            ]

    def copy(self) -> "Headers":
        """Return a mutable copy."""
        return Headers(self)

    def __copy__(self) -> "Headers":
        return self.copy()

    def __or__(self, other: "Headers | Mapping[str, Any]") -> "Headers":
        if not isinstance(other, Headers | Mapping):
            return NotImplemented
        merged = self.copy()
        merged.update(other)
        return merged

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs()!r})"

    # --- writing ----------------------------------------------------------------------------------

    def add(self, key: str, value: object, /, **params: object) -> None:
        """Append a field.

        Args:
            key: Its name.
            value: Its value.
            params: Parameters of the value, ``_`` in their names meaning ``-``, as in
                ``add("Content-Disposition", "attachment", filename="a b.txt")``.
        """
        self._list.append(_field(key, _with_params(value, params) if params else value))

    def add_checked(self, field: Pair) -> None:
        """Append a field that can be sent, as was found before. PERF: 0.05 µs, not 0.25."""
        self._list.append(field)

    def add_header(self, key: str, value: object, /, **params: object) -> None:
        """Append a field; ``add`` by the name that ``email.message`` has for it."""
        self.add(key, value, **params)

    def set(self, key: str, value: object, /, **params: object) -> None:
        """Replace every field of this name by one, in the place of the first; see :meth:`add`."""
        pair = _field(key, _with_params(value, params) if params else value)
        lowered = key.lower()
        for index, (name, _) in enumerate(self._list):
            if name.lower() == lowered:
                self._list[index] = pair
                self._drop(lowered, index + 1)
                return
        self._list.append(pair)

    def _drop(self, lowered: str, start: int = 0) -> None:
        self._list[start:] = [pair for pair in self._list[start:] if pair[0].lower() != lowered]

    def setlist(self, key: str, values: Iterable[object]) -> None:
        """Replace every field of this name by one for each value."""
        fields = [_field(key, value) for value in values]
        self.remove(key)
        self._list.extend(fields)

    def setdefault(self, key: str, default: object) -> str:
        """Return the first value of *key*, after setting it to *default* when it is missing."""
        if key not in self:
            self.set(key, default)
        return self[key]

    def setlistdefault(self, key: str, default: Iterable[object]) -> list[str]:
        """Return the values of *key*, after setting them to *default* when it is missing."""
        if key not in self:
            self.setlist(key, default)
        return self.getlist(key)

    def extend(self, source: "HeadersSource" = (), /, **kwargs: Any) -> None:
        """Append the fields of headers, a mapping or pairs, then those of *kwargs*."""
        fields = [_field(key, value) for key, value in pairs_of(source)]
        if kwargs:
            fields += [_field(key, value) for key, value in pairs_of(kwargs)]
        self._list.extend(fields)

    def update(self, source: "HeadersSource" = (), /, **kwargs: Any) -> None:
        """Replace, for each name given, all its fields; the last of repeated plain pairs counts."""
        sources: tuple[Any, ...] = (source, kwargs)
        for each in sources:
            if isinstance(each, Headers | Mapping):
                new = Headers(each)
                names = {name.lower() for name in each.keys()}  # noqa: SIM118  # headers give pairs
                kept = [pair for pair in self._list if pair[0].lower() not in names]
                self._list = kept + new._list
            else:
                for key, value in each:
                    self.set(key, value)

    def remove(self, key: str) -> None:
        """Remove every field of this name; it is fine if there is none."""
        self._drop(key.lower())

    def pop(self, key: str | int | None = None, default: Any = _MISSING) -> Any:
        """Remove a field and return it.

        Args:
            key: A name (its first value is returned, all its fields are removed), an index, or
                ``None`` for the last field; the last two return the pair.
            default: Returned when there is no such name; without it that is a
                ``BadRequestKeyError``.
        """
        if not isinstance(key, str):
            return self._list.pop(-1 if key is None else key)
        value = self._first(key)
        if value is None:
            if default is _MISSING:
                raise BadRequestKeyError(key)
            return default
        self.remove(key)
        return value

    def popitem(self) -> Pair:
        """Remove the last field and return it as a pair."""
        return self._list.pop()

    def clear(self) -> None:
        """Remove every field."""
        self._list.clear()

    @overload
    def __setitem__(self, key: str, value: object) -> None: ...
    @overload
    def __setitem__(self, key: SupportsIndex, value: tuple[str, object]) -> None: ...
    @overload
    def __setitem__(self, key: slice, value: Iterable[tuple[str, object]]) -> None: ...
    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, str):
            self.set(key, value)
        elif isinstance(key, slice):
            self._list[key] = [_field(name, each) for name, each in value]
        else:
            self._list[key] = _field(*value)

    def __delitem__(self, key: str | SupportsIndex | slice) -> None:
        if isinstance(key, str):
            self.remove(key)
        else:
            del self._list[key]

    def __ior__(self, other: "HeadersSource") -> Self:
        self.update(other)
        return self


# --- what a request brings ------------------------------------------------------------------------


def _refuse(self: object, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ARG001  # stands in for methods of any signature
    raise TypeError(
        "The headers of a request are read-only. "
        "Change a copy of them, request.headers.copy(), or set the headers of the response."
    )


#: Names as they came, in their order → place of the first field of each lower-cased name.
_PLACES: dict[tuple[bytes, ...], dict[str, int]] = {}
_PLACES_KEPT = 256
_NAMES_BYTES = 1024
_first_of = itemgetter(0)


def places_of(raw: RawHeaders) -> dict[str, int]:
    """Return where each name stands first, in lower case; not to be changed, as it is remembered.

    PERF: a client sends the same names with every request. For nine of them this is 0.35 µs, and a
    dict of the fields themselves, with a look for capitals among the names, 0.65 µs.
    """
    names = tuple(map(_first_of, raw))
    places = _PLACES.get(names)
    if places is None:
        places = {}
        for place, name in enumerate(names):
            places.setdefault(name.decode("latin-1").lower(), place)
        # SAFETY: a client that invents names must not grow the memory of the process.
        if sum(map(len, names)) <= _NAMES_BYTES:
            if len(_PLACES) >= _PLACES_KEPT:
                _PLACES.clear()
            _PLACES[names] = places
    return places


class RequestHeaders(Headers):
    """The fields of a request, read-only, each decoded (latin-1) only when it is asked for.

    Names come lower-cased, as ASGI has them. Repeated fields stay apart: ``[]`` and ``get`` give
    the first, ``getlist`` and iteration give all.

    Args:
        raw: The pairs of the ASGI scope.
    """

    __slots__ = ("_places", "_raw")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._list = []
        self._raw = raw if type(raw) is list else list(raw)
        self._places = places_of(self._raw)

    def _pairs(self) -> list[Pair]:
        if not self._list:
            self._list = [
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in self._raw
            ]
        return self._list

    def _first(self, key: str) -> str | None:
        return self.get(key)

    @overload
    def get(self, key: str, default: None = None, type: None = None) -> str | None: ...
    @overload
    def get(self, key: str, default: str | D, type: None = None) -> str | D: ...
    @overload
    def get(self, key: str, default: None = None, *, type: Callable[[str], T]) -> T | None: ...
    @overload
    def get(self, key: str, default: D, type: Callable[[str], T]) -> T | D: ...
    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # noqa: A002  # Flask's
        """As :meth:`Headers.get`."""
        places = self._places
        place = places.get(key)
        if place is None:
            place = places.get(key.lower())
            if place is None:
                return default
        value = self._raw[place][1].decode("latin-1")
        return value if type is None else _converted(value, type, default)

    def _values_of(self, key: str) -> list[str]:
        name = key.lower()
        if name not in self._places:
            return []
        if len(self._places) == len(self._raw):
            return [self._raw[self._places[name]][1].decode("latin-1")]
        return [value for each, value in self._pairs() if each == name]

    def joined(self, name: str, separator: str) -> str:
        """Return every value of *name*, which is in lower case, as one text."""
        if len(self._places) == len(self._raw):  # no name comes twice
            place = self._places.get(name)
            return "" if place is None else self._raw[place][1].decode("latin-1")
        return separator.join(self._values_of(name))

    @property
    def names(self) -> Collection[str]:
        """The names that there are, in lower case; ``in`` takes 0.02 µs."""
        return self._places

    def body_length(self) -> int | None:
        """Return Content-Length; ``None`` when missing, malformed, or overruled by chunks."""
        place = self._places.get("content-length")
        if place is None or "transfer-encoding" in self._places:
            return None
        length = self._raw[place][1]
        return int(length) if length.isdigit() and len(length) <= 18 else None

    def __len__(self) -> int:
        return len(self._raw)

    def raw(self) -> RawHeaders:
        """Return the pairs as the server gave them."""
        return self._raw

    __setitem__ = __delitem__ = __ior__ = _refuse
    add = add_checked = add_header = _refuse
    set = setlist = setdefault = setlistdefault = extend = update = _refuse
    remove = pop = popitem = clear = _refuse
