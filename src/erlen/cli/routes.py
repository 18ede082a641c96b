"""Floor 8: ``erlen routes``."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from erlen.app import Erlen
from erlen.cli.explain import WEBSOCKET, Explanation, explain
from erlen.cli.group import ScriptInfo
from erlen.routing.rule import Rule

_COLUMNS = ("Endpoint", "Methods", "Host", "Rule")
_SORTS = ("endpoint", "methods", "host", "rule", "match")


@click.command("routes", short_help="Show the rules, or what becomes of a request.")
@click.option(
    "--sort", "-s", type=click.Choice(_SORTS), default="endpoint", show_default=True,
    help="Column to sort by; 'match' is the order of declaration.",
)  # fmt: skip
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS too.")
@click.option(
    "--match", "-m", "request", metavar="'METHOD URL'",
    help="Tell which rule answers a request, 'GET /a/b' or 'WEBSOCKET /live', and why others "
    "do not.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def routes_command(
    info: ScriptInfo, sort: str, all_methods: bool, request: str | None, as_json: bool
) -> None:
    """Show the application's rules and what is mounted, or what becomes of a request."""
    app = info.load_app()
    if request is not None:
        method, url = _split(request)
        explanation = explain(app, method, url)
        if as_json:
            _write(_match_as_json(explanation))
        else:
            _show(f"{method} {url}", explanation)
        return
    if as_json:
        _write([_rule_as_json(rule) for rule in app.url_map.iter_rules()] + _mounts_as_json(app))
        return
    rows = [_row(rule, all_methods=all_methods) for rule in app.url_map.iter_rules()]
    rows += [
        (_kind(mount.app), "MOUNT", "", f"{mount.path}/")
        for mount in app.lifespan_declarations.mounts
    ]
    if not rows:
        click.echo("The application has no rules.")
        return
    if sort != "match":
        key = _SORTS.index(sort)
        rows.sort(key=lambda row: (row[key], row))
    for line in _table(_COLUMNS, rows):
        click.echo(line)


def _split(request: str) -> tuple[str, str]:
    """Return method and URL of ``GET /a/b``; GET when only a URL is given."""
    *words, url = request.split() or [""]
    if len(words) > 1 or not (url.startswith("/") or "://" in url):
        raise click.UsageError(
            f"--match {request!r} is no request. Write 'GET /path', 'WEBSOCKET /path', or a whole "
            "URL in the place of the path."
        )
    return (words[0].upper() if words else "GET"), url


# --- as text --------------------------------------------------------------------------------------


def _row(rule: Rule, *, all_methods: bool) -> tuple[str, str, str, str]:
    """Return the cells of one rule, in the order of the columns."""
    return rule.endpoint, _methods(rule, all_methods=all_methods), _host(rule), rule.rule


def _methods(rule: Rule, *, all_methods: bool) -> str:
    if rule.websocket:
        return WEBSOCKET
    if rule.methods is None:
        return "(any)"
    hidden = set() if all_methods else {"HEAD", "OPTIONS"}
    return ", ".join(sorted(rule.methods - hidden or rule.methods))


def _host(rule: Rule) -> str:
    return rule.host or rule.subdomain or ""


def _kind(app: Any) -> str:
    return app.name if isinstance(app, Erlen) else type(app).__name__


def _show(request: str, explanation: Explanation) -> None:
    """Write what becomes of a request, and why others do not answer it."""
    click.echo(f"{request}: {explanation.outcome}")
    if explanation.winner is not None:
        click.echo(f"Answered by {explanation.winner.describe()}")
    if explanation.candidates:
        click.echo("")
        rows = [(*_row(rule, all_methods=False), why) for rule, why in explanation.candidates]
        for line in _table((*_COLUMNS, "Why not"), rows):
            click.echo(line)
    elif explanation.winner is None:
        click.echo("No rule comes close.")


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Lay out rows below their headings; a column without any content is left out."""
    columns = [
        (name, cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)
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


# --- as JSON --------------------------------------------------------------------------------------


def _write(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=repr))


def _rule_as_json(rule: Rule) -> dict[str, Any]:
    return {
        "endpoint": rule.endpoint,
        "rule": rule.rule,
        "methods": None if rule.methods is None else sorted(rule.methods),
        "websocket": rule.websocket,
        "host": _host(rule) or None,
        "arguments": sorted(rule.arguments),
        "defaults": rule.defaults or {},
        "declared": rule.origin or None,
    }


def _mounts_as_json(app: Erlen) -> list[dict[str, Any]]:
    mounts = app.lifespan_declarations.mounts
    return [{"mount": mount.path or "/", "application": _kind(mount.app)} for mount in mounts]


def _match_as_json(explanation: Explanation) -> dict[str, Any]:
    outcome, winner, candidates = explanation
    return {
        "outcome": outcome,
        "winner": None if winner is None else _rule_as_json(winner),
        "candidates": [{**_rule_as_json(rule), "reason": why} for rule, why in candidates],
    }
