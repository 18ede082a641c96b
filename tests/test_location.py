"""Where an application lives on the disk."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from erlen.exceptions import SetupError
from erlen.location import (
    find_instance_path,
    find_name,
    find_root_path,
    resolve_instance_path,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory from which modules are imported, and forgotten after the test."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def make(project: Path, *files: str) -> None:
    for file in files:
        path = project / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


# --- root path ------------------------------------------------------------------------------------


@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize(
    ("file", "name", "root"),
    [
        pytest.param("single.py", "single", ".", id="APP-3 module"),
        pytest.param("pack/__init__.py", "pack", "pack", id="APP-3 package"),
        pytest.param("pack/__init__.py", "pack.sub", "pack", id="APP-3 module in a package"),
    ],
)
def test_root_path_is_the_directory_of_the_module(
    project: Path, file: str, name: str, root: str, imported: bool
) -> None:
    make(project, file, "pack/sub.py")
    if imported:
        importlib.import_module(name)
    assert find_root_path(name) == str(project / root)


@pytest.mark.parametrize("name", ["no_such_module", "no.such.module", "", "sys", "zipimport"])
def test_root_path_without_a_file_is_the_working_directory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """APP-3"""
    monkeypatch.chdir(tmp_path)
    if name == "zipimport":  # frozen: forget the file, as in an interpreter without sources
        monkeypatch.delattr(sys.modules[name], "__file__", raising=False)
    assert find_root_path(name) == str(tmp_path)


def test_root_path_of_a_namespace_package_must_be_given(project: Path) -> None:
    """APP-3"""
    make(project, "space/member.py")
    with pytest.raises(SetupError, match="Give root_path= explicitly"):
        find_root_path("space")


def test_root_path_of_a_linked_module_is_where_the_link_is(project: Path) -> None:
    make(project, "elsewhere/target.py")
    (project / "linked.py").symlink_to(project / "elsewhere/target.py")
    importlib.import_module("linked")
    assert find_root_path("linked") == str(project)


# --- name -----------------------------------------------------------------------------------------


def test_name_is_the_import_name() -> None:
    """APP-2"""
    assert find_name("pack.sub") == "pack.sub"


@pytest.mark.parametrize(("file", "name"), [("/srv/my.site.py", "my.site"), (None, "__main__")])
def test_name_of_main_is_that_of_the_script(
    file: str | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """APP-2"""
    main = ModuleType("__main__")
    main.__file__ = file
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert find_name("__main__") == name


# --- instance path --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name"),
    [
        pytest.param("single.py", "single", id="APP-4 module"),
        pytest.param("pack/__init__.py", "pack", id="APP-4 package"),
        pytest.param("pack/sub.py", "pack.sub", id="APP-4 module in a package"),
        pytest.param("space/member/__init__.py", "space.member", id="APP-4 namespace package"),
    ],
)
def test_instance_path_is_beside_the_top_package(project: Path, file: str, name: str) -> None:
    make(project, file, *(["pack/__init__.py"] if name.startswith("pack") else []))
    importlib.import_module(name)
    found = find_instance_path(name, find_root_path(name))
    assert found == str(project / "instance")


def test_instance_path_of_a_package_with_a_root_elsewhere_is_beside_it(project: Path) -> None:
    make(project, "pack/__init__.py")
    importlib.import_module("pack")
    assert find_instance_path("pack", "/srv") == str(project / "instance")


def test_instance_path_of_a_name_without_a_module_is_in_the_root(tmp_path: Path) -> None:
    assert find_instance_path("no_such", str(tmp_path)) == str(tmp_path / "instance")


@pytest.mark.parametrize(
    "root",
    [
        pytest.param("/srv/lib/python3/site-packages", id="APP-4 site-packages"),
        pytest.param(str(Path(sys.prefix, "share")), id="APP-4 prefix"),
    ],
)
def test_instance_path_of_an_installed_application_is_below_the_prefix(root: str) -> None:
    expected = Path(sys.prefix).resolve() / "var" / "shop.admin-instance"
    assert find_instance_path("shop.admin", root) == str(expected)


def test_given_instance_path_must_be_absolute() -> None:
    """APP-4"""
    assert resolve_instance_path("/srv/instance", "x", "/") == "/srv/instance"
    with pytest.raises(ValueError, match="'instance' is relative"):
        resolve_instance_path("instance", "x", "/")


def test_instance_path_that_is_not_given_is_found(tmp_path: Path) -> None:
    found = resolve_instance_path(None, "no_such", str(tmp_path))
    assert found == str(tmp_path / "instance")
