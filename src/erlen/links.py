"""Floor 5: ``url_for``: from an endpoint to a URL, inside an exchange or outside of one."""

import contextlib
from typing import Any, Protocol
from urllib.parse import urlsplit

from erlen.context import current, current_context
from erlen.exceptions import BuildError
from erlen.protocols import Application
from erlen.routing.adapter import MapAdapter
from erlen.wire.urls import quote_fragment


class Linking(Application, Protocol):
    """What building a URL needs of the application."""

    url_build_error_handlers: list[Any]

    def inject_url_defaults(self, endpoint: str, values: dict[str, Any]) -> None:
        """Let the ``url_defaults`` functions of the endpoint's scope add values."""
        ...


def url_for(
    endpoint: str,
    *,
    _anchor: str | None = None,
    _method: str | None = None,
    _scheme: str | None = None,
    _external: bool | None = None,
    **values: Any,
) -> str:
    """Build the URL of an endpoint of the current application; see :func:`build_url`."""
    app: Any = current().app
    url: str = app.url_for(
        endpoint, _anchor=_anchor, _method=_method, _scheme=_scheme, _external=_external, **values
    )
    return url


def build_url(
    app: Linking,
    endpoint: str,
    values: dict[str, Any],
    *,
    anchor: str | None = None,
    method: str | None = None,
    scheme: str | None = None,
    external: bool | None = None,
) -> str:
    """Build the URL of an endpoint.

    Args:
        app: The application whose rules are looked up.
        endpoint: ``"blueprint.name"``; a leading dot means the blueprint of the running exchange.
        values: The rule's variables; others become the query, ``None`` is dropped.
        anchor: Appended after ``#``, percent-encoded.
        method: Prefer a rule with this method.
        scheme: ``http``, ``https``, ``ws`` or ``wss``; makes the URL external.
        external: With scheme and host. Default: only with *scheme*, or when no exchange runs and
            ``SERVER_NAME`` is set.

    Returns:
        A path with the root path in front, or a whole URL.

    Raises:
        BuildError: No rule fits, or none would be matched by the URL: the sentence says which
            values or methods are missing or refused.
        ValueError: *scheme* was given with ``external=False``, or is another one.
        TypeError: *endpoint* is no string.
        RuntimeError: A whole URL is asked for, or the rule needs one, and no host is known.
    """
    if not isinstance(endpoint, str):
        raise TypeError(
            f"The endpoint {endpoint!r} is {type(endpoint).__name__}, not str. "
            "Give its name, which is that of the view function unless the route says otherwise."
        )
    if scheme is not None and external is False:
        raise ValueError(
            f"_scheme={scheme!r} was given with _external=False, and a path has no scheme. "
            "Leave one of them out."
        )
    context = current_context.get(None)
    if context is not None and context.scope is not None and context.app is app:
        adapter: MapAdapter = context.url_adapter
        endpoint = _absolute_endpoint(endpoint, context.exchange.blueprint)
        by_default = scheme is not None
    else:
        adapter = app.bind_url_map(None)
        by_default = scheme is not None or bool(app.config["SERVER_NAME"])
    app.inject_url_defaults(endpoint, values)
    try:
        url = adapter.build(
            endpoint,
            values,
            method=method,
            url_scheme=scheme,
            force_external=by_default if external is None else external,
        )
        end = "" if anchor is None else _fragment(anchor, endpoint, values, method)
    except BuildError as error:
        special = {"_anchor": anchor, "_method": method, "_scheme": scheme, "_external": external}
        return _ask_build_error_handlers(app, error, endpoint, {**values, **special})
    _check_host(url, adapter)
    return url + end


def _fragment(anchor: object, endpoint: str, values: dict[str, Any], method: str | None) -> str:
    try:
        return f"#{quote_fragment(str(anchor))}"
    except ValueError as error:  # a lone surrogate, or too many digits for Python
        hint = f"The anchor cannot be written: {error}."
        raise BuildError(endpoint, values, method, hint=hint) from error


def _absolute_endpoint(endpoint: str, blueprint: str | None) -> str:
    """Return an endpoint with the running blueprint in place of a leading dot's nothing."""
    if not endpoint.startswith("."):
        return endpoint
    return f"{blueprint}{endpoint}" if blueprint else endpoint[1:]


def _check_host(url: str, adapter: MapAdapter) -> None:
    """Refuse a whole URL that would have no host; a path works always."""
    if url.startswith("/") or adapter.server_name:
        return
    if adapter.map.host_matching and urlsplit(url).netloc:
        return  # the rule itself names its host
    raise RuntimeError(
        f"The URL {url!r} needs a host, and none is known: no request runs, or it names none, and "
        "SERVER_NAME is not set. Set SERVER_NAME (with APPLICATION_ROOT and PREFERRED_URL_SCHEME "
        "where they differ), or pass _external=False for a path."
    )


def _ask_build_error_handlers(
    app: Linking, error: BuildError, endpoint: str, values: dict[str, Any]
) -> str:
    """Return the first handler's answer; a handler passes by ``None`` or a ``BuildError``."""
    for handler in app.url_build_error_handlers:
        with contextlib.suppress(BuildError):
            url = handler(error, endpoint, values)
            if url is not None:
                return str(url)
    raise error
