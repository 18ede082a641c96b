"""Floor 8: ``erlen check``."""

from collections.abc import Iterator

import click

from erlen.app import Erlen
from erlen.cli.check_declarations import check_declarations
from erlen.cli.check_links import check_links
from erlen.cli.deploy import check_deployment
from erlen.cli.findings import Finding
from erlen.cli.group import ScriptInfo
from erlen.cli.link_calls import in_python, in_templates


@click.command("check", short_help="Find mistakes without serving.")
@click.option("--deploy", is_flag=True, help="Find unsafe settings, too.")
@click.pass_obj
def check_command(info: ScriptInfo, deploy: bool) -> None:
    """Find mistakes without serving; ends with code 1 when there are any.

    Every url_for() with a literal endpoint, in Python and in templates, is resolved; hooks, error
    handlers, views and converters are looked at; all declarations are compiled.
    """
    app = info.load_app()
    findings = sorted({*_find(app), *(check_deployment(app) if deploy else ())})
    for finding in findings:
        click.echo(finding)
    if findings:
        click.echo(f"{len(findings)} found.", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"Nothing found in {app.name!r}.")


def _find(app: Erlen) -> Iterator[Finding]:
    yield from check_declarations(app)
    yield from check_links(app, in_python(app))
    yield from check_links(app, in_templates(app))
    try:
        app.freeze()
    except Exception as error:  # noqa: BLE001  # whatever middleware raises when it is made
        yield Finding(app.name, 0, f"{type(error).__name__}: {error}")
