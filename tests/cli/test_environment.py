"""What .env files add to the environment."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from erlen.cli.environment import is_production, load_files, load_files_again

SET = ("FROM_FILE", "FROM_DOTENV", "API_KEY", "BARE", "RAW", "REAL", "SHELL_SYNTAX")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory below another; what is set is unset again."""
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.delenv("ERLEN_SKIP_DOTENV", raising=False)
    monkeypatch.setenv("REAL", "environment")
    yield tmp_path
    for name in SET:
        os.environ.pop(name, None)


@pytest.fixture
def dotenv() -> None:
    pytest.importorskip("dotenv", reason="python-dotenv, of the extra dotenv, is not installed")


@pytest.mark.usefixtures("dotenv")
def test_cl10_the_nearer_the_command_the_stronger(folder: Path) -> None:
    (folder / ".flaskenv").write_text("REAL=a\nFROM_FILE=a\nFROM_DOTENV=a\nRAW=a")
    (folder / ".env").write_text("REAL=b\nFROM_FILE=b\nFROM_DOTENV=b")
    (folder / "given").write_text("REAL=c\nFROM_FILE=c\nBARE")
    load_files(str(folder / "given"))
    found = [os.environ.get(name) for name in ("REAL", "FROM_FILE", "FROM_DOTENV", "RAW", "BARE")]
    assert found == ["environment", "c", "b", "a", None]


@pytest.mark.usefixtures("dotenv")
def test_b336_values_are_taken_literally(folder: Path) -> None:
    (folder / ".env").write_bytes(b"RAW=${REAL}\r\nSHELL_SYNTAX=$(touch made)\r\nexport BARE=1\r\n")
    load_files()
    assert os.environ["RAW"] == "${REAL}"
    assert os.environ["SHELL_SYNTAX"] == "$(touch made)"
    assert os.environ["BARE"] == "1"
    assert not Path("made").exists()


@pytest.mark.usefixtures("dotenv")
@pytest.mark.parametrize(("mode", "warns"), [(0o644, True), (0o600, False)])
def test_b336_a_secret_that_everybody_can_read_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], mode: int, warns: bool
) -> None:
    (folder / ".env").write_text("API_KEY=very-secret")
    (folder / ".env").chmod(mode)
    load_files()
    said = capsys.readouterr().err
    assert ("Every user of this machine can read API_KEY" in said) is warns
    assert "very-secret" not in said


@pytest.mark.usefixtures("dotenv")
def test_a_file_that_is_no_text_is_told(folder: Path) -> None:
    (folder / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(click.UsageError, match="no text in UTF-8"):
        load_files()


@pytest.mark.usefixtures("dotenv")
def test_cl10_the_usual_files_can_be_skipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLEN_SKIP_DOTENV", "1")
    (folder / ".env").write_text("FROM_DOTENV=b")
    load_files()
    assert "FROM_DOTENV" not in os.environ


def test_a_virtual_environment_called_dotenv_is_no_file(folder: Path) -> None:
    (folder / ".env").mkdir()
    load_files()


def test_cl10_files_that_cannot_be_read_for_lack_of_the_library_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    (folder / ".env").write_text("FROM_DOTENV=b")
    load_files()
    assert capsys.readouterr().err == (
        " * .env was not read, for lack of python-dotenv. "
        "Install it with: pip install 'erlen[dotenv]'.\n"
    )
    with pytest.raises(click.UsageError, match="is read by python-dotenv"):
        load_files(".env")


@pytest.mark.parametrize(("word", "production"), [("production", True), ("test", False)])
def test_production_is_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, word: str, production: bool
) -> None:
    monkeypatch.setenv("ERLEN_ENV", word)
    assert is_production() is production


@pytest.mark.usefixtures("dotenv")
def test_files_are_read_anew_and_what_they_say_no_longer_is_gone(folder: Path) -> None:
    (folder / ".env").write_text("FROM_FILE=a\nFROM_DOTENV=a\nRAW=a")
    former = load_files()
    assert former == {"FROM_FILE": "a", "FROM_DOTENV": "a", "RAW": "a"}
    os.environ["RAW"] = "changed since"
    (folder / ".env").write_text("FROM_FILE=b\nRAW=b")
    load_files_again(None, former)
    found = [os.environ.get(name) for name in ("FROM_FILE", "FROM_DOTENV", "RAW")]
    assert found == ["b", None, "changed since"]
