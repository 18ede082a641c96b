"""The worker processes of one application, one for each peer, all alive while it is measured."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.peers import ROOT


class Hand:
    """One worker. A worker that dies or answers wrongly ends the run, with its words."""

    def __init__(self, peer: str, python: Path, app: str, rules: int, loop: str) -> None:
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self._who = f"{peer}, {app}" + (f" of {rules:,}" if rules else "")
        command = [str(python), "-m", "bench.worker", peer, app, str(rules), loop]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
        )

    def tell(self, **command: Any) -> None:
        """Give the worker something to do; :meth:`hear` waits until it is done."""
        assert self._process.stdin
        with suppress(BrokenPipeError):  # hear() says why
            print(json.dumps(command), file=self._process.stdin, flush=True)

    def hear(self) -> dict[str, Any]:
        """Return the worker's answer.

        Raises:
            SystemExit: The worker died, or its application gave a wrong answer.
        """
        assert self._process.stdout
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"wrong": "The worker died."}
        if "wrong" in answer:
            self._words.seek(0)
            sys.exit(f"{self._who}: {answer['wrong']}\n{self._words.read().decode()[-4000:]}")
        return answer

    def ask(self, **command: Any) -> dict[str, Any]:
        """Return the answer to one command."""
        self.tell(**command)
        return self.hear()

    def dismiss(self) -> None:
        """Let the process end by itself, for it has nothing more to do."""
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def end(self) -> None:
        """Wait for the process, and end it when it does not by itself."""
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()
        self._words.close()


@contextmanager
def crew(pythons: Mapping[str, Path], app: str, rules: int, loop: str) -> Iterator[dict[str, Hand]]:
    """Start a worker of *app* for each peer; they end with the block."""
    hands: dict[str, Hand] = {}
    try:
        for peer, python in pythons.items():
            hands[peer] = Hand(peer, python, app, rules, loop)
        yield hands
    finally:
        for hand in hands.values():
            hand.dismiss()
        for hand in hands.values():
            hand.end()


def open_row(hands: Mapping[str, Hand], row: str, seconds: float) -> dict[str, dict[str, Any]]:
    """Have all make, verify and warm their application for one scenario, side by side."""
    for hand in hands.values():
        hand.tell(do="open", row=row, seconds=seconds)
    return {peer: hand.hear() for peer, hand in hands.items()}


def measure_row(
    hands: Mapping[str, Hand], peers: Iterable[str], rounds: int, seconds: float
) -> dict[str, list[dict[str, float]]]:
    """Measure *peers* one after the other, *rounds* times, each time in another order."""
    order = [*peers]
    samples: dict[str, list[dict[str, float]]] = {peer: [] for peer in order}
    for _ in range(rounds):
        for peer in order:
            samples[peer].append(hands[peer].ask(do="measure", seconds=seconds))
        order.append(order.pop(0))
    return samples
