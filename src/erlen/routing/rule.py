"""Floor 2: one rule: its declaration, what it matches, and the URLs that it builds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from erlen.exceptions import WireError
from erlen.routing.converters import ValidationError
from erlen.routing.pattern import Part, Placeholder
from erlen.routing.template import Template, Writer, split_parts
from erlen.wire.patterns import late
from erlen.wire.urls import check_host, printable, urlencode

_DOT_SEGMENT = late(r"/\.\.?(?:/|\Z)")
_WEBSOCKET_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class RuleMap(Protocol):
    """What a rule asks of the map that it is bound to."""

    default_subdomain: str
    strict_slashes: bool
    merge_slashes: bool
    host_matching: bool
    sort_parameters: bool
    sort_key: Callable[[tuple[str, Any]], Any] | None

    def placeholder(self, converter: str, arguments: str) -> Placeholder:
        """Return the placeholder for a converter's name and the text of its arguments."""
        ...


class Rule:
    """A path with placeholders and what stands behind it.

    Args:
        rule: The path, beginning with a slash: ``/users/<name>/posts/<int:id>``.
        endpoint: Name of what answers.
        methods: Methods accepted, ``None`` for all; ``GET`` brings ``HEAD`` along.
        defaults: Values for the view beside those in the path.
        subdomain: Subdomain, may have placeholders; ``None`` for the map's default.
        host: Host, may have placeholders; counts in a map with ``host_matching``.
        strict_slashes: Whether ``/a`` and ``/a/`` differ; ``None`` for the map's setting.
        merge_slashes: Whether runs of slashes redirect to one; ``None`` for the map's setting.
        build_only: Only build URLs, never match.
        redirect_to: Answer with a redirect: text with ``<name>`` for values, or a function of the
            adapter and the values. A target that begins with neither scheme nor slash is relative
            to the script root.
        alias: Redirect to the URL of the endpoint's other rule.
        websocket: Match WebSocket handshakes instead of HTTP requests.
        provide_automatic_options: Kept for the application, which answers OPTIONS.
        origin: Where the rule was declared, for error messages.

    Raises:
        ValueError: The text is malformed, a variable occurs twice, *redirect_to* has an unknown
            one, or a WebSocket rule has a method other than GET, HEAD and OPTIONS.
        TypeError: *methods* is one string.

    Attributes:
        arguments: Names of all values for the view, those of *defaults* included.
        domain: The host or subdomain, whichever the map matches; set by :meth:`bind`.
        path: The path; its placeholders have converters after :meth:`bind`.
        parts: Static segments as text, the others as ``Part``; set by :meth:`bind`.
        key: Equal for rules that match the same URLs; set by :meth:`bind`.
        preferred: Rules whose URL is the canonical one; set when the map is compiled.
        is_final: Whether a match is answered by this rule, never by a redirect to another URL.
        value_names: Names of the placeholders, those of the domain first.
        is_branch: Whether the text ends with a slash.
        is_leaf: The opposite.
        target: Free for whoever serves the rule; routing never looks at it.
        limits: The same, for what is declared with the rule.
    """

    __slots__ = (
        "_write_domain", "_write_path", "alias", "arguments", "build_only", "defaults", "domain",
        "endpoint", "host", "is_branch", "is_final", "key", "limits", "map", "merge_slashes",
        "methods", "origin", "parts", "path", "preferred", "provide_automatic_options",
        "redirect_to", "rule", "strict_slashes", "subdomain", "target", "value_names", "websocket",
    )  # fmt: skip

    def __init__(
        self,
        rule: str,
        *,
        endpoint: str,
        methods: Iterable[str] | None = None,
        defaults: Mapping[str, Any] | None = None,
        subdomain: str | None = None,
        host: str | None = None,
        strict_slashes: bool | None = None,
        merge_slashes: bool | None = None,
        build_only: bool = False,
        redirect_to: str | Callable[..., str] | None = None,
        alias: bool = False,
        websocket: bool = False,
        provide_automatic_options: bool | None = None,
        origin: str = "",
    ) -> None:
        if not rule.startswith("/"):
            raise ValueError(
                f"URL rule {rule!r} must start with a slash. Write it as {'/' + rule!r}."
            )
        self.rule = rule
        self.endpoint = endpoint
        self.methods = _method_set(rule, methods, websocket)
        self.defaults = dict(defaults) if defaults else None
        self.subdomain = subdomain
        self.host = host
        self.strict_slashes = strict_slashes
        self.merge_slashes = merge_slashes
        self.build_only = build_only
        self.redirect_to = redirect_to
        self.alias = alias
        self.websocket = websocket
        self.provide_automatic_options = provide_automatic_options
        self.origin = origin
        self.target: Any = None
        self.limits: Any = None
        self.is_branch = rule.endswith("/")
        self.path = Template(rule)
        self.domain: Template | None = None
        self.arguments = {*self.path.names, *(defaults or ())}
        if isinstance(redirect_to, str):
            unknown = set(Template(redirect_to, may_repeat=True).names) - self.arguments
            if unknown:
                raise ValueError(
                    f"redirect_to={redirect_to!r} uses {min(unknown)!r}, which {rule!r} lacks. "
                    "Use the names of the rule's placeholders and defaults."
                )
        self.map: RuleMap | None = None
        self.parts: Sequence[str | Part] = ()
        self.key: tuple[Any, ...] = ()
        self.value_names: Sequence[str] = self.path.names
        self.preferred: tuple[Rule, ...] = ()
        self.is_final = redirect_to is None
        self._write_path: Writer | None = None
        self._write_domain: Writer | None = None

    @property
    def is_leaf(self) -> bool:
        """Whether the text does not end with a slash."""
        return not self.is_branch

    def arguments_of(self, values: tuple[Any, ...]) -> dict[str, Any]:
        """Return the view's arguments for the values of the placeholders."""
        # PERF: strict=True costs 0.13 us, and a search yields one value for each name.
        arguments = dict(zip(self.value_names, values))  # noqa: B905  # as the line above says
        return self.defaults | arguments if self.defaults else arguments

    def prefer(self, others: Iterable["Rule"]) -> None:
        """Redirect to the URL of the first of *others* that means the same; told by the map."""
        self.preferred = tuple(others)
        self.is_final = not self.preferred and self.redirect_to is None

    def bind(self, map: RuleMap) -> None:  # noqa: A002  # Werkzeug's name
        """Take the settings of *map* and make the converters; called by ``Map.add``.

        Raises:
            LookupError: A converter is unknown.
            RuntimeError: The rule belongs to a map already.
            ValueError: A variable of the host occurs in the path too.
        """
        if self.map is not None:
            raise RuntimeError(
                f"URL rule {self.rule!r} is bound to a map already. Create one rule for each map."
            )
        if self.strict_slashes is None:
            self.strict_slashes = map.strict_slashes
        if self.merge_slashes is None:
            self.merge_slashes = map.merge_slashes
        if self.subdomain is None:
            self.subdomain = map.default_subdomain
        domain = (self.host if map.host_matching else self.subdomain) or ""
        domain_key = self._bind_domain(domain, map) if domain else ()
        self.path.bind(map)
        if self.merge_slashes and "//" in self.rule:
            self.path.merge_slashes()
        self.parts = self._split()
        keys = (part if isinstance(part, str) else part.key for part in self.parts)
        self.key = (domain_key, self.websocket, self.is_branch, *keys)
        self.map = map

    def _bind_domain(self, text: str, map: RuleMap) -> tuple[Any, ...]:  # noqa: A002  # Werkzeug's name
        domain = Template(text)
        both = self.arguments.intersection(domain.names)
        if both:
            raise ValueError(
                f"The variable {min(both)!r} occurs in the host {text!r} and in {self.rule!r}. "
                "Give every placeholder a name of its own."
            )
        domain.texts = tuple(each.lower() for each in domain.texts)
        domain.bind(map)
        self.domain = domain
        self.arguments.update(domain.names)
        self.value_names = domain.names + self.path.names
        pieces = domain.pieces()
        return tuple(piece if isinstance(piece, str) else piece.key for piece in pieces)

    def _split(self) -> Sequence[str | Part]:
        if not self.path.names:
            text = self.path.texts[0]
            return text[1 : -1 if self.is_branch else None].split("/") if text != "/" else []
        pieces = self.path.pieces()
        first, last = self.path.texts[0][1:], self.path.texts[-1]
        pieces[:1] = [first] if first else []
        if self.is_branch:
            pieces[-1:] = [last[:-1]] if last != "/" else []
        return split_parts(pieces)

    def build(
        self, values: Mapping[str, Any], append_unknown: bool = True
    ) -> tuple[str, str] | None:
        """Return the URL for *values* as host or subdomain and path with query.

        Args:
            values: By name; those that the rule does not know become the query, in order, with
                lists, tuples and sets as repeated keys.
            append_unknown: Whether there is a query at all.

        Returns:
            Both percent-encoded, or ``None`` when a value is missing, or :meth:`write` refuses one.

        Raises:
            ValueError: From a converter that is given a value it cannot write.
        """
        if not self.arguments <= values.keys() | (self.defaults or {}).keys():
            return None
        try:
            return self.write(values, append_unknown)
        except ValidationError:
            return None

    def write(self, values: Mapping[str, Any], append_unknown: bool = True) -> tuple[str, str]:
        """Return what :meth:`build` returns for values of which none is missing.

        Raises:
            ValidationError: No request for the URL would be answered by this rule: a converter
                refuses a value, or a segment would be ``.`` or ``..``; or a value cannot be
                written in UTF-8. The message says so.
            ValueError: From a converter that is given a value it cannot write.
        """
        if self._write_path is None:
            self._write_path = Writer(self.path)
            if self.domain is not None and self.domain.names:
                self._write_domain = Writer(self.domain, is_host=True)
        given = {**self.defaults, **values} if self.defaults else values
        path = self._write_path(given)
        domain = self._written_domain(given)
        if "/." in path and self.path.names and _DOT_SEGMENT.search(path):
            # SPEC: WHATWG URL section 4.4: clients take "." and ".." away, also as "%2E%2E".
            raise ValidationError(
                f"The path would be '{printable(path)}', and clients resolve its dots. "
                "Give a value without the segments '.' and '..'."
            )
        if path.startswith("//"):
            # SAFETY: a value that begins with a slash must not make the URL lead to another host.
            path = f"/%2F{path[2:]}"
        if append_unknown and not values.keys() <= self.arguments:
            query = self._query(values)
            if query:
                return domain, f"{path}?{query}"
        return domain, path

    def _written_domain(self, values: Mapping[str, Any]) -> str:
        if self._write_domain is None:
            return self.domain.texts[0] if self.domain is not None else ""
        domain = self._write_domain(values)
        is_whole = self.map is None or self.map.host_matching
        try:
            # SAFETY: a value must not end the host (``evil.com/``, ``user@``), nor bring a port
            # into a subdomain, behind which another name follows.
            check_host((domain if is_whole else f"{domain}.x").encode())
        except WireError as error:
            raise ValidationError(f"'{printable(domain)}' is no host. {error}") from error
        return domain.lower()

    def _query(self, values: Mapping[str, Any]) -> str:
        pairs: list[tuple[str, Any]] = []
        for name, value in values.items():
            if name in self.arguments:
                continue
            if isinstance(value, list | tuple | set | frozenset):
                pairs += [(name, each) for each in value if each is not None]
            else:
                pairs.append((name, value))
        if self.map is not None and self.map.sort_parameters:
            pairs.sort(key=self.map.sort_key)
        try:
            return urlencode(pairs) if pairs else ""
        except ValueError as error:  # a lone surrogate, or too many digits for Python
            raise ValidationError(f"The query cannot be written: {error}.") from error

    def suits(self, values: Mapping[str, Any], method: str | None) -> bool:
        """Whether the rule accepts *method* and its URL means exactly these values.

        Every variable must be given or have a default; a value given for a default that is not in
        the URL must be equal to it.
        """
        if method is not None and self.methods is not None and method not in self.methods:
            return False
        defaults = self.defaults
        if not defaults:
            return values.keys() >= self.arguments
        for name in self.arguments:
            if name in values:
                if name in defaults and not self._shows(name) and values[name] != defaults[name]:
                    return False
            elif name not in defaults:
                return False
        return True

    def _shows(self, name: str) -> bool:
        return name in self.path.names or (self.domain is not None and name in self.domain.names)

    def describe(self) -> str:
        """Return the rule in one line for error messages: text, methods, endpoint and origin."""
        methods = ", ".join(sorted(self.methods)) if self.methods is not None else "all methods"
        kind = "websocket " if self.websocket else ""
        host = f" on {self.host or self.subdomain!r}" if self.host or self.subdomain else ""
        where = f", declared at {self.origin}" if self.origin else ""
        return f"{kind}{self.rule!r}{host} ({methods}) for endpoint {self.endpoint!r}{where}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rule):
            return NotImplemented
        return (self.rule, self.host, self.subdomain, self.websocket) == (
            other.rule, other.host, other.subdomain, other.websocket
        )  # fmt: skip

    __hash__ = None  # type: ignore[assignment]  # equal by value, and the values may change

    def __repr__(self) -> str:
        return f"<Rule {self.describe()}>"


def _method_set(rule: str, methods: Iterable[str] | None, websocket: bool) -> frozenset[str] | None:
    if methods is None:
        return None
    if isinstance(methods, str):
        raise TypeError(
            f"The methods of {rule!r} are the string {methods!r}. "
            f"Allowed methods must be a list of strings, for example [{methods!r}]."
        )
    given = frozenset(method.upper() for method in methods)
    if "GET" in given:
        given |= {"HEAD"}
    if websocket and not given <= _WEBSOCKET_METHODS:
        raise ValueError(
            f"WebSocket rule {rule!r} has the methods {sorted(given - _WEBSOCKET_METHODS)}. "
            "A WebSocket handshake is a GET; give no other methods than GET, HEAD and OPTIONS."
        )
    return given
