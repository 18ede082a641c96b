"""The sections of the page that come from results, each a text in Markdown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.page import figures, tables
from bench.page.bars import bars
from bench.page.figures import BARE, Measure
from bench.page.reasons import REASONS
from bench.peers import BY_NAME

#: In process, of which the time that a framework adds is told and drawn.
PLAIN = ("plaintext", "json", "params")
_COMMANDS = {"in process": "bench.run", "wire": "bench.wire", "startup": "bench.startup"}


def added(measure: Measure) -> Measure:
    """Return what each framework takes beyond bare ASGI."""
    bare = measure.values[BARE] or 0.0
    values = {
        peer: value and value - bare for peer, value in measure.values.items() if peer != BARE
    }
    return replace(measure, what="µs added to bare ASGI", values=values)


def _conditions(found: dict[str, Any]) -> str:
    """Return versions and settings of each command, in words."""
    lines = []
    for kind, command in _COMMANDS.items():
        if run := found.get(kind):
            settings = ", ".join(f"{key} {value}" for key, value in run["settings"].items())
            lines.append(f"- `python -m {command}`: CPython {run['python']}; {settings}.")
    if versions := _versions(found):
        told = ", ".join(f"{name} {version}" for name, version in versions.items())
        lines.append(f"- Versions: {told}.")
    return "\n".join(lines)


def _versions(found: dict[str, Any]) -> dict[str, str]:
    """Return the version of each framework, and of what all of them run on."""
    versions: dict[str, str] = {}
    for kind in ("wire", "startup"):
        for name, installed in found.get(kind, {}).get("versions", {}).items():
            distribution = BY_NAME[name].distribution
            if distribution:
                versions[BY_NAME[name].title] = installed[distribution]
            versions |= {key: installed[key] for key in ("uvicorn", "uvloop", "httptools")}
    return versions


def _in_process(found: dict[str, Any]) -> str:
    timed = [*figures.in_process(found)]
    if not timed:
        return ""
    shares = tables.shares(timed)
    charts = [_chart(added(each)) for each in timed if each.row in PLAIN]
    return "\n\n".join(
        (
            "µs of one request:",
            tables.by_peer(timed),
            "Multiples of bare ASGI:",
            tables.by_peer([*shares, tables.mean(shares)]),
            "\n\n".join(charts),
        )
    )


def _wire(found: dict[str, Any]) -> str:
    parts = []
    measured = [*figures.over_the_wire(found)]
    for what in dict.fromkeys(each.what for each in measured):
        chosen = [each for each in measured if each.what == what]
        parts += [f"{what[0].upper()}{what[1:]}:", tables.by_peer(chosen)]
        if what in {figures.RATE, figures.CPU}:
            parts += ["The same, as shares of bare ASGI:", tables.by_peer(tables.shares(chosen))]
    parts += [_chart(each) for each in measured if each.what == figures.RATE]
    return "\n\n".join(parts)


def _startup(found: dict[str, Any]) -> str:
    measured = [*figures.startup(found)]
    return tables.by_peer(measured) if measured else ""


def _ahead(found: dict[str, Any]) -> str:
    measured = figures.measures(found)
    return tables.ahead(measured, REASONS) if measured else ""


def _notes(found: dict[str, Any]) -> str:
    """Return how an application was written where that is not obvious, or why there is none."""
    lines = []
    for row in found.get("in process", {}).get("rows", ()):
        for peer, cell in row["cells"].items():
            if cell["note"]:
                none = "no figure: " if cell["us"] is None else ""
                lines.append(f"- {BY_NAME[peer].title}, {row['title']}: {none}{cell['note']}")
    return "\n".join(lines)


def _stages(found: dict[str, Any]) -> str:
    return tables.stages(found["stages"]["rows"]) if "stages" in found else ""


def _calls(found: dict[str, Any]) -> str:
    return tables.calls(found["calls"]["rows"]) if "calls" in found else ""


def _instructions(found: dict[str, Any]) -> str:
    measured = [*figures.counted(found)]
    return tables.by_peer(measured) if measured else ""


def _chart(measure: Measure) -> str:
    """Return a chart in text; the slowest, which would shrink the others to dots, are cut."""
    offered = {peer: value for peer, value in measure.values.items() if value is not None}
    order = sorted(offered, key=lambda peer: offered[peer], reverse=measure.more_is_better)
    values = {BY_NAME[peer].title: offered[peer] for peer in order}
    middle = sorted(offered.values())[len(offered) // 2]
    most = None if measure.more_is_better else middle * 3
    text = bars(f"{measure.title}: {measure.what}", values, digits=measure.digits, most=most)
    return f"```text\n{text}\n```"


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "conditions": _conditions,
    "stages": _stages,
    "calls": _calls,
    "in process": _in_process,
    "instructions": _instructions,
    "wire": _wire,
    "startup": _startup,
    "ahead": _ahead,
    "notes": _notes,
}
