"""Floor 8: ``erlen new``."""

import keyword
import re
import secrets
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

#: Names in the project that differ from those of its templates.
_NAMES = {"env": ".env", "gitignore": ".gitignore"}

#: Names of modules that the project itself needs.
_TAKEN = frozenset({"erlen", "pytest", "tests"}) | sys.stdlib_module_names


@click.command("new", short_help="Make a small project.")
@click.argument("name")
def new_command(name: str) -> None:
    """Make a small project in the folder NAME: an application, a page and its tests."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise click.UsageError(
            f"{name!r} cannot be the name of a package. "
            f"Take letters, digits and underscores, a letter first: {_instead_of(name)!r}."
        )
    if name in _TAKEN:
        raise click.UsageError(
            f"A module has the name {name!r} already, which the project needs. "
            f"Take another, for example 'my_{name}'."
        )
    folder = Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.UsageError(
            f"{str(folder.absolute())!r} is there already, and not an empty folder. "
            "Take another name, or move it away."
        )
    secret = secrets.token_hex(32)
    for path, text in _templates(files("erlen.cli") / "project", Path(), name):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # SAFETY: whoever reads the key can forge sessions.
        target.touch(0o600 if path.name == ".env" else 0o666)
        target.write_text(
            text.replace("__NAME__", name).replace("__SECRET__", secret), encoding="utf-8"
        )
        click.echo(f"  {target}")
    click.echo(f"\nServe it with:\n\n  cd {name}\n  erlen run --debug")


def _instead_of(name: str) -> str:
    """Return the name of a package that is like one that cannot be."""
    letters = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return letters if letters.isidentifier() and not keyword.iskeyword(letters) else f"my_{letters}"


def _templates(folder: Traversable, path: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Give the files of the project, relative to its folder, with their templates."""
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            below = name if entry.name == "package" else entry.name
            yield from _templates(entry, path / below, name)
        else:
            file = entry.name.removesuffix(".txt")
            yield path / _NAMES.get(file, file), entry.read_text(encoding="utf-8")
