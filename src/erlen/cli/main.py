"""Floor 8: the ``erlen`` command: its options, its own commands and those of the application."""

import importlib.metadata
import platform
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from erlen.cli.check import check_command
from erlen.cli.environment import load_files, tell
from erlen.cli.group import ScriptInfo
from erlen.cli.installed import command_names, load_command
from erlen.cli.modules import NoAppError, NothingHereError
from erlen.cli.new import new_command
from erlen.cli.routes import routes_command
from erlen.cli.run import run_command, set_debug
from erlen.cli.shell import shell_command

F = TypeVar("F", bound=Callable[..., Any] | click.Command)


class _MainGroup(click.Group):
    """The command's own commands, those of installed packages, then those of the application.

    The application is imported when it is asked for, a package when its command is.
    """

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of erlen's, of a package's or of the application's."""
        own = super().get_command(ctx, cmd_name) or load_command(cmd_name, tell=_teller(ctx))
        if own is not None or cmd_name in command_names():  # or does not work, as was told
            return own
        if ":" in cmd_name or cmd_name.endswith(".py"):
            raise click.UsageError(
                f"{cmd_name!r} is no command. If it is the application, write "
                f"'erlen --app {cmd_name} run'."
            )
        try:
            app = ctx.ensure_object(ScriptInfo).load_app()
        except NothingHereError:
            if get_close_matches(cmd_name, self.list_commands(ctx)):
                return None  # mistyped, which click tells
            raise
        found: click.Command | None = app.cli.get_command(ctx, cmd_name)
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names; those of erlen when the application cannot be imported, and why."""
        own = sorted({*super().list_commands(ctx), *command_names()})
        try:
            app = ctx.ensure_object(ScriptInfo).load_app()
        except NothingHereError:
            return own  # whoever asks for help may be about to make one
        except NoAppError as error:
            if not ctx.resilient_parsing:  # a shell that completes a word wants words only
                error.show()
            return own
        return sorted({*own, *app.cli.list_commands(ctx)})


def _teller(ctx: click.Context) -> Callable[[str], object]:
    """Return what takes remarks: nobody, for a shell that completes a word."""
    return str if ctx.resilient_parsing else tell


# The options act while they are parsed: a group finds its command before its own function runs.


def _set_app(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(ScriptInfo).spec = value


def _complete_file(
    _ctx: click.Context, _option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Have the shell complete the name of a file."""
    return [CompletionItem(incomplete, type="file")]


def _app_option(**options: Any) -> Callable[[F], F]:
    """Return the option ``--app``, before a command or behind it."""
    return click.option(
        "--app",
        "-A",
        metavar="MODULE:NAME",
        callback=_set_app,
        shell_complete=_complete_file,
        expose_value=False,
        is_eager=True,
        help="The application: 'module', 'module:name', 'path/file.py:name' or 'module:factory("
        '"literal")\'.  [default: in app.py, wsgi.py, asgi.py or the package here]',
        **options,
    )


def _load_env(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    info = ctx.ensure_object(ScriptInfo)
    info.env_file = value
    info.from_files = load_files(value, tell=str if ctx.resilient_parsing else tell)


def _set_traceback(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    ctx.ensure_object(ScriptInfo).show_traceback = value


def _show_version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"Python {platform.python_version()}")
        for name in ("erlen", "uvicorn"):
            click.echo(f"{name} {importlib.metadata.version(name)}")
        ctx.exit()


@click.group(
    cls=_MainGroup,
    context_settings={"auto_envvar_prefix": "ERLEN", "help_option_names": ["--help", "-h"]},
    epilog="Begin with:  erlen new hello",
)
@click.option(
    "--env-file",
    "-e",
    type=click.Path(exists=True, dir_okay=False),
    callback=_load_env,
    expose_value=False,
    is_eager=True,  # and first, because the other options may come from the file
    help="A file of NAME=value lines for the environment, before .env, .erlenenv and .flaskenv.",
)
@_app_option(show_envvar=True)
@click.option(
    "--debug/--no-debug",
    default=None,
    callback=set_debug,
    expose_value=False,
    is_eager=True,
    allow_from_autoenv=False,  # the application reads ERLEN_DEBUG itself
    help="Set debug mode.",
)
@click.option(
    "--traceback",
    is_flag=True,
    callback=_set_traceback,
    expose_value=False,
    is_eager=True,
    help="Show the whole traceback when the application cannot be imported.",
)
@click.option(
    "--version",
    is_flag=True,
    callback=_show_version,
    expose_value=False,
    is_eager=True,
    allow_from_autoenv=False,
    help="Show the versions and exit.",
)
def main() -> None:
    """Serve, inspect and command an erlen application."""


for _command in (check_command, new_command, routes_command, run_command, shell_command):
    main.add_command(_command)
    if _command is not new_command:
        _app_option(allow_from_autoenv=False)(_command)
