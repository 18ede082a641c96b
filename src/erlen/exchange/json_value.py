"""Floor 3: the one value that ``jsonify(...)`` and ``send_json(...)`` mean by their arguments."""

from collections.abc import Mapping, Sequence
from typing import Any


def prepare_response_value(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return the one value that ``jsonify(*args, **kwargs)`` or ``send_json`` means.

    One argument is itself, several are a list, keywords are a dict, nothing is ``None``.

    Raises:
        TypeError: Both kinds were given; the caller's fault.
    """
    if args and kwargs:
        raise TypeError(
            f"A JSON value cannot have {len(args)} positional arguments and the keywords "
            f"{sorted(kwargs)!r}. "
            "Give either positional arguments or keywords."
        )
    if kwargs:
        return dict(kwargs)
    if len(args) == 1:
        return args[0]
    return list(args) or None
