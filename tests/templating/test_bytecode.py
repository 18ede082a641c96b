"""Bytecode of templates: kept, but never taken for that of another way of rendering."""

from pathlib import Path
from typing import Any

import jinja2
import pytest

from erlen.app import Erlen
from tests.templating.test_blocking import PROMPT

SOURCE = "a{{ x.y }}b{% for n in x.z %}{{ n }}{% endfor %}"
GIVEN = {"x": {"y": "<", "z": [1]}}


def kept(folder: Path) -> list[Path]:
    return [*folder.iterdir()]


@pytest.mark.parametrize("again", [False, True])
async def test_tp7_one_cache_serves_jinja_and_both_ways_of_rendering(
    app: Erlen, tmp_path: Path, again: bool
) -> None:
    cache = jinja2.FileSystemBytecodeCache(str(tmp_path))
    options: dict[str, Any] = {
        "loader": jinja2.DictLoader({"page": SOURCE}),
        "bytecode_cache": cache,
    }
    app.jinja_options = options
    jinjas = jinja2.Environment(autoescape=True, enable_async=True, **options)
    both = (app.jinja_env, jinjas) if again else (jinjas, app.jinja_env)
    pages = [await env.get_template("page").render_async(GIVEN) for env in both]
    pages.append(app.jinja_env.blocking(PROMPT).get_template("page").render(GIVEN))
    pages.append(app.jinja_env.overlay(enable_async=False).get_template("page").render(GIVEN))
    assert pages == ["a&lt;b1"] * 4
    assert len(kept(tmp_path)) == 4


def test_cache_of_an_environment_is_cleared_as_that_which_was_given(
    app: Erlen, tmp_path: Path
) -> None:
    app.jinja_options = {"loader": jinja2.DictLoader({"page": SOURCE})}
    environment = app.jinja_env
    app.jinja_env.bytecode_cache = jinja2.FileSystemBytecodeCache(str(tmp_path))
    environment.get_template("page")
    assert kept(tmp_path)
    assert environment.bytecode_cache is not None
    environment.bytecode_cache.clear()
    assert not kept(tmp_path)
