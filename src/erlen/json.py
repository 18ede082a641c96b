"""Floor 5: the JSON provider, the seat ``app.json``: reads strictly, writes compact UTF-8.

Reading accepts RFC 8259 text in UTF-8 and nothing more. What the standard library lets through
(``NaN``, ``1e400``, half a surrogate pair, UTF-16, nesting up to the interpreter's own limit) is
refused with ``WireError``, the same on every Python. Of duplicate keys the last wins.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, time
from enum import Enum
from inspect import isawaitable, iscoroutine
from itertools import accumulate
from math import isfinite
from typing import IO, Any, NoReturn, Protocol

from erlen.context import current_context
from erlen.exceptions import SetupError, WireError
from erlen.exchange.json_value import prepare_response_value
from erlen.protocols import JSONProvider
from erlen.wire.patterns import late

# --- values without a JSON form of their own ------------------------------------------------------


def default(value: Any) -> Any:
    """Return what stands in JSON for a *value* of a type that JSON does not have.

    ``datetime``, ``date`` and ``time`` become ISO 8601 text, ``Decimal`` and ``UUID`` their text,
    an enum member its value, a dataclass a dict of its fields, a mapping a dict (``request.args``
    one of the first values), an object with ``__html__`` its HTML.

    Raises:
        TypeError: Anything else; the caller's fault.
    """
    if isinstance(value, date | time):
        return value.isoformat()
    from decimal import Decimal  # PERF: 3 ms for both, which most need not import
    from uuid import UUID

    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value.items())
    to_html = getattr(value, "__html__", None)
    if to_html is not None:
        return str(to_html())
    name = type(value).__name__
    if isawaitable(value):
        if iscoroutine(value):
            value.close()
        raise TypeError(
            f"Object of type {name} is not JSON serializable, because it was not awaited. "
            "Write 'await' in front of the call that made it."
        )
    if isinstance(value, set | frozenset):
        raise TypeError(
            f"Object of type {name} is not JSON serializable, because a set has no order. "
            "Return sorted(...) or list(...) of it."
        )
    raise TypeError(
        f"Object of type {name} is not JSON serializable. Convert it to a dict, list, str, number, "
        "bool or None first, or set app.json.default to a function that does."
    )


# --- depth ----------------------------------------------------------------------------------------

_NOT_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_ALIKE = bytes.maketrans(b"{}", b"[]")
_STEPS = bytes.maketrans(b"[]", b"\x01\xff")


def depth(text: str | bytes) -> int:
    """Return how deep arrays and objects nest in valid JSON *text*; ``"[[1], 2]"`` is 2 deep.

    Linear, and without recursion. The answer for text that is not JSON means nothing.
    """
    data = _octets(text)
    if b"\\" in data:
        # Left to right, so that the second half of an escaped backslash escapes no quote.
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = data.translate(_ALIKE, _NOT_STRUCTURE)
    # A bracket is inside a string when an odd number of quotes stands before it. Taking away two
    # neighbouring quotes changes that for no bracket, and leaves only strings that hold brackets.
    rest = b"".join(marks.replace(b'""', b"").split(b'"')[::2])
    # PERF: without its innermost pairs a text is one less deep. Few texts are deeper than eight;
    # one of 8 MiB is done in 56 ms, not 240, during which no other thread runs.
    for level in range(8):
        if not rest:
            return level
        rest = rest.replace(b"[]", b"")
    steps = memoryview(rest.translate(_STEPS)).cast("b")  # +1 opens, -1 closes
    return 8 + max(accumulate(steps), default=0)


def is_deeper(text: str | bytes, limit: int) -> bool:
    """Tell whether JSON *text* nests deeper than *limit*."""
    # PERF: a text that is too short, or has too few opening brackets, does not. For 1,000
    # characters that is known in 0.8 us; depth() takes 2.4 us.
    if len(text) <= 2 * limit:
        return False
    if isinstance(text, str):
        openings = text.count("[") + text.count("{")
    else:
        openings = text.count(b"[") + text.count(b"{")
    return openings > limit and depth(text) > limit


def _octets(text: str | bytes) -> bytes:
    return text.encode("utf-8", "replace") if isinstance(text, str) else text


# --- reading --------------------------------------------------------------------------------------

_ESCAPED_PAIR = late(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_ESCAPED_HALF = late(r"\\u[dD][89a-fA-F]")


def _has_lone_surrogate(text: str) -> bool:
    """Tell whether an escape in valid JSON *text* stands for half a character."""
    if "\\ud" not in text and "\\uD" not in text:
        return False
    # Every removed part leaves a mark, so that its neighbours cannot join to a new escape.
    rest = _ESCAPED_PAIR.sub("_", text.replace("\\\\", "_"))
    return _ESCAPED_HALF.search(rest) is not None


def _finite(literal: str) -> float:
    """Return the float of *literal*; ``parse_constant`` never sees ``1e400``, so this must."""
    number = float(literal)
    if not isfinite(number):
        raise WireError("The JSON holds a number that is too large for a float.")
    return number


def _refuse_constant(_literal: str) -> NoReturn:
    """Refuse ``NaN``, ``Infinity`` and ``-Infinity``, which RFC 8259 section 6 does not have."""
    raise WireError("The JSON holds NaN or Infinity, which JSON does not have.")


_STRICT: dict[str, Any] = {"parse_float": _finite, "parse_constant": _refuse_constant}
_decoder = json.JSONDecoder(**_STRICT)
_BLANKS = " \t\n\r"


def _decoded(text: str) -> Any:
    # PERF: most texts begin and end with their value. Looking for blanks around it in Python's way
    # would take 0.3 µs more.
    if text[:1] not in _BLANKS:
        value, end = _decoder.raw_decode(text)
        if end == len(text) or not text[end:].strip(_BLANKS):
            return value
    return _decoder.decode(text)


def _text(data: str | bytes | bytearray | memoryview) -> str:
    """Return *data* as text that UTF-8 can carry, or raise ``WireError``."""
    try:
        if not isinstance(data, str):
            return str(data, "utf-8")
        if not data.isascii():
            data.encode()
    except UnicodeError as error:
        raise WireError("The JSON is not UTF-8.") from error
    return data


# --- the provider ---------------------------------------------------------------------------------


class _App(Protocol):
    """What the provider reads of its application."""

    @property
    def response_class(self) -> Callable[..., Any]: ...


class DefaultJSONProvider:
    """JSON by the standard library: ``app.json``.

    Options are attributes, of a subclass or of the instance, at any time before serving. A subclass
    that overrides :meth:`dumps` or :meth:`loads` changes the whole provider, for the other methods
    go through these two. The output ends without a newline.

    Attributes:
        default: Called with each value of a type that JSON does not have; returns one that it has.
        ensure_ascii: Write characters beyond ASCII as escapes; ``False``: as UTF-8.
        sort_keys: Sort the keys of objects; ``False``: insertion order.
        compact: No space between tokens; ``False``: indented by two spaces.
        mimetype: Media type of :meth:`response`.
        max_depth: How deep arrays and objects may nest, in both directions.
    """

    default: Callable[[Any], Any] = staticmethod(default)
    ensure_ascii: bool = False
    sort_keys: bool = False
    compact: bool = True
    mimetype: str = "application/json"
    max_depth: int = 128
    _chunks: Callable[[Any, int], Sequence[str]] | None = None

    def __init__(
        self, app: _App | None = None, *, response_class: Callable[..., Any] | None = None
    ) -> None:
        """*response_class* makes responses; ``None``: the ``response_class`` of *app*."""
        self._app = app
        self._response_class = response_class

    def __setattr__(self, name: str, value: object) -> None:
        """Set an option, and forget the encoder that was made for the old ones."""
        object.__setattr__(self, name, value)
        if name != "_chunks":
            self._chunks = None

    def __delattr__(self, name: str) -> None:
        """Go back to the option of the class; what was made for the old one is forgotten."""
        object.__delattr__(self, name)
        self._chunks = None

    def dumps(self, value: object, /, **options: Any) -> str:
        """Return *value* as JSON text.

        Args:
            value: What is written.
            options: Those of ``json.dumps``; they win over the attributes.

        Raises:
            TypeError: A value or key has no JSON form; the caller's fault.
            ValueError: NaN or infinity, nesting beyond :attr:`max_depth`, or a value that contains
                itself; the caller's fault.
        """
        chunks = self._chunks
        if chunks is None:
            chunks = self._chunks = self._make_chunks()
        try:
            if options:
                text = json.dumps(value, **self._options(options))
            else:
                text = "".join(chunks(value, 0))
        except RecursionError as error:
            raise self._too_deep() from error
        if is_deeper(text, self.max_depth):
            raise self._too_deep()
        return text

    def encode(self, value: object, /) -> bytes:
        """Return *value* as the UTF-8 bytes of a body; errors as of :meth:`dumps`.

        Raises:
            ValueError: Text with half a surrogate pair, which UTF-8 cannot carry.
        """
        return self.dumps(value).encode()

    def dump(self, value: object, fp: IO[str], /, **options: Any) -> None:
        """Write *value* to the text file *fp*; options and errors as of :meth:`dumps`."""
        fp.write(self.dumps(value, **options))

    def loads(self, text: str | bytes | bytearray | memoryview, /, **options: Any) -> Any:
        """Return the value of JSON *text*.

        Integers may have the 4,300 digits that the interpreter reads (changed by
        ``sys.set_int_max_str_digits``). Duplicate keys are allowed, the last wins.

        Args:
            text: Text, or bytes in UTF-8 without a byte order mark.
            options: Those of ``json.loads``; each replaces the strict reading of its own point.

        Raises:
            WireError: 400, a ``ValueError``: not JSON, not UTF-8, nested beyond :attr:`max_depth`,
                a number out of range, or an escape of half a surrogate pair; the sender's fault.
        """
        text = _text(text)
        if is_deeper(text, self.max_depth):
            raise WireError(f"The JSON is nested deeper than {self.max_depth}.")
        try:
            value = json.loads(text, **(_STRICT | options)) if options else _decoded(text)
        except WireError:
            raise
        except json.JSONDecodeError as error:
            raise WireError(
                f"The JSON is malformed: {error.msg} (character {error.pos})."
            ) from error
        except (ValueError, RecursionError) as error:  # a long integer; a raised max_depth
            raise WireError("The JSON holds a value that cannot be read.") from error
        # PERF: a body seldom has a backslash; finding none in 1,000 characters takes 0.04 us.
        if "\\" in text and _has_lone_surrogate(text):
            raise WireError("The JSON holds an escape of half a surrogate pair.")
        return value

    def load(self, fp: IO[str] | IO[bytes], /, **options: Any) -> Any:
        """Return the value of the JSON file *fp*; options and errors as of :meth:`loads`."""
        return self.loads(fp.read(), **options)

    def response(self, *args: Any, **kwargs: Any) -> Any:
        """Return a response whose body is the value of :func:`prepare_response_value`.

        Raises:
            SetupError: The provider was made with neither *app* nor *response_class*.
        """
        body = self.encode(prepare_response_value(args, kwargs))
        if self._response_class is not None:
            return self._response_class(body, mimetype=self.mimetype)
        if self._app is not None:
            return self._app.response_class(body, mimetype=self.mimetype)
        raise SetupError(
            "The JSON provider knows no response class, so it cannot make a response. "
            "Create it with an application or with response_class."
        )

    def _options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes as options of ``json.dumps``, where *options* do not say other."""
        indent = options.get("indent", None if self.compact else 2)
        return {
            "default": self.default,
            "ensure_ascii": self.ensure_ascii,
            "sort_keys": self.sort_keys,
            "allow_nan": False,
            "indent": indent,
            "separators": (",", ":") if indent is None else (",", ": "),
            **options,
        }

    def _make_chunks(self) -> Callable[[Any, int], Sequence[str]]:
        """Return what gives a value's text, in parts, with the options of now."""
        make_encoder: Any = getattr(json.encoder, "c_make_encoder", None)
        if make_encoder is None or not self.compact:
            encode = json.JSONEncoder(**self._options({})).encode
            return lambda value, _level: (encode(value),)
        # PERF: a small dict takes 0.43 us with the C encoder made once, 1.3 us with
        # JSONEncoder.encode, which makes one for each call. Without the table of the circular
        # check (its first argument) one encoder serves all threads; a value that contains itself
        # then ends in RecursionError.
        escape = json.encoder.encode_basestring
        if self.ensure_ascii:
            escape = json.encoder.encode_basestring_ascii
        encoder: Callable[[Any, int], Sequence[str]] = make_encoder(
            None, self.default, escape, None, ":", ",", self.sort_keys, False, False
        )
        return encoder

    def _too_deep(self) -> ValueError:
        """Return the error of a value that has no end, or too far away."""
        return ValueError(
            f"The value contains itself or is nested deeper than {self.max_depth}, so it has no "
            "JSON form. Return a flatter value, or references (ids) in place of parents."
        )


# --- with the running application's provider ------------------------------------------------------


def _provider() -> JSONProvider:
    context = current_context.get(None)
    provider: JSONProvider = _DEFAULT if context is None else context.app.json
    return provider


def dumps(value: object, **options: Any) -> str:
    """Return *value* as JSON text, by ``app.json`` when an application is running."""
    return _provider().dumps(value, **options)


def loads(text: str | bytes, **options: Any) -> Any:
    """Return the value of JSON *text*, by ``app.json`` when an application is running."""
    return _provider().loads(text, **options)


def dump(value: object, fp: IO[str], **options: Any) -> None:
    """Write *value* to a text file; as :func:`dumps`."""
    fp.write(dumps(value, **options))


def load(fp: IO[Any], **options: Any) -> Any:
    """Read the value of a file of JSON text; as :func:`loads`."""
    return loads(fp.read(), **options)


_DEFAULT = DefaultJSONProvider()
