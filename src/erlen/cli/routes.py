"""Floor 8: ``erlen routes``."""

from collections.abc import Iterable, Sequence

import click

from erlen.cli.group import ScriptInfo
from erlen.routing.rule import Rule

_COLUMNS = ("Endpoint", "Methods", "Host", "Rule")
_SORTS = ("endpoint", "methods", "host", "rule")


@click.command("routes")
@click.option(
    "--sort", "-s", type=click.Choice(_SORTS), default="endpoint", help="Column to sort by.",
    show_default=True,
)  # fmt: skip
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS too.")
@click.pass_obj
def routes_command(info: ScriptInfo, sort: str, all_methods: bool) -> None:
    """Show the application's rules."""
    rules = info.load_app().url_map.iter_rules()
    rows = [_row(rule, all_methods=all_methods) for rule in rules]
    if not rows:
        click.echo("The application has no rules.")
        return
    key = _SORTS.index(sort)
    rows.sort(key=lambda row: (row[key], row))
    for line in _table(rows):
        click.echo(line)


def _row(rule: Rule, *, all_methods: bool) -> tuple[str, str, str, str]:
    """Return the cells of one rule, in the order of the columns."""
    if rule.websocket:
        methods = "WEBSOCKET"
    elif rule.methods is None:
        methods = "(any)"
    else:
        hidden = set() if all_methods else {"HEAD", "OPTIONS"}
        methods = ", ".join(sorted(rule.methods - hidden or rule.methods))
    return rule.endpoint, methods, rule.host or rule.subdomain or "", rule.rule


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Lay out rows below their headings; a column without any content is left out."""
    columns = [
        (name, cells) for name, cells in zip(_COLUMNS, zip(*rows, strict=True), strict=True)
        if any(cells)
    ]  # fmt: skip
    widths = [max(map(len, (name, *cells))) for name, cells in columns]
    lines = [
        [name for name, _ in columns],
        ["-" * width for width in widths],
        *zip(*(cells for _, cells in columns), strict=True),
    ]
    for line in lines:
        yield "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
