"""Bar charts in plain text."""

from collections.abc import Mapping

_EIGHTHS = " ▏▎▍▌▋▊▉"
WIDTH = 40


def bars(
    title: str, values: Mapping[str, float], *, digits: int = 2, most: float | None = None
) -> str:
    """Return one bar for each of *values*, in their order.

    Args:
        title: Stands above.
        values: Label → figure, at least zero.
        digits: After the point.
        most: What fills the width, by default the largest; a longer bar is cut, with an arrow.
    """
    most = most or max(values.values()) or 1.0
    margin = max(map(len, values))
    lines = [title]
    for label, value in values.items():
        lines.append(f"  {label:{margin}}  {bar(value / most)} {value:,.{digits}f}")
    return "\n".join(lines)


def bar(part: float) -> str:
    """Return a bar of *part* of the width, in steps of an eighth of a character."""
    if part > 1:
        return "█" * (WIDTH - 1) + "▶"
    full, rest = divmod(round(part * WIDTH * 8), 8)
    return "█" * full + _EIGHTHS[rest].strip()
