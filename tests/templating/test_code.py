"""The code of templates: what it gives is what Jinja's own gives, and what it awaits is awaited."""

import inspect
import types
import weakref
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import jinja2
import pytest
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nativetypes import NativeEnvironment
from markupsafe import Markup

from erlen.app import Erlen
from erlen.templating import Environment, code, create_environment
from erlen.templating.code import Kinds
from tests.templating.test_blocking import PROMPT

# --- kinds of values ------------------------------------------------------------------------------


class Later:
    def __await__(self) -> Iterator[Any]:
        return iter(())


class Inherits(Later):
    pass


class Renounced(Later):
    __await__ = None  # type: ignore[assignment]  # so that Python says what is not awaitable


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (str, True),
        (Renounced, True),
        (type(lambda: 0), True),
        (Later, False),
        (Inherits, False),
        (types.CoroutineType, False),
        (types.GeneratorType, False),
    ],
)
def test_kinds_tell_whether_values_are_never_awaitable(kind: type, plain: bool) -> None:
    kinds = Kinds()
    assert kinds.learn(kind) is plain
    assert kinds == ({kind} if plain else set())


def test_no_more_kinds_are_remembered_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "KINDS", 2)
    kinds = Kinds()
    for kind in (str, int, float):
        assert kinds.learn(kind)
    assert kinds == {float}


# --- pages are those of Jinja ---------------------------------------------------------------------


async def double(value: Any) -> Any:
    return value * 2


async def is_large(value: int) -> bool:
    return value > 5


async def numbers() -> AsyncIterator[int]:
    for number in (1, 2, 3):
        yield number


@types.coroutine
def old(value: str) -> Generator[None, None, str]:
    yield from ()
    return value


class Lazy:
    @property
    async def name(self) -> str:
        return "name"

    async def __getitem__(self, key: Any) -> Any:
        return key

    async def method(self) -> str:
        return "<b>"


class Slices(list[Any]):
    """Of which Jinja awaits an item, but no slice."""

    def __getitem__(self, key: Any) -> Any:
        return type(self)(super().__getitem__(key)) if isinstance(key, slice) else double(key)


GIVEN: dict[str, Any] = {
    "double": double,
    "numbers": numbers,
    "old": old,
    "lazy": Lazy(),
    "slices": Slices([1, 2, 3]),
    "rows": [{"id": 1, "name": "<a>", "items": 5}, {"id": 2, "name": "b", "items": 6}],
    "later": Later,
    "nothing": None,
}

SOURCES = [
    "{{ double(3) }} {{ double(double(3)) + double(1) }} {{ double('<') }}",
    "{{ lazy.name }} {{ lazy[2] }} {{ lazy['x'] }} {{ lazy.method() }} {{ lazy.name.upper() }}",
    "{{ lazy.a.b }} {{ slices[1] }} {{ slices[1:] }} {{ (slices[1:])[0] }} {{ 'abc'[:2][0] }}",
    "{{ 3|double }} {{ 'a'|double ~ 'b' }} {{ 9 is large }} {{ 1 is not large }} {{ old('x') }}",
    "{{ [1, 9]|map('double')|list }} {{ numbers()|list }} {{ numbers()|join }}",
    "{% if double(0) %}a{% elif double(1) %}b{% endif %}{% set x = double(2) %}{{ x }}",
    "{% filter double %}ab{% endfilter %}{% set x | double %}cd{% endset %}{{ x }}",
    "{% macro m(x, y=double(1)) %}{{ double(x) }}{{ y }}{% endmacro %}{{ m(2) }}{{ m(3, 4) }}",
    "{% macro m() %}[{{ caller(double(1)) }}]{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}",
    "{% block b %}{{ double(2) }}{{ lazy.name }}{% endblock %}{{ self.b() }}",
    "{% for n in numbers() %}{{ n }}{{ double(n) }}{% endfor %}",
    "{% for n in numbers() if n is large %}{{ n }}{% else %}none{% endfor %}{{ n }}",
    "{% for n in numbers() %}{{ loop.index }}{% if loop.last %}!{{ loop.length }}{% endif %}{% endfor %}",
    "{% for r in rows %}{{ r.id }}{{ r.name }}{{ r['items'] }}{{ r.none }}{% endfor %}{{ r }}",
    "{% for r in rows if r.id == double(1) %}{% set n = r.name %}{{ n }}{% endfor %}{{ n }}",
    "{% for r in rows %}{% for n in numbers() %}{{ r.id }}{{ n }}{% endfor %}{% endfor %}",
    "{% for r in rows recursive %}{{ r.id }}{{ loop([]) }}{% endfor %}{{ nothing.x }}",
    "{% for r in [] %}{{ r }}{% else %}{{ double('none') }}{% endfor %}{% for r in gone %}{% endfor %}",
    "{% for k, v in {'x': double(1)}.items() %}{{ k }}{{ v }}{% break %}{% endfor %}{% do double(1) %}",
    "{% set ns = namespace(a=0) %}{% for r in rows %}{% set ns.a = ns.a + r.id %}{% endfor %}{{ ns.a }}",
    "{% with x = double(4) %}{{ x }}{% include 'part' %}{% endwith %}{% import 'part' as p %}{{ p.m(1) }}",
    "{% extends 'layout' %}{% block b %}{{ super() }}{{ lazy.name }}{% endblock %}",
    "{% if nothing %}{% extends 'layout' %}{% endif %}a{{ lazy.name }}b{{ rows[0].name }}{{ 1 }}",
    "{% autoescape nothing %}a{{ lazy['<'] }}b{{ rows[0].name|double }}{% endautoescape %}",
    "{% autoescape false %}{{ rows[0].name }}{{ lazy.method() }}{% endautoescape %}{{ rows[0].name }}",
]
PARTS = {
    "part": "{% macro m(x) %}{{ x|double }}{% endmacro %}{% if x %}<{{ double(x) }}>{% endif %}",
    "layout": "[{% block b %}{% for r in rows %}{{ r.name }}{% endfor %}{% endblock %}]",
}
EXTENSIONS = ["jinja2.ext.do", "jinja2.ext.loopcontrols"]


async def page_of(environment: jinja2.Environment) -> str:
    environment.filters["double"] = double
    environment.tests["large"] = is_large
    environment.globals["double"] = double
    return await environment.get_template("page").render_async(GIVEN)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("options", [{}, {"optimized": False}, {"finalize": lambda x: x or "-"}])
async def test_tp10_pages_are_those_of_jinja(
    app: Erlen, source: str, options: dict[str, Any]
) -> None:
    loader = jinja2.DictLoader({**PARTS, "page": source})
    app.jinja_options = {"loader": loader, "extensions": EXTENSIONS, **options}
    plain = jinja2.Environment(autoescape=True, enable_async=True, **app.jinja_options)
    page = await page_of(app.jinja_env)
    assert page == await page_of(plain)
    assert page == await app.jinja_env.from_string(source).render_async(GIVEN)


def test_values_are_awaited_only_after_they_were_looked_at(app: Erlen) -> None:
    written = app.jinja_env.compile("{{ a.b }}{{ a['b']|upper }}{{ c() is odd }}", raw=True)
    assert written.count("await ") == written.count(") else await auto_await(given))") == 5
    assert "(await" not in written


def test_chain_of_attributes_is_as_long_as_in_jinja(app: Erlen) -> None:
    app.jinja_env.compile("{{ a" + ".b" * 64 + " }}", "page")


def test_overlay_that_does_not_await_looks_at_nothing(app: Erlen) -> None:
    source = "{{ row.name|upper }}{% for n in rows %}{{ n }}{% endfor %}"
    overlay = app.jinja_env.overlay(enable_async=False)
    assert "given" not in overlay.compile(source, raw=True)
    assert overlay.from_string(source).render(row={"name": "a"}, rows=[1, 2]) == "A12"


LOOPS = [
    (
        "{% for r in rows %}{% if r %}{% set x = r %}{{ x }}{% endif %}{% else %}{% endfor %}",
        [2, 1],
    ),
    ("{% for r in rows %}{% if r %}{% continue %}{% endif %}{% do r.x() %}{% endfor %}", [2, 1]),
    ("{% for r in rows %}{{ loop.index }}{% endfor %}", [1, 1]),
    ("{% for r in rows if r %}{{ r }}{% endfor %}", [2, 2]),  # one is the condition
    ("{% for r in rows recursive %}{{ r }}{% endfor %}", [1, 1]),
    ("{% for r in rows %}{% for s in r %}{{ s }}{% endfor %}{% endfor %}", [3, 2]),
    ("{% for r in rows %}{% include r %}{% endfor %}", [2, 2]),  # one is what is included
]


@pytest.mark.parametrize(("source", "loops"), LOOPS)
def test_loops_that_hold_only_what_prints_are_written_twice(
    app: Erlen, source: str, loops: list[int]
) -> None:
    app.jinja_options = {"extensions": EXTENSIONS}
    assert [loops_in(app, source, "page"), loops_in(app, source, None)] == loops


def loops_in(app: Erlen, source: str, name: str | None) -> int:
    lines = app.jinja_env.compile(source, name, raw=True).splitlines()
    return sum(line.strip().startswith(("for ", "async for ")) for line in lines)


async def test_items_of_a_loop_live_no_longer_than_it(app: Erlen) -> None:
    class Rows(list[int]):
        pass

    kept: list[weakref.ref[Rows]] = []

    def make() -> Rows:
        kept.append(weakref.ref(rows := Rows([1, 2])))
        return rows

    source = "{% for r in make() %}{{ r }}{% endfor %}{{ kept[0]() is none }}"
    app.jinja_loader = jinja2.DictLoader({"page": source})
    page = app.jinja_env.get_template("page")
    assert await page.render_async(make=make, kept=kept) == "12True"


@pytest.mark.parametrize("waits", [False, True])
async def test_generator_that_a_loop_leaves_is_closed_at_once(app: Erlen, waits: bool) -> None:
    closed: list[str] = []

    def make() -> Iterator[int]:
        try:
            yield from (1, 2)
        finally:
            closed.append("closed")

    source = "{% for r in make() %}{{ r }}{% break %}{% endfor %}{{ closed }}"
    app.jinja_options = {"loader": jinja2.DictLoader({"page": source}), "extensions": EXTENSIONS}
    environment = app.jinja_env.blocking(PROMPT) if waits else app.jinja_env
    page = environment.get_template("page")
    given = {"make": make, "closed": closed}
    assert (
        page.render(given) if waits else await page.render_async(given)
    ) == "1[&#39;closed&#39;]"


# --- fragments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "fragments"),
    [
        ("a{{ x }}b{{ slow.name }}c{{ x }}", ["a1b", "awaited", "namec1"]),
        ("{{ slow.name }}c", ["", "awaited", "namec"]),
        ("a{{ x }}b{{ slow.call() }}c{{ x }}", ["a1b", "awaited", "called", "c1"]),
        ("a{{ long }}b{{ x }}", ["a" + "<br>" * 200, "b1"]),
        ("a{{ x }}" * 10, ["a1" * 8, "a1" * 2]),
        (
            "{% for n in [1, 2] %}[{{ n }}]{% endfor %}{% if x %}{{ x }}{{ x }}{% endif %}",
            ["[1]", "[2]", "11"],
        ),
    ],
)
async def test_what_needs_no_waiting_is_one_fragment(
    app: Erlen, source: str, fragments: list[str]
) -> None:
    given: list[str] = []

    class Slow:
        @property
        async def name(self) -> str:
            given.append("awaited")
            return "name"

        async def call(self) -> str:
            given.append("awaited")
            return "called"

    app.jinja_loader = jinja2.DictLoader({"page": source})
    page = app.jinja_env.get_template("page")
    async for fragment in page.generate_async(slow=Slow(), x=1, long=Markup("<br>" * 200)):
        given.append(fragment)  # noqa: PERF401  # what is awaited is put in between
    assert given == fragments


async def test_coroutine_is_closed_when_the_reader_leaves_before_it_is_awaited(app: Erlen) -> None:
    made: list[Any] = []

    def twice(value: int) -> Any:
        made.append(double(value))
        return made[0]

    app.jinja_loader = jinja2.DictLoader({"page": "a{{ x }}b{{ x|twice }}"})
    app.jinja_env.filters["twice"] = twice
    page = app.jinja_env.get_template("page").generate_async(x=1)
    assert await anext(page) == "a1b"
    await page.aclose()
    assert inspect.getcoroutinestate(made[0]) == inspect.CORO_CLOSED


async def test_output_that_a_code_generator_leaves_out_is_not_gathered(app: Erlen) -> None:
    class Quiet(CodeGenerator):
        def visit_Output(self, node: nodes.Output, frame: Frame) -> None:  # noqa: N802  # Jinja's
            if node.find(nodes.Getattr) is None:
                super().visit_Output(node, frame)

    class Quieter(Environment):
        code_generator_class = Quiet

    app.jinja_options = {"loader": jinja2.DictLoader({"page": "{{ a.b }}{{ a.c }}"})}
    environment = create_environment(app, Quieter)
    assert await environment.get_template("page").render_async(a=1) == ""


async def test_environment_that_makes_no_text_gathers_nothing(app: Erlen) -> None:
    class Native(Environment, NativeEnvironment):
        pass

    environment = create_environment(app, Native)
    assert "parts" not in environment.compile("a{{ b.c }}", "page", raw=True)
    value: Any = await environment.from_string("{{ b.c }}").render_async(b={"c": [1]})
    assert value == [1]


def test_nothing_is_looked_at_twice(app: Erlen) -> None:
    environment = app.jinja_env
    kind = environment.code_generator_class
    assert code.looking(kind) is kind
