"""Errors of many shapes, each really raised."""

import importlib.util
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest


def raised(function: Callable[..., Any], *args: Any) -> Exception:
    """Return what a function raises, with its traceback."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # any
        function(*args)
    return caught.value


async def raised_in(awaitable: Awaitable[Any]) -> Exception:
    """Return what an awaitable raises, with its traceback."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # any
        await awaitable
    return caught.value


def loaded(folder: Path, source: str) -> Any:
    """Return a module of this source, whose file tracebacks can show."""
    file = folder / "written.py"
    file.write_text(source, "utf-8")
    spec = importlib.util.spec_from_file_location("written", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
