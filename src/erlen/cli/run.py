"""Floor 8: ``erlen run``."""

import os
import ssl
from typing import Any

import click

from erlen.app import Erlen
from erlen.cli.environment import is_production
from erlen.cli.group import ScriptInfo
from erlen.cli.loader import set_log_level

_LEVELS = ("debug", "info", "warning", "error", "critical")
_FILE = click.Path(exists=True, dir_okay=False)

#: What the processes import that serve in the place of this one.
_LOAD = "erlen.cli.loader:load_again"


def set_debug(_ctx: click.Context, _option: click.Parameter, value: bool | None) -> None:
    """Tell the application, before it is imported."""
    if value is not None:
        os.environ["ERLEN_DEBUG"] = "1" if value else "0"


@click.command("run")
@click.option("--host", "-h", help="Address to listen on.  [default: SERVER_NAME's, or 127.0.0.1]")
@click.option("--port", "-p", type=int, help="Port, 0 for any.  [default: SERVER_NAME's, or 5000]")
@click.option(
    "--debug/--no-debug", default=None, callback=set_debug, expose_value=False, is_eager=True,
    allow_from_autoenv=False, help="Set debug mode.",
)  # fmt: skip
@click.option(
    "--reload/--no-reload", default=None,
    help="Start again when a Python file changes.  [default: on in debug mode]",
)  # fmt: skip
@click.option(
    "--workers", "-w", type=click.IntRange(1), default=1, show_default=True,
    help="Processes that serve.",
)  # fmt: skip
@click.option("--cert", type=_FILE, help="Serve https with this certificate, a PEM file.")
@click.option("--key", type=_FILE, help="Its private key.  [default: in the certificate's file]")
@click.option(
    "--log-level", type=click.Choice(_LEVELS),
    help="Least level that the server and the application log.",
)  # fmt: skip
@click.pass_obj
def run_command(
    info: ScriptInfo,
    host: str | None,
    port: int | None,
    reload: bool | None,
    workers: int,
    cert: str | None,
    key: str | None,
    log_level: str | None,
) -> None:
    """Serve the application on uvicorn."""
    from erlen import serving

    _check_certificate(cert, key)
    app = info.load_app()
    if workers > 1 and reload:
        raise click.UsageError(
            f"--reload serves with one process, and --workers is {workers}. Leave one of them out."
        )
    if reload is None:
        reload = bool(app.debug) and workers == 1
    _check_debug(app)
    set_log_level(app, log_level)
    if reload or workers > 1:
        _tell_processes(info.spec, log_level)
    given = {"ssl_certfile": cert, "ssl_keyfile": key, "log_level": log_level}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if workers > 1:
        from erlen.cli.workers import serve

        serve(app, host, port, load_from=_LOAD, workers=workers, **options)
    else:
        serving.run(app, host, port, reload_from=_LOAD if reload else None, **options)


def _check_debug(app: Erlen) -> None:
    # SAFETY: in debug mode pages show source and values to whoever makes the application fail.
    if app.debug and is_production():
        raise click.UsageError(
            "Debug mode is on, and ERLEN_ENV says that this is production. Leave --debug and "
            "ERLEN_DEBUG out here, or set ERLEN_ENV to another word where you develop."
        )


def _check_certificate(cert: str | None, key: str | None) -> None:
    """Refuse files that cannot be used, before anything listens."""
    if key is not None and cert is None:
        raise click.UsageError("--key was given without --cert. Give the certificate, too.")
    if cert is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise click.UsageError(
            f"The certificate {cert!r} cannot be used with the key in {key or cert!r}: {error}. "
            "Give a certificate in PEM form with --cert, and its private key with --key."
        ) from None


def _tell_processes(spec: str | None, log_level: str | None) -> None:
    """Leave word for processes that import the application anew."""
    for name, value in (("ERLEN_APP", spec), ("ERLEN_RUN_LOG_LEVEL", log_level)):
        if value is not None:
            os.environ[name] = value
