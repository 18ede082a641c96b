"""Floor 1: Cache-Control and Content-Security-Policy, the fields made of named directives.

Both are mappings from lower-cased directive to value (``None`` when it has none) with a typed
attribute per known directive. Objects of a response tell every change to ``on_update``, by which
the response rewrites its header.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import ClassVar, Final, Generic, NoReturn, Self, TypeVar, overload

from erlen.wire.params import parse_dict_header, quote_header_value
from erlen.wire.patterns import late

_T = TypeVar("_T")
_D = TypeVar("_D", bound="_Directives")

_TOKEN: Final = late(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DIGITS: Final = late(r"[0-9]+")
_VISIBLE: Final = late(r"[\t -~]*")
#: SAFETY: a semicolon would start another directive, a comma another policy.
_SOURCES: Final = late(r"[ !-+\--:<-~]*")
#: SPEC: RFC 9111 section 1.2.2: a larger number of seconds is read as this one.
_FOREVER: Final = 2**31
#: Longest number of seconds that is converted; leading zeros aside, ten digits pass 2**31.
_MOST_DIGITS: Final = 20


class _Directives(MutableMapping[str, str | None]):
    """Directives in the order set; subclasses say how values look and how a field is written."""

    __slots__ = ("_directives", "on_update")

    #: Called with this object after every change.
    on_update: Callable[[Self], None] | None
    _values: ClassVar[re.Pattern[str]]

    def __init__(
        self,
        values: Mapping[str, str | None] | Iterable[tuple[str, str | None]] = (),
        on_update: Callable[[Self], None] | None = None,
    ) -> None:
        self._directives: dict[str, str | None] = {}
        for name, value in dict(values).items():
            self._store(name, value)
        self.on_update = on_update

    @classmethod
    def _is_valid(cls, name: str, value: str | None) -> bool:
        if _TOKEN.fullmatch(name) is None:
            return False
        return value is None or cls._values.fullmatch(value) is not None

    def _store(self, name: str, value: str | None) -> None:
        if not self._is_valid(name, value):
            raise ValueError(
                f"{name!r} with the value {value!r} is not a directive of this header. "
                "Use a token as name and visible ASCII without separators as value."
            )
        self._directives[name.lower()] = value

    # mypy binds Self of an attribute only where the method itself is generic.
    def _changed(self: _D) -> None:  # noqa: PYI019  # as the line above says
        if self.on_update is not None:
            self.on_update(self)

    def to_header(self) -> str:
        """Return the field value."""
        raise NotImplementedError

    def __getitem__(self, name: str) -> str | None:
        return self._directives[name.lower()]

    def __setitem__(self, name: str, value: str | None) -> None:
        self._store(name, value)
        self._changed()

    def __delitem__(self, name: str) -> None:
        del self._directives[name.lower()]
        self._changed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._directives)

    def __len__(self) -> int:
        return len(self._directives)

    def __str__(self) -> str:
        return self.to_header()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.to_header()!r}>"


# --- attributes -----------------------------------------------------------------------------------


class _Directive(Generic[_T]):
    """An attribute that reads and writes one directive; ``None`` and ``False`` remove it."""

    def __init__(self, name: str, absent: _T) -> None:
        self.name = name
        self.absent = absent

    def load(self, value: str | None) -> _T:
        """Return what the attribute is for a directive that is there."""
        raise NotImplementedError

    def dump(self, value: _T) -> str | None:
        """Return the directive's value for what was assigned."""
        raise NotImplementedError

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: _Directives, owner: type) -> _T: ...

    def __get__(self, instance: _Directives | None, owner: type) -> _T | Self:
        if instance is None:
            return self
        return self.load(instance[self.name]) if self.name in instance else self.absent

    def __set__(self, instance: _Directives, value: _T | None) -> None:
        if value is None or value is False:
            instance.pop(self.name, None)
        else:
            instance[self.name] = self.dump(value)

    def __delete__(self, instance: _Directives) -> None:
        instance.pop(self.name, None)


class _Flag(_Directive[bool]):
    """True or False."""

    def __init__(self, name: str) -> None:
        super().__init__(name, absent=False)

    def load(self, value: str | None) -> bool:  # noqa: ARG002  # a value has no meaning here
        return True

    def dump(self, value: bool) -> None:  # noqa: ARG002  # only true comes here
        return None


class _Seconds(_Directive[int | None]):
    """Seconds; ``None`` when absent or not a number."""

    def __init__(self, name: str) -> None:
        super().__init__(name, absent=None)

    def load(self, value: str | None) -> int | None:
        return _load_seconds(value)

    def dump(self, value: int | None) -> str:
        return _dump_seconds(self.name, value)


class _SecondsOrAny(_Directive[int | bool | None]):
    """Seconds; ``True`` when present without a number; ``None`` when absent."""

    def __init__(self, name: str) -> None:
        super().__init__(name, absent=None)

    def load(self, value: str | None) -> int | bool | None:
        return True if value is None else _load_seconds(value)

    def dump(self, value: int | bool | None) -> str | None:
        return None if value is True else _dump_seconds(self.name, value)


class _FieldNames(_Directive[str | bool | None]):
    """Field names as text; ``True`` when present without any; ``None`` when absent."""

    def __init__(self, name: str) -> None:
        super().__init__(name, absent=None)

    def load(self, value: str | None) -> str | bool | None:
        return True if value is None else value

    def dump(self, value: str | bool | None) -> str | None:
        return value if isinstance(value, str) else None


class _Sources(_Directive[str | None]):
    """Text, ``""`` when present without a value; ``None`` when absent."""

    def __init__(self, name: str) -> None:
        super().__init__(name, absent=None)

    def load(self, value: str | None) -> str:
        return value or ""

    def dump(self, value: str | None) -> str | None:
        return value or None


def _load_seconds(value: str | None) -> int | None:
    """Read delta-seconds of RFC 9111 section 1.2.2."""
    if value is None or _DIGITS.fullmatch(value) is None:
        return None
    return min(int(value), _FOREVER) if len(value) <= _MOST_DIGITS else _FOREVER


def _dump_seconds(name: str, value: int | None) -> str:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is {value!r}. Give a whole number of seconds, 0 or more.")
    return str(value)


# --- Cache-Control --------------------------------------------------------------------------------


class _CacheControl(_Directives):
    """What both directions share (RFC 9111 section 5.2)."""

    __slots__ = ()
    _values = _VISIBLE

    max_age = _Seconds("max-age")
    no_store = _Flag("no-store")
    no_transform = _Flag("no-transform")
    stale_if_error = _Seconds("stale-if-error")

    def to_header(self) -> str:
        """Return the field value."""
        return ", ".join(
            name if value is None else f"{name}={quote_header_value(value, name not in _LISTS)}"
            for name, value in self._directives.items()
        )


#: SPEC: RFC 9111 sections 5.2.2.4 and 5.2.2.7: these ought to be quoted even when one name long.
_LISTS: Final = frozenset({"no-cache", "private"})


class RequestCacheControl(_CacheControl):
    """What a client asks of caches; cannot be changed."""

    __slots__ = ()

    no_cache = _Flag("no-cache")
    max_stale = _SecondsOrAny("max-stale")
    min_fresh = _Seconds("min-fresh")
    only_if_cached = _Flag("only-if-cached")

    def __setitem__(self, name: str, value: str | None) -> NoReturn:
        raise TypeError(
            f"{name!r} of a request was assigned, but requests cannot be changed. "
            "Set it on the cache_control of the response."
        )

    def __delitem__(self, name: str) -> NoReturn:
        raise TypeError(
            f"{name!r} of a request was removed, but requests cannot be changed. "
            "Change the cache_control of the response."
        )


class ResponseCacheControl(_CacheControl):
    """What a response tells caches."""

    __slots__ = ()

    immutable = _Flag("immutable")
    must_revalidate = _Flag("must-revalidate")
    must_understand = _Flag("must-understand")
    no_cache = _FieldNames("no-cache")
    private = _FieldNames("private")
    proxy_revalidate = _Flag("proxy-revalidate")
    public = _Flag("public")
    s_maxage = _Seconds("s-maxage")
    stale_while_revalidate = _Seconds("stale-while-revalidate")


_C = TypeVar("_C", RequestCacheControl, ResponseCacheControl)


@overload
def parse_cache_control_header(value: str | None) -> RequestCacheControl: ...
@overload
def parse_cache_control_header(
    value: str | None, on_update: Callable[[_C], None] | None = None, *, cls: type[_C]
) -> _C: ...


def parse_cache_control_header(
    value: str | None,
    on_update: Callable[..., None] | None = None,
    *,
    cls: type[_CacheControl] = RequestCacheControl,
) -> _CacheControl:
    """Return the directives of a ``Cache-Control`` field; malformed ones are left out."""
    return cls(_valid(cls, parse_dict_header(value).items()), on_update)


def _valid(
    cls: type[_Directives], pairs: Iterable[tuple[str, str | None]]
) -> dict[str, str | None]:
    return {name.lower(): value for name, value in pairs if cls._is_valid(name, value)}


# --- Content-Security-Policy ----------------------------------------------------------------------


class ContentSecurityPolicy(_Directives):
    """One policy; an attribute per directive of CSP Level 3 and its companions.

    Values are source lists as text: ``csp.script_src = "'self' https://cdn.example"``; ``""`` sets
    a directive without a value, as ``sandbox`` may be.
    """

    __slots__ = ()
    _values = _SOURCES

    base_uri = _Sources("base-uri")
    child_src = _Sources("child-src")
    connect_src = _Sources("connect-src")
    default_src = _Sources("default-src")
    fenced_frame_src = _Sources("fenced-frame-src")
    font_src = _Sources("font-src")
    form_action = _Sources("form-action")
    frame_ancestors = _Sources("frame-ancestors")
    frame_src = _Sources("frame-src")
    img_src = _Sources("img-src")
    manifest_src = _Sources("manifest-src")
    media_src = _Sources("media-src")
    navigate_to = _Sources("navigate-to")
    object_src = _Sources("object-src")
    plugin_types = _Sources("plugin-types")
    prefetch_src = _Sources("prefetch-src")
    report_to = _Sources("report-to")
    report_uri = _Sources("report-uri")
    require_trusted_types_for = _Sources("require-trusted-types-for")
    sandbox = _Sources("sandbox")
    script_src = _Sources("script-src")
    script_src_attr = _Sources("script-src-attr")
    script_src_elem = _Sources("script-src-elem")
    style_src = _Sources("style-src")
    style_src_attr = _Sources("style-src-attr")
    style_src_elem = _Sources("style-src-elem")
    trusted_types = _Sources("trusted-types")
    upgrade_insecure_requests = _Flag("upgrade-insecure-requests")
    worker_src = _Sources("worker-src")

    def to_header(self) -> str:
        """Return the field value."""
        return "; ".join(
            f"{name} {value}" if value else name for name, value in self._directives.items()
        )


def parse_csp_header(
    value: str | None, on_update: Callable[[ContentSecurityPolicy], None] | None = None
) -> ContentSecurityPolicy:
    """Return the policy of a field value; of two equal directives the first counts.

    Source: CSP Level 3 section 2.2.1; a directive that is malformed is left out.
    """
    pairs: dict[str, str | None] = {}
    for directive in (value or "").split(";"):
        name, _, sources = directive.replace("\t", " ").strip(" ").partition(" ")
        if name:
            pairs.setdefault(name.lower(), sources.strip(" ") or None)
    return ContentSecurityPolicy(_valid(ContentSecurityPolicy, pairs.items()), on_update)
