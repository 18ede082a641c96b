"""Floor 8: whose code a file has, and how its name is written for people."""

import functools
import os
import sysconfig
from pathlib import Path

_HERE = f"{Path(__file__).parents[1]}{os.sep}"
_STANDARD = ("<frozen ", f"{sysconfig.get_path('stdlib')}{os.sep}")
_INSTALLED = ("site-packages", "dist-packages")


@functools.lru_cache(1024)
def kind_of(file: str) -> str:
    """Tell whose code a file has: ``"own"`` or ``"library"``: installed, of Python, of erlen."""
    is_library = file.startswith((_HERE, *_STANDARD)) or any(part in file for part in _INSTALLED)
    return "library" if is_library else "own"


def shown_file(file: str) -> str:
    """Return the name of a file as a person at work in this directory would write it."""
    here = f"{Path.cwd()}{os.sep}"
    return file.removeprefix(here) if kind_of(file) == "own" else _below_packages(file)


def _below_packages(file: str) -> str:
    """Return ``"anyio/_core/_tasks.py"`` of an installed file."""
    for folder in (*_INSTALLED, "erlen"):
        _, found, rest = file.rpartition(f"{os.sep}{folder}{os.sep}")
        if found:
            return f"erlen{os.sep}{rest}" if folder == "erlen" else rest
    return file.removeprefix(_STANDARD[1])
