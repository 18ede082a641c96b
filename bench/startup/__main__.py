"""Measure importing, the first response, memory and dependencies of each peer; see ../README.md.

python -m bench.startup [--times N] [--sockets N] [--peers NAMES] [--json FILE]
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from bench.environments import prepare
from bench.interpreters import printed
from bench.page import figures, tables
from bench.page.figures import BARE
from bench.page.files import write
from bench.peers import BY_NAME, PEERS, Peer
from bench.startup.processes import import_once, start_once
from bench.startup.sockets import bytes_per_socket

#: What a program needs, where that is more than the framework.
ROOTS = {"flask": ("flask", "a2wsgi")}
#: Those without WebSockets.
WITHOUT_SOCKETS = ("flask",)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure start, memory and dependencies.")
    parser.add_argument("--times", type=int, default=10, help="medians of them count (10)")
    parser.add_argument("--sockets", type=int, default=1000, help="idle WebSockets (1000)")
    parser.add_argument("--peers", default=",".join(BY_NAME), help="of " + ", ".join(BY_NAME))
    parser.add_argument("--json", type=Path, help="file that the figures are put into")
    given = parser.parse_args()
    given.peers = given.peers.split(",")
    if unknown := {*given.peers} - {*BY_NAME}:
        parser.error(f"There is no {', '.join(sorted(unknown))}.")
    return given


def main(given: argparse.Namespace) -> None:
    peers = [peer for peer in PEERS if peer.name in {BARE, *given.peers}]
    pythons = prepare(peers, say=lambda words: print(words, file=sys.stderr, flush=True))
    rows: dict[str, dict[str, float | None]] = {peer.name: {} for peer in peers}
    for peer in peers:
        rows[peer.name] |= _dependencies(peer, pythons[peer.name])
        rows[peer.name]["socket_bytes"] = _socket(peer, pythons[peer.name], given.sockets)
    for name, found in _started(pythons, given.times).items():
        rows[name] |= found
    turned = {key: {name: row[key] for name, row in rows.items()} for key in rows[BARE]}
    print(tables.by_peer([*figures.startup({"startup": {"rows": turned}})]))
    if given.json:
        settings = {key: getattr(given, key) for key in ("times", "sockets")}
        write(given.json, "startup", turned, settings, peers, pythons)


def _started(pythons: dict[str, Path], times: int) -> dict[str, dict[str, float | None]]:
    """Return medians of importing and starting, the peers in turn."""
    for name, python in pythons.items():  # compiles the modules
        start_once(python, name)
    rounds = [
        {
            name: (import_once(python, name), start_once(python, name))
            for name, python in pythons.items()
        }
        for _ in range(times)
    ]
    return {
        name: {
            "import_ms": median(each[name][0].seconds for each in rounds) * 1e3,
            "modules": rounds[0][name][0].modules,
            "first_response_ms": median(each[name][1].seconds for each in rounds) * 1e3,
            "resident": median(each[name][1].resident for each in rounds),
        }
        for name in pythons
    }


def _socket(peer: Peer, python: Path, count: int) -> float | None:
    return None if peer.name in WITHOUT_SOCKETS else bytes_per_socket(python, peer.name, count)


def _dependencies(peer: Peer, python: Path) -> dict[str, float | None]:
    """Return the number and the bytes of the distributions that *peer* needs, itself included."""
    names: Iterable[str] = ROOTS.get(peer.name, (peer.distribution,) if peer.distribution else ())
    told = json.loads(printed(python, "-m", "bench.startup.installed", *names))
    return {"distributions": len(told["distributions"]), "installed": told["bytes"]}


if __name__ == "__main__":
    main(arguments())
