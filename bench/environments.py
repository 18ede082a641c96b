"""An environment of its own for each peer: their dependencies contradict each other.

Made with ``venv`` and pip at the first use, and kept until the requirements or Python change.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.peers import COMMON, Peer

#: Where they are made; git ignores it.
FOLDER = Path(__file__).parent / ".environments"
_AT_ONCE = 3


def prepare(
    peers: Sequence[Peer], folder: Path = FOLDER, say: Callable[[str], None] = print
) -> dict[str, Path]:
    """Return the interpreters of *peers* by name, after making the environments that are missing.

    Raises:
        SystemExit: pip failed; what it wrote is in the message.
    """
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        made = threads.map(lambda peer: _prepare(peer, folder / peer.name, say), peers)
        return dict(zip((peer.name for peer in peers), made, strict=True))


def _prepare(peer: Peer, place: Path, say: Callable[[str], None]) -> Path:
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = "\n".join((sys.version, *COMMON, *peer.requirements))
    stamp = place / "installed.txt"
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return python
    say(f"making the environment of {peer.title}")
    _run(sys.executable, "-m", "venv", "--clear", str(place))
    _run(str(python), "-m", "pip", "install", "--quiet", *COMMON, *peer.requirements)
    stamp.write_text(wanted, "utf-8")
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
