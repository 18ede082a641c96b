"""Measure erlen beside bare ASGI and its peers; see README.md.

python bench/run.py [--rounds N] [--seconds S] [--only plaintext,json,params,routes]
                    [--loop asyncio|uvloop] [--write bench/results.md]
"""

import argparse
import os
import platform
from contextlib import AsyncExitStack
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import anyio
import routes
from inprocess import Subject, check, lifespan, measure
from scenarios import SCENARIOS, Scenario

APPS = ("bare", "erlen_app", "starlette_app", "blacksheep_app", "falcon_app")
NAMES = (*(scenario.name for scenario in SCENARIOS), "routes")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure erlen beside bare ASGI and its peers.")
    parser.add_argument("--rounds", type=int, default=15, help="the fastest counts (15)")
    parser.add_argument("--seconds", type=float, default=0.2, help="per round and app (0.2)")
    parser.add_argument("--only", default=",".join(NAMES), help="comma list of " + ", ".join(NAMES))
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--write", type=Path, help="file for the report, beside printing it")
    given = parser.parse_args()
    given.only = given.only.split(",")
    unknown = set(given.only) - set(NAMES)
    if unknown:
        parser.error(f"--only knows {', '.join(NAMES)}, not {', '.join(sorted(unknown))}")
    return given


async def main(given: argparse.Namespace) -> None:
    modules = [import_module(f"apps.{name}") for name in APPS]
    sections = [_heading(modules, given)]
    for scenario in SCENARIOS:
        if scenario.name in given.only:
            times = await _measure(scenario, modules, given)
            sections.append(f"## {scenario.title}\n\n{_table(times)}")
    if "routes" in given.only:
        sections.append(await routes.report(rounds=given.rounds, seconds=given.seconds / 4))
    text = "\n\n".join(sections)
    print(text)
    if given.write:
        given.write.write_text(f"{text}\n", "utf-8")


async def _measure(
    scenario: Scenario, modules: list[ModuleType], given: argparse.Namespace
) -> dict[str, float]:
    subjects = [
        Subject(module.NAME, getattr(module, scenario.name), module.RECEIVES) for module in modules
    ]
    async with AsyncExitStack() as stack:
        for subject in subjects:
            await stack.enter_async_context(lifespan(subject.app))
            await check(subject, scenario)
        return await measure(subjects, scenario.paths, rounds=given.rounds, seconds=given.seconds)


def _heading(modules: list[ModuleType], given: argparse.Namespace) -> str:
    names = [module.DISTRIBUTION for module in modules if module.DISTRIBUTION]
    if given.loop == "uvloop":
        names.append("uvloop")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        "# What a request costs\n\n"
        f"Written by `bench/run.py`; `bench/README.md` explains. {python}, {given.loop}, "
        f"{os.cpu_count()} cores, shared with other work. {versions}. Fastest of {given.rounds} "
        f"rounds of {given.seconds} s. Read ratios, not digits.\n\n"
        "*adds* is the time over bare ASGI. Goal: erlen adds at most 0.40 of what Starlette adds, "
        "and less than BlackSheep."
    )


def _table(times: dict[str, float]) -> str:
    bare = times["bare ASGI"]
    starlette, blacksheep = times["Starlette"] - bare, times["BlackSheep"] - bare
    lines = [
        "| | µs per request | of bare ASGI | adds µs | of Starlette's | of BlackSheep's |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, taken in times.items():
        adds = taken - bare
        cells = [f"{taken:.2f}", f"{taken / bare:.2f}"]
        cells += [f"{adds:.2f}", f"{adds / starlette:.2f}", f"{adds / blacksheep:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    options = arguments()
    anyio.run(main, options, backend_options={"use_uvloop": options.loop == "uvloop"})
