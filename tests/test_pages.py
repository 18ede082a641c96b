"""The templating functions of the package."""

from pathlib import Path

from erlen import Erlen, g, render_template, render_template_string


async def test_a_template_file_is_rendered_in_the_context(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ name }} {{ g.tea }}")
    app = Erlen("shop", template_folder=str(tmp_path))
    async with app.app_context():
        g.tea = "green"
        assert await render_template("page.html", name="<b>") == "&lt;b&gt; green"
        assert await render_template(["none.html", "page.html"], name=1) == "1 green"


async def test_template_text_is_rendered_in_the_context() -> None:
    async with Erlen("shop").app_context():
        assert await render_template_string("{{ 1 + 1 }}{{ x }}", x="<") == "2&lt;"
