"""Floor 8: which rule answers a request, and why each of the others that come close does not."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from erlen.app import Erlen
from erlen.exceptions import HTTPException, RequestRedirect
from erlen.pipeline.admission import Admission
from erlen.routing.converters import ENCODED_SLASH, BaseConverter, ValidationError
from erlen.routing.outcome import merge_slashes, split_path
from erlen.routing.pattern import Part, domain_reader
from erlen.routing.rule import Rule
from erlen.testing.request_context import request_scope

#: Words for the method of a WebSocket handshake.
WEBSOCKET = "WEBSOCKET"


class Asked(NamedTuple):
    """A request, as the router sees it."""

    method: str
    websocket: bool
    domain: str
    segments: list[str]


class Candidate(NamedTuple):
    """A rule that comes close to a request, and why it does not answer."""

    rule: Rule
    reason: str


class Explanation(NamedTuple):
    """What becomes of a request.

    Attributes:
        outcome: In words: the endpoint with its arguments, a redirect, a mount or an error.
        winner: The rule that answers.
        candidates: The others that come close.
    """

    outcome: str
    winner: Rule | None
    candidates: list[Candidate]


def explain(app: Erlen, method: str, url: str) -> Explanation:
    """Tell what becomes of a request.

    Args:
        app: The application.
        method: ``GET`` …, or :data:`WEBSOCKET` for a handshake.
        url: A path, or a whole URL where rules look at hosts.
    """
    websocket = method == WEBSOCKET
    scope, _ = request_scope(app, url, method="GET" if websocket else method)
    admit = Admission(
        app.config,
        host_matching=app.url_map.host_matching,
        subdomain_matching=app.url_map.subdomain_matching,
    )
    try:
        host = admit.check_section(scope)
        path, given = admit.split_target(scope, host)
        segments = split_path(given or path)
    except HTTPException as error:
        return Explanation(_named(error), None, [])
    asked = Asked(scope["method"], websocket, admit.domain(scope, host), segments)
    outcome, winner, remark = _outcome(app, asked, given or path)
    candidates = []
    for rule in app.url_map.iter_rules():
        if rule is not winner and not rule.build_only:
            reasons = _path_reasons(rule, segments)
            if reasons is not None:
                reasons += _other_reasons(rule, asked)
                candidates.append(Candidate(rule, "; ".join(reasons) or remark))
    return Explanation(outcome, winner, candidates)


def _outcome(app: Erlen, asked: Asked, path: str | list[str]) -> tuple[str, Rule | None, str]:
    """Return the outcome, the rule that answers, and why one that fits as well does not."""
    rule: Rule | None = None
    try:
        rule, arguments = app.url_map.match(path, asked.method, asked.websocket, asked.domain)
    except RequestRedirect as redirect:
        outcome = f"{redirect.code} redirect to {redirect.new_url}"
        return outcome, None, "it answers where the redirect leads"
    except HTTPException as error:
        outcome, remark = _named(error), ""
    else:
        values = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        outcome, remark = f"{rule.endpoint}({values})", f"{rule.rule!r} is more specific"
    mounts = app.lifespan_declarations.mounts
    for mount in sorted(mounts, key=lambda mount: len(mount.segments), reverse=True):
        count = len(mount.segments)
        if mount.segments != asked.segments[:count]:
            continue
        if rule is None or list(rule.parts[:count]) != mount.segments:
            return mount.name, None, f"the mount at {mount.path or '/'!r} says more"
    return outcome, rule, remark


def _named(error: HTTPException) -> str:
    return f"{error.code} {error.name}"


def _path_reasons(rule: Rule, asked: list[str]) -> list[str] | None:
    """Return why the path of a request is not the rule's; ``None`` when they have little in common.

    Something in common have paths of as many segments whose static ones are equal.
    """
    segments = merge_slashes(asked)
    slash = not segments[-1]
    left = segments[:-1] if slash else segments
    reasons = []
    names = iter(rule.path.names)
    for part in rule.parts:
        if not left:
            return None
        count = len(left) if isinstance(part, Part) and part.is_rest else 1
        text, left = "/".join(left[:count]), left[count:]
        if isinstance(part, Part):
            reasons += _refusal(part, text, [next(names) for _ in _converters(part)])
        elif part != text:
            return None
    if left:
        return None
    takes_rest = bool(rule.parts) and isinstance(rule.parts[-1], Part) and rule.parts[-1].is_rest
    if slash and rule.parts and rule.is_leaf and rule.strict_slashes and not takes_rest:
        reasons.append("the path ends with a slash, and the rule does not")
    if segments is not asked and not rule.merge_slashes:
        reasons.append("the path has empty segments, and the rule does not merge slashes")
    return reasons


def _converters(part: Part) -> list[BaseConverter]:
    return [piece.converter for piece in part.pieces if not isinstance(piece, str)]


def _refusal(part: Part, text: str, names: Sequence[str]) -> list[str]:
    """Say why a part does not match a text; nothing when it does."""
    if part.reader()(text) is not None:
        return []
    shown = text.replace(ENCODED_SLASH, "%2F")
    converters = _converters(part)
    if len(part.pieces) > 1:
        return [f"{shown!r} does not split into {' and '.join(f'<{name}>' for name in names)}"]
    [converter] = converters
    known = converter.map.converters.items()
    word = next((word for word, cls in known if cls is type(converter)), type(converter).__name__)
    return [f"the converter {word!r} of <{names[0]}> refuses {shown!r}{_why(converter, text)}"]


def _why(converter: BaseConverter, text: str) -> str:
    """Return what a converter says of a text that has the right form, if it says something."""
    if re.fullmatch(converter.regex, text) is not None:
        try:
            converter.to_python(text)
        except ValidationError as refusal:
            return f" ({refusal})" if str(refusal) else ""
    return ""


def _other_reasons(rule: Rule, asked: Asked) -> Iterator[str]:
    """Give the reasons that have nothing to do with the path."""
    if not _fits_domain(rule, asked.domain):
        own = rule.host if rule.map is not None and rule.map.host_matching else rule.subdomain
        yield f"it is for the host {own or '(none)'!r}, not for {asked.domain or '(none)'!r}"
    if rule.websocket != asked.websocket:
        yield "it is for WebSockets" if rule.websocket else "it is not for WebSockets"
    elif rule.methods is not None and asked.method not in rule.methods:
        yield f"it has the methods {', '.join(sorted(rule.methods))} only"


def _fits_domain(rule: Rule, domain: str) -> bool:
    if rule.domain is None:
        return not domain
    if rule.domain.names:
        return domain_reader(rule.domain.pieces())(domain.lower()) is not None
    return rule.domain.texts[0] == domain.lower()
