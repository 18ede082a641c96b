"""Many rules: the time to register and freeze them, and what their number costs a request.

``python -m bench.routes``. ``bench/run.py`` asks the peers too; here are more kinds of rules, and
the match alone.
"""

import asyncio  # noqa: TID251  # the loop of every peer
import gc
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any

from bench.driving import Load, Template, best
from bench.scenarios import Ask
from erlen import Erlen
from erlen.exceptions import NotFound

SIZES = (10, 1_000, 10_000)
BUILDS = 5
MATCHES = 20_000


async def view(**_values: Any) -> str:
    return "ok"


def rule_of(number: int) -> str:
    """Return one of four kinds of rule in turn: two static, one int, one int with a string."""
    section = f"/section-{number // 4}"
    return (
        f"{section}/about",
        f"{section}/items",
        f"{section}/items/<int:item_id>",
        f"{section}/<slug>/notes/<int:note_id>",
    )[number % 4]


def build(count: int) -> Erlen:
    """Return a frozen application of *count* rules, each an endpoint of its own, with one view."""
    app = Erlen(__name__)
    for number in range(count):
        app.add_url_rule(rule_of(number), f"endpoint-{number}", view)
    app.freeze()
    return app


def seconds_to_build(count: int) -> float:
    """Return the processor seconds of the fastest of some builds, from no rule to frozen."""
    taken = []
    for _ in range(BUILDS):
        gc.collect()
        start = time.process_time()
        build(count)
        taken.append(time.process_time() - start)
    return min(taken)


def paths_of(count: int) -> dict[str, list[str]]:
    """Return by kind the paths that are asked of an application of *count* rules."""
    last = (count - 4) // 4
    return {
        "static, last rule": [f"/section-{last}/about"],
        "int, last rule": [f"/section-{last}/items/7"],
        "string and int, last rule": [f"/section-{last}/intro/notes/7"],
        "no rule": [f"/section-{last}/intro/nothing/7"],
        "int, all rules in turn": [f"/section-{each}/items/7" for each in range(last + 1)],
    }


def matching(app: Erlen, paths: Sequence[str]) -> Callable[[], float]:
    """Return what gives the processor seconds of one match, on average over *paths* in turn."""
    match = app.url_map.match

    def run() -> float:
        start = time.process_time()
        for path in islice(cycle(paths), MATCHES):
            try:  # noqa: SIM105  # suppress() would be measured too
                match(path, "GET")
            except NotFound:
                pass
        return (time.process_time() - start) / MATCHES

    return run


def match_times(apps: dict[int, Erlen], rounds: int) -> dict[str, dict[int, float]]:
    """Return by kind of path and number of rules the microseconds of ``url_map.match``."""
    runs = {
        (kind, count): matching(app, paths)
        for count, app in apps.items()
        for kind, paths in paths_of(count).items()
    }
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for key, run in runs.items():
            best[key] = min(best[key], run() * 1e6)
    return _by_kind(best)


async def request_times(
    apps: dict[int, Erlen], rounds: int, seconds: float
) -> dict[str, dict[int, float]]:
    """Return the same for whole requests, the driver's own time subtracted."""
    loads = {}
    for count, app in apps.items():
        for kind, paths in paths_of(count).items():
            loads[kind, count] = Load(app, [Template(Ask(path)) for path in paths])
    return _by_kind(await best(loads, [Template(Ask("/"))], rounds, seconds))


def _by_kind(times: dict[tuple[str, int], float]) -> dict[str, dict[int, float]]:
    kinds: dict[str, dict[int, float]] = {}
    for (kind, count), taken in times.items():
        kinds.setdefault(kind, {})[count] = taken
    return kinds


async def report(*, rounds: int, seconds: float) -> str:
    """Measure, and return the section of the report."""
    builds = {count: seconds_to_build(count) for count in SIZES}
    apps = {count: build(count) for count in SIZES}
    lines = ["## Many rules", "", "| rules | registered and frozen, s |", "|---:|---:|"]
    lines += [f"| {count:,} | {taken:.3f} |" for count, taken in builds.items()]
    lines += _table("url_map.match, µs", match_times(apps, rounds))
    lines += _table("whole request, µs", await request_times(apps, rounds, seconds))
    lines += [
        "",
        "Goals: 10,000 rules registered and frozen in under 0.5 s; a match at most twice as long.",
    ]
    return "\n".join(lines)


def _table(title: str, kinds: dict[str, dict[int, float]]) -> list[str]:
    few, many = SIZES[0], SIZES[-1]
    heads = "".join(f" {count:,} rules |" for count in SIZES)
    lines = ["", f"| {title} |{heads} {many:,} : {few:,} |", "|---|" + "---:|" * (len(SIZES) + 1)]
    for kind, times in kinds.items():
        cells = "".join(f" {times[count]:.2f} |" for count in SIZES)
        lines.append(f"| {kind} |{cells} {times[many] / times[few]:.2f} |")
    return lines


if __name__ == "__main__":
    print(asyncio.run(report(rounds=7, seconds=0.05)))
