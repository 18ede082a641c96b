"""Which files have changed."""

import os
import py_compile
import sys
import time
import types
from collections.abc import Callable, Iterator
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import pytest

from erlen.serving import watching
from erlen.serving.watching import (
    Polled,
    Watch,
    below,
    forget_bytecode,
    is_source,
    module_files,
    notified,
)

#: Seconds after which what should have been noticed was not.
LIMIT = 20.0


@pytest.fixture(params=["watchfiles", "by looking"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory, watched by watchfiles or without it."""
    if request.param == "by looking":
        monkeypatch.setitem(sys.modules, "watchfiles", None)
    else:
        pytest.importorskip("watchfiles", reason="watchfiles, of the extra reload, is missing")
    (tmp_path / "app.py").write_text("1")
    return tmp_path


def noticed(watch: Watch) -> set[str]:
    """Return the first changes, by the names of the files."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        if changed := watch.wait():
            return {Path(path).name for path in changed}
    raise AssertionError("Nothing was noticed.")


def is_quiet(watch: Watch) -> bool:
    """Whether three looks notice nothing."""
    return not any(watch.wait() for _ in range(3))


def save(path: Path) -> None:
    path.write_text("changed")


def save_by_rename(path: Path) -> None:
    """Write as many editors do, with the size and the time that the file had."""
    new = path.with_name("4913.tmp")
    new.write_text("2")
    found = path.stat()
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
    new.replace(path)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [save, save_by_rename, remove], ids=lambda each: each.__name__)
def test_b339_a_source_that_changes_is_noticed(
    folder: Path, change: Callable[[Path], None]
) -> None:
    watch = Watch(folder)
    change(folder / "app.py")
    assert noticed(watch) == {"app.py"}
    assert is_quiet(watch)


def test_a_module_that_is_new_is_noticed(folder: Path) -> None:
    watch = Watch(folder)
    (folder / "package").mkdir()
    assert is_quiet(watch)
    (folder / "package" / "new.py").write_text("")
    assert noticed(watch) == {"new.py"}


def test_b339_many_changes_are_told_as_one(folder: Path) -> None:
    watch = Watch(folder)
    for number in range(200):
        (folder / f"module{number}.py").write_text("")
    assert len(noticed(watch)) == 200
    assert is_quiet(watch)


def test_b339_changes_without_end_are_told_after_a_while(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_PATIENCE", 0.2)
    watch = Watch(folder)
    number = iter(range(10**6))
    look = watch._polled.look

    def change_and_look(**options: Any) -> set[str]:
        (folder / "app.py").write_text("x" * next(number))
        return look(**options) | {str(folder / "app.py")}

    monkeypatch.setattr(watch._polled, "look", change_and_look)
    assert noticed(watch) == {"app.py"}


@pytest.mark.parametrize(
    "file", ["notes.txt", ".hidden/a.py", "node_modules/a.py", "__pycache__/a.py", "a.pyc"]
)
def test_what_is_no_source_is_not_noticed(folder: Path, file: str) -> None:
    watch = Watch(folder)
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text("")
    assert is_quiet(watch)


def test_what_is_installed_in_the_folder_is_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    assert not is_source(tmp_path, str(tmp_path / "venv/lib/a.py"))
    assert is_source(tmp_path, str(tmp_path / "app/a.py"))
    assert is_source(tmp_path / "venv/project", str(tmp_path / "venv/project/a.py"))


def test_cl11_extra_files_are_watched_also_when_they_are_not_there_yet(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    extra = tmp_path_factory.mktemp("elsewhere") / "settings.yaml"
    watch = Watch(folder, [str(extra)])
    assert is_quiet(watch)
    extra.write_text("a: 1")
    assert noticed(watch) == {"settings.yaml"}


def test_cl11_of_an_extra_directory_all_is_watched(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    extra = tmp_path_factory.mktemp("templates")
    (extra / "pages").mkdir()
    watch = Watch(folder, [str(extra)])
    (extra / "pages" / "index.html").write_text("")
    assert noticed(watch) == {"index.html"}


def test_dv3_modules_from_elsewhere_are_watched_once_they_are_known(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    module = tmp_path_factory.mktemp("library") / "library.py"
    module.write_text("")
    watch = Watch(folder)
    watch.add([str(module)], since=time.time() + 60)
    assert is_quiet(watch)
    module.write_text("changed")
    assert noticed(watch) == {"library.py"}


def test_b339_what_changed_while_the_process_started_is_not_lost(folder: Path) -> None:
    watch = Watch(folder)
    began = time.time() - 60
    module = folder / "library.data"
    module.write_text("changed after the process had read it")
    watch.add([str(module), str(folder / "missing")], since=began)
    assert noticed(watch) == {"library.data"}
    watch.add([str(module)], since=time.time())
    assert is_quiet(watch)


def test_a_file_from_the_future_is_not_new_for_ever(folder: Path) -> None:
    watch = Watch(folder)
    module = folder / "library.data"
    module.write_text("")
    os.utime(module, (time.time() + 3600,) * 2)
    watch.add([str(module)], since=0)
    assert is_quiet(watch)


def test_b339_looking_rests_fifty_times_as_long_as_it_takes() -> None:
    looks: list[float] = []

    def paths() -> Iterator[str]:
        looks.append(time.monotonic())
        time.sleep(0.02)
        yield from ()

    polled = Polled(paths)
    while len(looks) < 2:
        polled.look()
        time.sleep(0.001)
    assert looks[1] - looks[0] > 50 * 0.02


def test_links_in_a_circle_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a.py").write_text("")
    assert {Path(path).name for path in below(str(tmp_path))} == {"a.py"}


@pytest.mark.parametrize("error", [OSError("no watches are left"), RuntimeError("no such")])
def test_where_the_system_gives_no_watches_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def watch(*_paths: object, **_options: object) -> Iterator[set[Any]]:
        raise error
        yield set()

    monkeypatch.setitem(sys.modules, "watchfiles", types.SimpleNamespace(watch=watch))
    assert notified(tmp_path) is None


def test_dv3_modules_are_those_that_somebody_may_edit() -> None:
    files = module_files()
    assert watching.__file__ in files
    assert not {os.__file__, pytest.__file__} & files


def test_bytecode_of_what_has_changed_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    changed, other = tmp_path / "changed.py", tmp_path / "other.py"
    for source in (changed, other):
        source.write_text("a = 1")
        py_compile.compile(str(source))
    forget_bytecode([str(changed), str(tmp_path / "never.py"), str(tmp_path / "a.env")])
    assert not Path(cache_from_source(str(changed))).exists()
    assert Path(cache_from_source(str(other))).exists()
