"""Floor 0: names of a package that are imported when somebody asks for them (PEP 562)."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def exporting(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return what a package has for its ``__getattr__``.

    Type checkers do not see it; for them the package imports the names under ``TYPE_CHECKING``.

    Args:
        package: ``__name__``.
        homes: Module → names that it has, with blanks between them.
    """
    home_of = {name: module for module, names in homes.items() for name in names.split()}

    def find(name: str) -> Any:
        module = home_of.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        value = getattr(import_module(module), name)
        setattr(sys.modules[package], name, value)  # found at once from now on
        return value

    return find
