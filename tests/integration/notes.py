"""What the exchanges of an application note, and the gates at which they wait: files of one folder.

So a test sees them whatever processes and threads a server has, and after its end.
"""

import os
import time
from pathlib import Path

#: The variable of a server's environment that names the folder.
VARIABLE = "ERLEN_TEST_NOTES"


def note(run: str, what: str) -> None:
    """Note *what* happened in *run*; in the server."""
    with (_folder() / f"{run}.notes").open("a") as file:
        file.write(f"{what}\n")


def has_gate_open(run: str) -> bool:
    """Whether the test has opened the gate of *run*; in the server."""
    return (_folder() / f"{run}.gate").exists()


def _folder() -> Path:
    return Path(os.environ[VARIABLE])


class Notes:
    """The test's side of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, run: str, count: int, patience: float = 5.0) -> list[str]:
        """Return what is noted of *run*, once there are *count* notes or patience has ended."""
        deadline = time.monotonic() + patience
        file = self.folder / f"{run}.notes"
        while True:
            found = file.read_text().splitlines() if file.exists() else []
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.01)  # another process writes them

    def open_gate(self, run: str) -> None:
        """Let the view of *run* go on."""
        (self.folder / f"{run}.gate").touch()
