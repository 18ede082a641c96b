"""The tables of a run, in Markdown."""

import os
import platform

from bench.results import NOISE, Results

MAIN = ("plaintext", "json", "params")


def report(results: Results) -> str:
    """Return the whole report."""
    sections = [_heading(results), _times(results), _ratios(results), _adds(results)]
    sections += [_layers(results), _built(results), _notes(results)]
    return "\n\n".join(section for section in sections if section)


def progress(results: Results) -> str:
    """Return one line about the scenario that was measured last."""
    row = results.scenarios[-1]
    cells = (f"{each.name} {_us(results.us(row.name, each.name))}" for each in results.peers)
    return f"{row.name}: {', '.join(cells)}"


def _heading(results: Results) -> str:
    settings = results.settings
    python = f"{platform.python_implementation()} {platform.python_version()}"
    versions = ", ".join(
        f"{peer.title} {results.versions[peer.name]}"
        for peer in results.peers
        if peer.name in results.versions
    )
    below, above = results.noise()
    noise = (
        f"Nine in ten times the reference work took at most {below:.0%} less and {above:.0%} more "
        "than its median; every figure is corrected by the one that was done beside it."
    )
    if max(below, above) > NOISE:
        noise += f" That is more than {NOISE:.0%}: the machine was not quiet."
    return (
        "# What a request costs, in process\n\n"
        f"{python}, {settings['loop']}, {os.cpu_count()} cores; median of {settings['rounds']} "
        f"interleaved rounds of {settings['seconds']} s; {versions}. Read ratios, not digits.\n\n"
        + noise
    )


def _table(results: Results, title: str, rows: list[tuple[str, list[str]]]) -> str:
    heads = " | ".join(peer.title for peer in results.peers)
    lines = [f"| {title} | {heads} |", "|---|" + "---:|" * len(results.peers)]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return "\n".join(lines)


def _times(results: Results) -> str:
    rows = []
    for scenario in results.scenarios:
        first = results.winner(scenario.name)
        cells = []
        for peer in results.peers:
            text = _us(results.us(scenario.name, peer.name))
            cells.append(f"**{text}**" if peer.name == first else text)
        rows.append((scenario.title, cells))
    table = _table(results, "µs", rows)
    return f"## Microseconds of one request\n\nThe fastest framework is bold.\n\n{table}"


def _ratios(results: Results) -> str:
    if not any(peer.name == "bare" for peer in results.peers):
        return ""
    rows = [
        (each.title, [_number(results.ratio(each.name, peer.name)) for peer in results.peers])
        for each in results.scenarios
    ]
    means = [results.mean(peer.name) for peer in results.peers]
    rows.append(("**geometric mean**", [f"**{_number(mean)}**" for mean, _ in means]))
    rows.append(("of so many scenarios", [str(count) for _, count in means]))
    if any(peer.name == "erlen" for peer in results.peers):
        same = [results.mean("erlen", peer.name)[0] for peer in results.peers]
        rows.append(("erlen's mean of the same", [_number(mean) for mean in same]))
    table = _table(results, "of bare ASGI", rows)
    return (
        "## Ratios to bare ASGI\n\n"
        "Of the rows with many routes, the last rule's count in the mean.\n\n" + table
    )


def _adds(results: Results) -> str:
    rows = []
    for name in MAIN:
        for other in ("starlette", "blacksheep"):
            cells = [_number(results.adds_of(name, peer.name, other)) for peer in results.peers]
            if any(cell != "n/a" for cell in cells):
                title = next(peer.title for peer in results.peers if peer.name == other)
                rows.append((f"{name}, of what {title} adds", cells))
    if not rows:
        return ""
    return "## What is added to bare ASGI\n\n" + _table(results, "share", rows)


def _layers(results: Results) -> str:
    """Return what each middleware and all ten hooks cost, over plaintext of the same peer."""
    rows = []
    for name, title, count in (
        ("middleware", "one middleware, µs", 5),
        ("hooks", "ten hooks, µs", 1),
    ):
        layers = [results.over(name, "plaintext", peer.name) for peer in results.peers]
        if any(layer is not None for layer in layers):
            rows.append((title, [_number(_shared(layer, count)) for layer in layers]))
    return "## What a layer costs\n\n" + _table(results, "over plaintext", rows) if rows else ""


def _built(results: Results) -> str:
    rows = []
    for scenario in results.scenarios:
        if scenario.name.endswith("-last"):
            cells = results.cells[scenario.name]
            built = [cells[peer.name].built for peer in results.peers]
            rows.append((f"{scenario.rules:,} rules", [_us(each) for each in built]))
    if not rows:
        return ""
    title = "## From no rule to the first answer, ms of the processor"
    return f"{title}\n\n{_table(results, 'ms', rows)}"


def _notes(results: Results) -> str:
    lines = []
    for scenario in results.scenarios:
        for peer in results.peers:
            cell = results.cells[scenario.name][peer.name]
            if cell.note:
                none = " n/a:" if cell.us is None else ""
                lines.append(f"- {peer.title}, {scenario.name}:{none} {cell.note}")
    return "## Notes\n\n" + "\n".join(lines) if lines else ""


def _us(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 20 else f"{value:.2f}"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _shared(value: float | None, count: int) -> float | None:
    return None if value is None else value / count
