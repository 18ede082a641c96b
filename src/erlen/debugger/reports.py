"""Floor 8: a failure as its client wants it: a page, JSON, or text for a terminal."""

import json
import traceback
from collections.abc import Iterator
from typing import Any

from erlen.debugger.chain import Raised
from erlen.debugger.failures import Failure
from erlen.debugger.frames import Frame
from erlen.debugger.places import kind_of
from erlen.debugger.starts import Link
from erlen.protocols import Scope
from erlen.wire.accept import MIMEAccept, parse_accept_header
from erlen.wire.origins import field_values
from erlen.wire.urls import printable

HTML, JSON, PROBLEM, TEXT = (
    "text/html",
    "application/json",
    "application/problem+json",
    "text/plain",
)
_OFFERED = (HTML, JSON, PROBLEM, TEXT)
_TEXT_LIMIT = 256 * 1024
_IMPORTING = "<frozen importlib."

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


def as_problem(failure: Failure, address: str, *, hidden: str, refusal: str = "") -> bytes:
    """Return problem details (RFC 9457) with the chain as extension members.

    Args:
        failure: What is told.
        address: Where its page is.
        hidden: Why the client sees no source, ``""`` when it does.
        refusal: Why no page can be opened there, ``""`` when one can.
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
                "awaiting": [_link(link) for link in raised.awaiting],
                "frames": [_frame(frame, hidden=hidden) for frame in raised.frames],
            }
            for raised in failure.chain
        ],
    }
    if hidden:
        problem["hidden"] = hidden
    elif not refusal:
        problem["page"] = address
    return json.dumps(problem, indent=2).encode()


def _link(link: Link) -> dict[str, Any]:
    told = {"function": link.function, "file": link.file, "line": link.number}
    return {"verb": link.verb, **told} if link.verb else told


def _frame(frame: Frame, *, hidden: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "file": frame.file,
        "line": frame.number,
        "function": frame.function,
        "kind": frame.kind,
    }
    return told if hidden else {**told, "code": frame.code}


def as_text(failure: Failure, address: str, *, hidden: str, refusal: str = "") -> bytes:
    """Return a traceback for a terminal; arguments as for :func:`as_problem`."""
    facts = failure.facts
    place = f" · {facts.endpoint}" if facts.endpoint else ""
    body = "\n".join(_outline(failure)) if hidden else traceback_of(failure)
    body = "\n\n".join([body.rstrip(), *_chains(failure)])
    end = hidden or refusal or f"All of it, with the values and a console: {address}"
    return _harmless(f"{facts.title}{place}\n\n{body}\n\n{end}\n").encode()


def _harmless(text: str) -> str:
    """Return *text* with what does not print escaped, but for line breaks.

    SAFETY: the text of an exception is often a client's, and would steer the terminal.
    """
    lines = text.expandtabs().split("\n")
    return "\n".join(printable(line, limit=10 * len(line)) for line in lines)


def _chains(failure: Failure) -> Iterator[str]:
    """Give what awaited or started what, for each exception of which that is known."""
    for raised in failure.chain:
        if len(raised.awaiting) > 1:
            links = " ".join(
                f"{link.verb} {link.function} ({link.file}:{link.number})".lstrip()
                for link in raised.awaiting
            )
            yield f"{raised.line.partition(chr(10))[0]}\n  {links}"


def traceback_of(failure: Failure) -> str:
    """Return Python's traceback from the application on; an outline where there can be none."""
    try:
        told = traceback.TracebackException.from_exception(failure.error)
        _trim(told)
        # PERF: looking for secrets in a message of 100 MB takes 10 s. Twice as much as is shown is
        # looked through, so that no half of a secret is left where the text was cut.
        text = failure.veil(_without_middle("".join(told.format()), 2 * _TEXT_LIMIT))
    except Exception:  # noqa: BLE001  # a chain too deep for it, or an exception of a hostile class
        text = "\n".join(_outline(failure))
    return _without_middle(text, _TEXT_LIMIT)


def _without_middle(text: str, limit: int) -> str:
    """Return *text*, or the beginning and the end of it, *limit* characters together."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}\n…\n{text[-half:]}"


def _trim(told: traceback.TracebackException) -> None:
    """Take away what comes before the application's own code: the server's and erlen's."""
    told.stack[:] = [each for each in told.stack if not each.filename.startswith(_IMPORTING)]
    kinds = [kind_of(frame.filename) for frame in told.stack]
    if "own" in kinds:
        del told.stack[: kinds.index("own")]
    elif hasattr(told, "offset"):  # of a syntax error: who has imported it says nothing
        told.stack.clear()
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
