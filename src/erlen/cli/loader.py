"""Floor 8: find the application that ``--app`` names, and say plainly why it cannot be found."""

import ast
import importlib.util
import inspect
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from erlen.app import Erlen
from erlen.cli.environment import load_files_again
from erlen.cli.modules import (
    NoAppError,
    RaisedError,
    default_path,
    find_module,
    guarded,
    import_module,
    no_module,
)

__all__ = ["NoAppError", "check_place", "load_again", "load_app"]


def load_app(spec: str | None = None) -> Erlen:
    """Import the application.

    Args:
        spec: ``module``, ``module:name``, ``module:factory("literal", debug=True)``; the module
            dotted or as the path of a file. Without a name: ``app``, ``application``, the only
            instance of :class:`Erlen`, or what ``create_app()`` or ``make_app()`` returns. Without
            *spec*, ``app.py``, ``wsgi.py``, ``asgi.py`` or the package in the working directory.

    Raises:
        NoAppError: Says what was looked for and what to write instead.
    """
    path, name = _split(spec or default_path())
    module = import_module(find_module(path))
    found = _named(module, name) if name else _best(module)
    if not isinstance(found, Erlen):
        raise NoAppError(
            f"{spec or module.__name__!r} is {found!r}, which is no erlen application. "
            "Name an instance of Erlen, or a function that returns one."
        )
    return found


def check_place(spec: str | None) -> None:
    """Refuse a module that is not there, as far as can be seen without importing anything.

    Raises:
        NoAppError: Says what was looked for and what to write instead.
    """
    name = find_module(_split(spec or default_path())[0])
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        raise no_module(name)


def load_again(
    spec: str | None,
    log_level: str | None,
    env_file: str | None,
    from_files: Mapping[str, str],
) -> Erlen:
    """Import the application in a process that ``erlen run`` has started.

    Args:
        spec: As :func:`load_app` takes it.
        log_level: As :func:`set_log_level` takes it.
        env_file: A file for the environment, besides those that are always looked for.
        from_files: What such files have given; they are read anew.

    Raises:
        NoAppError: There is no application to be found.
        BaseException: What the user's modules raise, as it is.
    """
    load_files_again(env_file, from_files)
    try:
        app = load_app(spec)
    except RaisedError as error:
        raised = error.__cause__
        assert raised is not None
    else:
        set_log_level(app, log_level)
        return app
    raise raised


def set_log_level(app: Erlen, level: str | None) -> None:
    """Set the level of the application's logger, a word as ``--log-level`` takes it."""
    if level is not None:
        app.logger.setLevel(level.upper())


def _split(spec: str) -> tuple[str, str]:
    """Split into the module and what is named in it, ``""`` for nothing."""
    # A drive letter's colon is followed by a slash: C:\\project\\app.py:app.
    path, _, name = re.sub(r":(?![\\/])", "\0", spec, count=1).partition("\0")
    return path, name


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
    made = guarded(f"Calling {where!r}", factory, *args, **kwargs)
    if inspect.iscoroutine(made):
        made.close()
        raise NoAppError(
            f"{where!r} is 'async def', and no event loop runs yet when the application is made. "
            "Write it as 'def', and await what it needs in a function of @app.lifespan."
        )
    return made
