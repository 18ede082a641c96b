"""Write figures into the page: tables, charts in text, plots.

python -m bench.page FILE... [--page docs/performance.md] [--without-plots]

A FILE is what a command has written by ``--json``. What stands in the page between
``<!-- NAME -->`` and ``<!-- end of NAME -->`` is replaced, the rest is left as it is; so is a
section of whose figures no file is given.
"""

import argparse
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.page import figures
from bench.page.files import read
from bench.page.sections import PLAIN, SECTIONS, added
from bench.peers import ROOT


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write figures into the page.")
    parser.add_argument("files", type=Path, nargs="+", help="what commands have written by --json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "performance.md")
    parser.add_argument("--without-plots", action="store_true", help="no PNG")
    return parser.parse_args()


def main(given: argparse.Namespace) -> None:
    found = read(given.files)
    text = given.page.read_text("utf-8")
    for name, section in SECTIONS.items():
        if written := section(found):
            text = replaced(text, name, written)
    given.page.write_text(text, "utf-8")
    if given.without_plots:
        return
    if find_spec("matplotlib") is None:
        print("No plots: matplotlib is not installed (pip install -e '.[bench]').")
        return
    draw(found, given.page.parent / given.page.stem)


def replaced(page: str, name: str, text: str) -> str:
    """Return *page* with *text* between the marks of *name*.

    Raises:
        LookupError: The page has no such marks.
    """
    first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
    marked = re.compile(f"{re.escape(first)}\n.*?{re.escape(last)}", re.DOTALL)
    if not marked.search(page):
        raise LookupError(f"The page has no {first} with {last} below it. Write both there.")
    return marked.sub(lambda _: f"{first}\n\n{text}\n\n{last}", page)


def draw(found: dict[str, Any], folder: Path) -> None:
    """Write the plots of what was measured."""
    from bench.page import plots  # it needs matplotlib

    folder.mkdir(exist_ok=True)
    if timed := [*figures.in_process(found)]:
        plots.heat_map(timed, folder / "in-process.png")
        adds = [added(each) for each in timed if each.row in PLAIN]
        plots.grid(adds, folder / "added.png", "What a framework adds", columns=3, log=True)
    wire = [*figures.over_the_wire(found)]
    for what, name, title in (
        (figures.RATE, "wire.png", "Over the wire: more is better"),
        (figures.CPU, "wire-cpu.png", "Over the wire: less is better"),
    ):
        if chosen := [each for each in wire if each.what == what]:
            plots.grid(chosen, folder / name, title)
    if started := [each for each in figures.startup(found) if each.row != "modules"]:
        title = "Start, memory, dependencies: less is better"
        plots.grid(started, folder / "startup.png", title, columns=3)


if __name__ == "__main__":
    main(arguments())
