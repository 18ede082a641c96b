"""Names of packages that are imported when somebody asks for them."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import erlen
import erlen.files
import erlen.sessions

PACKAGES = [erlen, erlen.files, erlen.sessions]
#: What an import that a person waits for does not load: each costs some milliseconds.
HEAVY = """
    asyncio concurrent.futures decimal difflib email hashlib http secrets ssl tempfile uuid
    click h11 httpx itsdangerous jinja2 multipart trio uvicorn websockets
"""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_what_type_checkers_see_is_what_there_is(package: ModuleType) -> None:
    tree = ast.parse(Path(package.__file__ or "").read_text())
    (branch,) = [node for node in tree.body if isinstance(node, ast.If)]
    for statement in branch.body:
        assert isinstance(statement, ast.ImportFrom)
        home = importlib.import_module(statement.module or "")
        for alias in statement.names:
            assert getattr(package, alias.name) is getattr(home, alias.name)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_name_is_there(package: ModuleType) -> None:
    assert all(hasattr(package, name) for name in package.__all__)


def test_public_names_are_listed_before_they_are_loaded() -> None:
    assert set(erlen.__all__) <= set(dir(erlen))


def test_a_name_that_is_not_there_is_said_so() -> None:
    with pytest.raises(AttributeError, match="module 'erlen' has no attribute 'flesh'"):
        _ = erlen.flesh  # type: ignore[attr-defined]  # that is what is tested


def test_the_import_loads_nothing_heavy() -> None:
    code = (
        "import sys; before = set(sys.modules); import erlen;"
        f"print(*set({HEAVY.split()}) & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
