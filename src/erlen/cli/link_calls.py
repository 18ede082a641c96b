"""Floor 8: find the calls of ``url_for`` with a literal endpoint, in Python and in templates."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple  # noqa: TID251  # Jinja2 loads late

from erlen.app import Erlen

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

#: Stands for a value that only the running program knows.
UNKNOWN: Any = object()

#: What has a ``url_for`` of erlen's, as a name before the dot.
_OWNERS = frozenset({"app", "application", "current_app", "erlen"})

#: Folders in a package that hold code of others.
_FOREIGN = frozenset({"node_modules", "site-packages"})


class LinkCall(NamedTuple):
    """One call of ``url_for``.

    Attributes:
        file: Where it stands.
        line: The same, from 1.
        endpoint: As it is written.
        values: The keywords, special ones included; :data:`UNKNOWN` for what is no literal.
        is_open: Whether there may be others, from ``**values``.
    """

    file: str
    line: int
    endpoint: str
    values: dict[str, Any]
    is_open: bool


class Unreadable(NamedTuple):
    """A file that cannot be parsed, and why."""

    file: str
    line: int
    reason: str


def in_python(app: Erlen) -> Iterator[LinkCall | Unreadable]:
    """Give the calls in the modules of *app* and of its blueprints."""
    for file in sorted(python_files(app)):
        try:
            tree = ast.parse(file.read_bytes(), str(file))
        except (SyntaxError, ValueError) as error:
            yield Unreadable(str(file), getattr(error, "lineno", None) or 1, str(error))
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _is_url_for(node.func):
                call = _python_call(str(file), node)
                if call is not None:
                    yield call


def python_files(app: Erlen) -> set[Path]:
    """Return all files of the packages of *app* and its blueprints; of single modules, what loaded.

    Beside a single module may lie anything: tests, scripts, a virtual environment.
    """
    owners: list[Any] = [app, *app.blueprints.values()]
    roots = {Path(each.root_path).resolve() for each in owners}
    roots = {root for root in roots if not _FOREIGN.intersection(root.parts)}
    files = set()
    for root in roots:
        if (root / "__init__.py").is_file():
            files |= {file for file in root.rglob("*.py") if _is_own(file.relative_to(root))}
    for module in tuple(sys.modules.values()):
        file = Path(getattr(module, "__file__", None) or "").resolve()
        if file.suffix == ".py" and any(
            file.is_relative_to(root) and _is_own(file.relative_to(root)) for root in roots
        ):
            files.add(file)
    return files


def _is_own(relative: Path) -> bool:
    return not any(part in _FOREIGN or part.startswith(".") for part in relative.parts)


def _is_url_for(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.attr == "url_for" and function.value.id in _OWNERS
    return isinstance(function, ast.Name) and function.id == "url_for"


def _python_call(file: str, node: ast.Call) -> LinkCall | None:
    first = node.args[0] if node.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return None
    values = {each.arg: _literal(each.value) for each in node.keywords if each.arg is not None}
    is_open = any(each.arg is None for each in node.keywords)
    return LinkCall(file, node.lineno, first.value, values, is_open)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return UNKNOWN


# --- templates ------------------------------------------------------------------------------------


def in_templates(app: Erlen) -> Iterator[LinkCall | Unreadable]:
    """Give the calls in all templates that the loaders of *app* and its blueprints can list."""
    from jinja2 import TemplateSyntaxError, nodes

    environment = app.jinja_env
    assert environment.loader is not None
    for name in sorted(_template_names(app)):
        try:
            source, file, _ = environment.loader.get_source(environment, name)
        except UnicodeDecodeError:
            continue  # a picture among the templates
        try:
            tree = environment.parse(source, name, file)
        except TemplateSyntaxError as error:
            yield Unreadable(file or name, error.lineno, str(error.message))
            continue
        for node in tree.find_all(nodes.Call):
            call = _template_call(file or name, node, environment)
            if call is not None:
                yield call


def _template_names(app: Erlen) -> set[str]:
    names: set[str] = set()
    owners: list[Any] = [app, *app.blueprints.values()]
    for owner in owners:
        try:
            names.update(owner.jinja_loader.list_templates() if owner.jinja_loader else ())
        except TypeError:
            continue  # a loader that makes templates as they are asked for
    return names


def _template_call(file: str, node: "nodes.Call", environment: "Environment") -> LinkCall | None:
    from jinja2 import nodes

    first = node.args[0] if node.args else None
    if not isinstance(node.node, nodes.Name) or node.node.name != "url_for":
        return None
    if not isinstance(first, nodes.Const) or not isinstance(first.value, str):
        return None
    values = {each.key: _template_literal(each.value, environment) for each in node.kwargs}
    return LinkCall(file, node.lineno, first.value, values, node.dyn_kwargs is not None)


def _template_literal(node: "nodes.Expr", environment: "Environment") -> Any:
    from jinja2 import nodes

    try:
        return node.as_const(nodes.EvalContext(environment))
    except nodes.Impossible:
        return UNKNOWN
