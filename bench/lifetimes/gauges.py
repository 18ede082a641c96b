"""What the process that serves has open, as it tells itself."""

import contextlib
import gc
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import anyio

_DESCRIPTORS = Path("/proc/self/fd")


class Errors(logging.StreamHandler[TextIO]):
    """Counts what is logged as an error, or worse, below one name; and writes it to stderr."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setLevel(logging.ERROR)
        self.count = 0
        logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1
        super().emit(record)


def gauges(kinds: tuple[type, ...] = ()) -> dict[str, int]:
    """Count what is open, blocks of memory, and living objects of *kinds*."""
    gc.collect()
    return {
        "tasks": len(anyio.get_running_tasks()),
        "threads": threading.active_count(),
        "descriptors": len(os.listdir(_DESCRIPTORS)),  # noqa: PTH208  # no path is wanted of them
        "files": sum(_are_temporary(_targets())) + len(list(Path(tempfile.gettempdir()).iterdir())),
        "blocks": sys.getallocatedblocks(),
        "objects": sum(isinstance(each, kinds) for each in gc.get_objects()),
    }


def _targets() -> Iterable[str]:
    for descriptor in _DESCRIPTORS.iterdir():
        with contextlib.suppress(FileNotFoundError):  # the descriptor of this look
            yield str(descriptor.readlink())


def _are_temporary(targets: Iterable[str]) -> Iterable[bool]:
    folder = tempfile.gettempdir()
    return (target.startswith(folder) or target.endswith("(deleted)") for target in targets)
