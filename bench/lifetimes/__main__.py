"""End, abort, crowd and fill real servers, and print what happens; see ../README.md.

python -m bench.lifetimes [experiment ...] [--servers NAMES] [--short] [--without-control]
"""

import argparse
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.lifetimes import aborts, bulk, crowd, sigterm
from bench.lifetimes.known import unexplained
from bench.lifetimes.measured import Experiment, Measured, table
from bench.lifetimes.servers import SERVERS

EXPERIMENTS = {
    module.EXPERIMENT.name: module.EXPERIMENT for module in (sigterm, aborts, crowd, bulk)
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="See what servers do at the end of exchanges.")
    parser.add_argument("experiments", nargs="*", help="of " + ", ".join(EXPERIMENTS))
    parser.add_argument("--servers", default=",".join(SERVERS), help="of " + ",".join(SERVERS))
    parser.add_argument("--short", action="store_true", help="the size of the tests")
    parser.add_argument("--without-control", action="store_true", help="no bare ASGI beside")
    given = parser.parse_args()
    given.experiments = given.experiments or list(EXPERIMENTS)
    given.servers = given.servers.split(",")
    unknown = {*given.experiments} - {*EXPERIMENTS} | {*given.servers} - {*SERVERS}
    if unknown:
        parser.error(f"There is no {', '.join(sorted(unknown))}.")
    return given


def main(given: argparse.Namespace) -> int:
    """Return 1 when erlen broke a bound that the server alone would not break."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, "
        f"uvicorn {version('uvicorn')}, Hypercorn {version('hypercorn')}."
    )
    failed = False
    for name in given.experiments:
        experiment = EXPERIMENTS[name]
        size = experiment.short if given.short else experiment.full
        print(f"\n## {experiment.title}\n\n{experiment.text.format(**asdict(size))}\n", flush=True)
        lines = list(_lines(experiment, size, given.servers, control=not given.without_control))
        print(table(lines), flush=True)
        for line in lines:
            if faults := unexplained(line):
                failed = failed or line.application == "erlen"
                print(f"\n{line.server}, {line.application}: {faults}")
    return int(failed)


def _lines(
    experiment: Experiment, size: object, servers: list[str], *, control: bool
) -> Iterator[Measured]:
    for server in servers:
        applications = [("erlen", experiment.servers)]
        if control:
            applications.append(("bare ASGI", experiment.controls))
        for application, there in applications:
            if server in there:
                with TemporaryDirectory(prefix="lifetimes-") as folder:
                    yield from experiment.measure(server, application, Path(folder), size)


if __name__ == "__main__":
    sys.exit(main(arguments()))
