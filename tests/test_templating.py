"""Templates: where they are found, what they know, what they escape."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from markupsafe import Markup

from erlen.app import Erlen
from erlen.blueprint import Blueprint
from erlen.json import DefaultJSONProvider
from erlen.templating import render_template, render_template_string

LINE_SEPARATORS = "\u2028\u2029"


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    return make_app(tmp_path)


def make_app(root: Path) -> Erlen:
    return Erlen("shop", root_path=str(root))


def write(folder: Path, **sources: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, source in sources.items():
        (folder / f"{name}.html").write_text(source, encoding="utf-8")


async def render(app: Erlen, source: str, /, **context: Any) -> str:
    async with app.app_context():
        return await render_template_string(source, **context)


# --- finding: TP-5, BP-11, B-243 ------------------------------------------------------------------


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


# --- reloading: TP-7 ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("debug", "reload", "expected"),
    [(False, None, False), (True, None, True), (True, False, False), (False, True, True)],
)
def test_tp7_templates_are_reloaded_in_debug_mode_or_as_configured(
    app: Erlen, debug: bool, reload: bool | None, expected: bool
) -> None:
    app.config.from_mapping(DEBUG=debug, TEMPLATES_AUTO_RELOAD=reload)
    assert app.jinja_env.auto_reload is expected


def test_tp7_options_of_the_application_win(app: Erlen) -> None:
    app.jinja_options = {"trim_blocks": True, "auto_reload": True}
    assert app.jinja_env.trim_blocks is True
    assert app.jinja_env.auto_reload is True


# --- variables: TP-2, TP-3, TP-10 -----------------------------------------------------------------


async def test_tp2_globals_are_there_without_a_request(app: Erlen) -> None:
    source = (
        "{{ config.DEBUG }} {% if request %}r{% endif %}{% if websocket %}w{% endif %}{{ g.a }}"
    )
    async with app.app_context():
        from erlen.proxies import g

        g.a = 1
        assert await render_template_string(source) == "False 1"


async def test_tp2_request_and_url_for_are_there_in_a_request(app: Erlen) -> None:
    @app.get("/items/<int:number>")
    async def item(number: int) -> str:
        return await render_template_string("{{ request.path }} {{ url_for('item', number=8) }}")

    async with app.test_client() as client:
        assert (await client.get("/items/7")).text == "/items/7 /items/8"


async def test_tp3_processors_of_the_blueprint_win_over_those_of_the_application(
    app: Erlen,
) -> None:
    app.context_processor(lambda: {"a": "app", "b": "app"})
    blueprint = Blueprint("inner", "shop")
    blueprint.context_processor(lambda: {"b": "blueprint"})

    @blueprint.get("/")
    async def page() -> str:
        return await render_template_string("{{ a }} {{ b }}")

    app.register_blueprint(blueprint)
    async with app.test_client() as client:
        assert (await client.get("/")).text == "app blueprint"


async def test_tp3_processors_then_arguments(app: Erlen) -> None:
    app.context_processor(lambda: {"a": "processor", "b": "processor", "g": "processor"})

    @app.context_processor
    async def later() -> dict[str, str]:
        return {"b": "coroutine"}

    assert await render(app, "{{ a }} {{ b }} {{ g }}") == "processor coroutine processor"
    assert await render(app, "{{ a }} {{ b }}", a=1, b=2) == "1 2"


async def test_variable_may_have_any_name(app: Erlen) -> None:
    assert await render(app, "{{ source }}{{ self_ }}", source=1, self_=2) == "12"


async def test_tp10_templates_await_calls_and_iterate_asynchronously(app: Erlen) -> None:
    async def double(value: int) -> int:
        return value * 2

    async def count() -> AsyncIterator[int]:
        yield 1
        yield 2

    source = "{{ double(3) }}{% for n in count() %},{{ n }}{% endfor %}"
    assert await render(app, source, double=double, count=count) == "6,1,2"


# --- escaping: TP-4, B-245 ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.html", "a.txt", "a.jinja", "a"])
async def test_b245_every_template_is_escaped(app: Erlen, tmp_path: Path, name: str) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / name).write_text("{{ x }}")
    async with app.app_context():
        assert await render_template(name, x="<script>") == "&lt;script&gt;"


@pytest.mark.parametrize(
    ("source", "page"),
    [
        ("{{ x }}", "&lt;b&gt;"),
        ("{{ x|safe }}", "<b>"),
        ("{{ m }}", "<i>"),
        ("{% autoescape false %}{{ x }}{% endautoescape %}", "<b>"),
    ],
)
async def test_tp4_escaping_can_be_lifted_by_the_template_alone(
    app: Erlen, source: str, page: str
) -> None:
    assert await render(app, source, x="<b>", m=Markup("<i>")) == page


async def test_b245_tojson_ends_no_script_and_no_attribute(app: Erlen) -> None:
    value = "</script>&'" + LINE_SEPARATORS
    page = await render(app, "{{ value|tojson }}", value=value)
    assert page == '"\\u003c/script\\u003e\\u0026\\u0027\\u2028\\u2029"'
    assert app.json.loads(page) == value


async def test_tojson_writes_with_the_provider_of_the_application(app: Erlen) -> None:
    assert await render(app, "{{ [1, 'é']|tojson }}") == '[1,"é"]'
    assert await render(app, "{{ [1]|tojson(indent=1) }}") == "[\n 1\n]"
    app.json = DefaultJSONProvider(app)
    app.json.default = str
    assert await render(app, "{{ x|tojson }}", x=1j) == '"1j"'


async def test_values_of_the_template_outlive_no_rendering(app: Erlen) -> None:
    assert await render(app, "{% set a = 1 %}{{ a }}") == "1"
    assert await render(app, "{{ a }}") == ""
