"""Floor 6: requests that change something are refused when a page of another site sent them.

No tokens: browsers say where a request comes from, in Sec-Fetch-Site or else in Origin. What is no
browser says neither, and carries no cookies that it did not mean to send.
"""

import functools
import logging
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from erlen.context import Context
from erlen.exceptions import Forbidden
from erlen.pipeline.registry import Registry
from erlen.wire.headers import places_of
from erlen.wire.origins import field_values, is_origin, is_same_origin, listed_origins
from erlen.wire.urls import check_host, printable

T = TypeVar("T")

#: Methods that change nothing (RFC 9110 section 9.2.1), whoever asks.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_OWN_SITES = {"same-origin", "none"}
_OTHER_SITES = {"same-site", "cross-site"}
_NO_ORIGIN = "it has a Cookie but no Origin"
_TO_A_PROGRAM = (
    "This request has a Cookie, and does not say where it comes from. "
    "A program sends the Origin of this host with it."
)
_TO_A_PAGE = "This request came from a page of another site."
#: Most characters that a log shows of what the peer sent.
_SHOWN = 100


def csrf_exempt(target: T) -> T:
    """Let pages of other sites send unsafe requests to a view, a view class or a blueprint.

    For what is called across sites and does not trust cookies: a webhook, an API with tokens. As a
    decorator of a view it may stand above or below the route's.

    Raises:
        FrozenError: A blueprint that is already served.
        TypeError: *target* keeps no attributes, such as a bound method.
    """
    marked: Any = target
    if isinstance(target, Registry):
        target.check_open("csrf_exempt")
        marked = target.declared
    try:
        marked.csrf_exempt = True
    except AttributeError:
        raise TypeError(
            f"csrf_exempt() cannot mark {target!r} of type {type(target).__name__}. "
            "Give a function, a class or a blueprint."
        ) from None
    return target


def needs_check(
    view: Any, methods: Iterable[str] | None, scopes: Iterable[Any], config: Mapping[str, Any]
) -> bool:
    """Tell, at the freeze, whether requests for a rule may have to be refused.

    Args:
        view: The view function as it was registered.
        methods: Those of the rule; ``None`` for any.
        scopes: Declarations of the application and of the blueprints around the view.
        config: CSRF_PROTECTION is read.
    """
    if not config["CSRF_PROTECTION"] or (methods is not None and SAFE_METHODS.issuperset(methods)):
        return False
    while isinstance(view, functools.partial) and not _is_exempt(view):
        view = view.func
    marks = (view, getattr(view, "view_class", None), *scopes)
    return not any(map(_is_exempt, marks))


def _is_exempt(marked: Any) -> bool:
    return bool(getattr(marked, "csrf_exempt", False))


#: Fields by which something is refused; a request without any of them never is.
_OF_BROWSERS = {"origin", "sec-fetch-site", "cookie"}


def guard_origin(context: Context) -> None:
    """Check what is not safe by its method; comes before all hooks (``Pipeline.check``)."""
    # PERF: three look-ups tell that it is no browser, 0.4 µs; to read the values takes 1 µs more.
    if context.scope["method"] not in SAFE_METHODS and not _OF_BROWSERS.isdisjoint(
        places_of(context.scope["headers"])
    ):
        check_origin(context)


def check_origin(context: Context) -> None:
    """Refuse an unsafe request that a page of another site sent.

    Raises:
        Forbidden: It did; the log says at level INFO by what that was seen.
    """
    reason = _why_refused(context)
    if reason is None:
        return
    logging.getLogger(context.app.name).info(
        "Refused %s %s: %s.",
        printable(context.scope["method"], _SHOWN),
        printable(context.path, _SHOWN),
        reason,
    )
    raise Forbidden(_TO_A_PROGRAM if reason == _NO_ORIGIN else _TO_A_PAGE)


def _why_refused(context: Context) -> str | None:
    headers = context.scope["headers"]
    sites = field_values(headers, b"sec-fetch-site")
    origins = field_values(headers, b"origin")
    # SAFETY: of two values the one that is believed might not be the browser's.
    if len(sites) > 1 or len(origins) > 1:
        return "Sec-Fetch-Site or Origin is repeated"
    origin = origins[0] if origins else None
    if origin is not None and not is_origin(origin):
        return f"the Origin {printable(origin, _SHOWN)!r} is malformed"
    if sites:
        if sites[0] in _OWN_SITES:
            return None
        if sites[0] not in _OTHER_SITES:
            return f"the Sec-Fetch-Site {printable(sites[0], _SHOWN)!r} is unknown"
    elif origin is None:
        return _NO_ORIGIN if field_values(headers, b"cookie") else None
    elif is_same_origin(origin, context.scope.get("scheme", "http"), _host(context)):
        return None
    if origin in listed_origins(context.app.config["CSRF_TRUSTED_ORIGINS"]):
        return None
    return f"its page is of {printable(origin or 'another origin', _SHOWN)!r}"


def _host(context: Context) -> str:
    hosts = field_values(context.scope["headers"], b"host")
    return check_host(hosts[0].encode("latin-1")) if hosts else ""
