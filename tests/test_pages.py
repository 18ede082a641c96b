"""The templating functions of the package."""

import subprocess
import sys
from pathlib import Path

import pytest

from erlen import Erlen, g
from erlen.pages import (
    get_template_attribute,
    render_block,
    render_template,
    render_template_string,
    stream_template,
    stream_template_string,
)

PAGE = "{% macro bow() %}bow{% endmacro %}{% block a %}{{ name }} {{ g.tea }}{% endblock %}"


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    (tmp_path / "page.html").write_text(PAGE)
    return Erlen("shop", template_folder=str(tmp_path))


async def test_a_template_file_is_rendered_in_the_context(app: Erlen) -> None:
    async with app.app_context():
        g.tea = "green"
        assert await render_template("page.html", name="<b>") == "&lt;b&gt; green"
        assert await render_template(["none.html", "page.html"], name=1) == "1 green"
        template = app.jinja_env.get_template("page.html")
        assert await render_template(template, name=2) == "2 green"


async def test_template_text_is_rendered_in_the_context(app: Erlen) -> None:
    async with app.app_context():
        assert await render_template_string("{{ 1 + 1 }}{{ x }}", x="<") == "2&lt;"


async def test_templates_are_streamed_in_the_context(app: Erlen) -> None:
    async with app.app_context():
        g.tea = "green"
        assert [chunk async for chunk in await stream_template("page.html")] == [" green"]
        stream = await stream_template_string("{{ x }}", x="<")
        assert [chunk async for chunk in stream] == ["&lt;"]


async def test_parts_of_a_template_are_rendered_in_the_context(app: Erlen) -> None:
    async with app.app_context():
        assert await render_block("page.html", "a", name="b") == "b "
        assert await (await get_template_attribute("page.html", "bow"))() == "bow"


def test_templates_load_when_they_are_used() -> None:
    code = "import erlen.pages, sys; assert 'jinja2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
