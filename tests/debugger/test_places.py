"""Whose code a file has."""

import json
from pathlib import Path

import pytest

from erlen.debugger import places
from erlen.debugger.places import kind_of, shown_file


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (json.__file__, "library"),
        (pytest.__file__, "library"),
        (places.__file__, "library"),
        ("<frozen importlib._bootstrap>", "library"),
        (__file__, "own"),
        ("<string>", "own"),
    ],
)
def test_code_is_the_applications_or_a_librarys(file: str, kind: str) -> None:
    assert kind_of(file) == kind


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        (json.__file__, "json/__init__.py"),
        (pytest.__file__, "pytest/__init__.py"),
        (places.__file__, "erlen/debugger/places.py"),
        ("<string>", "<string>"),
    ],
)
def test_names_of_libraries_begin_at_their_folder(file: str, shown: str) -> None:
    assert shown_file(file) == shown


def test_names_of_ones_own_files_begin_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_file(str(tmp_path / "shop" / "views.py")) == "shop/views.py"
    assert shown_file("/elsewhere/shop.py") == "/elsewhere/shop.py"
