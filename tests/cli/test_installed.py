"""Commands of installed packages: entry points of erlen.commands."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from erlen import Erlen
from erlen.cli.group import ScriptInfo
from erlen.cli.installed import command_names, load_command
from erlen.cli.main import main

CODE = """
import anyio
import click
from erlen import current_app
from erlen.cli import AppGroup, with_appcontext

@click.command()
def plain():
    "Say so."
    click.echo("plain")

@click.command()
async def waits():
    await anyio.lowlevel.checkpoint()
    click.echo("waited")

@click.command()
@with_appcontext
async def inside():
    click.echo(f"inside {current_app.name}")

user = AppGroup("user")

@user.command("show")
def show():
    click.echo(f"user of {current_app.name}")

@click.group()
def tools():
    pass

@tools.command()
async def wait():
    click.echo("tools wait")

@tools.command()
@with_appcontext
def name():
    click.echo(f"tools of {current_app.name}")

thing = object()
"""
POINTS = """[erlen.commands]
plain = mail_tools:plain
waits = mail_tools:waits
inside = mail_tools:inside
user = mail_tools:user
tools = mail_tools:tools
lacking = mail_tools:nothing
broken = mail_tools_missing:command
thing = mail_tools:thing
run = mail_tools:plain
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with commands, as pip leaves it."""
    (tmp_path / "mail_tools.py").write_text(CODE)
    info = tmp_path / "mail_tools-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mail-tools\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("mail_tools", None)


def erlen(*args: str, app: Erlen | None = None, **options: str) -> Result:
    return CliRunner(catch_exceptions=False).invoke(main, args, obj=ScriptInfo(app), env=options)


def test_cl8_a_command_of_a_package_needs_no_application() -> None:
    assert erlen("plain").stdout == "plain\n"
    assert erlen("waits").stdout == "waited\n"


@pytest.mark.parametrize(
    ("args", "output"),
    [
        (["plain"], "plain\n"),
        (["inside"], "inside shop\n"),
        (["user", "show"], "user of shop\n"),
        (["tools", "wait"], "tools wait\n"),
        (["tools", "name"], "tools of shop\n"),
    ],
    ids=str,
)
def test_cl9_commands_of_packages_are_awaited_in_the_context_that_they_ask_for(
    args: list[str], output: str
) -> None:
    result = erlen(*args, app=Erlen("shop"))
    assert (result.stdout, result.exit_code) == (output, 0)


def test_help_lists_those_that_work_and_tells_of_the_others() -> None:
    result = erlen("--help")
    assert result.exit_code == 0
    assert "  plain   Say so.\n" in result.stdout
    assert "thing" not in result.stdout
    told = result.stderr.splitlines()
    assert len(told) == 3
    assert told[0] == (
        " * The command 'broken' of the installed package 'mail-tools' cannot be loaded: "
        "ModuleNotFoundError: No module named 'mail_tools_missing'"
    )
    assert "'lacking' of the installed package 'mail-tools' cannot be loaded: Attrib" in told[1]
    assert "'thing' of the installed package 'mail-tools' is <object object at" in told[2]


def test_a_command_that_cannot_be_loaded_is_no_command() -> None:
    result = erlen("broken", app=Erlen("shop"))
    assert result.exit_code == 2
    assert "cannot be loaded" in result.stderr
    assert "No such command 'broken'" in result.stderr


def test_the_commands_of_erlen_come_first() -> None:
    assert "Serve the application" in erlen("run", "--help").stdout


def test_a_shell_that_completes_is_told_of_words_only() -> None:
    words = {"COMP_WORDS": "erlen ", "COMP_CWORD": "1", "_ERLEN_COMPLETE": "bash_complete"}
    result = CliRunner().invoke(main, [], prog_name="erlen", env=words)
    assert {"plain,plain", "plain,tools"} <= set(result.stdout.splitlines())
    assert result.stderr == ""


def test_names_are_known_without_an_import() -> None:
    assert {"plain", "broken"} <= command_names()
    assert "mail_tools" not in sys.modules
    assert load_command("unheard-of", tell=print) is None
