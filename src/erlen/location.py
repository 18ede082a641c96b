"""Floor 5: where an application lives on the disk: its root and its instance folder."""

import importlib.util
import sys
from pathlib import Path

from erlen.exceptions import SetupError


def find_root_path(import_name: str) -> str:
    """Return the directory of a module or package; the working directory for one without a file.

    Args:
        import_name: ``__name__`` of the module that makes the application.

    Raises:
        SetupError: It is a namespace package, which has no directory of its own.
    """
    module = sys.modules.get(import_name)
    file = getattr(module, "__file__", None)
    if file is not None:
        return str(Path(file).absolute().parent)
    try:
        spec = importlib.util.find_spec(import_name)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return str(Path.cwd())
    if spec.origin is None or spec.origin in {"built-in", "frozen"}:
        if spec.submodule_search_locations is not None:
            raise SetupError(
                f"The root path of {import_name!r} cannot be found: it is a namespace package. "
                "Give root_path= explicitly."
            )
        return str(Path.cwd())
    return str(Path(spec.origin).absolute().parent)


def find_name(import_name: str) -> str:
    """Return the name of an application: *import_name*, or the script's for ``__main__``."""
    if import_name != "__main__":
        return import_name
    file = getattr(sys.modules["__main__"], "__file__", None)
    return Path(file).stem if file else "__main__"


def find_instance_path(import_name: str, root_path: str) -> str:
    """Return the folder for files that belong to a deployment; it is not made here.

    ``instance`` beside the top package, or ``<prefix>/var/<name>-instance`` for an installed one.
    """
    folder = _folder_of_top(import_name, Path(root_path))
    prefix = Path(sys.prefix).resolve()
    if folder.resolve().is_relative_to(prefix) or "site-packages" in folder.parts:
        return str(prefix / "var" / f"{find_name(import_name)}-instance")
    return str(folder / "instance")


def _folder_of_top(import_name: str, root_path: Path) -> Path:
    """Return the directory that holds the top package or module."""
    module = sys.modules.get(import_name.partition(".")[0])
    # A namespace package may lie in several directories: the application's one counts.
    for location in getattr(module, "__path__", ()):
        if root_path.is_relative_to(location):
            return Path(location).absolute().parent
    file = getattr(module, "__file__", None)
    if file is None:
        return root_path
    folder = Path(file).absolute().parent
    return folder.parent if hasattr(module, "__path__") else folder


def resolve_instance_path(given: str | None, import_name: str, root_path: str) -> str:
    """Return *given*, which must be absolute, or the found folder.

    Raises:
        ValueError: *given* is relative.
    """
    if given is None:
        return find_instance_path(import_name, root_path)
    if not Path(given).is_absolute():
        raise ValueError(f"instance_path={given!r} is relative. Give an absolute path.")
    return given
