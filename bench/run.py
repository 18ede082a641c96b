"""Measure erlen beside bare ASGI and its peers, in process; see README.md.

python -m bench.run [--rounds N] [--seconds S] [--only NAMES] [--peers NAMES]
                    [--loop asyncio|uvloop] [--here] [--json FILE] [--write FILE]
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from bench.crew import crew, measure_row, open_row
from bench.environments import FOLDER, prepare
from bench.peers import BY_NAME, PEERS, Peer
from bench.report import progress, report
from bench.results import Results
from bench.scenarios import SCENARIOS, Scenario


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options; *words* stand for those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    names = [scenario.name for scenario in SCENARIOS]
    add("--rounds", type=int, default=5, help="how often each is measured (5)")
    add("--seconds", type=float, default=0.2, help="of each measurement (0.2)")
    add("--only", default=",".join(names), help="comma list of " + ", ".join(names))
    add("--peers", default=",".join(BY_NAME), help="comma list of " + ", ".join(BY_NAME))
    add("--loop", choices=["asyncio", "uvloop"], help="uvloop, where it is installed")
    add("--here", action="store_true", help="those that this interpreter has, without pip")
    add("--environments", type=Path, default=FOLDER, help="where their environments are made")
    add("--json", type=Path, help="file for the figures")
    add("--write", type=Path, help="file for the tables, beside printing them")
    given = parser.parse_args(words)
    for option, known in (("only", names), ("peers", [*BY_NAME])):
        chosen = getattr(given, option).split(",")
        unknown = sorted(set(chosen) - set(known))
        if unknown:
            parser.error(f"--{option} knows {', '.join(known)}, not {', '.join(unknown)}")
        setattr(given, option, [name for name in known if name in chosen])
    given.loop = given.loop or ("uvloop" if not given.here or find_spec("uvloop") else "asyncio")
    return given


def interpreters(given: argparse.Namespace) -> dict[str, Path]:
    """Return the interpreter of each peer by name."""
    chosen = [BY_NAME[name] for name in given.peers]
    if given.here:
        return {peer.name: Path(sys.executable) for peer in chosen if _is_here(peer)}
    return prepare(chosen, given.environments, _say)


def _is_here(peer: Peer) -> bool:
    try:
        return peer.distribution is None or bool(version(peer.distribution))
    except PackageNotFoundError:
        _say(f"{peer.title} is not installed here")
        return False


def run(given: argparse.Namespace) -> Results:
    """Measure what is asked for, row by row."""
    pythons = interpreters(given)
    peers = [peer for peer in PEERS if peer.name in pythons]
    settings = {"rounds": given.rounds, "seconds": given.seconds, "loop": given.loop}
    results = Results(peers, settings)
    chosen = [scenario for scenario in SCENARIOS if scenario.name in given.only]
    for (app, rules), rows in groupby(chosen, key=lambda each: (each.app, each.rules)):
        for _ in _measured(pythons, app, rules, [*rows], results):
            _say(progress(results))
    return results


def _measured(
    pythons: Mapping[str, Path], app: str, rules: int, rows: list[Scenario], results: Results
) -> Iterator[None]:
    """Measure the scenarios of one application, and yield after each."""
    settings = results.settings
    with crew(pythons, app, rules, settings["loop"]) as hands:
        if not results.versions:
            for peer in results.peers:
                installed = hands[peer.name].ask(do="tell")["versions"]
                if peer.distribution:
                    results.versions[peer.name] = installed[peer.distribution]
        for scenario in rows:
            opened = open_row(hands, scenario.name, settings["seconds"] / 2)
            able = [peer for peer, answer in opened.items() if "lacks" not in answer]
            samples = measure_row(hands, able, settings["rounds"], settings["seconds"])
            results.add(scenario, opened, samples)
            yield


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, print, and write what was asked for."""
    given = arguments()
    results = run(given)
    text = report(results)
    print(text)
    if given.write:
        given.write.write_text(f"{text}\n", "utf-8")
    if given.json:
        given.json.write_text(json.dumps(results.as_json(), indent=1), "utf-8")


if __name__ == "__main__":
    main()
