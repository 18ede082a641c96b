"""The two revisions as folders: sources alone, at paths of the same length."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
#: What stands for the files as they are now, committed or not.
WORKING_TREE = "working tree"


class NoRevision(LookupError):
    """Git does not know a revision."""


@contextmanager
def trees(first: str, second: str) -> Iterator[tuple[Path, Path]]:
    """Make both revisions for the length of the block; yields the folders that hold ``erlen``.

    A revision is read from the repository without touching its files. The working tree is copied,
    so that it is measured as it was at one moment, whatever is written to it meanwhile.

    Raises:
        NoRevision: Git does not know one of them.
    """
    with TemporaryDirectory(prefix="erlen-instructions-") as folder:
        places = Path(folder, "a"), Path(folder, "b")
        for revision, place in zip((first, second), places, strict=True):
            _put(revision, place)
        yield places[0] / "src", places[1] / "src"


def described(revision: str) -> str:
    """Return what the report calls *revision*.

    Raises:
        NoRevision: Git does not know it.
    """
    if revision == WORKING_TREE:
        return revision
    commit = _git("rev-parse", "--short", "--verify", f"{revision}^{{commit}}").decode().strip()
    return revision if revision == commit else f"{revision} ({commit})"


def _put(revision: str, place: Path) -> None:
    if revision == WORKING_TREE:
        without = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "src", place / "src", ignore=without)
    else:
        with tarfile.open(fileobj=io.BytesIO(_git("archive", revision, "src"))) as archive:
            archive.extractall(place, filter="data")


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise NoRevision(done.stderr.decode().strip())
    return done.stdout
