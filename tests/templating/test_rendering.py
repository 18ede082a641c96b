"""From a template and the running context to text, whole and in chunks."""

import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import jinja2
import pytest

from erlen.app import Erlen
from erlen.blueprint import Blueprint
from erlen.context import current
from erlen.exceptions import OutsideContextError
from erlen.signals import before_render_template, template_rendered
from erlen.templating import (
    Renderer,
    get_template_attribute,
    render_template,
    render_template_string,
    rendering,
    stream_template,
    stream_template_string,
)
from tests.templating.making import make_app, render

# --- variables: TP-3, TP-10 -----------------------------------------------------------------------


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


async def test_values_of_the_template_outlive_no_rendering(app: Erlen) -> None:
    assert await render(app, "{% set a = 1 %}{{ a }}") == "1"
    assert await render(app, "{{ a }}") == ""


async def test_tp3_innermost_blueprint_wins(app: Erlen) -> None:
    outer, inner = Blueprint("outer", "shop"), Blueprint("inner", "shop")
    inner.context_processor(lambda: {"a": "inner"})
    outer.context_processor(lambda: {"a": "outer", "b": "outer"})
    app.context_processor(lambda: {"a": "app", "b": "app", "c": "app"})
    app.jinja_env.globals.update(dict.fromkeys("abcd", "global"))
    inner.add_url_rule("/", "page", lambda: render_template_string("{{ a ~ b ~ c ~ d }}"))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    assert (await app.test_client().get("/")).text == "innerouterappglobal"


async def test_processor_written_with_def_runs_in_the_thread_of_the_exchange(app: Erlen) -> None:
    threads: list[object] = []

    @app.context_processor
    def note() -> dict[str, Any]:
        threads.append(threading.current_thread())
        return {}

    @app.get("/")
    async def page() -> str:
        threads.append(await current().run_sync(threading.current_thread))
        return await render_template_string("")

    await app.test_client().get("/")
    assert threads[0] is threads[1] is not threading.current_thread()


async def test_processor_that_returns_no_mapping_is_named(app: Erlen) -> None:
    @app.context_processor
    def nothing() -> Any:
        return None

    with pytest.raises(TypeError, match=r"nothing' returned None. Return a dict of variables."):
        await render(app, "")


async def test_tp2_variables_win_over_globals_of_the_template_and_those_over_all() -> None:
    app = make_app(page="{{ a }}{{ b }}{{ c }}")
    app.jinja_env.globals.update(a=1, b=1, c=1)
    template = app.jinja_env.get_template("page.html", globals={"b": 2, "c": 2})
    async with app.app_context():
        assert await render_template(template, c=3) == "123"
        app.jinja_env.globals["a"] = 4
        assert await render_template(template, c=3) == "423"


async def test_template_may_have_globals_of_any_mapping(app: Erlen) -> None:
    environment = app.jinja_env
    code = environment.compile("{{ a }}{{ b }}")
    template = jinja2.Template.from_code(environment, code, {"a": 1, "b": 1})
    async with app.app_context():
        assert await render_template(template, b=2) == "12"


async def test_tp10_filters_attributes_and_items_are_awaited(app: Erlen) -> None:
    class Lazy:
        @property
        async def name(self) -> str:
            return "name"

        async def __getitem__(self, key: int) -> int:
            return key

    assert await render(app, "{{ lazy.name|upper }} {{ lazy[2] }}", lazy=Lazy()) == "NAME 2"


async def test_errors_of_a_template_are_themselves_with_its_lines(app: Erlen) -> None:
    error = LookupError("gone")

    def fail() -> None:
        raise error

    with pytest.raises(LookupError) as raised:
        await render(app, "a\n\n{{ fail() }}", fail=fail)
    assert raised.value is error
    assert [entry.lineno for entry in raised.traceback if "template" in str(entry.path)][-1:] == [2]


async def test_rendering_outside_of_a_context_is_told() -> None:
    for function in (render_template, render_template_string, stream_template):
        with pytest.raises(OutsideContextError):
            await function("a")


async def test_templates_may_be_rendered_without_awaiting(app: Erlen) -> None:
    app.jinja_options = {"enable_async": False}
    assert await render(app, "{% for n in [1, 2] %}{{ n }}{% endfor %}") == "12"


# --- signals: TP-8, TP-11 -------------------------------------------------------------------------


@pytest.fixture
def told(app: Erlen) -> Iterator[list[tuple[str, str | None, dict[str, Any]]]]:
    """What the signals told: their name, the template's, and the variables."""
    told: list[tuple[str, str | None, dict[str, Any]]] = []

    async def before(sender: object, template: jinja2.Template, context: dict[str, Any]) -> None:
        told.append(("before", template.name, context))

    def after(sender: object, template: jinja2.Template, context: dict[str, Any]) -> None:
        told.append(("after", template.name, context))

    with (
        before_render_template.connected_to(before, app),
        template_rendered.connected_to(after, app),
    ):
        yield told


async def test_tp8_signals_tell_the_template_and_all_variables(app: Erlen, told: list[Any]) -> None:
    app.context_processor(lambda: {"a": 1})
    assert await render(app, "{{ a }}{{ b }}", b=2) == "12"
    assert told == [("before", None, {"a": 1, "b": 2}), ("after", None, {"a": 1, "b": 2})]


async def test_tp8_what_a_receiver_changes_is_rendered(app: Erlen) -> None:
    def change(_: object, template: object, context: dict[str, Any]) -> None:
        context["a"] = 2

    with before_render_template.connected_to(change, app):
        assert await render(app, "{{ a }}", a=1) == "2"


async def test_tp8_failed_rendering_is_not_told_as_rendered(app: Erlen, told: list[Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        await render(app, "{{ 1 / 0 }}")
    assert [name for name, *_ in told] == ["before"]


async def test_tp8_stream_is_told_after_its_last_chunk(app: Erlen, told: list[Any]) -> None:
    async with app.app_context():
        stream = await stream_template_string("{{ a }}{{ b }}", a="x" * 2000, b="y")
        told_with = [(chunk[0], len(told)) async for chunk in stream]
    assert told_with == [("x", 1), ("y", 1)]
    assert [name for name, *_ in told] == ["before", "after"]


# --- streams: TP-9 --------------------------------------------------------------------------------


async def chunks_of(app: Erlen, source: str, **context: Any) -> list[str]:
    async with app.app_context():
        return [chunk async for chunk in await stream_template_string(source, **context)]


async def test_a_stream_that_is_left_closes_the_generators_among_its_variables(
    app: Erlen,
) -> None:
    async def rows() -> AsyncIterator[str]:
        try:
            yield "a" * 2000
            yield "b" * 2000
        finally:
            ended.append(True)

    ended: list[bool] = []
    async with app.app_context():
        source = "{% for row in rows %}{{ row }}{% endfor %}"
        stream = await stream_template_string(source, rows=rows(), other=1)
        assert (await anext(stream))[0] == "a"
        await stream.aclose()
    assert ended == [True]


@pytest.mark.parametrize("is_async", [True, False])
async def test_fragments_are_gathered(
    app: Erlen, is_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "perf_counter", lambda: 0.0)
    app.jinja_options = {"enable_async": is_async}
    chunks = await chunks_of(app, "{% for n in range(20000) %}{{ n }},{% endfor %}")
    assert "".join(chunks) == "".join(f"{n}," for n in range(20000))
    assert 1024 <= len(chunks[0]) < 1024 + 8
    assert all(8192 <= len(chunk) < 8192 + 8 for chunk in chunks[1:-1])
    assert len(chunks) == 15


@pytest.mark.parametrize("source", ["", "{{ missing }}"])
async def test_empty_page_has_no_chunk(app: Erlen, source: str) -> None:
    assert await chunks_of(app, source) == []


async def test_what_came_slowly_is_not_held_back(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(rendering, "perf_counter", lambda: now)

    async def slow(seconds: float) -> str:
        nonlocal now
        now += seconds
        return "" if seconds == 9 else str(seconds)

    source = "{{ slow(9) }}a{{ slow(0.001) }}b{{ slow(2) }}c{{ slow(3) }}d"
    assert await chunks_of(app, source, slow=slow) == ["a", "0.001b2", "c3", "d"]


async def test_tp9_stream_of_a_view_has_its_context(app: Erlen) -> None:
    @app.get("/page")
    async def page() -> Any:
        return await stream_template_string("{{ request.path }} {{ url_for('page') }}")

    response = await app.test_client().get("/page")
    assert response.text == "/page /page"
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "content-length" not in response.headers


async def test_tp9_stream_of_a_file(app: Erlen) -> None:
    app = make_app(page="{{ a }}")
    async with app.app_context():
        assert [chunk async for chunk in await stream_template("page.html", a=1)] == ["1"]
        with pytest.raises(jinja2.TemplateNotFound):
            await stream_template("none.html")


async def test_error_before_the_first_chunk_is_answered(app: Erlen) -> None:
    app.errorhandler(ZeroDivisionError)(lambda _: ("handled", 500))
    app.add_url_rule("/", "page", lambda: stream_template_string("a{{ 1 / 0 }}"))
    response = await app.test_client().get("/")
    assert (response.status_code, response.text) == (500, "handled")


async def test_stream_that_is_left_is_closed(app: Erlen, told: list[Any]) -> None:
    async with app.app_context():
        stream = await stream_template_string("{% for n in range(20000) %}{{ n }}{% endfor %}")
        await anext(stream)
        await stream.aclose()  # what stayed open would be warned of
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    assert [name for name, *_ in told] == ["before"]


# --- macros ---------------------------------------------------------------------------------------

GREETINGS = "{% set mood = 'glad' %}{% macro hello(name) %}Hello {{ name }}!{% endmacro %}"


async def test_tp1_macro_is_called_from_python() -> None:
    async with make_app(greetings=GREETINGS).app_context():
        hello = await get_template_attribute("greetings.html", "hello")
        assert await hello("<b>") == "Hello &lt;b&gt;!"
        assert await get_template_attribute("greetings.html", "mood") == "glad"


async def test_tp1_macro_of_templates_that_do_not_await_is_not_awaited() -> None:
    app = make_app(greetings=GREETINGS)
    app.jinja_options["enable_async"] = False
    async with app.app_context():
        assert (await get_template_attribute("greetings.html", "hello"))("A") == "Hello A!"


async def test_tp1_missing_attribute_is_told_with_those_that_are_there() -> None:
    sentence = r"'greetings.html' exports no 'bye', but \['hello', 'mood'\]"
    async with make_app(greetings=GREETINGS).app_context():
        with pytest.raises(AttributeError, match=sentence):
            await get_template_attribute("greetings.html", "bye")


# --- fairness: B-246 ------------------------------------------------------------------------------


@pytest.mark.parametrize("render_", [render_template_string, chunks_of])
async def test_large_page_lets_others_run(app: Erlen, render_: Callable[..., Any]) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    source = "{% for n in range(20000) %}{{ n }},{% endfor %}"
    async with app.app_context(), anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        await (render_(source) if render_ is render_template_string else render_(app, source))
        tasks.cancel_scope.cancel()
    assert turns > 10


@pytest.mark.parametrize(("seconds", "turns"), [(0, 2), (1, 32)])
async def test_page_whose_values_take_long_lets_others_run_more_often(
    app: Erlen, monkeypatch: pytest.MonkeyPatch, seconds: int, turns: int
) -> None:
    clock = itertools.count(0, seconds)
    pauses: list[None] = []

    async def pause(_: Renderer) -> None:
        pauses.append(None)

    monkeypatch.setattr(rendering, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(Renderer, "pause", pause)
    await render(app, "{% for n in range(3000) %}{{ n }}{% endfor %}")
    assert len(pauses) == turns


async def test_rendering_can_be_cancelled(app: Erlen) -> None:
    async with app.app_context():
        with anyio.CancelScope() as scope:
            source = "{% for n in range(10 ** 12) %}{{ n }}{% if n == 5 %}{{ stop() }}{% endif %}{% endfor %}"
            await render_template_string(source, stop=scope.cancel)
    assert scope.cancelled_caught
