"""Measure peers over the wire: uvicorn on one core, wrk on the other; see README.md.

python -m bench.wire [--rounds N] [--seconds N] [--only NAMES] [--peers NAMES] [--json FILE]
"""

import argparse
import http.client
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import wrk
from bench.environments import prepare
from bench.page.figures import BARE
from bench.page.files import write
from bench.peers import BY_NAME, PEERS, Peer
from bench.scenarios import SCENARIOS, Ask, Scenario
from bench.servers import Server, serving

NAMES = ("plaintext", "json", "params", "query")
ROWS = {scenario.name: scenario for scenario in SCENARIOS if scenario.name in NAMES}

#: Part of its core that a server under full load has, unless others want that core too.
QUIET = 0.9


@dataclass
class Contestant:
    """One peer in one scenario, and what the rounds have given."""

    peer: Peer
    server: Server
    loads: list[wrk.Load] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self, program: Path, seconds: int, connections: int) -> None:
        """Measure one round."""
        before = self.server.cpu
        load = wrk.run(self.server.port, program, seconds=seconds, connections=connections)
        self.loads.append(load)
        self.cpu.append((self.server.cpu - before) / load.requests * 1e6)

    @property
    def busy(self) -> float:
        """The part of one core that the server had, on average."""
        seconds = sum(load.seconds for load in self.loads)
        used = sum(cpu * load.requests for cpu, load in zip(self.cpu, self.loads, strict=True))
        return used / 1e6 / seconds

    @property
    def rates(self) -> list[float]:
        """Requests per second, by round."""
        return [load.requests / load.seconds for load in self.loads]

    def figures(self, bare: "Contestant") -> dict[str, float]:
        """Return medians of the rounds; shares of *bare* are taken within each round."""
        return {
            "requests_per_second": median(self.rates),
            "share": median(_ratios(self.rates, bare.rates)),
            "p50_us": median(load.p50 for load in self.loads),
            "p99_us": median(load.p99 for load in self.loads),
            "cpu_us": median(self.cpu),
            "cpu_ratio": median(_ratios(self.cpu, bare.cpu)),
        }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure peers over the wire, with wrk.")
    parser.add_argument("--rounds", type=int, default=5, help="medians of them count (5)")
    parser.add_argument("--seconds", type=int, default=1, help="of each peer in each round (1)")
    parser.add_argument("--connections", type=int, default=32, help="kept open by wrk (32)")
    parser.add_argument("--only", default=",".join(NAMES), help="of " + ", ".join(NAMES))
    parser.add_argument("--peers", default=",".join(BY_NAME), help="of " + ", ".join(BY_NAME))
    parser.add_argument("--json", type=Path, help="file that the figures are put into")
    given = parser.parse_args()
    given.only, given.peers = given.only.split(","), given.peers.split(",")
    if unknown := {*given.only} - {*NAMES} | {*given.peers} - {*BY_NAME}:
        parser.error(f"There is no {', '.join(sorted(unknown))}.")
    return given


def main(given: argparse.Namespace) -> None:
    if not wrk.is_installed():
        print("Skipped: wrk is not installed, and it makes the load (apt-get install wrk).")
        return
    peers = [peer for peer in PEERS if peer.name in {BARE, *given.peers}]
    pythons = prepare(peers, say=_say)
    rows = {}
    for name in given.only:
        rows[name] = _measure(ROWS[name], peers, pythons, given)
        print(f"\n## {ROWS[name].title}\n\n{table(rows[name])}", flush=True)
    if given.json:
        settings = {key: getattr(given, key) for key in ("rounds", "seconds", "connections")}
        write(given.json, "wire", rows, settings, peers, pythons)


def table(figures: dict[str, dict[str, float]]) -> str:
    """Return the figures of one scenario, by the peers' names, as a table in Markdown."""
    heads = ("req/s", "of bare", "p50 ms", "p99 ms", "server CPU µs", "of bare")
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for name, each in figures.items():
        cells = (
            f"{each['requests_per_second']:,.0f}",
            f"{each['share']:.2f}",
            f"{each['p50_us'] / 1e3:.2f}",
            f"{each['p99_us'] / 1e3:.2f}",
            f"{each['cpu_us']:.1f}",
            f"{each['cpu_ratio']:.2f}",
        )
        lines.append(f"| {BY_NAME[name].title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _measure(
    scenario: Scenario, peers: Sequence[Peer], pythons: dict[str, Path], given: argparse.Namespace
) -> dict[str, dict[str, float]]:
    with ExitStack() as stack:
        program = Path(stack.enter_context(TemporaryDirectory()), "load.lua")
        program.write_text(wrk.script(scenario.asks), "utf-8")
        contestants = []
        for peer in peers:
            app = f"bench.peers.{peer.name}:{scenario.app}"
            server = stack.enter_context(serving(pythons[peer.name], app, "--factory"))
            verify(server.port, scenario)
            contestants.append(Contestant(peer, server))
        for each in contestants:  # caches are filled, and bytecode is specialised
            wrk.run(each.server.port, program, seconds=1, connections=given.connections)
        order = [*contestants]
        for _ in range(given.rounds):
            for each in order:
                each.run(program, given.seconds, given.connections)
            order.append(order.pop(0))
    bare = contestants[0]
    if bare.busy < QUIET:
        _say(
            f"{scenario.title}: bare ASGI had {bare.busy:.0%} of its core. The machine is not "
            "quiet; requests per second and latencies mean little, processor time still does."
        )
    return {each.peer.name: each.figures(bare) for each in contestants}


def verify(port: int, scenario: Scenario) -> None:
    """Ask the first, the last and one request between, and compare the answers.

    Raises:
        AssertionError: An answer is not the expected one.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for ask in {scenario.asks[0], scenario.asks[len(scenario.asks) // 2], scenario.asks[-1]}:
        status, kind, body = _answer(connection, ask)
        expected = scenario.status, scenario.content_type, scenario.body and scenario.body(ask)
        if (status, kind, scenario.read(body)) != expected:
            raise AssertionError(f"{ask.path} got {status}, {kind}, {body!r}, not {expected}.")
    connection.close()


def _answer(connection: http.client.HTTPConnection, ask: Ask) -> tuple[int, str | None, bytes]:
    target = ask.path + (f"?{ask.query.decode()}" if ask.query else "")
    fields = {name.decode(): value.decode() for name, value in (*wrk.FIELDS, *ask.fields)}
    connection.request(ask.method, target, headers=fields)
    answer = connection.getresponse()
    return answer.status, answer.getheader("content-type"), answer.read()


def _ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    return [value / other for value, other in zip(values, others, strict=True)]


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(arguments())
