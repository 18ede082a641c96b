"""The load: wrk, what it is told to send, and what it prints."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.scenarios import Ask
from bench.servers import LOAD_CORE, pinned

#: What every client sends beside Host.
FIELDS = ((b"user-agent", b"bench/1.0"), (b"accept", b"*/*"))
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7}
_PERCENTILE = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)$", re.MULTILINE)
_TOTAL = re.compile(r"^\s+(\d+) requests in ([\d.]+)(us|ms|s|m),", re.MULTILINE)
_FAULTS = re.compile(r"^\s+(Socket errors: .*|Non-2xx or 3xx responses: \d+)$", re.MULTILINE)


class BadRun(RuntimeError):
    """wrk printed something else than figures, or answers were errors."""


@dataclass(frozen=True)
class Load:
    """What one run of wrk has seen: latencies in microseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float


def is_installed() -> bool:
    """Whether wrk can be run."""
    return shutil.which("wrk") is not None


def script(asks: Sequence[Ask]) -> str:
    """Return the Lua program that sends *asks* in turn, and from the first again."""
    lines = ["local asks = {}", "local number = 0", "function init(_)"]
    for place, ask in enumerate(asks, 1):
        target = ask.path + (f"?{ask.query.decode()}" if ask.query else "")
        fields = "".join(
            f"[{json.dumps(name.decode())}] = {json.dumps(value.decode())}, "
            for name, value in (*FIELDS, *ask.fields)
        )
        arguments = f"{json.dumps(ask.method)}, {json.dumps(target)}, {{{fields}}}"
        lines.append(f"  asks[{place}] = wrk.format({arguments})")
    lines += ["end", "function request()", f"  number = number % {len(asks)} + 1"]
    lines += ["  return asks[number]", "end", ""]
    return "\n".join(lines)


def run(port: int, program: Path, *, seconds: int, connections: int) -> Load:
    """Send what *program* says to a server on this machine for some seconds, with one thread.

    Raises:
        BadRun: An answer was an error, or wrk failed.
    """
    command = ["wrk", "--latency", "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{seconds}s", "--script", str(program), f"http://127.0.0.1:{port}"]
    done = subprocess.run(
        pinned(LOAD_CORE, command),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
    )
    return parsed(done.stdout + done.stderr)


def parsed(printed: str) -> Load:
    """Return the figures of what wrk has printed.

    Raises:
        BadRun: There are none, or it names errors.
    """
    faults = _FAULTS.findall(printed)
    total = _TOTAL.search(printed)
    latencies = {
        name: float(value) * _UNITS[unit] for name, value, unit in _PERCENTILE.findall(printed)
    }
    if faults or total is None or latencies.keys() != {"50", "99"}:
        raise BadRun("; ".join(faults) or printed)
    requests, value, unit = total.groups()
    seconds = float(value) * _UNITS[unit] / 1e6
    return Load(int(requests), seconds, latencies["50"], latencies["99"])
