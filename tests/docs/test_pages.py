"""Every Python block of README and docs runs, and the tests in it pass on both event loops."""

import inspect
import re
import sys
import types
from pathlib import Path

import pytest

from erlen.config import DEFAULTS

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if BLOCK.search(page.read_text())
]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def run_page(page: Path) -> types.ModuleType:
    """Run the blocks of a page one after another, as one module."""
    module = types.ModuleType(f"page_{page.stem}")
    module.__file__ = str(page)
    sys.modules[module.__name__] = module
    for block in BLOCK.finditer(page.read_text()):
        exec(compile(block[1], str(page), "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_the_blocks_of_a_page_run_and_its_tests_pass(page: Path) -> None:
    module = run_page(page)
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    for test in tests:
        assert inspect.iscoroutinefunction(test)
        await test()


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.stem
)
def test_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_every_configuration_key_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == set(DEFAULTS)
