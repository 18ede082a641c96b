"""Floor 8: ``erlen shell``."""

import code
import platform

import click

from erlen.cli.group import ScriptInfo
from erlen.proxies import g


@click.command("shell")
@click.pass_obj
def shell_command(info: ScriptInfo) -> None:
    """Open a Python shell in the application's context, with 'app' and 'g'."""
    app = info.load_app()
    banner = f"Python {platform.python_version()}\nApp: {app.name}\nInstance: {app.instance_path}"
    with app.app_context():
        code.interact(banner=banner, local={"app": app, "g": g}, exitmsg="")
