"""Floor 8: whether calls of ``url_for`` would find their rule."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from erlen.app import Erlen
from erlen.cli.findings import Finding
from erlen.cli.link_calls import UNKNOWN, LinkCall, Unreadable
from erlen.routing.rule import Rule

_SPECIAL = frozenset({"_anchor", "_external", "_method", "_scheme"})


def check_links(app: Erlen, calls: Iterable[LinkCall | Unreadable]) -> Iterator[Finding]:
    """Give what is wrong with each call."""
    for call in calls:
        if isinstance(call, Unreadable):
            yield Finding(call.file, call.line, f"This file cannot be parsed: {call.reason}")
        elif not app.url_build_error_handlers:  # they may answer for anything
            reasons = [_reason(app, call, endpoint) for endpoint in _meant(app, call.endpoint)]
            if all(reasons):
                yield Finding(call.file, call.line, f"url_for({call.endpoint!r}): {reasons[0]}")


def _meant(app: Erlen, endpoint: str) -> list[str]:
    """Return the endpoints that a text may mean; which blueprint runs is not known here."""
    if not endpoint.startswith("."):
        return [endpoint]
    return [*(f"{name}{endpoint}" for name in app.blueprints), endpoint[1:]]


def _reason(app: Erlen, call: LinkCall, endpoint: str) -> str:
    """Return why no URL can be built; ``""`` when one can, or nobody knows."""
    rules = [*app.url_map.iter_rules(endpoint)]
    if not rules:
        near = get_close_matches(endpoint, app.url_map.endpoints(), n=1)
        return f"there is no such endpoint.{f' Did you mean {near[0]!r}?' if near else ''}"
    values = {
        name: value
        for name, value in call.values.items()
        if name not in _SPECIAL and value is not None
    }
    method = call.values.get("_method")
    rules, wanted = _with_method(rules, method), rules
    if not rules:
        methods = sorted({each for rule in wanted for each in rule.methods or ()})
        return f"none of its rules has the method {method!r}. They have {', '.join(methods)}."
    # Functions of @app.url_defaults add values, from what is known in a request only.
    scopes = app.declarations_of(endpoint.rpartition(".")[0])
    if not call.is_open and not any(scope.url_defaults for scope in scopes):
        lacking = [rule.arguments - values.keys() - (rule.defaults or {}).keys() for rule in rules]
        fewest = min(lacking, key=len)
        if fewest:
            return f"the value of {', '.join(sorted(fewest))} is missing."
        rules = [rule for rule, lacks in zip(rules, lacking, strict=True) if not lacks]
    known = {name: value for name, value in values.items() if value is not UNKNOWN}
    refusals = [_refusal(rule, known) for rule in rules]
    return refusals[0] if all(refusals) else ""


def _with_method(rules: Sequence[Rule], method: Any) -> list[Rule]:
    if not isinstance(method, str):
        return [*rules]
    return [rule for rule in rules if rule.methods is None or method in rule.methods]


def _refusal(rule: Rule, known: dict[str, Any]) -> str:
    """Return what a rule says against the values that are known; ``""`` for nothing."""
    name = ""
    try:
        for name, placeholder in zip(rule.path.names, rule.path.placeholders, strict=True):
            if name in known:
                placeholder.converter.to_url(known[name])
        if rule.arguments <= known.keys() | (rule.defaults or {}).keys():
            rule.write(known)
    except ValueError as error:
        return f"{rule.rule!r} refuses {name}={known[name]!r}. {error}"
    if any(known.get(key, value) != value for key, value in (rule.defaults or {}).items()):
        return f"{rule.rule!r} stands for {rule.defaults!r} only."
    return ""
