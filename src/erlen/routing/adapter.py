"""Floor 2: a map seen from one server: matching with what is known of it, and building URLs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from erlen.exceptions import BuildError, HTTPException, NotFound, RequestRedirect
from erlen.routing.converters import ValidationError
from erlen.routing.rule import Rule
from erlen.wire.multidict import MultiDict
from erlen.wire.urls import quote_path, urlencode

_IS_SECURE = {"http": False, "https": True, "ws": False, "wss": True}


class AdapterMap(Protocol):
    """What an adapter asks of its map."""

    host_matching: bool

    def match(
        self,
        path: str | list[str],
        method: str,
        websocket: bool = False,
        domain: str = "",
        *,
        script_name: str = "",
        query_string: str = "",
        adapter: "MapAdapter | None" = None,
    ) -> tuple[Rule, dict[str, Any]]:
        """Return the rule for a request and the view's arguments."""
        ...

    def allowed_methods(
        self, path: str | list[str], domain: str = "", websocket: bool = False
    ) -> list[str]:
        """Return the methods that a path accepts."""
        ...

    def rules_for(self, endpoint: str) -> Sequence[Rule]:
        """Return the rules of an endpoint in the order in which they are tried for its URL."""
        ...

    def endpoints(self) -> Iterable[str]:
        """Return the names of all endpoints."""
        ...


class MapAdapter:
    """Matches and builds for one server.

    Args:
        map: The map.
        server_name: Host, with a port that is not the scheme's own; without the subdomain unless
            the map matches hosts.
        script_name: Decoded prefix of the application, ``"/"`` for none.
        subdomain: Subdomain of the current request.
        url_scheme: ``http``, ``https``, ``ws`` or ``wss``, as the client speaks.
        default_method: Method of the current request.
        path_info: Path of the current request.
        query_args: Query of the current request, which redirects keep: raw or as a mapping.
    """

    def __init__(
        self,
        map: AdapterMap,  # noqa: A002  # Werkzeug's name
        server_name: str,
        script_name: str,
        subdomain: str,
        *,
        url_scheme: str = "http",
        default_method: str = "GET",
        path_info: str = "/",
        query_args: Mapping[str, Any] | str | None = None,
    ) -> None:
        self.map = map
        self.server_name = server_name
        self.script_name = script_name if script_name.endswith("/") else f"{script_name}/"
        self.subdomain = subdomain
        self.url_scheme = url_scheme.lower()
        self.default_method = default_method
        self.path_info = path_info
        self.query_args = query_args
        self.websocket = self.url_scheme in {"ws", "wss"}
        self._root = quote_path(self.script_name).rstrip("/")
        self._domain = (server_name if map.host_matching else subdomain).lower()

    def match(
        self,
        path_info: str | list[str] | None = None,
        method: str | None = None,
        return_rule: bool = False,
        query_args: Mapping[str, Any] | str | None = None,
        websocket: bool | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Return endpoint and arguments of a request; what is ``None`` is as bound.

        Args:
            path_info: Decoded path, or its segments as ``Map.match`` takes them.
            method: Method.
            return_rule: Return the rule instead of its endpoint.
            query_args: Query.
            websocket: Whether it is a WebSocket handshake.

        Raises:
            HTTPException: As ``Map.match`` does.
        """
        query = self.query_args if query_args is None else query_args
        rule, arguments = self.map.match(
            self.path_info if path_info is None else path_info,
            (method or self.default_method).upper(),
            self.websocket if websocket is None else websocket,
            self._domain,
            script_name=self.script_name,
            query_string=query if isinstance(query, str) else urlencode((query or {}).items()),
            adapter=self,
        )
        return (rule if return_rule else rule.endpoint), arguments

    def test(self, path_info: str | list[str] | None = None, method: str | None = None) -> bool:
        """Whether a request would be answered or redirected by a rule."""
        try:
            self.match(path_info, method)
        except RequestRedirect:
            return True
        except HTTPException:
            return False
        return True

    def allowed_methods(self, path_info: str | list[str] | None = None) -> list[str]:
        """Return the methods that a path accepts, sorted; none for an unknown path."""
        path = self.path_info if path_info is None else path_info
        try:
            return self.map.allowed_methods(path, self._domain, self.websocket)
        except NotFound:
            return []

    def get_host(self, domain_part: str | None = None) -> str:
        """Return the host for a rule's host or subdomain, ``None`` for the current one."""
        if self.map.host_matching:
            return domain_part or self.server_name
        subdomain = self.subdomain if domain_part is None else domain_part
        return f"{subdomain}.{self.server_name}" if subdomain else self.server_name

    def build(
        self,
        endpoint: str,
        values: Mapping[str, Any] | None = None,
        method: str | None = None,
        force_external: bool = False,
        append_unknown: bool = True,
        url_scheme: str | None = None,
    ) -> str:
        """Return the URL of an endpoint.

        It is a path below the script root. It is absolute on demand, for another host or
        subdomain than the current one, and for WebSocket rules, because browsers ask for it.

        Args:
            endpoint: Name of the endpoint.
            values: Arguments of the view; unknown ones become the query; ``None`` is left out.
            method: Consider only rules with this method; without one, rules for the current
                request's method are preferred.
            force_external: Make the URL absolute.
            append_unknown: Whether unknown values become the query.
            url_scheme: Scheme of an absolute URL instead of the current one, ``http``, ``https``,
                ``ws`` or ``wss`` in any case; what counts is whether it is a secure one.

        Raises:
            BuildError: No rule of the endpoint can be built from the values.
            ValueError: A converter cannot write a value, or *url_scheme* is another one; the
                caller's fault.
        """
        secure = _is_secure(url_scheme) if url_scheme is not None else None
        given = _given(values)
        built = None
        if method is None:
            built = self._build(endpoint, given, self.default_method, append_unknown)
        built = built or self._build(endpoint, given, method, append_unknown)
        if built is None:
            raise self._build_error(endpoint, given, method)
        rule, domain, path = built
        is_here = domain == self._domain or (self.map.host_matching and not domain)
        if is_here and not force_external and not rule.websocket:
            return self._root + path
        if secure is None:
            secure = self.url_scheme in {"https", "wss"}
        scheme = ("wss" if secure else "ws") if rule.websocket else ("https" if secure else "http")
        return f"{scheme}://{self.get_host(domain)}{self._root}{path}"

    def _build(
        self, endpoint: str, values: Mapping[str, Any], method: str | None, append_unknown: bool
    ) -> tuple[Rule, str, str] | None:
        elsewhere = None
        for rule in self.map.rules_for(endpoint):
            if not rule.suits(values, method):
                continue
            try:
                domain, path = rule.write(values, append_unknown)
            except ValidationError:
                continue
            if not self.map.host_matching or domain == self._domain:
                return rule, domain, path
            elsewhere = elsewhere or (rule, domain, path)
        return elsewhere

    def _build_error(
        self, endpoint: str, values: Mapping[str, Any], method: str | None
    ) -> BuildError:
        rules = self.map.rules_for(endpoint)
        suggested = None
        if not rules:
            from difflib import get_close_matches

            near = get_close_matches(str(endpoint), self.map.endpoints(), n=1)
            suggested = near[0] if near else None
            hint = f"Did you mean {suggested!r} instead?" if near else "No rule has this endpoint."
        else:
            hint = _hint(rules, values, method)
        return BuildError(endpoint, dict(values), method, hint=hint, suggested=suggested)


def _given(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the values that are not ``None``; several ones of a multi-dict as a list."""
    if not values:
        return {}
    if isinstance(values, MultiDict):
        lists = ((name, [v for v in each if v is not None]) for name, each in values.lists())
        return {name: each if len(each) > 1 else each[0] for name, each in lists if each}
    return {name: value for name, value in values.items() if value is not None}


def _hint(rules: Sequence[Rule], values: Mapping[str, Any], method: str | None) -> str:
    """Return the sentence that says why no rule of a known endpoint can be built."""
    fitting = [r for r in rules if method is None or r.methods is None or method in r.methods]
    if not fitting:
        methods = sorted({each for rule in rules for each in rule.methods or ()})
        return f"Did you mean to use methods {methods!r}?"
    lacking = [rule.arguments - values.keys() - (rule.defaults or {}).keys() for rule in fitting]
    fewest = min(lacking, key=len)
    if fewest:
        return f"Did you forget to specify values {sorted(fewest)!r}?"
    for rule in fitting:
        try:
            if rule.suits(values, method):
                rule.write(values)
        except ValidationError as refusal:
            if str(refusal):
                return str(refusal)
    return "No rule accepts these values; compare them with its defaults and converters."


def _is_secure(scheme: str) -> bool:
    secure = _IS_SECURE.get(str(scheme).lower())
    if secure is None:
        raise ValueError(
            f"The scheme {scheme!r} is none of those that an application speaks. "
            "Give 'http', 'https', 'ws' or 'wss'."
        )
    return secure
