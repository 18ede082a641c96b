"""Floor 8: ``erlen shell``."""

import platform
from typing import Any

import click

from erlen.app import Erlen
from erlen.cli.console import Interact, choose
from erlen.cli.group import ScriptInfo
from erlen.links import url_for
from erlen.proxies import g


@click.command("shell", short_help="Open a Python prompt that awaits.")
@click.option("--plain", is_flag=True, help="Use neither IPython nor ptpython.")
@click.pass_obj
def shell_command(info: ScriptInfo, plain: bool) -> None:
    """Open a Python shell in the application's context, in which 'await' works.

    It runs between the startup and the shutdown of the application. It has the names 'app', 'g' and
    'url_for', and those of the application's shell context processors. IPython or ptpython is used
    when it is installed.
    """
    app = info.load_app()
    banner = (
        f"Python {platform.python_version()}\n"
        f"App: {app.name}{' [debug]' if app.debug else ''}\n"
        f"Instance: {app.instance_path}\n"
        "Names: {names}. 'await' works, on the application's event loop."
    )
    interact: Interact = choose(plain=plain)
    names = _names(app)
    interact(app, names, banner.format(names=", ".join(names)))


def _names(app: Erlen) -> dict[str, Any]:
    names: dict[str, Any] = {"app": app, "g": g, "url_for": url_for}
    for processor in app.shell_context_processors:
        names.update(processor())
    return names
