"""Floor 8: find the application that ``--app`` names, and say plainly why it cannot be found."""

import ast
import importlib
import inspect
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import click

from erlen.app import Erlen

#: Where the application is looked for when ``--app`` is not given, in this order.
DEFAULT_FILES = ("app.py", "wsgi.py", "asgi.py")

#: Beginnings of the names of files that are not the user's.
_FOREIGN = ("<frozen", sysconfig.get_path("stdlib"), str(Path(__file__).parents[1]))


class NoAppError(click.ClickException):
    """The application cannot be found or imported; the command ends with code 2.

    Attributes:
        show_traceback: Print the traceback of what the user's module raised, too.
    """

    exit_code = 2
    show_traceback = False

    def show(self, file: IO[Any] | None = None) -> None:
        """Print one message, after the traceback when that was asked for."""
        if self.show_traceback and self.__cause__ is not None:
            click.echo("".join(traceback.format_exception(self.__cause__)), err=True)
        super().show(file)


def load_app(spec: str | None = None) -> Erlen:
    """Import the application.

    Args:
        spec: ``module``, ``module:name``, ``module:factory("literal", debug=True)``; the module
            dotted or as the path of a file. Without a name: ``app``, ``application``, the only
            instance of :class:`Erlen`, or what ``create_app()`` or ``make_app()`` returns. Without
            *spec*, one of :data:`DEFAULT_FILES` in the working directory.

    Raises:
        NoAppError: Says what was looked for and what to write instead.
    """
    # A drive letter's colon is followed by a slash: C:\\project\\app.py:app.
    path, _, name = re.sub(r":(?![\\/])", "\0", spec or _default_file(), count=1).partition("\0")
    module_name = _find_module(path)
    module = _guarded(f"Importing {module_name!r}", _import, module_name)
    found = _named(module, name) if name else _best(module)
    if not isinstance(found, Erlen):
        raise NoAppError(
            f"{spec!r} is {found!r}, which is no erlen application. "
            "Name an instance of Erlen, or a function that returns one."
        )
    return found


def load_again() -> Erlen:
    """Import the application of ``ERLEN_APP``: what the reloader's processes serve."""
    return load_app(os.environ.get("ERLEN_APP"))


# --- the module -----------------------------------------------------------------------------------


def _default_file() -> str:
    for file in DEFAULT_FILES:
        if Path(file).is_file():
            return file
    raise NoAppError(
        f"There is no {', '.join(DEFAULT_FILES)} in {str(Path.cwd())!r}, and no --app was given. "
        "Name the application with --app module:name or in ERLEN_APP."
    )


def _find_module(path: str) -> str:
    """Return the dotted name for a file's path or a dotted name; its directory joins sys.path."""
    if not path.endswith(".py") and "/" not in path and os.sep not in path:
        _add_to_path(Path.cwd())
        return path
    file = Path(path).resolve()
    if file.is_dir():
        file /= "__init__.py"
    elif file.suffix != ".py":
        file = file.with_name(f"{file.name}.py")
    if not file.is_file():
        raise NoAppError(f"There is no file {str(file)!r}. Check the path that --app gives.")
    parts = [] if file.stem == "__init__" else [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    _add_to_path(folder)
    return ".".join(parts)


def _add_to_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _import(name: str) -> ModuleType:
    os.environ["ERLEN_LOADING"] = "1"  # an app.run() at the end of the module must not serve now
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise NoAppError(
            f"There is no module {name!r}, seen from {str(Path.cwd())!r}. "
            "Check the name that --app gives, and the directory you are in."
        ) from error
    finally:
        os.environ.pop("ERLEN_LOADING", None)


def _guarded(what: str, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call code of the user's; tell in one message what it raised and where."""
    try:
        return call(*args, **kwargs)
    except NoAppError:
        raise
    except Exception as error:
        raise NoAppError(
            f"{what} failed{_place(error)}: {type(error).__name__}: {error}\n"
            "Use 'erlen --traceback' to see the whole traceback."
        ) from error


def _place(error: Exception) -> str:
    """Return where the user's code raised *error*: a file and a line."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_FOREIGN) and "site-packages" not in frame.filename
    ]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""


# --- the application in it ------------------------------------------------------------------------


def _best(module: ModuleType) -> Any:
    """Return the application of a module without being told its name."""
    for name in ("app", "application"):
        if isinstance(getattr(module, name, None), Erlen):
            return getattr(module, name)
    found = {id(value): name for name, value in vars(module).items() if isinstance(value, Erlen)}
    if len(found) == 1:
        return getattr(module, found.popitem()[1])
    if found:
        names = sorted(found.values())
        raise NoAppError(
            f"{module.__name__!r} has {len(names)} applications: {', '.join(names)}. "
            f"Choose one, for example --app {module.__name__}:{names[0]}."
        )
    for name in ("create_app", "make_app"):
        factory = getattr(module, name, None)
        if inspect.isfunction(factory):
            return _made(module, name, factory, [], {})
    raise NoAppError(
        f"{module.__name__!r} has no application: neither 'app' nor 'application', no instance of "
        "Erlen, no 'create_app' and no 'make_app'. "
        f"Name it with --app {module.__name__}:name."
    )


def _named(module: ModuleType, expression: str) -> Any:
    """Return what ``name`` or ``name(literals)`` stands for in a module."""
    name, args, kwargs = _parse(expression)
    if not hasattr(module, name):
        raise NoAppError(
            f"{module.__name__!r} has no {name!r}. Check the name behind the colon of --app."
        )
    value = getattr(module, name)
    if args is None:
        return _made(module, name, value, [], {}) if inspect.isfunction(value) else value
    return _made(module, name, value, args, kwargs)


def _parse(expression: str) -> tuple[str, list[Any] | None, dict[str, Any]]:
    """Split into the name, the positional arguments (``None``: not called) and the named ones."""
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        if isinstance(tree, ast.Call):
            name = _simple_name(tree.func)
            args = [ast.literal_eval(value) for value in tree.args]
            kwargs = {_keyword(item): ast.literal_eval(item.value) for item in tree.keywords}
            return name, args, kwargs
        return _simple_name(tree), None, {}
    except (ValueError, SyntaxError):
        raise NoAppError(
            f"{expression!r} is neither a name nor a call with literal arguments. "
            "Write --app module:name or --app 'module:create_app(\"test\", debug=True)'."
        ) from None


def _simple_name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    raise ValueError("not a name")


def _keyword(item: ast.keyword) -> str:
    if item.arg is None:
        raise ValueError("** in a call")
    return item.arg


def _made(
    module: ModuleType, name: str, factory: Any, args: list[Any], kwargs: dict[str, Any]
) -> Any:
    """Call a factory; tell wrong arguments from an error in it."""
    where = f"{module.__name__}:{name}"
    try:
        inspect.signature(factory).bind(*args, **kwargs)
    except TypeError as error:
        raise NoAppError(
            f"{where!r} cannot be called with these arguments: {error}. "
            f"Give them with --app '{where}(...)'."
        ) from error
    return _guarded(f"Calling {where!r}", factory, *args, **kwargs)
