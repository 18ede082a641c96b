"""Floor 8: what ``erlen check`` finds."""

from pathlib import Path
from typing import NamedTuple


class Finding(NamedTuple):
    """Something that is wrong, and where.

    Attributes:
        file: A file; a word for what has none, such as ``config``.
        line: From 1; 0 where there is none.
        text: A sentence or two.
    """

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        """Return one line, with a path that is relative to the working directory if it is below."""
        path, here = Path(self.file), Path.cwd()
        place = str(path.relative_to(here)) if path.is_relative_to(here) else self.file
        if self.line:
            place = f"{place}:{self.line}"
        return f"{place}: {' '.join(self.text.split())}"
