"""Floor 8: commands of installed packages, which are entry points of ``erlen.commands``."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

import click

from erlen.cli.group import awaited

GROUP = "erlen.commands"


def command_names() -> set[str]:
    """Return the names of all; nothing is imported for it."""
    return entry_points(group=GROUP).names


def load_command(name: str, tell: Callable[[str], object]) -> click.Command | None:
    """Import a command, plain or :class:`AppGroup`; ``None`` when no package has one that works.

    It runs without the application, unless it asks by ``with_appcontext``; ``async def`` is
    awaited.

    Args:
        name: As it is typed.
        tell: Takes a line on each that does not work; a package must not break the command.
    """
    for point in entry_points(group=GROUP, name=name):
        try:
            found = point.load()
        except Exception as error:  # noqa: BLE001  # whatever an import raises
            tell(f"{_of(point)} cannot be loaded: {type(error).__name__}: {error}")
            continue
        if isinstance(found, click.Command):
            return awaited(found)
        tell(f"{_of(point)} is {found!r}, which is no click command.")
    return None


def _of(point: EntryPoint) -> str:
    package = point.dist.name if point.dist is not None else point.value
    return f"The command {point.name!r} of the installed package {package!r}"
