"""The environment whose templates wait: what it shares with the other, and where it waits."""

import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2.compiler import CodeGenerator
from jinja2.ext import Extension
from jinja2.runtime import Context

from erlen.app import Erlen
from erlen.templating import Environment, create_environment
from tests.templating.making import make_app, write


class Prompt:
    """Waits for what does not suspend; nothing here does."""

    def wait(self, value: Awaitable[Any], /) -> Any:
        with pytest.raises(StopIteration) as end:
            next(iter(value.__await__()))
        return end.value.value

    def iterate(self, items: Any, /) -> Iterator[Any]:
        iterator = aiter(items)
        while (item := self.wait(anext_of(iterator))) is not None:
            yield item


async def anext_of(iterator: AsyncIterator[Any]) -> Any:
    return await anext(iterator, None)


PROMPT = Prompt()


def twin(app: Erlen) -> Environment:
    return app.jinja_env.blocking(PROMPT)


def render(app: Erlen, source: str, /, **given: Any) -> str:
    return twin(app).from_string(source).render(**given)


# --- where it waits: TP-10 ------------------------------------------------------------------------


async def double(value: Any) -> Any:
    return value * 2


async def is_large(value: int) -> bool:
    return value > 5


@jinja2.pass_context
async def known(context: Context, name: str) -> Any:
    return context.get(name)


@jinja2.pass_eval_context
async def escapes(context: jinja2.nodes.EvalContext, _value: object) -> object:
    return context.autoescape


class Lazy:
    @property
    async def name(self) -> str:
        return "name"

    async def __getitem__(self, key: int) -> int:
        return key

    async def method(self, value: str = "") -> str:
        return f"method{value}"


async def numbers() -> AsyncIterator[int]:
    for number in (1, 2, 3):
        yield number


NESTED = """{% for a in [[1]] recursive -%}
{% for n in numbers() %}{{ n }}{% endfor %},{{ loop(a) if a is iterable }}{% endfor %}"""


class Later:
    """What is awaitable without being a coroutine."""

    def __await__(self) -> Iterator[Any]:
        return double(4).__await__()


@pytest.mark.parametrize(
    ("source", "page"),
    [
        ("{{ double(3) }}", "6"),
        ("{{ double(double(3)) + double(1) }}", "14"),
        ("{{ lazy.name }} {{ lazy[2] }} {{ lazy['name'] }}", "name 2 name"),
        ("{{ lazy.method() }} {{ lazy.name.upper() }}", "method NAME"),
        ("{{ 3 | double }} {{ 'a' | double ~ 'b' }}", "6 aab"),
        ("{{ 9 is large }} {{ 1 is large }} {{ 1 is not large }}", "True False True"),
        ("{{ [1, 9] | map('double') | select('large') | list }}", "[18]"),
        ("{{ 'user' | known }} {{ 'x' | escapes }} {{ plain() }}", "ann True 8"),
        ("{% if double(0) %}yes{% else %}no{% endif %}", "no"),
        ("{% set x = double(2) %}{{ x }}", "4"),
        ("{% filter double %}ab{% endfilter %}", "abab"),
        ("{% call shout() %}a{% endcall %}", "aa"),
        ("{% macro m(x) %}{{ double(x) }}{% endmacro %}{{ m(2) }}{{ m(3) }}", "46"),
        ("{% block b %}{{ double(2) }}{% endblock %}{{ self.b() }}", "44"),
    ],
)
def test_tp10_what_is_awaited_elsewhere_is_waited_for(app: Erlen, source: str, page: str) -> None:
    async def shout(caller: Any) -> str:
        return str(caller() * 2)

    environment = app.jinja_env
    environment.filters.update(double=double, known=known, escapes=escapes)
    environment.tests["large"] = is_large
    environment.globals.update(double=double, shout=shout, plain=Later)
    assert render(app, source, lazy=Lazy(), user="ann") == page


@pytest.mark.parametrize(
    ("source", "page"),
    [
        ("{% for n in numbers() %}{{ n }}{% endfor %}", "123"),
        ("{% for n in numbers() %}{{ n }}{% if loop.last %}!{% endif %}{% endfor %}", "123!"),
        ("{% for n in numbers() if n != 2 %}{{ n }}{% endfor %}", "13"),
        ("{% for n in given %}{{ n }}{% else %}none{% endfor %}", "123"),
        ("{% for n in numbers() recursive %}{{ n }}{{ loop([]) }}{% endfor %}", "123"),
        ("{% for a in [1, 2] %}{% for n in numbers() %}{{ n }}{% endfor %}{% endfor %}", "123123"),
        (NESTED, "123,123,"),
        ("{% for a, b in {'x': double(1)}.items() %}{{ a }}{{ b }}{% endfor %}", "x2"),
        ("{% for n in [] %}{% else %}none{% endfor %}{% for n in nothing %}{% endfor %}", "none"),
    ],
)
def test_tp10_loops_go_through_what_is_asynchronous(app: Erlen, source: str, page: str) -> None:
    app.jinja_env.globals.update(numbers=numbers, double=double)
    assert render(app, source, given=numbers()) == page


def test_what_can_be_iterated_both_ways_is_iterated_plainly(app: Erlen) -> None:
    class Both(list[int]):
        def __aiter__(self) -> AsyncIterator[int]:
            raise AssertionError

    assert render(app, "{% for n in both %}{{ n }}{% endfor %}", both=Both([1, 2])) == "12"


def test_filters_are_not_called_when_a_template_is_compiled(app: Erlen) -> None:
    calls: list[int] = []

    async def count(value: int) -> int:
        calls.append(value)
        return value

    app.jinja_env.filters["count"] = count
    template = twin(app).from_string("{{ 1|count }}{% if 2|count %}{% endif %}")
    assert calls == []
    assert template.render() == "1"
    assert calls == [1, 2]


def test_word_that_is_missing_is_told_as_ever(app: Erlen) -> None:
    with pytest.raises(jinja2.TemplateAssertionError, match="No filter named 'nothing'"):
        render(app, "{{ 1|nothing }}")
    with pytest.raises(jinja2.TemplateRuntimeError, match="No filter named 'nothing'"):
        render(app, "{% if 1 %}{{ 1|nothing }}{% endif %}")


# --- what is shared -------------------------------------------------------------------------------


def test_it_is_made_once_and_nothing_of_it_awaits(app: Erlen) -> None:
    environment = twin(app)
    assert environment is twin(app)
    assert environment is not app.jinja_env
    assert environment.blocking(PROMPT) is environment
    assert (app.jinja_env.is_async, environment.is_async) == (True, False)


def test_environment_that_does_not_await_is_its_own_twin(app: Erlen) -> None:
    app.jinja_options = {"enable_async": False}
    assert twin(app) is app.jinja_env


def test_tp6_words_that_come_later_are_known(app: Erlen) -> None:
    environment = twin(app)
    words: list[tuple[str, Any]] = [("1", str), ("2", double)]
    for answer, word in words:
        app.jinja_env.filters["word"] = app.jinja_env.globals["word"] = word
        app.jinja_env.tests["word"] = word
        assert environment.from_string("{{ 1|word }}{{ word(1) }}").render() == answer * 2
        assert environment.from_string("{{ 1 is word }}").render() == answer
    app.jinja_env.policies["json.dumps_kwargs"] = {}
    assert environment.policies is app.jinja_env.policies
    assert "word" in environment.filters


@pytest.mark.parametrize(
    ("name", "value", "source", "page"),
    [
        ("trim_blocks", True, "{% if 1 %}\n{% endif %}a", "a"),
        ("filters", {"upper": str.lower}, "{{ 'A'|upper }}", "a"),
        ("loader", jinja2.DictLoader({"b": "from b"}), "{% include 'b' %}", "from b"),
        ("undefined", jinja2.DebugUndefined, "{{ x }}", "{{ x }}"),
    ],
)
def test_tp7_options_that_are_assigned_later_hold(
    app: Erlen, name: str, value: object, source: str, page: str
) -> None:
    _ = twin(app)
    setattr(app.jinja_env, name, value)
    assert render(app, source) == page


def test_tp7_extension_that_is_added_later_is_known(app: Erlen) -> None:
    _ = twin(app)
    app.jinja_env.add_extension("jinja2.ext.loopcontrols")
    assert render(app, "{% for n in [1, 2] %}{{ n }}{% break %}{% endfor %}") == "1"


def test_tp7_reloading_follows_the_configuration(app: Erlen, tmp_path: Path) -> None:
    write(tmp_path / "templates", a="old")
    for debug, source, page in [(False, "old", "old"), (False, "newer", "old"), (True, "x", "x")]:
        (tmp_path / "templates" / "a.html").unlink()
        write(tmp_path / "templates", a=source)
        app.debug = debug
        assert twin(app).get_template("a.html").render() == page
    app.jinja_env.auto_reload = False
    assert twin(app).auto_reload is False


def test_overlay_has_blocks_and_a_twin_of_its_own(app: Erlen) -> None:
    first, skeletons = twin(app), app.jinja_env.skeletons
    overlay = app.jinja_env.overlay(trim_blocks=True)
    assert overlay.skeletons is not skeletons
    assert overlay.blocking(PROMPT) is not first
    assert overlay.blocking(PROMPT).trim_blocks is True
    assert twin(app) is first


# --- seats: TP-7 ----------------------------------------------------------------------------------


class Named(Context):
    def resolve_or_missing(self, key: str) -> Any:
        return f"<{key}>" if key == "me" else super().resolve_or_missing(key)


class Loud(CodeGenerator):
    def visit_Const(self, node: Any, frame: Any) -> None:  # noqa: N802  # Jinja's name
        self.write(repr(str(node.value).upper()))


class Tag(Extension):
    tags = {"now"}  # noqa: RUF012  # as Jinja has it

    def parse(self, parser: Any) -> Any:
        line = next(parser.stream).lineno
        call = self.call_method("tell", lineno=line)
        return jinja2.nodes.Output([call], lineno=line)

    async def tell(self) -> str:
        return self.environment.__class__.__name__


class Own(Environment):
    context_class = Named
    code_generator_class = Loud


def test_tp7_classes_of_the_environment_are_kept(app: Erlen) -> None:
    app.jinja_options = {"extensions": [Tag]}
    app.jinja_env = create_environment(app, Own)
    assert render(app, "{{ me }}{{ double(1) }}{% now %}", double=double) == "&lt;me&gt;11Own"
    assert render(app, "{% set x = 'loud' %}{{ x }}") == "LOUD"
    assert isinstance(twin(app), Own)
    assert issubclass(twin(app).code_generator_class, Loud)


# --- templates of the other environment -----------------------------------------------------------


def test_template_of_the_other_environment_is_got_anew() -> None:
    app = make_app(up="[{% block a %}{{ double(1) }}{% endblock %}]")
    app.jinja_env.globals["double"] = double
    given = app.jinja_env.get_template("up.html")
    environment = twin(app)
    assert environment.get_template(given) is environment.get_template("up.html")
    assert environment.select_template(["none.html", "up.html"]).render() == "[2]"
    assert environment.get_or_select_template([given]).render() == "[2]"
    child = "{% extends given %}{% block a %}{{ super() }}!{% endblock %}"
    assert render(app, child, given=given) == "[2!]"
    assert render(app, "{% include given %}", given=given) == "[2]"


def test_template_of_nowhere_is_left_as_it_is(app: Erlen) -> None:
    template = app.jinja_env.from_string("text")
    assert twin(app).get_template(template) is template
    other = jinja2.Environment(autoescape=True).from_string("{{ x }}")
    assert twin(app).get_or_select_template(other) is other


# --- bytecode -------------------------------------------------------------------------------------

SCRIPT = """
import sys, jinja2
from pathlib import Path
from erlen import Erlen
from erlen.sync import render_template

app = Erlen("shop", root_path=sys.argv[1])
app.jinja_options["bytecode_cache"] = jinja2.FileSystemBytecodeCache(sys.argv[1])
assert app.jinja_env.get_template("a.html").environment.is_async
with app.app_context():
    print(render_template("a.html"))
print(len([*Path(sys.argv[1]).glob("*.cache")]))
"""


def test_tp7_bytecode_is_kept_for_each_way_of_rendering(tmp_path: Path) -> None:
    write(tmp_path / "templates", a="{{ 1 + 1 }}")
    for _ in range(2):
        run = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path)]
        assert subprocess.check_output(run, text=True).split() == ["2", "2"]
