"""The environment: what templates know and escape, and when they are read again."""

import os
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from erlen.app import Erlen
from erlen.json import DefaultJSONProvider
from erlen.proxies import g, websocket
from erlen.templating import (
    Environment,
    create_environment,
    render_template,
    render_template_string,
)
from tests.templating.making import render, write

LINE_SEPARATORS = "\u2028\u2029"

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


@pytest.mark.parametrize("key", ["DEBUG", "TEMPLATES_AUTO_RELOAD"])
async def test_tp7_reloading_follows_the_configuration_as_it_changes(
    app: Erlen, tmp_path: Path, key: str
) -> None:
    write(tmp_path / "templates", a="old")
    async with app.app_context():
        for source, setting, page in [
            ("old", False, "old"),
            ("new", False, "old"),
            ("new", True, "new"),
        ]:
            write(tmp_path / "templates", a=source)
            age(tmp_path / "templates" / "a.html", source)
            app.config[key] = setting
            assert await render_template("a.html") == page


def age(path: Path, source: str) -> None:
    """Give a file a time that tells its versions apart."""
    stamp = {"old": 1_000_000_000, "new": 1_000_000_001}[source]
    os.utime(path, (stamp, stamp))


def test_tp7_what_is_assigned_to_the_environment_stays(app: Erlen) -> None:
    app.jinja_env.auto_reload = True
    app.debug = False
    assert app.jinja_env.auto_reload is True


def test_overlay_of_the_environment_reloads_as_it_does(app: Erlen) -> None:
    overlay = app.jinja_env.overlay(trim_blocks=True)
    app.debug = True
    assert overlay.auto_reload is True


# --- classes and words of one's own: TP-6, TP-7 ---------------------------------------------------


async def test_tp7_environment_may_be_of_another_class(app: Erlen) -> None:
    class Loud(Environment):
        def join_path(self, template: str, parent: str) -> str:
            return f"{parent}/{template}"

    app.jinja_options = {"variable_start_string": "[[", "variable_end_string": "]]"}
    environment = create_environment(app, Loud)
    assert isinstance(environment, Loud)
    assert await environment.from_string("[[ config.DEBUG ]]").render_async() == "False"


async def test_tp6_words_are_added_to_the_environment(app: Erlen) -> None:
    async def reverse(text: str) -> str:
        return text[::-1]

    async def is_odd(number: int) -> bool:
        return number % 2 == 1

    app.jinja_env.filters["reverse_slowly"] = reverse
    app.jinja_env.tests["slowly_odd"] = is_odd
    app.jinja_env.globals["answer"] = 41
    source = "{{ 'abc'|reverse_slowly }} {{ answer is slowly_odd }} {{ 2 is slowly_odd }}"
    assert await render(app, source) == "cba True False"


# --- attributes -----------------------------------------------------------------------------------


class Broken:
    @property
    def name(self) -> str:
        raise AttributeError(name="other")

    def __getitem__(self, key: str) -> str:
        return f"item {key}"


@pytest.mark.parametrize(
    ("value", "page"),
    [
        ({"name": "item", "items": 1}, "item"),
        (Broken(), "item name"),
        (SimpleNamespace(name=None), "None"),
        (1, ""),
        ([], ""),
        ({}, ""),
    ],
)
async def test_attribute_comes_before_the_item(app: Erlen, value: object, page: str) -> None:
    assert await render(app, "{{ value.name }}", value=value) == page
    plain = jinja2.Environment(autoescape=True).from_string("{{ value.name }}")
    assert plain.render(value=value) == page


async def test_b245_sandbox_among_the_bases_decides_what_may_be_read(app: Erlen) -> None:
    class Safe(Environment, SandboxedEnvironment):
        pass

    app.jinja_env = create_environment(app, Safe)
    assert await render(app, "{{ value.name }}{{ value._name }}", value={"name": 1}) == "1"
    with pytest.raises(SecurityError, match="attribute '__class__' of 'str' object is unsafe"):
        await render(app, "{{ ''.__class__.__mro__ }}")


# --- globals: TP-2 --------------------------------------------------------------------------------


async def test_tp2_globals_are_known_in_imported_macros(app: Erlen, tmp_path: Path) -> None:
    write(
        tmp_path / "templates",
        macros="{% macro show() %}{{ request.path }} {{ url_for('page') }} {{ g.a }} "
        "{{ config.TESTING }} {{ session.b }} {{ get_flashed_messages() }} {% endmacro %}",
        page="{% from 'macros.html' import show %}{{ show() }}",
    )
    app.secret_key = "secret"

    @app.get("/page")
    async def page() -> str:
        g.a = 1
        return await render_template("page.html")

    assert (await app.test_client().get("/page")).text == "/page /page 1 False  [] "


async def test_tp2_websocket_is_known_in_templates(app: Erlen) -> None:
    @app.websocket("/socket")
    async def socket() -> None:
        source = "{{ websocket.path }}{% if request %}r{% endif %}"
        await websocket.send(await render_template_string(source))

    async with app.test_client().websocket("/socket") as session:
        assert await session.receive() == "/socket"


async def test_tp2_globals_are_there_without_a_request(app: Erlen) -> None:
    source = (
        "{{ config.DEBUG }} {% if request %}r{% endif %}{% if websocket %}w{% endif %}{{ g.a }}"
    )
    async with app.app_context():
        g.a = 1
        assert await render_template_string(source) == "False 1"


async def test_tp2_request_and_url_for_are_there_in_a_request(app: Erlen) -> None:
    @app.get("/items/<int:number>")
    async def item(number: int) -> str:
        return await render_template_string("{{ request.path }} {{ url_for('item', number=8) }}")

    async with app.test_client() as client:
        assert (await client.get("/items/7")).text == "/items/7 /items/8"


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
