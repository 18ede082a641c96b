"""Where templates are found."""

import logging
from pathlib import Path

import jinja2
import pytest

from erlen.app import Erlen
from erlen.blueprint import Blueprint
from erlen.templating import folder_loader, render_template
from tests.templating.making import write

# --- folders: TP-5, BP-11, B-243 ------------------------------------------------------------------


async def test_tp1_template_is_found_in_the_folder(app: Erlen, tmp_path: Path) -> None:
    write(tmp_path / "templates", hello="Hello {{ name }}é")
    async with app.app_context():
        assert await render_template("hello.html", name="Ada") == "Hello Adaé"


async def test_tp1_first_of_a_list_that_exists_is_rendered(app: Erlen, tmp_path: Path) -> None:
    write(tmp_path / "templates", second="2")
    async with app.app_context():
        assert await render_template(["first.html", "second.html"]) == "2"
        with pytest.raises(jinja2.TemplatesNotFound):
            await render_template(["a", "b"])


async def test_tp1_template_object_is_rendered(app: Erlen) -> None:
    async with app.app_context():
        template = app.jinja_env.from_string("{{ a }}")
        assert await render_template(template, a=1) == "1"


async def test_bp11_application_first_then_blueprints_as_registered(
    app: Erlen, tmp_path: Path
) -> None:
    _ = app.jinja_env.globals  # made before the blueprints are there
    write(tmp_path / "templates", a="app")
    write(tmp_path / "one", a="1", b="1")
    write(tmp_path / "two", a="2", b="2", c="2")
    for name in ("one", "two"):
        app.register_blueprint(
            Blueprint(name, "shop", root_path=str(tmp_path), template_folder=name)
        )
    async with app.app_context():
        pages = [await render_template(f"{name}.html") for name in "abc"]
    assert pages == ["app", "1", "2"]
    assert app.jinja_env.list_templates() == ["a.html", "b.html", "c.html"]


async def test_blueprint_without_a_folder_is_passed_over(app: Erlen, tmp_path: Path) -> None:
    write(tmp_path / "templates", a="app")
    app.register_blueprint(Blueprint("bare", "shop"))
    assert app.jinja_env.list_templates() == ["a.html"]


@pytest.mark.parametrize(
    "name", ["../secret.html", "/etc/passwd", "a\0.html", "a.html\n", "x" * 5000, "\ud800", ""]
)
async def test_b243_name_that_leads_out_is_not_found(app: Erlen, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.html").write_text("secret")
    write(tmp_path / "templates", a="a")
    async with app.app_context():
        with pytest.raises(jinja2.TemplateNotFound):
            await render_template(name)


async def test_explain_template_loading_logs_where_it_looked(
    app: Erlen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "templates", a="a")
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True
    caplog.set_level(logging.INFO, "erlen.templating")
    app.jinja_env.get_template("a.html")
    with pytest.raises(jinja2.TemplateNotFound):
        app.jinja_env.get_template("b\n.html")
    found, missing = caplog.messages
    assert "'a.html': found as" in found
    assert "no folder" in found
    assert "'b\\n.html': not found" in missing
    assert str(tmp_path / "templates") in missing


# --- loaders of one's own: TP-5 -------------------------------------------------------------------


class Tenant(Erlen):
    jinja_loader = jinja2.DictLoader({"a.html": "own"})


class Theme(Blueprint):
    jinja_loader = jinja2.DictLoader({"a.html": "theme", "b.html": "theme"})


async def test_tp5_loader_of_the_class_is_asked_in_place_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "templates", a="folder", c="folder")
    app = Tenant("shop", root_path=str(tmp_path))
    app.register_blueprint(Theme("theme", "shop"))
    async with app.app_context():
        assert [await render_template(name) for name in ("a.html", "b.html")] == ["own", "theme"]
        with pytest.raises(jinja2.TemplateNotFound):
            await render_template("c.html")
    assert app.jinja_env.list_templates() == ["a.html", "b.html"]


def test_loader_without_a_folder_is_named_by_its_owner(caplog: pytest.LogCaptureFixture) -> None:
    app = Tenant("shop")
    app.register_blueprint(Theme("theme", "shop"))
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True
    caplog.set_level(logging.INFO, "erlen.templating")
    app.jinja_env.get_template("b.html")
    (message,) = caplog.messages
    assert message.startswith("Template 'b.html': found as the DictLoader of 'theme'; before that")
    assert message.endswith("not found in: the DictLoader of 'shop'.")


def test_folder_loader_is_that_of_the_template_folder(app: Erlen, tmp_path: Path) -> None:
    write(tmp_path / "templates", a="a")
    loader = folder_loader(app)
    assert loader is not None
    assert loader.list_templates() == ["a.html"]
    assert folder_loader(Blueprint("bare", "shop")) is None
