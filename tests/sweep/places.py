"""Where a sweep runs: a folder to serve, and a directory for temporary files that must stay empty."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.sweep.scenario import Scenario, Stage
from tests.sweep.sweeping import Sweep, Swept
from tests.sweep.trial import Way


@contextmanager
def prepared(folder: Path) -> Iterator[Path]:
    """Put files into the empty *folder*; yield where they are, which is to be served."""
    served, temporary = folder / "served", folder / "temporary"
    served.mkdir()
    temporary.mkdir()
    (served / "small.txt").write_text("tea")
    (served / "large.bin").write_bytes(b"tea" * 70_000)
    before, tempfile.tempdir = tempfile.tempdir, str(temporary)
    try:
        yield served
    finally:
        tempfile.tempdir = before


async def sweep(scenario: Scenario, way: Way, served: Path, *, pairs: bool = False) -> Swept:
    """Sweep *scenario* in one way, on a new stage."""
    stage = Stage(served)
    try:
        return await Sweep(scenario, stage, way).run(pairs=pairs)
    finally:
        stage.close()
