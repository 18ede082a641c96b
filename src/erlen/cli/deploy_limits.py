"""Floor 8: where the code of an application lifts limits of requests and WebSockets."""

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from erlen.app import Erlen
from erlen.cli.findings import Finding
from erlen.cli.link_calls import python_files

GIBIBYTE = 1024**3

#: What a view may assign to, by the name of the proxy.
_LIMITS = {
    "request": (
        "max_content_length", "max_form_memory_size", "max_form_parts", "max_form_files",
    ),
    "websocket": ("max_message_size",),
}  # fmt: skip

#: What a number that is written in code is made of.
_ARITHMETIC = (ast.Constant, ast.BinOp, ast.Mult, ast.Pow, ast.LShift)
_NUMBERS = (int, type(None))


def lifted_limits(app: Erlen) -> Iterator[Finding]:
    """Give each assignment of ``None``, or of more than 1 GiB, to a limit of one exchange."""
    for name in _LIMITS["request"]:
        value = inspect.getattr_static(app.request_class, name)  # a property, unless overridden
        if _is_lifted(value):
            what = f"{app.request_class.__name__}.{name}"
            yield Finding(what, 0, _text(value))
    for file in sorted(python_files(app)):
        try:
            tree = ast.parse(file.read_bytes(), str(file))
        except (SyntaxError, ValueError):
            continue  # found elsewhere
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and _is_lifted(value := _value(node.value)):
                for target in filter(_is_limit, node.targets):
                    text = f"{ast.unparse(target)} {_text(value)}"
                    yield Finding(str(file), node.lineno, text)


def _is_limit(target: ast.expr) -> bool:
    if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
        return False
    return target.attr in _LIMITS.get(target.value.id, ())


def _value(node: ast.expr) -> Any:
    """Return what is assigned; ``""`` when only the running program knows."""
    for part in ast.walk(node):
        if not isinstance(part, _ARITHMETIC) or type(getattr(part, "value", 0)) not in _NUMBERS:
            return ""
    try:
        return eval(compile(ast.Expression(node), "", "eval"))  # noqa: S307  # numbers only
    except (TypeError, ValueError, OverflowError):
        return ""


def _is_lifted(value: Any) -> bool:
    return value is None or (isinstance(value, int) and value > GIBIBYTE)


def _text(value: int | None) -> str:
    if value is None:
        return "is None: a client decides how much. Set a limit."
    return f"is {value:,}, more than 1 GiB. Lower it."
