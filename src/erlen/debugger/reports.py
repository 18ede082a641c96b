"""Floor 8: a failure as its client wants it: a page, JSON, or text for a terminal."""

import json
import traceback
from collections.abc import Iterator
from typing import Any

from erlen.debugger.chain import Raised
from erlen.debugger.failures import Failure
from erlen.debugger.frames import Frame, kind_of
from erlen.protocols import Scope
from erlen.wire.accept import MIMEAccept, parse_accept_header
from erlen.wire.origins import field_values

HTML, JSON, PROBLEM, TEXT = (
    "text/html",
    "application/json",
    "application/problem+json",
    "text/plain",
)
_OFFERED = (HTML, JSON, PROBLEM, TEXT)
_TEXT_LIMIT = 256 * 1024

_RELATIONS = {
    "cause": "Caused by",
    "context": "Raised while this was handled",
    "suppressed": "Hidden by 'from None'",
    "member": "Member of the group",
}


def wanted(scope: Scope) -> str:
    """Return the media type that the client of *scope* asks for, text where it asks for none."""
    accept = parse_accept_header(",".join(field_values(scope["headers"], b"accept")), MIMEAccept)
    best = accept.best_match(_OFFERED)
    if best is None or accept[accept.find(best)][0] == "*/*":
        return TEXT  # it takes anything, as curl does
    return PROBLEM if best == JSON else best


def relation_words(raised: Raised) -> str:
    """Return what an exception is to the one before it, in words; ``""`` for the failure itself."""
    return _RELATIONS.get(raised.relation, "")


def as_problem(failure: Failure, address: str, *, hidden: str) -> bytes:
    """Return problem details (RFC 9457) with the chain as extension members.

    Args:
        failure: What is told.
        address: Where its page is.
        hidden: Why the client sees no source, ``""`` when it does.
    """
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": failure.chain[0].line,
        "request": failure.facts.title,
        "endpoint": failure.facts.endpoint or None,
        "exceptions": [
            {
                "type": raised.name,
                "message": raised.message,
                "relation": raised.relation or None,
                "depth": raised.depth,
                "notes": raised.notes,
                "frames": [_frame(frame, hidden=hidden) for frame in raised.frames],
            }
            for raised in failure.chain
        ],
    }
    problem |= {"hidden": hidden} if hidden else {"page": address}
    return json.dumps(problem, indent=2).encode()


def _frame(frame: Frame, *, hidden: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "file": frame.file,
        "line": frame.number,
        "function": frame.function,
        "kind": frame.kind,
    }
    return told if hidden else {**told, "code": frame.code}


def as_text(failure: Failure, address: str, *, hidden: str) -> bytes:
    """Return a traceback for a terminal; arguments as for :func:`as_problem`."""
    facts = failure.facts
    place = f" · {facts.endpoint}" if facts.endpoint else ""
    body = "\n".join(_outline(failure)) if hidden else traceback_of(failure)
    end = hidden or f"All of it, with the values and a console: {address}"
    return f"{facts.title}{place}\n\n{body.rstrip()}\n\n{end}\n".encode(errors="backslashreplace")


def traceback_of(failure: Failure) -> str:
    """Return Python's traceback from the application on; an outline where there can be none."""
    try:
        told = traceback.TracebackException.from_exception(failure.error)
        _trim(told)
        text = "".join(told.format())
    except Exception:  # noqa: BLE001  # a chain too deep for it, or an exception of a hostile class
        text = "\n".join(_outline(failure))
    if len(text) > _TEXT_LIMIT:
        half = _TEXT_LIMIT // 2
        text = f"{text[:half]}\n… {len(text) - _TEXT_LIMIT} characters …\n{text[-half:]}"
    return text


def _trim(told: traceback.TracebackException) -> None:
    """Take away what comes before the application's own code: the server's and erlen's."""
    kinds = [kind_of(frame.filename) for frame in told.stack]
    if "own" in kinds:
        del told.stack[: kinds.index("own")]
    for related in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if related is not None:
            _trim(related)


def _outline(failure: Failure) -> Iterator[str]:
    """Give the lines of a traceback without any source."""
    for raised in failure.chain:
        indent = "  " * raised.depth
        if words := relation_words(raised):
            yield f"\n{indent}{words}:"
        yield f"{indent}{raised.line}"
        yield from (f"{indent}  {note}" for note in raised.notes)
        for frame in raised.frames:
            yield f"{indent}  {frame.file}:{frame.number} {frame.function}"
    if failure.omitted:
        yield f"\n… and {failure.omitted} exceptions more."
