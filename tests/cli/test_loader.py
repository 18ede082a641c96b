"""Where the erlen command finds the application."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from erlen.cli.loader import NoAppError, check_place, load_again, load_app

FILES = {
    "plain.py": "from erlen import Erlen, current_app, request\napp = Erlen('plain')\nother = Erlen('o')",
    "named.py": "from erlen import Erlen\nnot_app = 1\napp = 'no'\napplication = Erlen('named')",
    "single.py": "from erlen import Erlen\nsite = alias = Erlen('single')",
    "two.py": "from erlen import Erlen\na = Erlen('a')\nb = Erlen('b')",
    "none.py": "from erlen import Erlen, current_app, g, request\ncreate_app = 3\ncount = 3",
    "factory.py": """
from erlen import Erlen
def create_app(name='made', *, debug=False):
    app = Erlen(name)
    app.debug = debug
    return app
def failing():
    raise LookupError('no database')
def wrong():
    return 42
""",
    "coroutine.py": "async def create_app(): ...",
    "maker.py": "from erlen import Erlen\ndef make_app(): return Erlen('maker')",
    "needy.py": "from erlen import Erlen\ndef create_app(name): return Erlen(name)",
    "broken.py": "import no_such_library",
    "failing.py": "x = 1\nraise LookupError('no database')",
    "syntax.py": "x = 1\ndef (",
    "late.py": "import json\njson.loads('{')",
    "served.py": "from erlen import Erlen\napp = Erlen('served')\napp.run(port=70000)",
    "pack/__init__.py": "from erlen import Erlen\napp = Erlen('pack')",
    "pack/sub.py": "from pack import app",
    "dir/deep.py": "from erlen import Erlen\napp = Erlen('deep')",
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory with the files above; what is imported is forgotten."""
    for file, source in FILES.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        pytest.param("plain", "plain", id="CL-3 app"),
        pytest.param("named", "named", id="CL-3 application"),
        pytest.param("single", "single", id="CL-3 the only one, by two names"),
        pytest.param("factory", "made", id="CL-3 create_app"),
        pytest.param("maker", "maker", id="CL-3 make_app"),
        pytest.param("plain:other", "o", id="CL-4 name"),
        pytest.param("factory:create_app", "made", id="CL-4 factory"),
        pytest.param("factory:create_app('x', debug=True)", "x", id="CL-4 literal arguments"),
        pytest.param("pack", "pack", id="CL-2 package"),
        pytest.param("pack.sub:app", "pack", id="CL-2 module in a package"),
        pytest.param("plain.py", "plain", id="CL-2 file"),
        pytest.param("dir/deep.py:app", "deep", id="CL-2 path of a file"),
        pytest.param("./dir/deep", "deep", id="CL-2 path without .py"),
        pytest.param("pack/sub.py", "pack", id="CL-2 path of a module in a package"),
        pytest.param("pack/__init__.py", "pack", id="CL-2 path of a package's file"),
        pytest.param("./pack", "pack", id="CL-2 path of a package"),
    ],
)
def test_an_application_is_found(spec: str, name: str) -> None:
    assert load_app(spec).name == name


@pytest.mark.parametrize("file", ["app.py", "wsgi.py", "asgi.py"])
def test_cl2_without_a_name_a_usual_file_is_taken(file: str, project: Path) -> None:
    (project / file).write_text("from erlen import Erlen\napp = Erlen('usual')")
    assert load_app().name == "usual"


@pytest.mark.parametrize("folder", [".", "src"])
def test_without_a_usual_file_the_only_package_is_taken(folder: str, project: Path) -> None:
    (project / folder).mkdir(exist_ok=True)
    (project / "tests").mkdir()
    (project / "tests" / "__init__.py").touch()
    (project / "pack").rename(project / folder / "packed")
    (project / folder / "packed" / "__init__.py").write_text(FILES["pack/__init__.py"])
    assert load_app().name == "pack"
    assert "packed" in sys.modules


def test_the_package_may_be_the_working_directory(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "pack")
    assert load_app().name == "pack"


def test_b333_of_several_packages_one_must_be_named(project: Path) -> None:
    (project / "src" / "other").mkdir(parents=True)
    (project / "src" / "other" / "__init__.py").touch()
    with pytest.raises(NoAppError, match=r"2 packages in .*: pack, src/other\. .* --app \./pack\."):
        load_app()


def test_b333_a_folder_without_an_application_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "dir")
    with pytest.raises(NoAppError, match=r"no app\.py, wsgi\.py, asgi\.py and no package in"):
        load_app()


def test_b333_what_a_usual_file_has_in_its_place_is_told(project: Path) -> None:
    (project / "app.py").write_text("def create_app(): return 7")
    with pytest.raises(NoAppError, match="'app' is 7, which is no erlen application"):
        load_app()


@pytest.mark.parametrize(("level", "number"), [(None, 0), ("warning", 30)])
def test_processes_load_what_they_are_told(
    monkeypatch: pytest.MonkeyPatch, level: str | None, number: int
) -> None:
    monkeypatch.setenv("ERLEN_SKIP_DOTENV", "1")
    app = load_again("plain:other", level, None, {})
    assert (app.name, app.logger.level) == ("o", number)


def test_processes_raise_what_the_module_has_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLEN_SKIP_DOTENV", "1")
    with pytest.raises(LookupError, match="no database") as caught:
        load_again("failing", None, None, {})
    assert caught.value.__context__ is None


@pytest.mark.parametrize("spec", ["plain", "plain:nope", "failing", "syntax.py", "pack.nope", None])
def test_what_may_be_there_is_let_pass(
    spec: str | None, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "app.py").write_text("def (")
    check_place(spec)


@pytest.mark.parametrize("spec", ["nope", "nope.sub:app", "nope.py"])
def test_b333_what_is_not_there_is_told_without_an_import(spec: str) -> None:
    with pytest.raises(NoAppError, match="There is no"):
        check_place(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param("coroutine", "'coroutine:create_app' is 'async def'", id="CL-3 async def"),
        pytest.param("nope", "There is no module 'nope', seen from", id="B-333 no module"),
        pytest.param("pack.nope:app", "There is no module 'pack.nope'", id="B-333 no submodule"),
        pytest.param("nope.py", "There is no file '", id="B-333 no such file"),
        pytest.param("dir/nope", "There is no file '", id="B-333 no such path"),
        pytest.param("two", "'two' has 2 applications: a, b. Choose one", id="B-333 two"),
        pytest.param("none", "'none' has no application", id="B-333 none"),
        pytest.param("plain:nope", "'plain' has no 'nope'.", id="B-333 no such name"),
        pytest.param("none:count", "'none:count' is 3, which is no erlen app", id="B-333 no app"),
        pytest.param("none:count()", "3 is not a callable object", id="B-333 not callable"),
        pytest.param("factory:wrong", "'factory:wrong' is 42", id="B-333 made no app"),
        pytest.param("needy", "'needy:create_app' cannot be called with these", id="CL-3 needy"),
        pytest.param("needy:create_app(1, 2)", "too many positional", id="CL-4 too many"),
        pytest.param("plain:app.name", "neither a name nor a call", id="CL-4 dotted"),
        pytest.param("plain:app)", "neither a name nor a call", id="CL-4 syntax"),
        pytest.param("needy:create_app(open)", "neither a name nor a call", id="CL-4 no literal"),
        pytest.param("needy:create_app(**{})", "neither a name nor a call", id="CL-4 mapping"),
        pytest.param("broken", "No module named 'no_such_library'", id="CL-5 import in it"),
    ],
)
def test_what_cannot_be_found_is_told(spec: str | None, message: str) -> None:
    with pytest.raises(NoAppError) as caught:
        load_app(spec)
    assert message in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("spec", "file", "line", "error"),
    [
        ("failing", "failing.py", 2, "LookupError: no database"),
        ("broken", "broken.py", 1, "ModuleNotFoundError: No module named 'no_such_library'"),
        ("syntax", "syntax.py", 2, "SyntaxError: "),
        ("late", "late.py", 2, "JSONDecodeError: "),
        ("factory:failing", "factory.py", 8, "LookupError: no database"),
    ],
)
def test_an_error_in_the_module_is_told_with_its_place(
    project: Path, spec: str, file: str, line: int, error: str
) -> None:
    with pytest.raises(NoAppError) as caught:
        load_app(spec)
    first, second = caught.value.message.split("\n")
    assert f"failed ({project / file}, line {line}): {error}" in first
    assert second == "Use 'erlen --traceback' to see the whole traceback."


def test_an_error_without_a_place_of_the_users_is_told(project: Path) -> None:
    (project / "odd.py").write_bytes(b"x = '\xff'")
    with pytest.raises(NoAppError, match=r"Importing 'odd' failed.*: SyntaxError: "):
        load_app("odd")


def test_cl14_run_in_the_module_is_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_app("served").name == "served"
    assert "run() was ignored" in capsys.readouterr().err
