"""Floor 8: the ``erlen`` command: its options, its own commands and those of the application."""

import importlib.metadata
import platform

import click

from erlen.cli.check import check_command
from erlen.cli.environment import load_files, tell
from erlen.cli.group import ScriptInfo
from erlen.cli.modules import NoAppError
from erlen.cli.new import new_command
from erlen.cli.routes import routes_command
from erlen.cli.run import run_command, set_debug
from erlen.cli.shell import shell_command


class _MainGroup(click.Group):
    """The command's own commands, then those of the application; it is imported when asked for."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of erlen's or of the application's."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        app = ctx.ensure_object(ScriptInfo).load_app()
        found: click.Command | None = app.cli.get_command(ctx, cmd_name)
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names; those of erlen when the application cannot be imported, and why."""
        own = super().list_commands(ctx)
        try:
            app = ctx.ensure_object(ScriptInfo).load_app()
        except NoAppError as error:
            if not ctx.resilient_parsing:  # a shell that completes a word wants words only
                error.show()
            return own
        return sorted({*own, *app.cli.list_commands(ctx)})


# The options act while they are parsed: a group finds its command before its own function runs.


def _set_app(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    ctx.ensure_object(ScriptInfo).spec = value


def _load_env(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    load_files(value, tell=str if ctx.resilient_parsing else tell)


def _set_traceback(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    ctx.ensure_object(ScriptInfo).show_traceback = value


def _show_version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"Python {platform.python_version()}")
        for name in ("erlen", "uvicorn"):
            click.echo(f"{name} {importlib.metadata.version(name)}")
        ctx.exit()


@click.group(cls=_MainGroup, context_settings={"auto_envvar_prefix": "ERLEN"})
@click.option(
    "--env-file",
    "-e",
    type=click.Path(exists=True, dir_okay=False),
    callback=_load_env,
    expose_value=False,
    is_eager=True,  # and first, because the other options may come from the file
    help="A file of NAME=value lines for the environment, before .env, .erlenenv and .flaskenv.",
)
@click.option(
    "--app",
    "-A",
    metavar="MODULE:NAME",
    callback=_set_app,
    expose_value=False,
    is_eager=True,
    show_envvar=True,
    help="The application: 'module', 'module:name', 'path/file.py:name' or "
    "'module:factory(\"literal\")'.  [default: in app.py, wsgi.py, asgi.py or the package here]",
)
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
