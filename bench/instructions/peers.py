"""Count the instructions of a request for each peer: no figure of it depends on the machine's load.

python -m bench.instructions.peers [--only NAMES] [--peers NAMES] [--requests N] [--json FILE]
"""

import argparse
import sys
from pathlib import Path

from bench.environments import prepare
from bench.instructions.counting import CannotCount, Subject, count, require_valgrind
from bench.page import figures, tables
from bench.page.files import write
from bench.peers import BY_NAME as PEERS
from bench.scenarios import BY_NAME as SCENARIOS

NAMES = ("plaintext", "json", "params", "query", "form", "session-read", "hooks", "static-304")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count the instructions of a request by peer.")
    parser.add_argument("--only", default=",".join(NAMES), help="of " + ", ".join(SCENARIOS))
    parser.add_argument("--peers", default=",".join(PEERS), help="of " + ", ".join(PEERS))
    parser.add_argument("--requests", type=int, default=100, help="per scenario (100)")
    parser.add_argument("--json", type=Path, help="file that the figures are put into")
    given = parser.parse_args()
    given.only, given.peers = given.only.split(","), given.peers.split(",")
    if unknown := {*given.only} - {*SCENARIOS} | {*given.peers} - {*PEERS}:
        parser.error(f"There is no {', '.join(sorted(unknown))}.")
    return given


def main(given: argparse.Namespace) -> None:
    require_valgrind()
    peers = [PEERS[name] for name in given.peers]
    pythons = prepare(peers, say=lambda words: print(words, file=sys.stderr, flush=True))
    subjects = [Subject(peer.name, str(pythons[peer.name])) for peer in peers]
    counts = dict(zip(given.peers, count(subjects, given.only, given.requests), strict=True))
    rows = {row: {peer: found.get(row) for peer, found in counts.items()} for row in given.only}
    print(tables.by_peer([*figures.counted({"instructions": {"rows": rows}})]))
    if given.json:
        settings = {"requests": given.requests}
        write(given.json, "instructions", rows, settings, peers, pythons)


if __name__ == "__main__":
    try:
        main(arguments())
    except CannotCount as error:
        sys.exit(str(error))
