"""Floor 8: find and import the module that ``--app`` names, and say plainly why it cannot be."""

import importlib
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import click

#: Where the application is looked for when ``--app`` is not given, in this order.
DEFAULT_FILES = ("app.py", "wsgi.py", "asgi.py")

#: Packages that are seldom the application.
_BESIDE = frozenset({"bench", "docs", "examples", "migrations", "scripts", "test", "tests"})

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


class NothingHereError(NoAppError):
    """Nobody has said where the application is, and there is none in the usual places."""


class RaisedError(NoAppError):
    """Code of the user's has raised something, which is the cause of this."""


def default_path() -> str:
    """Return where the application is when nobody says it: a usual file, or the only package.

    The package is the working directory itself, or lies in it or in its folder ``src``.

    Raises:
        NoAppError: There is none, or there are several packages.
    """
    here = Path.cwd()
    for file in DEFAULT_FILES:
        if Path(file).is_file():
            return file
    if (here / "__init__.py").is_file():
        return str(here)
    found = sorted(
        file.parent
        for pattern in ("*/__init__.py", "src/*/__init__.py")
        for file in here.glob(pattern)
        if file.parent.name not in _BESIDE
    )
    if len(found) == 1:
        return str(found[0])
    if found:
        names = [folder.relative_to(here).as_posix() for folder in found]
        raise NoAppError(
            f"There are {len(names)} packages in {str(here)!r}: {', '.join(names)}. "
            f"Say which one is the application, for example --app ./{names[0]}."
        )
    raise NothingHereError(
        f"There is no {', '.join(DEFAULT_FILES)} and no package in {str(here)!r}, and no --app was "
        "given. Name the application with --app module:name or in ERLEN_APP, or make one with "
        "'erlen new NAME'."
    )


def find_module(path: str) -> str:
    """Return the dotted name for a file's path or a dotted name; its directory joins sys.path.

    Raises:
        NoAppError: There is no such file.
    """
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


def import_module(name: str) -> ModuleType:
    """Import a module of the user's.

    Raises:
        NoAppError: It does not exist, or raised something.
    """
    module: ModuleType = guarded(f"Importing {name!r}", _import, name)
    return module


def _import(name: str) -> ModuleType:
    os.environ["ERLEN_LOADING"] = "1"  # an app.run() at the end of the module must not serve now
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise no_module(name) from error
    finally:
        os.environ.pop("ERLEN_LOADING", None)


def no_module(name: str) -> NoAppError:
    """Return the error that says that a module does not exist."""
    return NoAppError(
        f"There is no module {name!r}, seen from {str(Path.cwd())!r}. "
        "Check the name that --app gives, and the directory you are in."
    )


def guarded(what: str, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call code of the user's; tell in one message what it raised and where."""
    try:
        return call(*args, **kwargs)
    except NoAppError:
        raise
    except SystemExit as error:
        raise RaisedError(
            f"{what} ended the program{_place(error)}, by SystemExit({error.code!r}). Put what is "
            "not for the 'erlen' command below 'if __name__ == \"__main__\":'."
        ) from error
    except Exception as error:
        raise RaisedError(
            f"{what} failed{_place(error)}: {type(error).__name__}: {error}\n"
            "Use 'erlen --traceback' to see the whole traceback."
        ) from error


def _place(error: BaseException) -> str:
    """Return where the user's code raised *error*: a file and a line."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_FOREIGN) and "site-packages" not in frame.filename
    ]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
