"""The files of figures: one JSON object for each command, its ``kind`` tells whose it is."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.interpreters import printed
from bench.peers import Peer

KINDS = ("in process", "wire", "startup", "instructions", "stages", "calls")
_VERSIONS = (
    "from importlib.metadata import distributions as d\nfor e in d(): print(e.name, e.version)"
)


def read(paths: Iterable[Path]) -> dict[str, Any]:
    """Return kind → figures of all files.

    Raises:
        ValueError: A file holds no figures.
    """
    found = {}
    for path in paths:
        figures = json.loads(path.read_text("utf-8"))
        kind = figures.get("kind") if isinstance(figures, dict) else None
        if kind not in KINDS:
            raise ValueError(f"{path} holds no figures. Write one with --json of a command.")
        found[kind] = figures
    return found


def write(
    path: Path,
    kind: str,
    rows: object,
    settings: dict[str, Any],
    peers: Sequence[Peer],
    pythons: dict[str, Path],
) -> None:
    """Write the figures of one command, with what a reader must know of the run."""
    figures = {
        "kind": kind,
        "machine": machine(),
        "python": platform.python_version(),
        "settings": settings,
        "versions": {peer.name: _versions(pythons[peer.name]) for peer in peers},
        "rows": rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")


def machine() -> str:
    """Return the processor and the number of its cores, in words."""
    model = platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        model = next(named, model)
    return f"{platform.system()}, {model}, {os.cpu_count()} cores"


def _versions(python: Path) -> dict[str, str]:
    """Return the versions of all distributions that *python* finds, by names in lower case."""
    lines = printed(python, "-c", _VERSIONS).splitlines()
    return {name.lower(): version for name, version in map(str.split, lines)}
