"""One block of a template alone: pages that replace a part of themselves."""

from pathlib import Path
from typing import Any

import jinja2
import pytest

from erlen.app import Erlen
from erlen.signals import before_render_template, template_rendered
from erlen.templating import Environment, create_environment, render_block, render_template
from tests.templating.making import make_app, write

LAYOUT = """{% set site = 'Shop' %}{% from 'macros.html' import bold %}
<title>{% block title %}{{ site }}{% endblock %}</title>{{ never() }}
{% if user %}{% block greeting %}Hello {{ user }}{% endblock %}{% else %}{{ never() }}{% endif %}
{% block main %}{% block inner %}inner{% endblock %}{% endblock %}
{% include 'never.html' %}{% call never() %}{% block called %}called{% endblock %}{% endcall %}
{% filter upper %}{% block filtered %}quiet{% endblock %}{% endfilter %}"""

PAGE = """{% extends 'layout.html' %}{{ never() }}
{% set topic = 'tea' %}{% macro shout(text) %}{{ text }}!{% endmacro %}
{% block title %}{{ topic }} - {{ super() }}{% endblock %}
{% block main %}<main>{{ shout(topic) }} {{ bold(user) }} {{ self.title() }}</main>{% endblock %}"""


def shop() -> Erlen:
    app = make_app(
        layout=LAYOUT,
        page=PAGE,
        macros="{% macro bold(text) %}<b>{{ text }}</b>{% endmacro %}",
        deeper="{% extends 'page.html' %}{% block title %}[{{ super() }}]{% endblock %}",
    )
    app.jinja_env.globals["never"] = lambda: 1 / 0
    return app


@pytest.mark.parametrize(
    ("template", "block", "expected"),
    [
        pytest.param("layout.html", "title", "Shop", id="own"),
        pytest.param("page.html", "title", "tea - Shop", id="overridden, with super()"),
        pytest.param("deeper.html", "title", "[tea - Shop]", id="twice"),
        pytest.param("page.html", "greeting", "Hello &lt;Ada&gt;", id="of the parent"),
        pytest.param("layout.html", "main", "inner", id="with one inside"),
        pytest.param("layout.html", "inner", "inner", id="inside of one"),
        pytest.param("page.html", "inner", "inner", id="inside of one that is overridden"),
        pytest.param("page.html", "called", "called", id="in a call"),
        pytest.param("page.html", "filtered", "quiet", id="in a filter"),
        pytest.param(
            "page.html",
            "main",
            "<main>tea! <b>&lt;Ada&gt;</b> tea - Shop</main>",
            id="with imports, macros and self",
        ),
    ],
)
async def test_block_is_rendered_as_its_page_would(
    template: str, block: str, expected: str
) -> None:
    async with shop().app_context():
        assert await render_block(template, block, user="<Ada>") == expected


@pytest.mark.parametrize("is_async", [True, False])
async def test_block_runs_what_surrounds_it_but_prints_nothing_of_it(is_async: bool) -> None:
    source = """{% set ns = namespace(sum=0) %}
    {% for n in [1, 2] %}{% if n > 1 %}{% set ns.sum = ns.sum + n %}{% endif %}{{ n }}{% endfor %}
    {% for n in failing %}{{ n }}{% else %}{% endfor %}
    {% with %}{% set local = 1 %}{% endwith %}{% autoescape false %}{{ n }}{% endautoescape %}
    {% if a %}{% set x = 1 %}{% elif b %}text{% elif c %}{% set x = 2 %}{% else %}{% set x = 3 %}{% endif %}
    {% block sum %}{{ ns.sum }}{{ x }}{{ local }}{% endblock %}"""
    app = make_app(page=source)
    app.jinja_options["enable_async"] = is_async
    async with app.app_context():
        for given, expected in [({"a": 1}, "21"), ({"b": 1}, "2"), ({"c": 1}, "22"), ({}, "23")]:
            assert await render_block("page.html", "sum", **given) == expected


async def test_block_of_a_loop_gets_its_variable() -> None:
    row = "{% for row in rows %}{% block row scoped %}<td>{{ row }}</td>{% endblock %}{% endfor %}"
    async with make_app(page=row).app_context():
        assert await render_block("page.html", "row", row=7) == "<td>7</td>"
        assert await render_template("page.html", rows=[1]) == "<td>1</td>"


async def test_block_of_an_optional_parent() -> None:
    page = (
        "{% if wide %}{% extends 'wide.html' %}{% endif %}{% block a %}a{{ super() }}{% endblock %}"
    )
    async with make_app(page=page, wide="{% block a %}w{% endblock %}").app_context():
        assert await render_block("page.html", "a", wide=True) == "aw"


async def test_parent_may_be_a_variable() -> None:
    page = "{% extends parent %}{% block a %}a{{ super() }}{% endblock %}"
    app = make_app(page=page, wide="{% block a %}w{% endblock %}")
    async with app.app_context():
        assert await render_block("page.html", "a", parent="wide.html") == "aw"
        template = app.jinja_env.get_template("wide.html")
        assert await render_block("page.html", "a", parent=template) == "aw"


async def test_what_a_block_includes_is_whole() -> None:
    page = "{% block a %}{% include 'part.html' %}{% endblock %}"
    async with make_app(page=page, part="{% block b %}b{% endblock %}p").app_context():
        assert await render_block("page.html", "a") == "bp"
        assert await render_block("part.html", "b") == "b"


async def test_unknown_block_is_told_with_those_that_are_there() -> None:
    sentence = r"'page.html' has no block 'side', but \['called', .*'title'\]. Name one of these."
    async with shop().app_context():
        with pytest.raises(LookupError, match=sentence):
            await render_block("page.html", "side")


async def test_first_template_that_exists_is_taken() -> None:
    async with shop().app_context():
        assert await render_block(["none.html", "layout.html"], "title") == "Shop"
        with pytest.raises(jinja2.TemplatesNotFound, match="none"):
            await render_block(["none.html", "no.html"], "title")
        with pytest.raises(jinja2.TemplateNotFound):
            await render_block("none.html", "title")


async def test_environment_without_a_loader_has_no_blocks() -> None:
    app = Erlen("shop")
    app.jinja_env.loader = None
    async with app.app_context():
        with pytest.raises(jinja2.TemplateNotFound):
            await render_block("page.html", "title")


async def test_parent_is_found_as_the_environment_joins_paths() -> None:
    class Joining(Environment):
        def join_path(self, template: str, parent: str) -> str:
            return f"{parent.rpartition('/')[0]}/{template}"

    app = make_app(**{"a/page": "{% extends 'up.html' %}", "a/up": "{% block x %}up{% endblock %}"})
    app.jinja_env = create_environment(app, Joining)
    async with app.app_context():
        assert await render_block("a/page.html", "x") == "up"


async def test_tp8_block_is_told_like_a_page() -> None:
    told: list[Any] = []

    def note(_: object, template: jinja2.Template, context: Any) -> None:
        told.append((template.name, context))

    app = shop()
    with before_render_template.connected_to(note), template_rendered.connected_to(note):
        async with app.app_context():
            await render_block("layout.html", "title", a=1)
    assert told == [("layout.html", {"a": 1})] * 2


@pytest.mark.parametrize("debug", [True, False])
async def test_tp7_block_is_read_again_in_debug_mode(
    app: Erlen, tmp_path: Path, debug: bool
) -> None:
    app.debug = debug
    write(tmp_path / "templates", page="{% block a %}old{% endblock %}")
    async with app.app_context():
        assert await render_block("page.html", "a") == "old"
        assert await render_block("page.html", "a") == "old"
        (tmp_path / "templates" / "page.html").unlink()
        write(tmp_path / "templates", page="{% block a %}newer{% endblock %}")
        assert await render_block("page.html", "a") == ("newer" if debug else "old")
