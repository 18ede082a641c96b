"""Floor 8: which files have changed."""

import importlib
import os
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from types import ModuleType
from typing import Any

#: Seconds of one look, and those that must pass without a change before changes are told: an
#: editor writes a file in several steps, and a tool writes many files.
PAUSE = 0.1
#: Seconds after which changes are told although more of them come.
_PATIENCE = 1.0
#: PERF: looking at 1,000 files takes 5 ms; with this pause after it that is 2 % of the time.
_REST = 50

#: Directories in which nothing is the application's source.
_SKIPPED = frozenset({"__pycache__", "node_modules"})
#: Where modules lie that nobody edits.
_INSTALLED = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)

#: Time of change, size and number of a file; ``None`` when there is none.
_Stamp = tuple[int, int, int] | None


class Watch:
    """Looks after Python files in a directory, and after other files and directories by name.

    The directory is watched by watchfiles when that is installed and can, else by looking at it
    again and again, which is how single files are watched always.
    """

    def __init__(self, folder: Path, others: Iterable[str] = ()) -> None:
        """Begin to look.

        Args:
            folder: Every ``.py`` below it, but for installed packages and hidden directories.
            others: Files of any kind; what is below them when they are directories. They need not
                exist yet.
        """
        self._folder = folder
        self._others = set(others)
        self._notified = notified(folder)
        self._polled = Polled(self._paths)

    def _paths(self) -> Iterator[str]:
        for path in self._others:
            yield path
            yield from below(path)
        if self._notified is None:
            yield from filter(self._is_source, below(str(self._folder)))

    def _is_source(self, path: str) -> bool:
        return is_source(self._folder, path)

    def add(self, files: Iterable[str], since: float) -> None:
        """Look after more files; those that were changed after *since* count as changed.

        Args:
            files: What a process has imported.
            since: When that process was started, in seconds since 1970.
        """
        self._others.update(files)
        now = time.time_ns()
        for file in files:
            found = stamp(file)
            # A file from the future would be new at every look.
            is_new = found is not None and since * 1e9 < found[0] <= now
            self._polled.last[file] = None if is_new else found

    def wait(self) -> set[str]:
        """Return what has changed, when no more does; after a moment nothing, if nothing has."""
        changed = self._look()
        until = time.monotonic() + _PATIENCE
        more = changed
        while more and time.monotonic() < until:
            more = self._look(at_once=True)
            changed |= more
        return changed

    def _look(self, *, at_once: bool = False) -> set[str]:
        found: set[str] = set()
        if self._notified is None:
            time.sleep(PAUSE)
        else:
            found = {path for _, path in next(self._notified) if self._is_source(path)}
        return found | self._polled.look(at_once=at_once)


class Polled:
    """Files at which somebody has to look.

    Attributes:
        last: What was seen.
    """

    def __init__(self, paths: Callable[[], Iterable[str]]) -> None:
        """*paths* gives the files, anew at each look."""
        self._paths = paths
        self._next = 0.0
        self.last: dict[str, _Stamp] = {}
        self.look()

    def look(self, *, at_once: bool = False) -> set[str]:
        """Return what is new, gone or changed; nothing while it rests, unless *at_once*."""
        began = time.monotonic()
        if began < self._next and not at_once:
            return set()
        found = {path: stamp(path) for path in self._paths()}
        changed = {
            path for path in found.keys() | self.last.keys()
            if found.get(path) != self.last.get(path)
        }  # fmt: skip
        self.last = found
        self._next = began + _REST * (time.monotonic() - began)
        return changed


def notified(folder: Path) -> Iterator[set[tuple[Any, str]]] | None:
    """Return what gives the changes below *folder*, or nothing each :data:`PAUSE`.

    ``None`` where watchfiles is not installed, or the system has no more watches to give.
    """
    try:
        watch: Any = importlib.import_module("watchfiles").watch
    except ImportError:
        return None
    changes: Iterator[set[tuple[Any, str]]] = watch(
        folder,
        watch_filter=None,
        step=int(PAUSE * 1000 / 2),
        rust_timeout=int(PAUSE * 1000),
        yield_on_timeout=True,
        raise_interrupt=False,
        ignore_permission_denied=True,
    )
    try:
        next(changes)  # it begins now
    except (OSError, RuntimeError):
        return None
    return changes


def stamp(path: str) -> _Stamp:
    """Return what differs when a file was written anew, also by way of another name."""
    try:
        found = os.stat(path)  # noqa: PTH116  # thousands of times
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def below(folder: str) -> Iterator[str]:
    """Give the files below a directory; links to directories are not followed."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_skipped(name)]
        for file in files:
            yield os.path.join(place, file)  # noqa: PTH118  # thousands of times


def is_source(folder: Path, path: str) -> bool:
    """Whether a file below *folder* is Python source of the project's."""
    if not path.endswith(".py"):
        return False
    *folders, _file = Path(path).relative_to(folder).parts
    inside = Path(sys.prefix).is_relative_to(folder) and Path(path).is_relative_to(sys.prefix)
    return not inside and not any(map(_is_skipped, folders))


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED


def module_files() -> set[str]:
    """Return the files of imported modules, but for those of Python and installed packages."""
    files = (
        vars(module).get("__file__")
        for module in list(sys.modules.values())
        # Other things, which may lie there too, may do anything when they are asked.
        if isinstance(module, ModuleType)  # type: ignore[redundant-expr]  # others lie there too
    )
    return {file for file in files if isinstance(file, str) and not is_installed(file)}


def is_installed(file: str) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    return file.startswith(_INSTALLED) or "-packages" + os.sep in file


def forget_bytecode(files: Iterable[str]) -> None:
    """Remove what Python keeps of sources that have changed.

    It counts as current when the source has the same size and was changed in the same second, so
    that of two saves in one second the later would not be served.
    """
    for file in files:
        if file.endswith(".py"):
            with suppress(OSError, NotImplementedError):  # there is none, or nowhere for it
                os.unlink(cache_from_source(file))  # noqa: PTH108  # what it gives is a text
