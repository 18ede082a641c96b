"""Floor 8: ``erlen run``."""

import os

import click

from erlen.cli.group import ScriptInfo


@click.command("run")
@click.option("--host", "-h", help="Address to listen on.  [default: SERVER_NAME's, or 127.0.0.1]")
@click.option("--port", "-p", type=int, help="Port, 0 for any.  [default: SERVER_NAME's, or 5000]")
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Start again when a Python file changes.  [default: on in debug mode]",
)
@click.pass_obj
def run_command(info: ScriptInfo, host: str | None, port: int | None, reload: bool | None) -> None:
    """Serve the application, for development."""
    from erlen import serving

    app = info.load_app()
    if reload is None:
        reload = bool(app.debug)
    if reload and info.spec is not None:
        os.environ["ERLEN_APP"] = info.spec  # for the processes that the reloader starts
    serving.run(app, host, port, reload_from="erlen.cli.loader:load_again" if reload else None)
