"""Floor 5: the configuration: its keys with their defaults, how it is loaded, checked and shown."""

import errno
import json
import os
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Generic, NamedTuple, Protocol, Self, TypeVar, overload

from erlen.exceptions import FrozenError

T = TypeVar("T")

# --- kinds of values ------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """What the value of a key must be."""

    words: str
    fits: Callable[[Any], bool]

    def or_none(self) -> "_Kind":
        """Return this kind with ``None`` allowed too."""
        return _Kind(f"{self.words} or None", lambda value: value is None or self.fits(value))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_lifetime(value: Any) -> bool:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return _is_count(seconds) or _is_seconds(seconds)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(item, str) for item in value
    )


# ERLEN_DEBUG=1 reads as the number 1, so the two numbers that equal a bool are one.
_FLAG = _Kind("True or False", lambda value: isinstance(value, int) and value in (0, 1))
_COUNT = _Kind("a whole number, 0 or more", _is_count)
_POSITIVE = _Kind("a whole number, 1 or more", lambda value: _is_count(value) and value > 0)
_SECONDS = _Kind("a number of seconds above 0", _is_seconds)
_TEXT = _Kind("a str", lambda value: isinstance(value, str))
_SCHEME = _Kind("http or https", lambda value: value in ("http", "https"))
_HOST = _Kind(
    "a host with or without a port, example.com:8000",
    lambda value: isinstance(value, str) and not set(value) & set("/@?# "),
)
_PREFIX = _Kind(
    "a path that begins with a slash", lambda value: isinstance(value, str) and value[:1] == "/"
)
_ORIGINS = _Kind(
    'a list of origins with their scheme, ["https://example.com"]',
    lambda value: _is_texts(value) and all("://" in origin for origin in value),
)
_TEXTS = _Kind("a list of str", _is_texts)
_SECRET = _Kind("a str or bytes", lambda value: isinstance(value, str | bytes))
_SECRETS = _Kind(
    "a list of str or bytes",
    lambda value: isinstance(value, list | tuple) and all(map(_SECRET.fits, value)),
)
_LIFETIME = _Kind("a timedelta or a number of seconds", _is_lifetime)


def _one_of(*words: str) -> _Kind:
    return _Kind(f"one of {', '.join(words)}", lambda value: value in words)


_KEYS: tuple[tuple[str, Any, _Kind], ...] = (
    ("DEBUG", None, _FLAG.or_none()),
    ("TESTING", False, _FLAG),
    ("PROPAGATE_EXCEPTIONS", None, _FLAG.or_none()),
    ("TRAP_HTTP_EXCEPTIONS", False, _FLAG),
    ("TRAP_BAD_REQUEST_ERRORS", None, _FLAG.or_none()),
    ("SECRET_KEY", None, _SECRET.or_none()),
    ("SECRET_KEY_FALLBACKS", None, _SECRETS.or_none()),
    ("SESSION_COOKIE_NAME", "session", _TEXT),
    ("SESSION_COOKIE_DOMAIN", None, _TEXT.or_none()),
    ("SESSION_COOKIE_PATH", None, _TEXT.or_none()),
    ("SESSION_COOKIE_HTTPONLY", True, _FLAG),
    ("SESSION_COOKIE_SECURE", None, _FLAG.or_none()),
    ("SESSION_COOKIE_SAMESITE", "Lax", _one_of("Strict", "Lax", "None").or_none()),
    ("SESSION_COOKIE_PARTITIONED", False, _FLAG),
    ("SESSION_REFRESH_EACH_REQUEST", False, _FLAG),
    ("SESSION_OVERSIZE", "error", _one_of("error", "warn")),
    ("PERMANENT_SESSION_LIFETIME", timedelta(days=14), _LIFETIME),
    ("CSRF_PROTECTION", True, _FLAG),
    ("CSRF_TRUSTED_ORIGINS", (), _ORIGINS.or_none()),
    ("TRUSTED_HOSTS", None, _TEXTS.or_none()),
    ("SERVER_NAME", None, _HOST.or_none()),
    ("APPLICATION_ROOT", "/", _PREFIX),
    ("PREFERRED_URL_SCHEME", "http", _SCHEME),
    ("MAX_CONTENT_LENGTH", 16 * 1024 * 1024, _COUNT.or_none()),
    ("MAX_FORM_MEMORY_SIZE", 1024 * 1024, _COUNT.or_none()),
    ("MAX_FORM_PARTS", 1000, _COUNT.or_none()),
    ("MAX_FORM_FILES", 100, _COUNT.or_none()),
    ("UPLOAD_SPOOL_SIZE", 256 * 1024, _COUNT),
    ("UPLOAD_SPOOL_TOTAL", 4 * 1024 * 1024, _COUNT),
    ("MAX_COOKIE_SIZE", 4093, _COUNT),
    ("PROVIDE_AUTOMATIC_OPTIONS", True, _FLAG),
    ("TEMPLATES_AUTO_RELOAD", None, _FLAG.or_none()),
    ("EXPLAIN_TEMPLATE_LOADING", False, _FLAG),
    ("BODY_TIMEOUT", 60.0, _SECONDS.or_none()),
    ("SEND_TIMEOUT", 60.0, _SECONDS.or_none()),
    ("STARTUP_TIMEOUT", None, _SECONDS.or_none()),
    ("WEBSOCKET_ORIGINS", (), _ORIGINS.or_none()),
    ("MAX_WEBSOCKET_MESSAGE_SIZE", 1024 * 1024, _COUNT),
    ("MAX_WEBSOCKET_MESSAGE_RATE", None, _POSITIVE.or_none()),
    ("MAX_URL_LENGTH", 16 * 1024, _COUNT),
    ("MAX_HEADER_COUNT", 200, _COUNT),
    ("MAX_HEADER_SIZE", 64 * 1024, _COUNT),
    ("MAX_QUERY_ARGS", 1000, _COUNT),
    ("JSON_PROVIDER", "json", _one_of("json", "orjson", "msgspec")),
    ("JSON_MAX_DEPTH", 128, _POSITIVE),
    ("SEND_FILE_MAX_AGE_DEFAULT", None, _LIFETIME.or_none()),
    ("USE_X_SENDFILE", False, _FLAG),
    ("STATIC_HASHED_URLS", False, _FLAG),
    ("WORKER_THREADS", 40, _POSITIVE),
    ("FILE_THREADS", 40, _POSITIVE),
    ("TEARDOWN_THREADS", 10, _POSITIVE),
    ("STALL_THRESHOLD", 0.1, _SECONDS.or_none()),
    ("CANCEL_ON_DISCONNECT", False, _FLAG),
    ("BACKGROUND_TASK_SHUTDOWN_TIMEOUT", 5.0, _SECONDS),
    ("MAX_BACKGROUND_TASKS", 10_000, _POSITIVE),
)

#: Keys that are looked at when something fails, and so may change at any time.
_LIVE = {"DEBUG", "TESTING", "PROPAGATE_EXCEPTIONS", "TRAP_HTTP_EXCEPTIONS",
         "TRAP_BAD_REQUEST_ERRORS", "SECRET_KEY", "SECRET_KEY_FALLBACKS"}  # fmt: skip

#: Key → default, of every key that erlen reads. Sizes are bytes, times seconds.
DEFAULTS: Mapping[str, Any] = types.MappingProxyType({key: value for key, value, _ in _KEYS})


def check(config: Mapping[str, Any]) -> None:
    """Check the values of the keys that erlen reads; keys of others are theirs to check.

    Raises:
        ValueError: Names every key whose value is of a wrong kind, secrets masked; the
            application's fault.
    """
    wrong = [
        f"{key} is {_masked(key, config[key])!r}, but must be {kind.words}."
        for key, _, kind in _KEYS
        if key in config and not kind.fits(config[key])
    ]
    if wrong:
        raise ValueError(
            f"The configuration cannot be used. {' '.join(wrong)} Set a value of that kind; in the "
            'environment write JSON, for example true, 16777216 or ["example.com"].'
        )


def get_debug_flag() -> bool:
    """Tell whether ``ERLEN_DEBUG`` asks for debug mode: set, and not ``0``, ``false`` or ``no``."""
    return os.environ.get("ERLEN_DEBUG", "").lower() not in {"", "0", "false", "no"}


def as_timedelta(value: timedelta | float) -> timedelta:
    """Return a lifetime that may be given in seconds."""
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


# --- the configuration ----------------------------------------------------------------------------


class Config(dict[str, Any]):
    """The configuration ``app.config``: a dict that can be filled from files and the environment.

    Only names in upper case are taken from files, objects and mappings. ``repr()`` masks secrets.

    Attributes:
        root_path: Directory to which relative file names refer.
    """

    def __init__(
        self, root_path: str | os.PathLike[str], defaults: Mapping[str, Any] | None = None
    ) -> None:
        """*defaults* are copied."""
        super().__init__(defaults or {})
        self.root_path = root_path
        self._frozen: frozenset[str] = frozenset()

    def freeze(self) -> None:
        """Refuse changes of the keys that were read for good; called when the plan is made."""
        self._frozen = frozenset(DEFAULTS) - _LIVE

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self._frozen and value != self.get(key):
            raise FrozenError(f"config[{key!r}] = ...")
        super().__setitem__(key, value)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several keys; as a dict's."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]  # a dict's, by update()
        self.update(other)
        return self

    def __delitem__(self, key: str) -> None:
        if key in self._frozen:
            raise FrozenError(f"del config[{key!r}]")
        super().__delitem__(key)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value; as a dict's."""
        if key in self._frozen:
            raise FrozenError(f"config.pop({key!r})")
        return super().pop(key, *default)

    def from_pyfile(self, filename: str | os.PathLike[str], silent: bool = False) -> bool:
        """Run a Python file and take its names in upper case.

        Args:
            filename: Relative to :attr:`root_path`, or absolute. It need not end in ``.py``.
            silent: Return ``False`` when there is no such file.

        Raises:
            OSError: The file cannot be read.
        """
        path = Path(self.root_path, filename)
        try:
            source = path.read_bytes()
        except OSError as error:
            return _unreadable(error, silent=silent)
        module = types.ModuleType("config")
        module.__file__ = str(path)
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102  # that is its purpose
        self.from_object(module)
        return True

    def from_file(
        self,
        filename: str | os.PathLike[str],
        load: Callable[[IO[Any]], Mapping[str, Any]],
        silent: bool = False,
        text: bool = True,
    ) -> bool:
        """Take the keys in upper case of a file that *load* reads.

        Args:
            filename: Relative to :attr:`root_path`, or absolute.
            load: Takes the open file, returns a mapping, for example ``tomllib.load``.
            silent: Return ``False`` when there is no such file.
            text: Open as UTF-8 text; ``False``: as bytes, as ``tomllib.load`` wants it.

        Raises:
            OSError: The file cannot be read.
        """
        path = Path(self.root_path, filename)
        try:
            file: IO[Any] = path.open(encoding="utf-8") if text else path.open("rb")
        except OSError as error:
            return _unreadable(error, silent=silent)
        with file:
            return self.from_mapping(load(file))

    def from_envvar(self, variable_name: str, silent: bool = False) -> bool:
        """Run the Python file that an environment variable names; see :meth:`from_pyfile`.

        Raises:
            RuntimeError: The variable is not set or empty, and not *silent*.
            OSError: The file cannot be read.
        """
        filename = os.environ.get(variable_name)
        if filename:
            return self.from_pyfile(filename, silent=silent)
        if silent:
            return False
        raise RuntimeError(
            f"The environment variable {variable_name!r} is not set and as such configuration "
            "could not be loaded. Set it to the path of a configuration file."
        )

    def from_object(self, obj: object) -> None:
        """Take the attributes in upper case of an object: a module, a class, an instance.

        Args:
            obj: The object, or where to import it: ``"package.module:Name"`` or with a dot.

        Raises:
            TypeError: A dict, whose keys are not attributes.
            ImportError, AttributeError: There is no such module, or no such name in it.
        """
        if isinstance(obj, dict):
            raise TypeError(
                "from_object() got a dict, whose keys are not attributes, so nothing would be "
                "taken. Call from_mapping() with it."
            )
        source: object = obj
        if isinstance(obj, str):
            import pkgutil

            source = pkgutil.resolve_name(obj)
        self.update({key: getattr(source, key) for key in dir(source) if key.isupper()})

    def from_mapping(self, mapping: Mapping[str, Any] | None = None, **kwargs: Any) -> bool:
        """Take the keys in upper case; those in *kwargs* win over *mapping*."""
        items = dict(mapping or {}, **kwargs)
        self.update({key: value for key, value in items.items() if key.isupper()})
        return True

    def from_prefixed_env(
        self, prefix: str = "ERLEN", *, loads: Callable[[str], Any] = json.loads
    ) -> bool:
        """Take the environment variables that begin with *prefix* and an underscore.

        ``ERLEN_MAX_COOKIE_SIZE=0`` sets ``MAX_COOKIE_SIZE`` to the number 0. Two underscores lead
        into nested dicts, made where missing: ``ERLEN_MAIL__host=a`` sets ``MAIL["host"]``.

        Args:
            prefix: Without its underscore.
            loads: Reads a value; what it cannot read (it raises) stays the text that it is.

        Raises:
            TypeError: A variable leads into a value that is no dict.
        """
        start = f"{prefix}_"
        for name in sorted(os.environ):
            if name.startswith(start):
                *parents, key = name.removeprefix(start).split("__")
                self._nested(name, parents)[key] = _read(os.environ[name], loads)
        return True

    def _nested(self, name: str, parents: Sequence[str]) -> dict[str, Any]:
        """Return the dict below *parents*, for the variable *name*."""
        node: dict[str, Any] = self
        for parent in parents:
            child = node.setdefault(parent, {})
            if not isinstance(child, dict):
                raise TypeError(
                    f"The environment variable {name} leads into {parent!r}, which is "
                    f"no dict but of type {type(child).__name__}. Rename or unset one of the two."
                )
            node = child
        return node

    def get_namespace(
        self, namespace: str, lowercase: bool = True, trim_namespace: bool = True
    ) -> dict[str, Any]:
        """Return the entries whose keys begin with *namespace*, as keywords for a constructor.

        Args:
            namespace: For example ``"IMAGE_STORE_"``.
            lowercase: Return the keys in lower case.
            trim_namespace: Return the keys without *namespace*.
        """
        found = {}
        for key, value in self.items():
            if key.startswith(namespace):
                name = key.removeprefix(namespace) if trim_namespace else key
                found[name.lower() if lowercase else name] = value
        return found

    def __repr__(self) -> str:
        """Return ``<Config {...}>`` with secrets masked."""
        return f"<{type(self).__name__} {_masked('', dict(self))!r}>"


def _unreadable(error: OSError, *, silent: bool) -> bool:
    """Return ``False`` when *silent* and no file is there; else raise *error* with our words."""
    if silent and error.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR):
        return False
    error.strerror = f"Unable to load configuration file ({error.strerror})"
    raise error


def _read(text: str, loads: Callable[[str], Any]) -> Any:
    """Return what *loads* makes of *text*, or *text*."""
    try:
        return loads(text)
    except Exception:  # noqa: BLE001  # loads is the caller's and may raise what it likes
        return text


# --- masking --------------------------------------------------------------------------------------

_MASK = "***"
_SECRET_WORDS = ("PASSWORD", "SECRET", "TOKEN")


def _masked(key: str, value: Any) -> Any:
    """Return *value* fit for a log: what is secret in it, or by the name of its *key*, masked.

    SAFETY: a configuration printed in a log or an error page gives away the signing key.
    """
    name = key.upper()
    if name.endswith("_KEY") or any(word in name for word in _SECRET_WORDS):
        return _MASK if value else value
    if isinstance(value, Mapping):
        return {inner: _masked(str(inner), value[inner]) for inner in value}
    if isinstance(value, list | tuple):
        return [_masked(key, inner) for inner in value]
    return _without_password(value) if isinstance(value, str) else value


def _without_password(text: str) -> str:
    """Mask the password of a URL: ``db://user:***@host``; other text is returned as it is."""
    scheme, separator, rest = text.partition("://")
    userinfo, at, host = rest.rpartition("@")
    user, colon, password = userinfo.partition(":")
    return f"{scheme}{separator}{user}:{_MASK}{at}{host}" if colon and password else text


# --- keys as attributes ---------------------------------------------------------------------------


class _HasConfig(Protocol):
    """An object with a configuration: the application."""

    @property
    def config(self) -> Config: ...


class ConfigAttribute(Generic[T]):
    """An attribute of the application that reads and writes a key of its configuration.

    ``testing = ConfigAttribute[bool]("TESTING")``. Looked up on the class it is itself.
    """

    def __init__(self, name: str, get_converter: Callable[[Any], T] | None = None) -> None:
        """*name* is the key; *get_converter* makes the attribute's value of the stored one."""
        self.name = name
        self.get_converter = get_converter

    @overload
    def __get__(self, obj: None, owner: type) -> Self: ...
    @overload
    def __get__(self, obj: _HasConfig, owner: type) -> T: ...

    def __get__(self, obj: _HasConfig | None, owner: type) -> T | Self:
        """Return the value of the key, converted."""
        if obj is None:
            return self
        value = obj.config[self.name]
        return value if self.get_converter is None else self.get_converter(value)

    def __set__(self, obj: _HasConfig, value: Any) -> None:
        """Store *value* under the key, as it is."""
        obj.config[self.name] = value
