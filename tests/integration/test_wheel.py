"""The wheel in a bare virtual environment: what a user does in the first minute."""

import importlib.util
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.live_server import LiveServer

ROOT = Path(__file__).parents[2]

#: Seconds that each step may take; all of them together take a fraction of it.
STEP = 120.0

#: Files that are no Python, and without which something fails only when it is used.
DATA = {
    "erlen/py.typed",
    "erlen/debugger/templates/failure.html",
    "erlen/debugger/templates/style.css",
    "erlen/cli/project/pyproject.toml.txt",
    "erlen/cli/project/README.md.txt",
    "erlen/cli/project/gitignore.txt",
    "erlen/cli/project/package/__init__.py.txt",
    "erlen/cli/project/package/templates/index.html.txt",
    "erlen/cli/project/package/static/style.css.txt",
    "erlen/cli/project/tests/test_pages.py.txt",
}


def pip(*args: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "pip", "--disable-pip-version-check", *args)


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=bare(), text=True, capture_output=True, timeout=STEP, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def bare() -> dict[str, str]:
    """Return the environment without what tells of this checkout or sets erlen."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ERLEN_", "PYTHON", "COVERAGE_", "COV_")) and name != "VIRTUAL_ENV"
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as ``pip`` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    if importlib.util.find_spec("pip") is None:
        pytest.skip("There is no pip here.")
    found = pip("download", "--no-deps", "--dest", str(folder / "index"), "hatchling")
    if found.returncode:
        pytest.skip(f"No package index can be reached: {found.stderr.strip().splitlines()[-1]}")
    built = pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    assert built.returncode == 0, built.stderr
    [file] = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment in which there is only the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    commands = folder / "bin"
    done = pip("--python", str(commands / "python"), "install", str(wheel))
    assert done.returncode == 0, done.stderr
    return commands


def test_the_wheel_has_all_that_is_needed_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert names >= DATA
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"erlen"}
    assert not [name for name in names if re.search(r"\.pyc$|(^|/)(test_\w+|conftest)\.py$", name)]


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    source = ROOT / "src"
    files = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and not any(part.startswith(("__pycache__", ".")) for part in path.parts)
    }
    assert files <= names


def test_a_project_is_made_served_and_asked_in_three_commands(
    commands: Path, tmp_path: Path
) -> None:
    made = run(str(commands / "erlen"), "new", "shop", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    process = subprocess.Popen(
        [commands / "erlen", "run", "--port", "0"], cwd=tmp_path / "shop", env=bare(), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    with LiveServer(process) as server:
        with server.get("/") as page:
            assert b"Hello world!" in page.read()
        with server.get("/hello/Ada") as answer:
            assert answer.read() == b'{"hello":"Ada"}'
        with server.get("/static/style.css") as sheet:
            assert sheet.headers["content-type"].startswith("text/css")
        assert server.stop() == 0
    assert "Traceback" not in server.output


def test_the_environment_has_the_declared_dependencies_only(commands: Path) -> None:
    code = "import erlen.debugger, erlen.testing, erlen.middleware, erlen.wsgi, erlen.sync"
    done = run(str(commands / "python"), "-W", "error", "-c", code)
    assert done.returncode == 0, done.stderr
    assert pip("--python", str(commands / "python"), "check").returncode == 0
