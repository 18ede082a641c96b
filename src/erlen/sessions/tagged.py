"""Floor 5: JSON that keeps tuples, bytes, ``Markup``, UUIDs and datetimes, by tags.

A value that JSON does not have becomes an object of one key, its tag: ``{" t": [1, 2]}`` is a
tuple. An object that looks like one by chance is escaped: ``{" t": 1}`` becomes
``{" di": {" t__": 1}}``. Flask reads what this writes and the other way round, with one exception:
a datetime that an HTTP date cannot hold (microseconds, an offset, none at all) is written in ISO
8601, which Flask does not read. Flask would lose what the HTTP date does not hold.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, NoReturn
from uuid import UUID

from erlen.wire.dates import http_date, parse_date

#: What JSON has and no tag of ours is about. PERF: asking the eight tags costs 0.7 µs a value.
_PLAIN = frozenset({str, int, float, bool, type(None)})
_KEYS = frozenset({str})
_UTC_OFFSET = timedelta(0)


class JSONTag:
    """One type of values; subclass it and :meth:`TaggedJSONSerializer.register` the class.

    Attributes:
        key: The tag, by custom a space and a letter or two; ``""`` for a type that JSON has.
        serializer: Whose tag this is; its ``tag()`` is for what the value holds.
    """

    __slots__ = ("serializer",)
    key: str = ""

    def __init__(self, serializer: "TaggedJSONSerializer") -> None:
        """Made by the serializer."""
        self.serializer = serializer

    def check(self, value: Any) -> bool:
        """Whether *value* is of this type."""
        raise NotImplementedError

    def to_json(self, value: Any) -> Any:
        """Return what stands for *value* in JSON, without the tag."""
        raise NotImplementedError

    def to_python(self, value: Any) -> Any:
        """Return the value for which :meth:`to_json` gave *value*."""
        raise NotImplementedError

    def tag(self, value: Any) -> Any:
        """Return what stands for *value* in JSON, with the tag."""
        return {self.key: self.to_json(value)}


class TagDict(JSONTag):
    """A dict whose only key is a tag."""

    __slots__ = ()
    key = " di"

    def check(self, value: Any) -> bool:
        """Whether it must be escaped."""
        if not isinstance(value, dict) or len(value) != 1:
            return False
        return next(iter(value)) in self.serializer.tags

    def to_json(self, value: Any) -> Any:
        """Make the key one that is no tag."""
        [(key, inner)] = value.items()
        return {f"{key}__": self.serializer.tag(inner)}

    def to_python(self, value: Any) -> Any:
        """Give the key back."""
        [(key, inner)] = value.items()
        return {key[:-2]: inner}


class PassDict(JSONTag):
    """Any other dict, which JSON has."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        """Whether it is a dict."""
        return isinstance(value, dict)

    def to_json(self, value: Any) -> Any:
        """Tag the values.

        Raises:
            TypeError: A key is not a ``str``, and would come back as one.
        """
        for key in value:
            if not isinstance(key, str):
                raise TypeError(
                    f"The key {key!r} of a dict is of type {type(key).__name__}, and JSON would "
                    "make text of it. Make the key a str."
                )
        tag, untagged = self.serializer.tag, self.serializer.untagged
        return {
            key: inner if type(inner) in untagged else tag(inner) for key, inner in value.items()
        }

    def tag(self, value: Any) -> Any:
        """Need no tag."""
        return self.to_json(value)


class TagTuple(JSONTag):
    """A tuple; one with names comes back without them."""

    __slots__ = ()
    key = " t"

    def check(self, value: Any) -> bool:
        """Whether it is a tuple."""
        return isinstance(value, tuple)

    def to_json(self, value: Any) -> Any:
        """Tag the items."""
        return [self.serializer.tag(item) for item in value]

    def to_python(self, value: Any) -> Any:
        """Make a tuple of the list."""
        return tuple(value)


class PassList(JSONTag):
    """A list, which JSON has."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        """Whether it is a list."""
        return isinstance(value, list)

    def to_json(self, value: Any) -> Any:
        """Tag the items."""
        return [self.serializer.tag(item) for item in value]

    def tag(self, value: Any) -> Any:
        """Need no tag."""
        return self.to_json(value)


class TagBytes(JSONTag):
    """Bytes, as base64."""

    __slots__ = ()
    key = " b"

    def check(self, value: Any) -> bool:
        """Whether it is ``bytes``."""
        return isinstance(value, bytes)

    def to_json(self, value: Any) -> Any:
        """Encode."""
        return b64encode(value).decode("ascii")

    def to_python(self, value: Any) -> Any:
        """Decode."""
        return b64decode(value)


class TagMarkup(JSONTag):
    """Whatever has ``__html__``; it comes back as ``Markup``."""

    __slots__ = ()
    key = " m"

    def check(self, value: Any) -> bool:
        """Whether it has its HTML."""
        return callable(getattr(value, "__html__", None))

    def to_json(self, value: Any) -> Any:
        """Take the HTML."""
        return str(value.__html__())

    def to_python(self, value: Any) -> Any:
        """Mark it as HTML."""
        from markupsafe import Markup

        return Markup(value)  # noqa: S704  # it was HTML when it was signed


class TagUUID(JSONTag):
    """A UUID, as 32 digits."""

    __slots__ = ()
    key = " u"

    def check(self, value: Any) -> bool:
        """Whether it is a UUID."""
        return isinstance(value, UUID)

    def to_json(self, value: Any) -> Any:
        """Write the digits."""
        return value.hex

    def to_python(self, value: Any) -> Any:
        """Read the digits."""
        return UUID(value)


class TagDateTime(JSONTag):
    """A datetime: an HTTP date where that holds all of it, else ISO 8601."""

    __slots__ = ()
    key = " d"

    def check(self, value: Any) -> bool:
        """Whether it is a datetime; a date is not."""
        return isinstance(value, datetime)

    def to_json(self, value: Any) -> Any:
        """Write the instant, with its offset; the name of a time zone is lost."""
        whole = value.microsecond == 0 and value.utcoffset() == _UTC_OFFSET
        return http_date(value) if whole else value.isoformat()

    def to_python(self, value: Any) -> Any:
        """Read either form."""
        return parse_date(value) or datetime.fromisoformat(value)


class TaggedJSONSerializer:
    """Values to tagged JSON and back.

    Attributes:
        tags: Tag → its :class:`JSONTag`.
        order: Every :class:`JSONTag`; the first whose ``check`` agrees has the value.
        untagged: Types of values that are no tag's; none once a tag is there that is not ours.
    """

    default_tags: ClassVar[Sequence[type[JSONTag]]] = (
        TagDict, PassDict, TagTuple, PassList, TagBytes, TagMarkup, TagUUID, TagDateTime,
    )  # fmt: skip

    def __init__(self) -> None:
        """Only :attr:`default_tags` are registered."""
        self.tags: dict[str, JSONTag] = {}
        self.order: list[JSONTag] = []
        for tag_class in self.default_tags:
            self.register(tag_class)
        is_own = self.default_tags is not TaggedJSONSerializer.default_tags
        self.untagged = frozenset() if is_own else _PLAIN
        self._encode = _make_encode()
        self._decoder = json.JSONDecoder(object_hook=self.untag, parse_constant=_refuse_constant)

    def register(
        self, tag_class: type[JSONTag], force: bool = False, index: int | None = None
    ) -> None:
        """Add a type of values.

        Args:
            tag_class: Made with this serializer as its argument.
            force: Replace the tag of the same key.
            index: Where it stands in :attr:`order`; 0 for what is a special case of another type.

        Raises:
            KeyError: The tag is taken, and not *force*.
        """
        tag = tag_class(self)
        if tag.key:
            if not force and tag.key in self.tags:
                raise KeyError(
                    f"Tag {tag.key!r} is already registered. Choose another, or give force=True."
                )
            self.tags[tag.key] = tag
        self.order.insert(len(self.order) if index is None else index, tag)
        self.untagged = frozenset()  # it may be about any type

    def tag(self, value: Any) -> Any:
        """Return what stands for *value* in JSON."""
        untagged = self.untagged
        if untagged and (type(value) in untagged or (type(value) is dict and self._is_json(value))):
            return value
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        return value

    def _is_json(self, value: dict[Any, Any]) -> bool:
        """Whether no tag has to do with a dict, nor with anything in it."""
        # PERF: 0.35 µs, where asking the tags and copying the dict takes 0.65.
        return (
            self.untagged.issuperset(map(type, value.values()))
            and _KEYS.issuperset(map(type, value))
            and (len(value) != 1 or not self.tags.keys() & value.keys())
        )

    def untag(self, value: dict[str, Any]) -> Any:
        """Return the value for which a JSON object stands; what it holds is untagged already."""
        if len(value) == 1:
            [(key, inner)] = value.items()
            tag = self.tags.get(key)
            if tag is not None:
                return tag.to_python(inner)
        return value

    def dumps(self, value: Any) -> str:
        """Return *value* as compact, tagged JSON in ASCII.

        Raises:
            TypeError: A value of a type that has no tag, or a key that is not a ``str``.
            ValueError: NaN or infinity, an integer of thousands of digits, a value that is nested
                too deep or holds itself.
        """
        try:
            return self._encode(self.tag(value))
        except RecursionError:
            raise ValueError(
                "A value is nested too deep, or holds itself. Keep flat values."
            ) from None
        except ValueError as error:
            raise ValueError(
                f"A value has no form in JSON: {error}. Keep None or text in its place."
            ) from error

    def loads(self, text: str) -> Any:
        """Return the value of tagged JSON.

        Raises:
            ValueError, TypeError, RecursionError: It is not that.
        """
        # PERF: there are no blanks around it; to look for them in Python's way takes 0.3 µs.
        if text[:1] == "{":
            value, end = self._decoder.raw_decode(text)
            if end == len(text):
                return value
        return self._decoder.decode(text)


def _make_encode() -> Callable[[Any], str]:
    make_encoder: Any = getattr(json.encoder, "c_make_encoder", None)
    if make_encoder is None:
        return json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_refuse).encode
    # PERF: made once, and not for each text, it takes 1 µs less. It does not look for values that
    # hold themselves; tag() has come to no end with such.
    escape = json.encoder.encode_basestring_ascii
    chunks = make_encoder(None, _refuse, escape, None, ":", ",", False, False, False)
    return lambda value: "".join(chunks(value, 0))


def _refuse(value: Any) -> NoReturn:
    raise TypeError(
        f"A value of type {type(value).__name__} has no form in JSON. Convert it to a dict, list, "
        "tuple, str, bytes, number, bool, None, UUID or datetime, or register a JSONTag for it."
    )


def _refuse_constant(_literal: str) -> NoReturn:
    raise ValueError("NaN or infinity, which JSON does not have.")
