"""Every Python block of README and docs runs, and the tests in it pass on both event loops."""

import inspect
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
from blinker import Signal

from erlen import signals
from erlen.config import DEFAULTS

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if BLOCK.search(page.read_text())
]
LINK = re.compile(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def run_page(page: Path) -> types.ModuleType:
    """Run the blocks of a page one after another, as one module."""
    module = types.ModuleType(f"page_{page.stem}")
    module.__file__ = str(page)
    sys.modules[module.__name__] = module
    text = page.read_text()
    for block in BLOCK.finditer(text):
        # What stands before it counts as empty lines, so that tracebacks show the page.
        before = "\n" * text.count("\n", 0, block.start(1))
        exec(compile(before + block[1], str(page), "exec"), module.__dict__)
    return module


@pytest.fixture(params=PAGES, ids=lambda page: page.stem)
def module(request: pytest.FixtureRequest) -> Iterator[types.ModuleType]:
    """A page, run where no event loop runs, as modules are imported; nobody listens afterwards."""
    yield run_page(request.param)
    for signal in filter(lambda value: isinstance(value, Signal), vars(signals).values()):
        for receiver in list(signal.receivers.values()):
            signal.disconnect(receiver() if isinstance(receiver, ref) else receiver)


async def test_the_blocks_of_a_page_run_and_its_tests_pass(module: types.ModuleType) -> None:
    for test in written_in(module):
        if inspect.iscoroutinefunction(test):
            await test()


def test_plain_tests_of_a_page_pass(module: types.ModuleType) -> None:
    for test in written_in(module):
        if not inspect.iscoroutinefunction(test):
            test()


def written_in(module: types.ModuleType) -> list[Callable[[], Any]]:
    """Return the tests of a page, without what it imports under such a name."""
    return [
        value
        for name, value in vars(module).items()
        if name.startswith("test_") and value.__module__ == module.__name__
    ]


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.stem
)
def test_links_lead_somewhere(page: Path) -> None:
    missing = []
    for file, anchor in LINK.findall(page.read_text()):
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            missing.append(f"{file}#{anchor}")
    assert missing == []


def anchors_of(page: Path) -> set[str]:
    """Return what a heading is called in a link: lower case, hyphens for blanks, no marks."""
    headings = HEADING.findall(page.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_configuration_key_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == set(DEFAULTS)
