"""Floor 8: what files like ``.env`` add to the environment, and whether this is production."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

#: Files that are looked for in the working directory and above; the first one wins.
FILES = (".env", ".erlenenv", ".flaskenv")

_SECRET = ("KEY", "PASSWORD", "SECRET", "TOKEN")


def is_production() -> bool:
    """Whether the environment says ``ERLEN_ENV=production``."""
    return os.environ.get("ERLEN_ENV") == "production"


def tell(line: str) -> None:
    """Write a line for whoever sits at the terminal."""
    click.echo(f" * {line}", err=True)


def load_files(given: str | None = None, tell: Callable[[str], object] = tell) -> dict[str, str]:
    """Add what the files say to the environment; what is set there already stays.

    Values are taken as they are: nothing is executed, and ``${NAME}`` stands for itself.

    Args:
        given: A file that wins over those of :data:`FILES`. ``ERLEN_SKIP_DOTENV=1`` turns these
            off.
        tell: Takes remarks, each a line.

    Returns:
        What was added.

    Raises:
        click.UsageError: *given* cannot be read, because it is no text or python-dotenv lacks.
    """
    paths = [Path(given)] if given else []
    if os.environ.get("ERLEN_SKIP_DOTENV", "0") in {"", "0"}:
        paths += _nearest(FILES)
    added: dict[str, str] = {}
    if not paths:
        return added
    try:
        read: Any = import_module("dotenv").dotenv_values
    except ImportError:
        names = ", ".join(path.name for path in paths)
        advice = "Install it with: pip install 'erlen[dotenv]'."
        if given:
            raise click.UsageError(f"{names} is read by python-dotenv. {advice}") from None
        tell(f"{names} was not read, for lack of python-dotenv. {advice}")
        return added
    for path in paths:
        try:
            values = read(path, interpolate=False, encoding="utf-8")
        except UnicodeDecodeError as error:
            raise click.UsageError(
                f"{path} is no text in UTF-8: {error}. Save it as UTF-8."
            ) from None
        if warning := _secret_for_all(path, values):
            tell(warning)
        for name, value in values.items():
            if value is not None and name not in os.environ:
                os.environ[name] = added[name] = value
    return added


def load_files_again(given: str | None, former: Mapping[str, str]) -> None:
    """Read the files anew, in a process whose environment has what they have said before.

    Args:
        given: As for :func:`load_files`.
        former: What that has returned. What was changed since stays.
    """
    for name, value in former.items():
        if os.environ.get(name) == value:
            del os.environ[name]
    load_files(given, tell=lambda _line: None)


def _nearest(names: Iterable[str]) -> Iterator[Path]:
    """Give for each name the file that is nearest to the working directory, upwards."""
    here = Path.cwd()
    for name in names:
        files = (folder / name for folder in (here, *here.parents))
        found = next(filter(Path.is_file, files), None)  # '.env' may be a virtual environment
        if found is not None:
            yield found


def _secret_for_all(path: Path, names: Iterable[str]) -> str:
    """Return the warning that all users can read a file with secrets; ``""`` when they cannot."""
    secrets = [name for name in names if any(word in name.upper() for word in _SECRET)]
    if not secrets or os.name != "posix" or not path.stat().st_mode & 0o004:
        return ""
    return (
        f"Every user of this machine can read {secrets[0]} in {path}. "
        f"Change that with: chmod o-r {path.name}"
    )
