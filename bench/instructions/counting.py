"""Counts the instructions of a request with valgrind; the machine's other work does not matter."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.instructions.workload import DRIVER, NOT_OFFERED, connections
from bench.interpreters import environment
from bench.peers import ROOT
from bench.scenarios import BY_NAME

_TOTAL = re.compile(r"==(\d+)== I\s+refs:\s+([\d,]+)")
_VALGRIND = ("--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


class CannotCount(RuntimeError):
    """Valgrind is missing, or the program that it ran has failed; says what was printed."""


@dataclass(frozen=True)
class Subject:
    """Whose requests are counted.

    Attributes:
        peer: Module of ``bench.peers``.
        python: Interpreter with its dependencies.
        source: Folder of its package; ``None``: the installed one.
    """

    peer: str
    python: str = sys.executable
    source: Path | None = None


def require_valgrind() -> None:
    """Raise :class:`CannotCount` when valgrind is not installed."""
    if shutil.which("valgrind") is None:
        raise CannotCount("There is no valgrind here. Install it: apt-get install valgrind.")


def count(
    subjects: Sequence[Subject], scenarios: Sequence[str], requests: int
) -> list[dict[str, float]]:
    """Return for each subject the instructions of one request (or message), by scenario.

    That is the difference of two processes, one with *requests* more than the other, divided by
    their number: what starting, importing and warming cost is in both. The driver's own part is
    subtracted. A scenario that a subject does not offer is missing.

    Raises:
        CannotCount: An answer is wrong, or a program has failed.
    """
    rows = (DRIVER, *scenarios)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(lambda subject: _count(subject, rows, requests), subjects))


def _count(subject: Subject, rows: Sequence[str], requests: int) -> dict[str, float]:
    _run([], subject, rows, 0)  # compiles the modules: it would be counted once, in the first run
    output, errors = _run(["valgrind", *_VALGRIND], subject, rows, requests)
    taken = per_request(output, errors, requests)
    own = taken.pop(DRIVER)
    return {row: each if _messages(row) else each - own for row, each in taken.items()}


def per_request(output: str, errors: str, requests: int) -> dict[str, float]:
    """Return the instructions by scenario, from what the program and valgrind have printed.

    Raises:
        CannotCount: A process has failed.
    """
    totals = {process: int(total.replace(",", "")) for process, total in _TOTAL.findall(errors)}
    counts: dict[str, list[int]] = {}
    for line in output.splitlines():
        row, _, process, status = line.split()
        if status == "0":
            counts.setdefault(row, []).append(totals[process])
        elif int(status) != NOT_OFFERED:
            words = [each for each in errors.splitlines() if not each.startswith(("==", "--"))]
            raise CannotCount("\n".join((f"{row} has failed:", *words)))
    return {
        row: (after - before) / _calls(row, requests) for row, (before, after) in counts.items()
    }


def _calls(row: str, requests: int) -> int:
    messages = _messages(row)
    return connections(BY_NAME[row], requests) * messages if messages else requests


def _messages(row: str) -> int:
    """Return the messages of each WebSocket of a scenario; 0: HTTP."""
    scenario = BY_NAME.get(row)
    return scenario.messages if scenario else 0


def _run(
    prefix: list[str], subject: Subject, rows: Sequence[str], requests: int
) -> tuple[str, str]:
    """Return what was printed. Hashes, and with them the order of sets, are the same each time."""
    variables = {"PYTHONHASHSEED": "0"}
    if subject.source:
        variables |= {"PYTHONPATH": str(subject.source), "COUNTED_SOURCE": str(subject.source)}
    command = [subject.python, "-m", "bench.instructions.workload", subject.peer, str(requests)]
    done = subprocess.run(
        [*prefix, *command, *rows],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotCount(f"{subject}:\n{done.stdout}{done.stderr}")
    return done.stdout, done.stderr
