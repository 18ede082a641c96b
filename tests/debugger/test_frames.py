"""One frame of a traceback: whose code it is, where it failed, and what stood around."""

import ast
import json
import traceback
from pathlib import Path
from typing import Any

import jinja2
import pytest

from erlen.debugger.chain import unfold
from erlen.debugger.frames import AROUND, Frame, frame_of, place_of
from erlen.debugger.places import kind_of
from tests.debugger.raising import loaded, raised


def innermost(error: BaseException) -> Frame:
    trace = error.__traceback__
    assert trace is not None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return frame_of(trace, 0)


def current(frame: Frame) -> tuple[str, str, str]:
    line = next(line for line in frame.lines if line.is_current)
    return line.before, line.failed, line.after


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("def f(a):\n    return 1 + a / 0 + 2", ("    return 1 + ", "a / 0", " + 2")),
        ("def f(a):\n    return 'ä€' + (a / 0)", ("    return 'ä€' + (", "a / 0", ")")),
        ("def f(a):\n    raise KeyError(a)", ("    raise KeyError(a)", "", "")),
        ("def f(a):\n    return 1 + g(\n        a)\ndef g(a): 1/0", None),
    ],
)
def test_the_part_that_failed_is_marked(
    tmp_path: Path, source: str, parts: tuple[str, str, str] | None
) -> None:
    error = raised(loaded(tmp_path, source).f, 1)
    assert error.__traceback__ is not None
    if parts is None:  # a call over two lines: marked to the end of the first
        frame = frame_of(error.__traceback__.tb_next, 0)  # type: ignore[arg-type]  # it has one
        assert current(frame) == ("    return 1 + ", "g(", "")
    else:
        assert current(innermost(error)) == parts


def test_source_stands_around(tmp_path: Path) -> None:
    source = "\n".join(["x = 1"] * 20 + ["def f():", "    1 / 0"] + ["y = 2"] * 20)
    frame = innermost(raised(loaded(tmp_path, source).f))
    assert [line.number for line in frame.lines] == list(range(22 - AROUND, 22 + AROUND + 1))
    assert (frame.number, frame.function, frame.code) == (22, "f", "1 / 0")


def test_names_are_those_of_the_frame(tmp_path: Path) -> None:
    frame = innermost(raised(loaded(tmp_path, "z = 3\ndef f(a):\n    __b = 2\n    1 / 0").f, 1))
    assert frame.scope == {"a": 1, "__b": 2}
    assert frame.outside["z"] == 3
    assert frame.variables == ["a"]


def test_b274_missing_source_is_shown_as_none() -> None:
    names: dict[str, object] = {}
    exec(compile("def f():\n    1 / 0", "<nowhere>", "exec"), names)
    frame = innermost(raised(names["f"]))  # type: ignore[arg-type]  # a function
    assert (frame.file, frame.number, frame.lines, frame.code) == ("<nowhere>", 2, (), "")


def test_a_file_that_became_shorter_has_no_line(tmp_path: Path) -> None:
    error = raised(loaded(tmp_path, "\n\n\n\ndef f():\n    1 / 0").f)
    (tmp_path / "written.py").write_text("short\n")
    frame = innermost(error)
    assert [line.is_current for line in frame.lines] == [False]
    assert frame.code == ""


def test_code_without_columns_is_not_marked(tmp_path: Path) -> None:
    file = tmp_path / "written.py"
    file.write_text("def f():\n    return 1 + 1 / 0")
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if hasattr(node, "col_offset"):
            vars(node).update(col_offset=-1, end_col_offset=-1)
    names: dict[str, Any] = {}
    exec(compile(tree, str(file), "exec"), names)
    assert current(innermost(raised(names["f"]))) == ("    return 1 + 1 / 0", "", "")


def test_a_trace_that_never_ran_is_not_marked(tmp_path: Path) -> None:
    error = raised(loaded(tmp_path, "def f():\n    1 + 1 / 0").f)
    trace = error.__traceback__
    assert trace is not None
    assert trace.tb_next is not None
    made = type(trace)(None, trace.tb_next.tb_frame, -1, 2)
    assert current(frame_of(made, 0)) == ("    1 + 1 / 0", "", "")


@pytest.mark.parametrize(
    ("function", "file"),
    [
        (lambda: json.loads("{"), "json/decoder.py"),
        (lambda: kind_of(None), "erlen/debugger/places.py"),
        (lambda: jinja2.Environment().get_template("a"), "jinja2/environment.py"),
    ],
)
def test_files_of_libraries_are_named_below_their_folder(function: object, file: str) -> None:
    error = raised(function)  # type: ignore[arg-type]  # a lambda
    assert file in {frame.file for raised in unfold(error)[0] for frame in raised.frames} | {
        innermost(error).file
    }


def test_own_files_are_named_as_seen_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = innermost(raised(loaded(tmp_path, "def f():\n    1 / 0").f))
    assert frame.file == "written.py"


# --- places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "number", "parts"),
    [
        ("a = 1\nb = = 2\n", 2, ("b = ", "=", " 2")),
        ("x = (1,\ny = 2", 1, ("x = ", "(", "1,")),
        ("f(a b)", 1, ("f(", "a b", ")")),
        ("def f():\npass", 2, ("pass", "", "")),
    ],
)
def test_b274_a_syntax_error_points_to_its_place(
    source: str, number: int, parts: tuple[str, str, str]
) -> None:
    place = place_of(raised(compile, source, "<typed>", "exec"), 3)
    assert place is not None
    assert (place.index, place.number, place.has_console) == (3, number, False)
    assert current(place) == parts


@pytest.mark.parametrize(
    ("details", "parts"),
    [
        (("a.py", 1, 0, "a ?", 0, 0), ("a ?", "", "")),
        (("a.py", 1, 3, "a ?b", None, None), ("a ", "?", "b")),
        (("a.py", 1, 3, "a '''b", 2, 1), ("a ", "'''b", "")),
    ],
)
def test_syntax_errors_may_know_less(details: Any, parts: tuple[str, ...]) -> None:
    place = place_of(SyntaxError("bad", details), 0)
    assert place is not None
    assert current(place) == parts


def test_a_syntax_error_in_line_900_needs_no_900_lines() -> None:
    place = place_of(SyntaxError("bad", ("<typed>", 900, 1, "a ?")), 0)
    assert place is not None
    assert place.number == 900
    assert len(place.lines) <= AROUND


@pytest.mark.parametrize(
    "error", [ValueError(), SyntaxError("of nothing"), OSError(2, "x", "file")]
)
def test_other_errors_point_nowhere(error: Exception) -> None:
    assert place_of(error, 0) is None


def test_errors_with_a_line_but_no_source_point_nowhere() -> None:
    error = ValueError()
    error.lineno = 3  # type: ignore[attr-defined]  # as JSONDecodeError has
    assert place_of(error, 0) is None


# --- templates ------------------------------------------------------------------------------------


def environment(**templates: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.DictLoader(templates), undefined=jinja2.StrictUndefined, autoescape=True
    )


def test_a_template_that_fails_is_shown_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<ul>\n  {{ row.name.first }}\n</ul>")
    loader = jinja2.FileSystemLoader(tmp_path)
    template = jinja2.Environment(loader=loader, autoescape=True).get_template("page.html")
    frames = unfold(raised(lambda: template.render(row={})))[0][0].frames
    frame = next(frame for frame in frames if frame.kind == "template")
    assert (frame.number, frame.code) == (2, "{{ row.name.first }}")
    assert frame.file.endswith("page.html")
    assert all(not line.failed for line in frame.lines)
    assert frame.variables == ["row"]


def test_a_broken_template_is_shown_at_its_place() -> None:
    error = raised(environment(page="a\n{% for %}\nb").get_template, "page")
    frames = unfold(error)[0][0].frames
    assert (frames[0].number, frames[0].code, frames[0].has_console) == (2, "{% for %}", False)
    assert [frame for frame in frames[1:] if frame.is_at(frames[0])] == []


def test_a_broken_template_without_a_name_is_shown_too() -> None:
    place = place_of(jinja2.TemplateSyntaxError("bad", 1), 0)
    assert place is not None
    assert (place.file, place.lines) == ("<unknown>", ())


def test_the_columns_are_pythons_own(tmp_path: Path) -> None:
    error = raised(loaded(tmp_path, "def f(a):\n    return 1 + a / 0").f, 1)
    summary = traceback.extract_tb(error.__traceback__)[-1]
    before, failed, _ = current(innermost(error))
    assert (summary.colno, summary.end_colno) == (len(before), len(before + failed))
