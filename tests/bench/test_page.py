"""Figures become sections of the page."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from bench.page.__main__ import main, replaced
from bench.page.figures import in_process
from bench.page.files import read
from bench.page.sections import SECTIONS, added

IN_PROCESS: dict[str, Any] = {
    "kind": "in process",
    "python": "3.11.7",
    "settings": {"rounds": 5},
    "rows": [
        {
            "name": "plaintext",
            "title": "plaintext",
            "cells": {
                "bare": {"us": 1.0, "note": ""},
                "erlen": {"us": 3.0, "note": ""},
                "flask": {"us": None, "note": "is not asked"},
            },
        }
    ],
}
INSTALLED = {"uvicorn": "0.54", "uvloop": "0.23", "httptools": "0.9", "erlen": "1.0"}
CELL = {"requests_per_second": 9000.0, "p50_us": 900.0, "p99_us": 1900.0, "cpu_us": 40.0}
WIRE: dict[str, Any] = {
    "kind": "wire",
    "python": "3.11.7",
    "settings": {"rounds": 5, "seconds": 1},
    "versions": {"bare": INSTALLED, "erlen": INSTALLED},
    "rows": {"plaintext": {"bare": {**CELL, "cpu_us": 32.0}, "erlen": CELL}},
}
STARTUP: dict[str, Any] = {
    **WIRE,
    "kind": "startup",
    "rows": {"resident": {"bare": 1024.0 * 1024, "erlen": 3 * 1024.0 * 1024}},
}
COUNTED = {"kind": "instructions", "rows": {"plaintext": {"bare": 9000.0, "erlen": 47500.0}}}
STAGES = {"kind": "stages", "rows": {"match": 750.0, "send": 250.0}}
CALLS = {"kind": "calls", "rows": {"erlen": {"python": {"erlen": 16, "json": 2}, "native": 18}}}
FOUND: dict[str, Any] = {
    str(each["kind"]): each for each in (IN_PROCESS, WIRE, STARTUP, COUNTED, STAGES, CALLS)
}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("conditions", "- `python -m bench.wire`: CPython 3.11.7; rounds 5, seconds 1."),
        ("conditions", "- Versions: uvicorn 0.54, uvloop 0.23, httptools 0.9, erlen 1.0."),
        ("in process", "| plaintext | 1.00 | **3.00** | n/a |"),
        ("in process", "| geometric mean | 1.00 | **3.00** | n/a |"),
        ("in process", f"  erlen  {'█' * 13}▍ 2.00"),
        ("instructions", "| plaintext | 9.0 | **47.5** |"),
        ("stages", "| match | 750 | 75% |"),
        ("stages", "| all | 1,000 | 100% |"),
        ("calls", "| erlen | 18 | 18 | erlen 16, json 2 |"),
        ("wire", "| plaintext | 32.0 | **40.0** |"),
        ("wire", "| plaintext | 1.00 | **1.25** |"),
        ("startup", "| idle server, MiB | 1.0 | **3.0** |"),
        ("ahead", "Nowhere."),
        ("notes", "- Flask (a2wsgi), plaintext: no figure: is not asked"),
    ],
)
def test_a_section_tells_the_figures(name: str, line: str) -> None:
    assert line in SECTIONS[name](FOUND).splitlines()


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_without_figures_is_empty(name: str) -> None:
    assert SECTIONS[name]({}) == ""


def test_what_a_framework_adds_is_the_time_over_bare_asgi() -> None:
    (plaintext,) = in_process(FOUND)
    assert added(plaintext).values == {"erlen": 2.0, "flask": None}


def test_what_stands_between_the_marks_is_replaced_and_nothing_else() -> None:
    page = "a\n<!-- wire -->\nold\n<!-- end of wire -->\nb\n"
    once = replaced(page, "wire", r"new \1")
    assert once == "a\n<!-- wire -->\n\nnew \\1\n\n<!-- end of wire -->\nb\n"
    assert replaced(once, "wire", r"new \1") == once


def test_a_page_without_marks_is_an_error() -> None:
    with pytest.raises(LookupError, match="no <!-- wire -->"):
        replaced("", "wire", "new")


def test_files_are_told_apart_by_their_kind(tmp_path: Path) -> None:
    (tmp_path / "wire.json").write_text(json.dumps(WIRE), "utf-8")
    assert read([tmp_path / "wire.json"]) == {"wire": WIRE}


def test_a_file_without_figures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[]", "utf-8")
    with pytest.raises(ValueError, match=r"other\.json holds no figures"):
        read([tmp_path / "other.json"])


def test_only_sections_with_figures_are_written(tmp_path: Path) -> None:
    names = [*SECTIONS]
    page, file = tmp_path / "page.md", tmp_path / "wire.json"
    page.write_text("".join(f"<!-- {n} -->\n<!-- end of {n} -->\n" for n in names), "utf-8")
    file.write_text(json.dumps(WIRE), "utf-8")
    main(Namespace(files=[file], page=page, without_plots=True))
    text = page.read_text("utf-8")
    assert "| plaintext | 32.0 | **40.0** |" in text
    assert "<!-- in process -->\n<!-- end of in process -->" in text


def test_the_page_of_the_documentation_has_all_marks() -> None:
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text("utf-8")
    for name in SECTIONS:
        replaced(page, name, "")
