"""Floor 1: content negotiation: the Accept fields (RFC 9110 section 12.5).

The quality of an offer is that of the most specific entry of the client that covers it; an entry
with quality 0 refuses what it covers. An absent field makes an empty object, which covers nothing:
the caller decides what to answer a client that states no preference.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import ClassVar, Final, TypeVar, overload

from erlen.wire.patterns import late

_MAX_ITEMS: Final = 100
_BLANKS: Final = " \t"
_TCHARS: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'
_TOKEN: Final = late(_TCHARS)
_MEDIA_RANGE: Final = late(rf"{_TCHARS}/{_TCHARS}")
#: One item of a list, commas inside quotes included.
#: SAFETY: a quote that never closes takes all that follows; looking for its end again at every
#: later quote would be quadratic (12 s for 80 KB).
_ITEM: Final = late(r'(?:[^,"]|"(?:[^"\\]|\\.)*+"?)++')
#: SAFETY: possessive throughout, and matched at one place only, so that reading stays linear.
_PARAMETER: Final = late(rf"[ \t]*+;[ \t]*+(?:({_TCHARS})=({_TCHARS}|{_QUOTED}))?+[ \t]*+")
_QUOTED_PAIR: Final = late(r"\\(.)")
_QUALITY: Final = late(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class Accept:
    """Values with their qualities, the most specific first, then the highest quality.

    As a sequence it holds pairs ``(value, quality)``; indexed by a string it gives a quality, and
    ``in`` asks whether an offer is acceptable. Compared without regard to case; ``*`` covers all.

    Args:
        values: Pairs of value and quality between 0 and 1.
    """

    __slots__ = ("_items", "_keys")

    #: What an item must be, parameters aside, to be more than noise.
    _well_formed: ClassVar[re.Pattern[str]] = _TOKEN

    def __init__(self, values: "Iterable[tuple[str, float]] | Accept" = ()) -> None:
        keyed = [(self._key(value), value, quality) for value, quality in values]
        keyed.sort(key=lambda item: (self._specificity(item[0]), item[2]), reverse=True)
        self._items = tuple((value, quality) for _, value, quality in keyed)
        self._keys = tuple(key for key, _, _ in keyed)

    # What subclasses redefine: the parts of a value that are compared, how much they narrow, and
    # whether an entry covers an offer.

    @staticmethod
    def _key(value: str) -> tuple[str, ...]:
        return (value.lower(),)

    @staticmethod
    def _specificity(key: tuple[str, ...]) -> tuple[int, ...]:
        return (key != ("*",),)

    @staticmethod
    def _covers(entry: tuple[str, ...], offer: tuple[str, ...]) -> bool:
        return entry in (("*",), offer)

    @property
    def best(self) -> str | None:
        """The first value that is not refused, or ``None``."""
        return next((value for value, quality in self._items if quality > 0), None)

    def quality(self, key: str) -> float:
        """Return the quality of an offer, 0 when nothing covers it."""
        position = self.find(key)
        return 0 if position < 0 else self._items[position][1]

    def best_match(self, matches: Iterable[str], default: str | None = None) -> str | None:
        """Return the offer that the client likes best, or *default* when it accepts none.

        The highest quality wins, then the most specific entry of the client, then the order of
        *matches*.
        """
        best = default
        best_rank: tuple[float, tuple[int, ...]] = (0, ())
        for offer in matches:
            position = self.find(offer)
            if position < 0:
                continue
            quality = self._items[position][1]
            rank = (quality, self._specificity(self._keys[position]))
            if quality > 0 and rank > best_rank:
                best, best_rank = offer, rank
        return best

    def find(self, key: str) -> int:
        """Return the position of the entry that decides on an offer, -1 when there is none."""
        offer = self._key(key)
        for position, entry in enumerate(self._keys):
            if self._covers(entry, offer):
                return position
        return -1

    def index(self, key: str) -> int:
        """Return the position of the entry that decides on an offer.

        Raises:
            ValueError: There is none.
        """
        position = self.find(key)
        if position < 0:
            raise ValueError(f"{key!r} is not covered by {self.to_header()!r}. Use find().")
        return position

    def values(self) -> Iterator[str]:
        """Return the values without their qualities."""
        return (value for value, _ in self._items)

    def to_header(self) -> str:
        """Return the field value."""
        return ",".join(
            value if quality == 1 else f"{value};q={quality:g}" for value, quality in self._items
        )

    @overload
    def __getitem__(self, key: int) -> tuple[str, float]: ...
    @overload
    def __getitem__(self, key: str) -> float: ...

    def __getitem__(self, key: int | str) -> tuple[str, float] | float:
        return self.quality(key) if isinstance(key, str) else self._items[key]

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: str) -> bool:
        return self.quality(key) > 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Accept):
            return NotImplemented
        return type(self) is type(other) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._items)!r})"


class MIMEAccept(Accept):
    """Media ranges: ``text/*`` covers a type, parameters of an entry must be among the offer's."""

    __slots__ = ()
    _well_formed = _MEDIA_RANGE

    @staticmethod
    def _key(value: str) -> tuple[str, ...]:
        essence, semicolon, rest = value.lower().partition(";")
        kind, _, subtype = essence.strip(_BLANKS).partition("/")
        parameters = (_parameters(semicolon + rest) if semicolon else None) or []
        return (kind, subtype, *sorted(f"{name}={_unquote(text)}" for name, text in parameters))

    @staticmethod
    def _specificity(key: tuple[str, ...]) -> tuple[int, ...]:
        return (key[0] != "*", key[1] != "*", len(key))

    @staticmethod
    def _covers(entry: tuple[str, ...], offer: tuple[str, ...]) -> bool:
        return (
            (entry[0] in ("*", offer[0]) or offer[0] == "*")
            and (entry[1] in ("*", offer[1]) or offer[1] == "*")
            and set(entry[2:]) <= set(offer[2:])
        )

    @property
    def accept_html(self) -> bool:
        """Whether HTML or XHTML is acceptable."""
        return "text/html" in self or self.accept_xhtml

    @property
    def accept_xhtml(self) -> bool:
        """Whether XHTML or XML is acceptable."""
        return "application/xhtml+xml" in self or "application/xml" in self

    @property
    def accept_json(self) -> bool:
        """Whether JSON is acceptable."""
        return "application/json" in self


class LanguageAccept(Accept):
    """Language tags; ``_`` is ``-``. Only :meth:`best_match` falls back to the primary tag."""

    __slots__ = ()

    @staticmethod
    def _key(value: str) -> tuple[str, ...]:
        return (value.lower().replace("_", "-"),)

    def best_match(self, matches: Iterable[str], default: str | None = None) -> str | None:
        """Return the offer that the client likes best, or *default*.

        When no whole tag matches, ``en-GB`` of the client takes an offered ``en``; when that
        fails too, ``en`` of the client takes an offered ``en-US``. An offer that the client
        refuses by its whole tag stays refused.

        Source: RFC 4647 sections 3.4 (lookup) and 3.3.1 (basic filtering).
        """
        offers = list(matches)
        found = super().best_match(offers)
        if found is not None:
            return found
        offers = [offer for offer in offers if not self._refuses(offer)]
        primaries = Accept((_primary(tag), quality) for tag, quality in self if tag != "*")
        found = primaries.best_match(offers)
        if found is not None:
            return found
        by_primary: dict[str, str] = {}
        for offer in offers:
            by_primary.setdefault(_primary(offer), offer)
        found = super().best_match(by_primary)
        return default if found is None else by_primary[found]

    def _refuses(self, offer: str) -> bool:
        position = self.find(offer)
        return position >= 0 and self._keys[position] != ("*",)


class CharsetAccept(Accept):
    """Names of charsets; ``utf8`` is ``utf-8``."""

    __slots__ = ()

    @staticmethod
    def _key(value: str) -> tuple[str, ...]:
        # SAFETY: codecs.lookup() would import a module for every name that a peer makes up.
        name = value.lower().replace("-", "").replace("_", "")
        return ("iso88591" if name == "latin1" else name,)


_A = TypeVar("_A", bound=Accept)


@overload
def parse_accept_header(value: str | None) -> Accept: ...
@overload
def parse_accept_header(value: str | None, cls: type[_A]) -> _A: ...


def parse_accept_header(value: str | None, cls: type[Accept] = Accept) -> Accept:
    """Return the entries of a field value; items that are malformed are left out.

    At most 100 items are read. A quality has at most three decimals and stands between 0 and 1;
    an item with any other is malformed. Parameters behind the quality are dropped.

    Source: RFC 9110 sections 12.4.2 and 12.5. Linear in the length of *value*.
    """
    if not value:
        return cls()
    if '"' in value:
        items = [match[0] for match in islice(_ITEM.finditer(value), _MAX_ITEMS)]
    else:
        items = value.split(",", _MAX_ITEMS)[:_MAX_ITEMS]
    return cls(entry for item in items if (entry := _parse_item(item, cls._well_formed)))


def _parse_item(item: str, well_formed: re.Pattern[str]) -> tuple[str, float] | None:
    main, semicolon, rest = item.partition(";")
    main = main.strip(_BLANKS)
    if well_formed.fullmatch(main) is None:
        return None
    if not semicolon:
        return main, 1
    parameters = _parameters(semicolon + rest)
    if parameters is None:
        return None
    for name, text in parameters:
        if name in "qQ":
            return (main, float(text)) if _QUALITY.fullmatch(text) else None
        main += f"; {name}={text}"
    return main, 1


def _parameters(text: str) -> list[tuple[str, str]] | None:
    """Return names and values (as written) of ``;a=b;c="d"``, or ``None`` when malformed."""
    found = []
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None:
            return None
        if match[1] is not None:
            found.append((match[1], match[2]))
        position = match.end()
    return found


def _unquote(text: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", text[1:-1]) if text.startswith('"') else text


def _primary(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0].lower()
