"""How many functions run for one plaintext request of each peer, and whose they are; see README.md.

python -m bench.calls [PEER...] [--json FILE]

Counted by the interpreter, so the figures are the same on every machine. A call is a frame of
Python, or each time that one is resumed; calls of functions that are written in C come beside. What
the driver does is subtracted.
"""

import argparse
import asyncio  # noqa: TID251  # the loop of servers, which is what peers run on
import json
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from bench.driving import Exchange, Template, lifespan, nothing
from bench.environments import prepare
from bench.interpreters import printed
from bench.page import tables
from bench.page.files import write
from bench.peers import BY_NAME
from bench.scenarios import BY_NAME as SCENARIOS

_WARM_UP = 20


async def count(app: Any) -> tuple[Counter[str], int]:
    """Return the calls of one request by package, and the calls into C."""
    template = Template(SCENARIOS["plaintext"].asks[0])
    python: Counter[str] = Counter()
    native = 0

    def note(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal native
        if event == "call":
            python[_package(frame)] += 1
        elif event == "c_call":
            native += 1

    for number in range(_WARM_UP + 1):
        scope, exchange = template.scope(), Exchange(template.chunks)
        sys.setprofile(note if number == _WARM_UP else None)
        await app(scope, exchange.receive, exchange.send)
        sys.setprofile(None)
    return python, native


def _package(frame: FrameType) -> str:
    """Return the first name of the module; of the standard library, that module."""
    name = str(frame.f_globals.get("__name__", "?"))
    return name.partition(".")[0] if not name.startswith("bench.") else "the application"


async def main(peer: str) -> dict[str, Any]:
    """Return what is counted of *peer*, in whose environment this runs."""
    app = import_module(f"bench.peers.{peer}").plaintext()
    async with lifespan(app):
        (python, native), (driver, driver_native) = await count(app), await count(nothing)
    return {"python": python - driver, "native": native - driver_native}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count the functions that run for a request.")
    parser.add_argument("peers", nargs="*", default=[*BY_NAME], help="of " + ", ".join(BY_NAME))
    parser.add_argument("--here", action="store_true", help="one peer, which this Python has")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def compare(given: argparse.Namespace) -> None:
    """Print what is counted of each peer, in its own environment."""
    peers = [BY_NAME[name] for name in given.peers]
    pythons = prepare(peers)
    command = ("-m", "bench.calls", "--here")
    found = {name: json.loads(printed(each, *command, name)) for name, each in pythons.items()}
    print(tables.calls(found))
    if given.json:
        write(given.json, "calls", found, {}, peers, pythons)


if __name__ == "__main__":
    options = arguments()
    if options.here:
        print(json.dumps(asyncio.run(main(*options.peers))))
    else:
        compare(options)
