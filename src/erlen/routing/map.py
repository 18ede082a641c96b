"""Floor 2: all rules of an application: requests to rules, endpoints to URLs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from erlen.exceptions import DuplicateRuleError, RequestRedirect
from erlen.routing.adapter import MapAdapter
from erlen.routing.converters import DEFAULT_CONVERTERS, BaseConverter, parse_converter_args
from erlen.routing.outcome import (
    location,
    merge_slashes,
    methods_of,
    path_of,
    redirect_target,
    refusal,
    split_path,
)
from erlen.routing.pattern import Part, Placeholder, Reader, domain_reader
from erlen.routing.rule import Rule
from erlen.routing.shapes import Shapes, may_be_sent
from erlen.routing.tree import Hit, Tree, Wanted

_BUILT_IN = frozenset(DEFAULT_CONVERTERS.values())
_MAY_BE_SHARED = frozenset({"HEAD", "OPTIONS"})
_LONGEST_HOST = 261  # a name of 255 characters, a colon and a port


class Map:
    """The rules, the settings that they share, and the converters that they use.

    Args:
        rules: Rules to add.
        default_subdomain: Subdomain of rules that name none.
        strict_slashes: Whether ``/a`` and ``/a/`` differ.
        merge_slashes: Whether runs of slashes redirect to one.
        redirect_defaults: Whether a URL that spells out the defaults of another rule of its
            endpoint redirects there.
        converters: Converters beside the built-in ones, by name.
        sort_parameters: Whether queries of built URLs are sorted.
        sort_key: Sort key for the ``(name, value)`` pairs of a query.
        host_matching: Whether rules are matched by ``host``.
        subdomain_matching: Whether rules are matched by ``subdomain``; without it every request
            is one for the default subdomain.

    Attributes:
        converters: Converters by the name that rules use; add your own before the rules.
        shapes: The plain rules of a map without domains, ``None`` in others and before
            :meth:`compile`.
    """

    def __init__(
        self,
        rules: Iterable[Rule] | None = None,
        default_subdomain: str = "",
        strict_slashes: bool = True,
        merge_slashes: bool = True,
        redirect_defaults: bool = True,
        converters: dict[str, type[BaseConverter]] | None = None,
        sort_parameters: bool = False,
        sort_key: Callable[[tuple[str, Any]], Any] | None = None,
        host_matching: bool = False,
        subdomain_matching: bool = False,
    ) -> None:
        self.default_subdomain = default_subdomain
        self.strict_slashes = strict_slashes
        self.merge_slashes = merge_slashes
        self.redirect_defaults = redirect_defaults
        self.converters: dict[str, type[BaseConverter]] = {
            **DEFAULT_CONVERTERS,
            **(converters or {}),
        }
        self.sort_parameters = sort_parameters
        self.sort_key = sort_key
        self.host_matching = host_matching
        self.subdomain_matching = subdomain_matching
        self._rules: list[Rule] = []
        self._by_endpoint: dict[str, list[Rule]] = {}
        self._by_key: dict[tuple[Any, ...], list[Rule]] = {}
        self._placeholders: dict[tuple[type[BaseConverter], str], Placeholder] = {}
        self._is_stale = True
        self._only: Tree | None = None
        self.shapes: Shapes | None = None
        self._trees: dict[str, Tree] = {}
        self._patterns: list[tuple[Reader, Tree]] = []
        for rule in rules or ():
            self.add(rule)

    # --- declaring --------------------------------------------------------------------------------

    def add(self, rule: Rule) -> None:
        """Bind *rule* to this map and take it in.

        Raises:
            DuplicateRuleError: A rule that matches the same requests is here already.
            LookupError: The rule names an unknown converter.
            RuntimeError: The rule belongs to a map already.
        """
        rule.bind(self)
        if not rule.build_only:
            same = self._by_key.setdefault(rule.key, [])
            for other in same:
                if _overlap(other.methods, rule.methods):
                    raise DuplicateRuleError(other.describe(), rule.describe())
            same.append(rule)
        self._rules.append(rule)
        self._by_endpoint.setdefault(rule.endpoint, []).append(rule)
        self._is_stale = True

    def placeholder(self, converter: str, arguments: str) -> Placeholder:
        """Return the placeholder for a converter's name and the text of its arguments."""
        cls = self.converters.get(converter)
        if cls is None:
            raise LookupError(
                f"The converter {converter!r} does not exist. "
                f"Use one of {sorted(self.converters)}, or add yours to url_map.converters first."
            )
        found = self._placeholders.get((cls, arguments))
        if found is None:
            args, kwargs = parse_converter_args(arguments)
            key = (cls, args, tuple(sorted(kwargs.items())))
            found = Placeholder(cls(self, *args, **kwargs), key)
            if cls in _BUILT_IN:
                self._placeholders[cls, arguments] = found
        return found

    def iter_rules(self, endpoint: str | None = None) -> Iterator[Rule]:
        """Iterate over the rules in the order of their declaration, of one endpoint or of all."""
        return iter(self._rules if endpoint is None else self._by_endpoint.get(endpoint, ()))

    def is_endpoint_expecting(self, endpoint: str, *arguments: str) -> bool:
        """Whether a rule of *endpoint* takes all these arguments; ``False`` for an unknown one."""
        wanted = set(arguments)
        return any(wanted <= rule.arguments for rule in self.iter_rules(endpoint))

    def compile(self) -> None:
        """Build the trees; otherwise done by the first match after an :meth:`add`."""
        for endpoint, rules in self._by_endpoint.items():
            if len(rules) > 1:
                self._by_endpoint[endpoint] = ordered = sorted(rules, key=_build_order)
                _set_preferred(ordered, self.redirect_defaults)
        domains: dict[tuple[Any, ...], list[Rule]] = {}
        for rule in self._rules:
            if not rule.build_only:
                domains.setdefault(rule.key[0], []).append(rule)
        trees: dict[str, Tree] = {}
        patterns: list[tuple[Part, Tree]] = []
        for key, rules in domains.items():
            domain = rules[0].domain
            if domain is not None and domain.names:
                patterns.append((Part(tuple(domain.pieces())), Tree(rules)))
            else:
                trees["".join(key)] = Tree(rules)
        patterns.sort(key=lambda pattern: pattern[0].specificity())
        self._trees = trees
        self._patterns = [(domain_reader(part.pieces), tree) for part, tree in patterns]
        if not self.host_matching and not self.subdomain_matching:
            self._only = trees.get(self.default_subdomain.lower()) or Tree([])
            self.shapes = Shapes(domains.get((), ()))
        self._is_stale = False

    # --- matching ---------------------------------------------------------------------------------

    def match(
        self,
        path: str | list[str],
        method: str,
        websocket: bool = False,
        domain: str = "",
        *,
        script_name: str = "",
        query_string: str = "",
        adapter: MapAdapter | None = None,
    ) -> tuple[Rule, dict[str, Any]]:
        """Return the rule for a request and the view's arguments.

        Args:
            path: The decoded path, ``"/users/ann"``; or, when it has encoded slashes, the list of
                its decoded segments without the empty one in front of the first slash.
            method: Upper-case method.
            websocket: Whether this is a WebSocket handshake.
            domain: With ``host_matching`` the host, with the port unless it is the scheme's own;
                with ``subdomain_matching`` the subdomain.
            script_name: Decoded prefix that redirects must bear.
            query_string: Raw query that redirects keep.
            adapter: What a ``redirect_to`` function is given, and whose prefix counts; when it is
                ``None``, one that knows only *script_name*.

        Raises:
            NotFound: No rule fits the path.
            MethodNotAllowed: Rules fit the path, but not the method.
            WebsocketMismatch: Only rules of the other kind fit the path.
            RequestRedirect: The resource has another URL; ``new_url`` is a percent-encoded path
                that begins with exactly one slash, or an absolute URL from ``redirect_to``.
        """
        if self._is_stale:
            self.compile()
        tree = self._only
        wanted: Wanted = (method, websocket, [])
        if tree is not None and isinstance(path, str):
            # PERF: a static path costs one look-up, 0.27 us in all.
            for methods, rule in tree.exact[websocket].get(path, ()):
                if method in methods:
                    return rule, dict(rule.defaults) if rule.defaults else {}
            segments = path[1:].split("/") if path[:1] == "/" else split_path(path)
            hit = tree.find(segments, wanted)
        else:
            segments = split_path(path)
            hit = self._find(segments, domain, wanted)
        if hit is not None:
            rule, values, lacks_slash = hit
            if rule.is_final and not lacks_slash:
                return rule, rule.arguments_of(values)
        is_merged = False
        if hit is None:
            hit, segments, is_merged = self._find_otherwise(segments, domain, wanted)
        rule, values, lacks_slash = hit
        arguments = rule.arguments_of(values)
        asked = path_of(segments, lacks_slash) if is_merged or lacks_slash else None
        adapter = adapter or self.bind("", script_name)
        target = redirect_target(rule, arguments, method, adapter, asked)
        if target is not None:
            raise RequestRedirect(location(target, query_string))
        return rule, arguments

    def _find_otherwise(
        self, segments: list[str], domain: str, wanted: Wanted
    ) -> tuple[Hit, list[str], bool]:
        """Return what a second search finds, with what segments, and whether those are merged.

        Raises:
            HTTPException: It finds nothing.
        """
        if not segments[-1]:
            hit = self._find(segments, domain, wanted, keep_slash=True)
            if hit is not None:
                return hit, segments, False
        merged = merge_slashes(segments)
        hit = self._find(merged, domain, wanted) if merged is not segments else None
        if hit is None or not hit[0].merge_slashes:
            raise refusal(wanted)
        return hit, merged, True

    def fixed_paths(self) -> Iterator[tuple[str, list[Rule]]]:
        """Yield the paths that are answered without converting or redirecting, with their rules.

        Only those of HTTP rules, in a map without domains, that may be sent as they are: all that
        a placeholder of :class:`Shapes` would take.
        """
        exact = self._only.exact[False] if self._only is not None else {}
        for path, ends in exact.items():
            if may_be_sent(path) and not any(rule.defaults for _, rule in ends):
                yield path, [rule for _, rule in ends]

    def allowed_methods(
        self, path: str | list[str], domain: str = "", websocket: bool = False
    ) -> list[str]:
        """Return the methods that a path accepts, sorted; arguments as for :meth:`match`.

        Rules that accept every method contribute nothing.
        """
        if self._is_stale:
            self.compile()
        segments = split_path(path)
        wanted: Wanted = ("", websocket, [])
        self._find(segments, domain, wanted)
        merged = merge_slashes(segments)
        if merged is not segments and not wanted[2]:
            self._find(merged, domain, wanted)
        return sorted(methods_of(wanted))

    def _find(
        self, segments: list[str], domain: str, wanted: Wanted, keep_slash: bool = False
    ) -> Hit | None:
        if self._only is not None:
            return self._only.find(segments, wanted, keep_slash)
        domain = domain.lower()
        static = self._trees.get(domain)
        hit = static.find(segments, wanted, keep_slash) if static is not None else None
        if hit is not None or len(domain) > _LONGEST_HOST:
            return hit
        for read, tree in self._patterns:
            values = read(domain)
            if values is not None:
                hit = tree.find(segments, wanted, keep_slash)
                if hit is not None:
                    return hit[0], values + hit[1], hit[2]
        return None

    # --- building ---------------------------------------------------------------------------------

    def rules_for(self, endpoint: str) -> Sequence[Rule]:
        """Return the rules of an endpoint in the order in which they are tried for its URL."""
        if self._is_stale:
            self.compile()
        return self._by_endpoint.get(endpoint, ())

    def endpoints(self) -> Iterable[str]:
        """Return the names of all endpoints."""
        return self._by_endpoint.keys()

    def bind(
        self,
        server_name: str,
        script_name: str | None = None,
        subdomain: str | None = None,
        url_scheme: str = "http",
        default_method: str = "GET",
        path_info: str | None = None,
        query_args: Mapping[str, Any] | str | None = None,
    ) -> MapAdapter:
        """Return an adapter for requests to one server; arguments as :class:`MapAdapter` takes.

        Raises:
            RuntimeError: A subdomain is given although the map matches hosts.
        """
        if self.host_matching and subdomain is not None:
            raise RuntimeError(
                f"The subdomain {subdomain!r} was given to a map with host_matching. "
                "Give the whole host as server_name."
            )
        if subdomain is None:
            subdomain = self.default_subdomain
        return MapAdapter(
            self, server_name, script_name or "/", subdomain, url_scheme=url_scheme,
            default_method=default_method, path_info=path_info or "/", query_args=query_args,
        )  # fmt: skip


def _build_order(rule: Rule) -> tuple[bool, int, int]:
    """Return the sort key of an endpoint's rules: canonical ones, then those that say most."""
    return rule.alias, -len(rule.arguments), -len(rule.defaults or ())


def _set_preferred(rules: Sequence[Rule], redirect_defaults: bool) -> None:
    """Tell every rule which ones before it are canonical for the same resource."""
    usable = [rule for rule in rules if not rule.build_only]
    canonical = [rule for rule in usable if not rule.alias]
    with_defaults: list[Rule] = []
    for rule in usable:
        if rule.alias:
            candidates = canonical
        else:
            candidates = [each for each in with_defaults if each.arguments == rule.arguments]
            if rule.defaults and redirect_defaults:
                with_defaults.append(rule)
        rule.prefer(each for each in candidates if each.websocket == rule.websocket)


def _overlap(first: frozenset[str] | None, second: frozenset[str] | None) -> bool:
    """Whether one of two method sets hides the other; HEAD and OPTIONS alone may be shared."""
    if first is None or second is None or first == second:
        return True
    return not (first & second) <= _MAY_BE_SHARED
