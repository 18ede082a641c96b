"""Floor 2: what a search means for the client when it is not just a rule: refusals, redirects."""

import re
from collections.abc import Mapping
from typing import Any

from erlen.exceptions import HTTPException, MethodNotAllowed, NotFound, WebsocketMismatch
from erlen.routing.adapter import MapAdapter
from erlen.routing.converters import ENCODED_SLASH
from erlen.routing.rule import Rule
from erlen.routing.template import Template
from erlen.routing.tree import Wanted
from erlen.wire.patterns import late
from erlen.wire.urls import iri_to_uri, quote_path

_ABSOLUTE = late("https?://", re.IGNORECASE)


def methods_of(wanted: Wanted) -> set[str]:
    """Return the methods by which the rules that were missed could be had."""
    _, websocket, missed = wanted
    return {
        method for rule in missed if rule.websocket == websocket for method in rule.methods or ()
    }


def refusal(wanted: Wanted) -> HTTPException:
    """Return the error for a search that found no rule."""
    if not wanted[2]:
        return NotFound()
    methods = methods_of(wanted)
    return MethodNotAllowed(methods) if methods else WebsocketMismatch()


def split_path(path: str | list[str]) -> list[str]:
    """Return the segments of a request path, encoded slashes as ``ENCODED_SLASH``.

    Args:
        path: A decoded path; or its decoded segments, the empty one before the first slash
            excluded.

    Raises:
        NotFound: The path does not begin with a slash: ``*`` or an authority.
    """
    if isinstance(path, list):
        return [each.replace("/", ENCODED_SLASH) for each in path] or [""]
    if path and path[0] != "/":
        raise NotFound
    return path[1:].split("/")


def merge_slashes(segments: list[str]) -> list[str]:
    """Return the segments without empty ones, the last excepted; *segments* if there are none."""
    if "" not in segments[:-1]:
        return segments
    return [*filter(None, segments[:-1]), segments[-1]]


def path_of(segments: list[str], lacks_slash: bool) -> str:
    """Return the percent-encoded path of segments, with another slash when it lacks one."""
    path = "".join(f"/{quote_path(each).replace('%00', '%2F')}" for each in segments)
    return f"{path}/" if lacks_slash else path


def redirect_target(
    rule: Rule,
    arguments: dict[str, Any],
    method: str,
    adapter: MapAdapter,
    asked: str | None,
) -> str | None:
    """Return where a matched request is sent, ``None`` when the rule answers it.

    Args:
        rule: The rule.
        arguments: The view's arguments.
        method: The request's method.
        adapter: Knows the script root, and is what a ``redirect_to`` function is given.
        asked: The path in the form in which it must be asked for; ``None`` when it was.

    Returns:
        A percent-encoded path from the host's root, or the absolute URL that ``redirect_to`` is.
    """
    root = quote_path(adapter.script_name).rstrip("/")
    if callable(rule.redirect_to):
        target = iri_to_uri(rule.redirect_to(adapter, **arguments))
        return target if _ABSOLUTE.match(target) else _joined(root, target)
    if rule.redirect_to is not None:
        return _filled(rule, rule.redirect_to, arguments, root)
    path = _canonical_path(rule, arguments, method) or asked
    return None if path is None else root + path


def _joined(root: str, target: str) -> str:
    return target if target.startswith("/") else f"{root}/{target}"


def _canonical_path(rule: Rule, arguments: Mapping[str, Any], method: str) -> str | None:
    here = rule.build(arguments, append_unknown=False)
    for other in rule.preferred:
        there = other.build(arguments, append_unknown=False)
        if here and there and other.suits(arguments, method) and _leads_on(here, there):
            return there[1]
    return None


def _leads_on(here: tuple[str, str], there: tuple[str, str]) -> bool:
    """Whether a path-only redirect gets from one URL to the other: same host, other path."""
    return here[0] == there[0] and here[1] != there[1]


def _filled(rule: Rule, text: str, arguments: Mapping[str, Any], root: str) -> str:
    template = Template(text, may_repeat=True)
    known = dict(zip(rule.path.names, rule.path.placeholders, strict=True))
    first, *texts = template.texts
    filled = iri_to_uri(first)
    for name, each in zip(template.names, texts, strict=True):
        value = arguments[name]
        written = known[name].converter.to_url(value) if name in known else quote_path(str(value))
        filled += written + iri_to_uri(each)
    # SAFETY: what the developer wrote makes a URL absolute; a value at the front never does.
    return filled if _ABSOLUTE.match(first) else _joined(root, filled)


def location(target: str, query: str) -> str:
    """Return the ``Location`` for a target of :func:`redirect_target`.

    Args:
        target: The target; an absolute URL is returned as it is.
        query: Raw query of the request, kept unless *target* has one.
    """
    if not target.startswith("/"):
        return target
    # SAFETY: "//evil.example" would lead to another host, so exactly one slash stands in front.
    path = "/" + target.lstrip("/")
    return path + iri_to_uri(f"?{query}") if query and "?" not in path else path
