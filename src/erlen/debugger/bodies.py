"""Floor 8: what a page tells of the body of a request: its form, its JSON, or how much it is."""

import json
from typing import Any

from erlen.debugger.values import MASK, cut, is_secret_argument, shown, text_of
from erlen.exceptions import WireError
from erlen.wire.urls import parse_query

#: Fields that are told, and characters of each.
_MOST = 100
_LIMIT = 2048

Pairs = list[tuple[str, str]]


def pairs_of(query: bytes) -> Pairs:
    """Return the fields of a form or of a URL's query, secrets masked; what is neither as it is."""
    try:
        pairs = parse_query(query)
    except WireError:
        return [("", cut(query.decode("latin-1"), _LIMIT))]
    return [
        (cut(name, 200), MASK if is_secret_argument(name) else cut(value, _LIMIT))
        for name, value in pairs[:_MOST]
    ]


def body_of(content_type: str, body: bytes, size: int) -> tuple[str, Pairs]:
    """Return what a body is called, and what is in it.

    Args:
        content_type: As the client has sent it.
        body: Its beginning.
        size: Bytes of all of it that have come.
    """
    mimetype = content_type.partition(";")[0].strip(" \t").lower()
    if not size:
        return "", []
    if len(body) == size:
        if mimetype == "application/x-www-form-urlencoded":
            return "Form", pairs_of(body)
        if mimetype == "application/json" or mimetype.endswith("+json"):
            return "JSON", _json(body)
        if mimetype.startswith("text/"):
            return "Body", [("", cut(body.decode(errors="replace"), _LIMIT))]
    return "Body", [("", f"{size:,} bytes of {cut(mimetype, 200) or 'an unknown type'}")]


def _json(body: bytes) -> Pairs:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return [("", cut(body.decode(errors="replace"), _LIMIT))]
    if type(value) is not dict:
        return [("", text_of(value))]
    return [(cut(name, 200), shown(name, each)) for name, each in list(value.items())[:_MOST]]
