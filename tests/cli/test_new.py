"""erlen new: the project that it makes, and what it refuses."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from erlen.cli.main import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(name: str) -> Result:
    return CliRunner(catch_exceptions=False).invoke(main, ["new", name])


def test_a_project_is_made(folder: Path) -> None:
    (folder / "shop").mkdir()
    result = new("shop")
    assert result.exit_code == 0
    files = {path.relative_to(folder / "shop").as_posix() for path in folder.rglob("*.*")}
    assert files >= {
        ".env", ".gitignore", "README.md", "pyproject.toml", "shop/__init__.py", "shop/pages.py",
        "shop/templates/index.html", "shop/static/style.css", "tests/test_pages.py",
    }  # fmt: skip
    assert result.stdout.endswith("  cd shop\n  erlen run --debug\n")
    assert "__NAME__" not in "".join(
        path.read_text() for path in folder.rglob("*") if path.is_file()
    )


def test_its_key_is_its_own_and_not_for_others(folder: Path) -> None:
    new("one")
    new("two")
    keys = {(folder / name / ".env").read_text().split("=")[1].strip() for name in ("one", "two")}
    assert [len(key) for key in keys] == [64, 64]
    assert stat.S_IMODE((folder / "one" / ".env").stat().st_mode) == 0o600
    assert ".env" in (folder / "one" / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("my-shop", "'my-shop' cannot be the name of a package."),
        ("my-shop", "a letter first: 'my_shop'."),
        ("2nd", "a letter first: 'my_2nd'."),
        ("site", "which the project needs. Take another, for example 'my_site'."),
        ("../shop", "'../shop' cannot be the name of a package."),
        ("class", "a letter first: 'my_class'."),
        ("json", "A module has the name 'json' already"),
        ("tests", "A module has the name 'tests' already"),
        ("full", "is there already, and not an empty folder."),
        ("file", "is there already, and not an empty folder."),
    ],
)
def test_what_cannot_be_made_is_refused(folder: Path, name: str, reason: str) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "notes.txt").touch()
    (folder / "file").touch()
    before = sorted(folder.rglob("*"))
    result = new(name)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert sorted(folder.rglob("*")) == before
