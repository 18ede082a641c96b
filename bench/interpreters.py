"""Runs short programs with the interpreters of the peers."""

import os
import subprocess
from pathlib import Path

from bench.peers import ROOT


def environment(**more: str) -> dict[str, str]:
    """Return the variables of this process and *more*, without those that change what is measured.

    Bytecode is kept, as it is where applications run.
    """
    removed = ("PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME")
    return {key: value for key, value in os.environ.items() if key not in removed} | more


def printed(python: Path, *arguments: str) -> str:
    """Return what a program has printed.

    Raises:
        RuntimeError: It has failed; what it wrote is in the message.
    """
    done = subprocess.run(
        [str(python), *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{python} {' '.join(arguments)} has failed:\n{done.stderr}")
    return done.stdout
