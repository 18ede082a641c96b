"""Floor 8: ``erlen run``."""

import functools
import os
import ssl
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import click

from erlen.cli.environment import FILES
from erlen.cli.group import ScriptInfo
from erlen.cli.loader import check_place, load_again, set_log_level
from erlen.config import get_debug_flag

_LEVELS = ("debug", "info", "warning", "error", "critical")
_FILE = click.Path(exists=True, dir_okay=False)
#: The word that ``--cert`` takes in place of a file.
_AD_HOC = "adhoc"


class _Certificate(click.Path):
    """A file, or the word for none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == _AD_HOC else super().convert(value, param, ctx)


def set_debug(_ctx: click.Context, _option: click.Parameter, value: bool | None) -> None:
    """Tell the application, before it is imported."""
    if value is not None:
        os.environ["ERLEN_DEBUG"] = "1" if value else "0"


def _split_paths(_ctx: click.Context, _option: click.Parameter, value: str | None) -> list[str]:
    """Return the paths of one word, in which they stand as in ``PATH``, as absolute ones."""
    paths = (value or "").split(os.pathsep)
    return [os.path.abspath(path) for path in paths if path]  # noqa: PTH100  # links stay


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
@click.option(
    "--extra-files", callback=_split_paths, metavar=os.pathsep.join(("FILE", "FILE…")),
    help="Other files and directories whose changes make it start again.",
)  # fmt: skip
@click.option(
    "--cert", type=_Certificate(exists=True, dir_okay=False),
    help="Serve https with this certificate, a PEM file, or with one made for now: 'adhoc'.",
)  # fmt: skip
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
    extra_files: list[str],
    cert: str | None,
    key: str | None,
    log_level: str | None,
) -> None:
    """Serve the application on uvicorn."""
    from erlen import serving
    from erlen.serving import reloading
    from erlen.serving import workers as several

    if workers > 1 and reload:
        raise click.UsageError(
            f"--reload serves with one process, and --workers is {workers}. Leave one of them out."
        )
    options = _tls(cert, key, host) | ({} if log_level is None else {"log_level": log_level})
    load = functools.partial(load_again, info.spec, log_level, info.env_file, info.from_files)
    may_reload = reload is not False and workers == 1
    app = None
    # Where it is known already that it is served by another process, this one does not import it.
    if not (may_reload and (reload or get_debug_flag())):
        app = info.load_app()
    debug = get_debug_flag() if app is None else bool(app.debug)
    _check_debug(debug=debug)
    if may_reload and (reload or debug):
        check_place(info.spec)
        watch = [*extra_files, *FILES, *filter(None, [info.env_file])]
        reloading.serve(load, host, port, debug=debug, watch=map(os.path.abspath, watch), **options)
        return
    assert app is not None
    set_log_level(app, log_level)
    if workers > 1:
        several.serve(app, host, port, load=load, workers=workers, **options)
    else:
        serving.run(app, host, port, **options)


def _check_debug(*, debug: bool) -> None:
    from erlen.serving.debugging import IN_PRODUCTION, is_unsafe

    if is_unsafe(debug=debug):
        raise click.UsageError(IN_PRODUCTION)


def _tls(cert: str | None, key: str | None, host: str | None) -> dict[str, Any]:
    """Return uvicorn's options for https; refuse what cannot be used before anything listens."""
    if cert is None:
        if key is not None:
            raise click.UsageError("--key was given without --cert. Give the certificate, too.")
        return {}
    if cert == _AD_HOC:
        return {"ssl_context_factory": _ad_hoc(key, host)}
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise click.UsageError(
            f"The certificate {cert!r} cannot be used with the key in {key or cert!r}: {error}. "
            "Give a certificate in PEM form with --cert, and its private key with --key."
        ) from None
    return {"ssl_certfile": cert} | ({} if key is None else {"ssl_keyfile": key})


def _ad_hoc(key: str | None, host: str | None) -> Callable[..., ssl.SSLContext]:
    if key is not None:
        raise click.UsageError("--cert is 'adhoc', which has a key of its own. Leave --key out.")
    if find_spec("cryptography") is None:
        raise click.UsageError(
            "--cert adhoc makes a certificate with cryptography, which is not installed. "
            "Install it with: pip install cryptography."
        )
    from erlen.serving.certificates import AdHoc

    return AdHoc.make(host)
