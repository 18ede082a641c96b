"""Floor 5: JSON by a faster library: orjson or msgspec, with the outcomes of the default provider.

A library is asked first and believed only where it agrees with the default. Whatever it refuses,
and whatever it would read or write in another way, is given to the standard library, which decides
and words the error. What stays different is the notation of a few numbers: ``1e16`` for ``1e+16``.
"""

import importlib
from abc import abstractmethod
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from math import isfinite
from string import ascii_letters
from types import MappingProxyType, NoneType
from typing import Any

from erlen import json
from erlen.exceptions import MissingExtraError, SetupError
from erlen.json import DefaultJSONProvider, is_deeper
from erlen.protocols import JSONProvider

_SCALARS = frozenset({str, int, bool, NoneType})


def _is_plain(value: Any, levels: int) -> bool:
    """Tell whether *value* is what JSON has, by exact type, and at most *levels* deep.

    Keys are then ``str`` and floats finite, so there is one way only to write it.
    """
    kind = type(value)
    children: Iterable[Any]
    if kind is dict:
        for key in value:
            if type(key) is not str:
                return False
        children = value.values()
    elif kind is list or kind is tuple:
        children = value
    else:
        return isfinite(value) if kind is float else kind in _SCALARS
    if not levels:
        return False
    # PERF: 0.05 us for a member, where the encoder of the standard library takes 0.12 us.
    for child in children:
        if type(child) not in _SCALARS and not _is_plain(child, levels - 1):
            return False
    return True


def _leave(_value: Any) -> None:
    """Write nothing: the standard library does."""


class _QuickProvider(DefaultJSONProvider):
    """The default provider with a quick library in front."""

    _writer: Callable[[Any], bytes | None] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let bytes go through :meth:`dumps` where a subclass writes in another way."""
        super().__init_subclass__(**kwargs)
        if "dumps" in vars(cls) and "encode" not in vars(cls):
            cls.encode = DefaultJSONProvider.encode  # type: ignore[method-assign]  # that is meant

    def __setattr__(self, name: str, value: object) -> None:
        """Set an option, and forget the writer that was made for the old ones."""
        super().__setattr__(name, value)
        if not name.startswith("_"):
            self._writer = None

    def __delattr__(self, name: str) -> None:
        """Go back to the option of the class, and forget the writer as well."""
        super().__delattr__(name)
        self._writer = None

    @abstractmethod
    def _make_writer(self) -> Callable[[Any], bytes | None]:
        """Return what writes a value as compact JSON in UTF-8, by the options of now.

        It returns ``None`` to leave a value to the standard library.
        """

    @abstractmethod
    def _read(self, data: bytes) -> Any:
        """Return the value of *data*; ``ValueError`` leaves it to the standard library."""

    def dumps(self, value: object, /, **options: Any) -> str:
        """Return *value* as JSON text; arguments and errors as of the default provider.

        Options other than the compact form in insertion order are the standard library's work.
        """
        data = None if options else (self._writer or self._new_writer())(value)
        return super().dumps(value, **options) if data is None else data.decode()

    def encode(self, value: object, /) -> bytes:
        """Return *value* as the UTF-8 bytes of a body; errors as of the default provider."""
        data = (self._writer or self._new_writer())(value)
        return DefaultJSONProvider.dumps(self, value).encode() if data is None else data

    def _new_writer(self) -> Callable[[Any], bytes | None]:
        # PERF: a closure looks for no options, 0.2 us of the 0.65 that a small object took.
        is_other = self.ensure_ascii or self.sort_keys or not self.compact
        writer = self._writer = _leave if is_other else self._make_writer()
        return writer

    def loads(self, text: str | bytes | bytearray | memoryview, /, **options: Any) -> Any:
        """Return the value of JSON *text*; arguments and errors as of the default provider."""
        if not options:
            try:
                return self._read(text.encode() if isinstance(text, str) else bytes(text))
            except (ValueError, RecursionError):
                pass  # the standard library decides, and words the refusal
        return super().loads(text, **options)


# --- orjson ---------------------------------------------------------------------------------------

_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LETTERS = ascii_letters.encode()
_LONG_NUMBER = b"0" * 19


class OrjsonProvider(_QuickProvider):
    """JSON by ``orjson``, of the extra ``erlen[fast]``.

    :attr:`default` is not asked about UUIDs and enum members, which orjson writes by itself, as
    their text and value. It may be asked twice about a value.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Arguments as of the default provider; ``MissingExtraError`` without orjson."""
        super().__init__(*args, **kwargs)
        orjson = _import("orjson", "fast")
        self._dumps: Callable[..., bytes] = orjson.dumps
        self._loads: Callable[[bytes], Any] = orjson.loads
        # Its own text for these differs: dataclasses lack names with an underscore, times may have
        # no zone, and a subclass of dict is not asked for its items.
        self._flags: int = (
            orjson.OPT_PASSTHROUGH_DATACLASS
            | orjson.OPT_PASSTHROUGH_DATETIME
            | orjson.OPT_PASSTHROUGH_SUBCLASS
        )

    def _make_writer(self) -> Callable[[Any], bytes | None]:
        dumps, default, flags, max_depth = self._dumps, self.default, self._flags, self.max_depth

        def write(value: Any) -> bytes | None:
            try:
                data = dumps(value, default, flags)
            except TypeError:  # its own error is one
                return None
            # It writes NaN and infinity as null. PERF: 0.1 us; "in" asks for a number first, 0.2.
            if data.find(b"null") >= 0 and not _is_plain(value, max_depth):
                return None
            # What is short cannot be deep.
            return None if len(data) > 2 * max_depth and is_deeper(data, max_depth) else data

        return write

    def _read(self, data: bytes) -> Any:
        # It reads integers beyond 64 bits as floats. PERF: two scans in C, 0.7 us for 1,000 bytes.
        if _LONG_NUMBER in data.translate(_DIGITS_AS_ZEROS, _LETTERS):
            raise ValueError("a number is long")
        if is_deeper(data, self.max_depth):
            raise ValueError("the text is deep")
        return self._loads(data)


# --- msgspec --------------------------------------------------------------------------------------


class MsgspecProvider(_QuickProvider):
    """JSON by ``msgspec``, of the extra ``erlen[typed]``; it writes a ``msgspec.Struct`` too.

    msgspec writes more types than JSON has, and in other ways, without a means to tell it not to.
    So only plain values are its; the first of another type gives all to the standard library.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Arguments as of the default provider; ``MissingExtraError`` without msgspec."""
        super().__init__(*args, **kwargs)
        msgspec = _import("msgspec", "typed")
        from decimal import Decimal
        from uuid import UUID

        #: What msgspec leaves as it is in a Struct, so that it is written as everywhere else.
        self._left = (bytes, bytearray, date, datetime, time, timedelta, Decimal, UUID)
        self._msgspec = msgspec
        self._encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode

    def default(self, value: Any) -> Any:
        """Return a Struct as a dict by its own rules (renamed fields, tags), else as erlen does."""
        if isinstance(value, self._msgspec.Struct):
            return self._msgspec.to_builtins(
                value, builtin_types=self._left, str_keys=True, enc_hook=json.default
            )
        return json.default(value)

    def _make_writer(self) -> Callable[[Any], bytes | None]:
        encode, max_depth = self._encode, self.max_depth

        def write(value: Any) -> bytes | None:
            if not _is_plain(value, max_depth):
                return None
            try:
                return encode(value)
            except ValueError:  # half a surrogate pair
                return None

        return write

    def _read(self, data: bytes) -> Any:
        if is_deeper(data, self.max_depth):
            raise ValueError("the text is deep")
        return self._decode(data)


# --- by name --------------------------------------------------------------------------------------

#: Name, as JSON_PROVIDER has it, → class.
PROVIDERS: MappingProxyType[str, type[DefaultJSONProvider]] = MappingProxyType(
    {"json": DefaultJSONProvider, "orjson": OrjsonProvider, "msgspec": MsgspecProvider}
)


def create_provider(name: str, app: Any) -> JSONProvider:
    """Return the JSON provider called *name* for an application.

    Raises:
        SetupError: There is none of that name.
        MissingExtraError: Its package is not installed.
    """
    try:
        cls = PROVIDERS[name]
    except KeyError:
        raise SetupError(
            f"There is no JSON provider {name!r}. Set JSON_PROVIDER to one of "
            f"{', '.join(map(repr, PROVIDERS))}, or assign an object to app.json."
        ) from None
    return cls(app)


def _import(package: str, extra: str) -> Any:
    """Import *package* late, since only who asked for it needs it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingExtraError(f"The JSON provider {package!r}", extra) from error
