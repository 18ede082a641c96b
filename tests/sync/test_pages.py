"""Templates and files of ``def`` views."""

import inspect
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import jinja2
import pytest

from erlen import Erlen, Response
from erlen.blueprint import Blueprint
from erlen.exceptions import NotFound, OutsideContextError
from erlen.signals import before_render_template, template_rendered
from erlen.sync import (
    current_app,
    g,
    get_template_attribute,
    render_block,
    render_template,
    render_template_string,
    request,
    send_file,
    send_from_directory,
    stream_template,
    stream_template_string,
)
from erlen.sync.rendering import renderer
from erlen.templating import rendering

_TEMPLATES = {
    "page.html": "<title>{{ title }}</title>{% block list %}<li>{{ title }}</li>{% endblock %}",
    "macros.html": "{% macro hello(name) %}Hello {{ name }}{% endmacro %}{% set number = 7 %}",
    "layout.html": "{% from 'parts.html' import bold %}{% block main %}{{ bold(a) }}{% endblock %}",
    "parts.html": "{% macro bold(text) %}<b>{{ text }}{{ where() }}</b>{% endmacro %}",
    "child.html": "{% extends 'layout.html' %}"
    "{% block main %}{{ super() }}{% include 'included.html' %}{% endblock %}",
    "included.html": "{% import 'parts.html' as parts %}{{ parts.bold(a ~ '!') }}",
}

#: Seconds after which a thread that waits for another gives up.
PATIENCE = 10.0


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    for name, source in _TEMPLATES.items():
        (tmp_path / name).write_text(source)
    (tmp_path / "data.txt").write_text("0123456789")
    return Erlen("shop", root_path=str(tmp_path), template_folder=".", static_folder=None)


async def text_of(app: Erlen, view: Any, **headers: str) -> str:
    """Return the body of what *view* answers."""
    app.get("/", endpoint="view")(view)
    response = await app.test_client().get("/", headers=headers)
    return f"{response.status_code} {response.text}"


def thread() -> str:
    return f"thread {threading.get_ident()}"


# --- what they give: TP-1 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (lambda: render_template("page.html", title="A"), "<title>A</title><li>A</li>"),
        (lambda: render_template(["none.html", "page.html"]), "<title></title><li></li>"),
        (lambda: render_template_string("{{ a }} {{ name }}", a=1, name="<"), "1 &lt;"),
        (lambda: render_block("page.html", "list", title="A"), "<li>A</li>"),
        (lambda: stream_template("page.html", title="A"), "<title>A</title><li>A</li>"),
        (lambda: stream_template_string("{{ function }}", function=1), "1"),
        (lambda: get_template_attribute("macros.html", "hello")("World"), "Hello World"),
        (lambda: str(get_template_attribute("macros.html", "number")), "7"),
        (lambda: send_file("data.txt"), "0123456789"),
        (lambda: send_from_directory(".", "data.txt"), "0123456789"),
    ],
)
async def test_it_is_what_the_view_returns(app: Erlen, view: Any, expected: str) -> None:
    assert await text_of(app, view) == f"200 {expected}"


async def test_variable_may_have_any_name(app: Erlen) -> None:
    source = "{{ self_ }}{{ name }}{{ source }}"
    view = lambda: render_template_string(source, self_=1, name=2, source=3)  # noqa: E731  # reads better than a def
    assert await text_of(app, view) == "200 123"


async def test_errors_are_raised_in_the_view(app: Erlen) -> None:
    def view() -> str:
        with pytest.raises(NotFound):
            send_from_directory(".", "../secret.txt")
        with pytest.raises(jinja2.TemplateNotFound):
            render_template("none.html")
        with pytest.raises(LookupError, match="no block 'none'"):
            render_block("page.html", "none")
        with pytest.raises(AttributeError, match=r"exports no 'bye', but \['hello', 'number'\]"):
            get_template_attribute("macros.html", "bye")
        return "went on"

    assert await text_of(app, view) == "200 went on"


async def test_errors_of_a_template_are_themselves_with_its_lines(app: Erlen) -> None:
    error = LookupError("gone")

    def fail() -> None:
        raise error

    def view() -> str:
        for render in (render_template_string, lambda *a, **k: [*stream_template_string(*a, **k)]):
            with pytest.raises(LookupError) as raised:
                render("a\n\n{{ fail() }}", fail=fail)
            assert raised.value is error
            lines = [entry.lineno for entry in raised.traceback if "template" in str(entry.path)]
            assert lines[-1:] == [2]
        return "went on"

    assert await text_of(app, view) == "200 went on"


async def test_ranges_work_as_ever(app: Erlen) -> None:
    def view() -> Response:
        return send_file("data.txt", as_attachment=True, download_name="a.txt")

    assert await text_of(app, view, range="bytes=2-4") == "206 234"


def test_names_tell_what_their_originals_tell() -> None:
    assert render_template.__name__ == "render_template"
    assert stream_template.__name__ == "stream_template"
    assert (send_file.__doc__ or "").startswith("Return a response with the content of a file.")


# --- in the thread of the view: SY-2 ----------------------------------------------------------------


@pytest.fixture
def database(app: Erlen, tmp_path: Path) -> Path:
    """A database whose connection on ``g`` can be used in the thread of the exchange only."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("create table tea (name text)")
        made.executemany("insert into tea values (?)", [(f"tea {n}",) for n in range(500)])
        made.commit()

    @app.before_request
    def open_database() -> None:
        g.db = sqlite3.connect(path)

    @app.teardown_request
    def close_database(_error: BaseException | None) -> None:
        g.db.close()

    return path


ROWS = "{% for row in rows %}{{ row[0] }},{% endfor %}"
CALLED = "{% for row in rows() %}{{ row }}{% endfor %}"
TEAS = "".join(f"tea {n}," for n in range(500))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("render", [render_template_string, stream_template_string])
async def test_cursor_is_given_to_a_template(app: Erlen, render: Callable[..., Any]) -> None:
    def view() -> Any:
        return render(ROWS, rows=g.db.execute("select name from tea"))

    assert await text_of(app, view) == f"200 {TEAS}"


@pytest.mark.usefixtures("database")
async def test_functions_that_a_template_calls_use_the_connection(app: Erlen) -> None:
    app.config["WORKER_THREADS"] = 1

    @app.template_global
    def count(pattern: str) -> int:
        found: int = g.db.execute(
            "select count(*) from tea where name like ?", (pattern,)
        ).fetchone()[0]
        return found

    app.add_template_filter(count, "many")
    app.add_template_test(lambda pattern: count(pattern) == 0, "unknown")
    source = "{{ count('%9') }} {{ 'tea 4%' | many }} {{ 'coffee' is unknown }}"
    assert await text_of(app, lambda: render_template_string(source)) == "200 50 111 True"


async def test_what_a_template_calls_runs_in_the_thread_of_the_view(app: Erlen) -> None:
    app.template_global(thread)
    app.context_processor(lambda: {"processor": thread()})
    app.add_template_global(thread, "where")

    def view() -> list[str]:
        page = render_template_string("{{ thread() }}, {{ processor }}")
        child = render_template("child.html", a="x")
        macro = get_template_attribute("parts.html", "bold")("m")
        block = render_block("child.html", "main", a="x")
        assert child == block == f"<b>x{thread()}</b><b>x!{thread()}</b>"
        assert macro == f"<b>m{thread()}</b>"
        return [page, *stream_template("included.html", a="s"), thread()]

    app.get("/")(view)
    page, streamed, here = (await app.test_client().get("/")).json()
    assert page == f"{here}, {here}"
    assert streamed == f"<b>s!{here}</b>"


async def test_template_renders_while_the_event_loop_is_held(app: Erlen) -> None:
    """Nothing goes over the bridge: neither a context processor nor a receiver that is ``def``."""
    started, held, rendered = threading.Event(), threading.Event(), threading.Event()
    app.context_processor(lambda: {"user": "ann"})

    @app.get("/")
    def view() -> str:
        started.set()
        assert held.wait(PATIENCE)
        page = render_template_string("{{ user }} {{ request.path }} {{ url_for('view') }}")
        rendered.set()
        return page

    async def hold() -> None:
        await anyio.to_thread.run_sync(started.wait, PATIENCE)
        held.set()
        assert rendered.wait(PATIENCE)

    with template_rendered.connected_to(lambda *_, **__: None, app):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hold)
            assert (await app.test_client().get("/")).text == "ann / /"


async def test_others_are_served_while_a_template_waits(app: Erlen) -> None:
    app.config["WORKER_THREADS"] = 1
    waits, served = anyio.Event(), threading.Event()

    @app.get("/slow")
    def slow() -> str:
        return render_template_string("{{ tell() }}{{ wait() }}", tell=tell, wait=wait)

    async def tell() -> str:
        waits.set()
        return "told "

    def wait() -> bool:
        return served.wait(PATIENCE)

    @app.get("/other")
    async def other() -> str:
        served.set()
        return "other"

    async def ask_other() -> None:
        await waits.wait()
        assert (await app.test_client().get("/other")).text == "other"

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask_other)
        assert (await app.test_client().get("/slow")).text == "told True"


# --- variables: TP-3 --------------------------------------------------------------------------------


async def test_tp3_the_innermost_wins(app: Erlen) -> None:
    outer, inner = Blueprint("outer", "shop"), Blueprint("inner", "shop")

    @inner.context_processor
    async def innermost() -> dict[str, str]:
        return {"a": "inner", "b": "inner"}

    outer.context_processor(lambda: {"b": "outer", "c": "outer"})
    app.context_processor(lambda: dict.fromkeys("bcd", "app"))
    app.jinja_env.globals.update(dict.fromkeys("abcde", "global"))
    source = "{{ [a, b, c, d, e] | join(' ') }}"
    inner.add_url_rule("/", "page", lambda: render_template_string(source, a="given"))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    assert (await app.test_client().get("/")).text == "given inner outer app global"


async def test_context_processor_may_return_what_is_awaitable(app: Erlen) -> None:
    async def later(number: int) -> dict[str, int]:
        await anyio.lowlevel.checkpoint()
        return {"a": number}

    app.context_processor(lambda: later(1))
    assert await text_of(app, lambda: render_template_string("{{ a }}")) == "200 1"


async def test_context_processor_that_gives_no_mapping_is_named(app: Erlen) -> None:
    @app.context_processor
    def nothing() -> Any:
        return None

    def view() -> str:
        with pytest.raises(TypeError, match=r"nothing' returned None\. Return a dict"):
            render_template_string("")
        return "went on"

    assert await text_of(app, view) == "200 went on"


# --- awaiting: TP-10 --------------------------------------------------------------------------------


async def test_tp10_what_is_awaitable_is_awaited_in_the_task(app: Erlen) -> None:
    async def task() -> int:
        await anyio.lowlevel.checkpoint()
        return anyio.get_current_task().id

    async def count() -> AsyncIterator[int]:
        for number in range(3):
            await anyio.lowlevel.checkpoint()
            yield number

    app.template_global(task)
    app.template_global(count)
    app.template_filter("slowly")(lambda value: task())
    source = "{{ task() == (user | slowly) }} {% for n in count() %}{{ n }}{% endfor %}"
    assert await text_of(app, lambda: render_template_string(source)) == "200 True 012"


async def test_tp10_form_is_known_in_templates(app: Erlen) -> None:
    @app.post("/")
    def view() -> str:
        first = render_template_string("{{ request.form.name }} {{ request.form['name'] }}")
        return f"{first} {request.form['name']}"

    assert (await app.test_client().post("/", data={"name": "ann"})).text == "ann ann ann"


async def test_error_of_what_is_awaited_is_itself(app: Erlen) -> None:
    error = LookupError("gone")

    async def fail() -> None:
        await anyio.lowlevel.checkpoint()
        raise error

    def view() -> str:
        with pytest.raises(LookupError) as raised:
            render_template_string("{{ fail() }}", fail=fail)
        assert raised.value is error
        return "went on"

    assert await text_of(app, view) == "200 went on"


async def test_templates_that_do_not_await_do_not_here_either(app: Erlen) -> None:
    app.jinja_options = {"enable_async": False}
    source = "{% for n in [1, 2] %}{{ n }}{% endfor %}{{ thread() }}"

    def view() -> str:
        assert render_template_string(source, thread=thread) == f"12{thread()}"
        return get_template_attribute("macros.html", "hello")("A")  # type: ignore[no-any-return]  # a macro's text

    assert await text_of(app, view) == "200 Hello A"


# --- template objects -------------------------------------------------------------------------------


async def test_template_object_that_has_a_name_renders_in_the_thread(app: Erlen) -> None:
    app.add_template_global(thread, "where")

    def view() -> str:
        template = current_app.jinja_env.get_template("included.html")
        assert render_template(template, a="x") == f"<b>x!{thread()}</b>"
        assert render_template(["none.html", template], a="x") == f"<b>x!{thread()}</b>"
        return "".join(stream_template(template, a="<"))[:10]

    assert await text_of(app, view) == "200 <b>&lt;!th"


async def test_template_object_made_from_text_renders_on_the_loop(app: Erlen) -> None:
    def view() -> str:
        template = current_app.jinja_env.from_string("{{ a }}{{ thread() }}{{ 1 / b }}")
        page = render_template(template, a=1, b=1, thread=thread)
        assert page != f"1{thread()}1.0"
        assert page == "".join(stream_template(template, a=1, b=1, thread=thread))
        stream = stream_template(template, a="x" * 2000, b=1, thread=thread)
        assert next(stream) == "x" * 2000
        stream.close()
        with pytest.raises(ZeroDivisionError):
            render_template(template, a=1, b=0, thread=thread)
        return "went on"

    assert await text_of(app, view) == "200 went on"


# --- signals: TP-8 ----------------------------------------------------------------------------------


@pytest.fixture
def told(app: Erlen) -> Iterator[list[tuple[Any, ...]]]:
    """What the signals told: the first to an ``async def``, the second to a ``def``."""
    told: list[tuple[Any, ...]] = []

    async def before(_: object, template: jinja2.Template, context: dict[str, Any]) -> None:
        await anyio.lowlevel.checkpoint()
        told.append(("before", template.name, {**context}))
        context["b"] = 2

    def after(_: object, template: jinja2.Template, context: dict[str, Any]) -> None:
        told.append(("after", template.name, {**context}, thread()))

    with (
        before_render_template.connected_to(before, app),
        template_rendered.connected_to(after, app),
    ):
        yield told


async def test_tp8_signals_are_sent_before_and_after(app: Erlen, told: list[Any]) -> None:
    def view() -> str:
        page = render_template_string("{{ a }}{{ b }}", a=1)
        first, second = told
        assert first == ("before", None, {"a": 1})
        assert second == ("after", None, {"a": 1, "b": 2}, thread())
        return page

    assert await text_of(app, view) == "200 12"


async def test_tp8_block_is_told_like_a_page(app: Erlen, told: list[Any]) -> None:
    assert await text_of(app, lambda: render_block("page.html", "list", title="A")) == (
        "200 <li>A</li>"
    )
    assert [name for _, name, *_ in told] == ["page.html"] * 2


async def test_tp8_stream_is_told_after_its_last_chunk(app: Erlen, told: list[Any]) -> None:
    def view() -> str:
        stream = stream_template_string("{{ a }}{{ b }}", a="x" * 2000)
        assert [(chunk[0], len(told)) for chunk in stream] == [("x", 1), ("2", 1)]
        assert len(told) == 2
        with pytest.raises(ZeroDivisionError):
            render_template_string("{{ 1 / 0 }}")
        return " ".join(name for name, *_ in told)

    assert await text_of(app, view) == "200 before after before"


# --- streams: TP-9 ----------------------------------------------------------------------------------


async def test_fragments_are_gathered(app: Erlen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "perf_counter", lambda: 0.0)

    def view() -> list[int]:
        source = "{% for n in range(20000) %}{{ n }},{% endfor %}"
        chunks = [*stream_template_string(source)]
        assert "".join(chunks) == render_template_string(source)
        return [len(chunks), len(chunks[0]) // 1024, len(chunks[1]) // 1024]

    assert await text_of(app, view) == "200 [15,1,8]"


async def test_stream_that_is_left_is_closed(app: Erlen, told: list[Any]) -> None:
    closed: list[str] = []

    def rows() -> Iterator[str]:
        try:
            while True:
                yield "x" * 2000
        finally:
            closed.append(thread())

    def view() -> str:
        stream = stream_template_string(CALLED, rows=rows)
        next(stream)
        stream.close()
        assert [*stream] == []
        assert closed == [thread()]
        stream_template_string(CALLED, rows=rows).close()
        return "".join(name for name, *_ in told)

    assert await text_of(app, view) == "200 beforebefore"


async def test_stream_is_closed_in_the_thread_when_the_client_leaves(app: Erlen) -> None:
    threads: list[str] = []

    def rows() -> Iterator[str]:
        try:
            while True:
                yield "x" * 2000
        finally:
            threads.append(thread())

    @app.get("/")
    def view() -> Iterator[str]:
        threads.append(thread())
        return stream_template_string(CALLED, rows=rows)

    async with app.test_client() as client, client.stream("GET", "/") as response:
        await anext(response.aiter_text())
    assert len(threads) == 2
    assert len(set(threads)) == 1


async def test_error_before_the_first_chunk_is_answered(app: Erlen) -> None:
    app.errorhandler(ZeroDivisionError)(lambda _: ("handled", 500))
    assert await text_of(app, lambda: stream_template_string("a{{ 1 / 0 }}")) == "500 handled"


def test_without_a_context_it_says_which_one_to_enter() -> None:
    functions: list[Any] = [render_template, stream_template_string]
    for function in functions:
        with pytest.raises(OutsideContextError, match=r"with app.app_context\(\)"):
            function("a")


# --- scripts ----------------------------------------------------------------------------------------


def test_script_renders_without_an_event_loop(app: Erlen, monkeypatch: pytest.MonkeyPatch) -> None:
    app.context_processor(lambda: {"thread": thread()})
    app.add_template_global(thread, "where")
    monkeypatch.setattr(threading.Thread, "start", None)  # a loop would need one
    receiver = template_rendered.connected_to(lambda *_, **__: None, app)
    with app.app_context(), receiver:
        assert render_template_string("{{ thread }}") == thread()
        assert render_template("child.html", a="a").startswith("<b>a")
        assert render_block("page.html", "list", title="A") == "<li>A</li>"
        assert get_template_attribute("macros.html", "hello")("World") == "Hello World"
        assert [*stream_template_string("{{ request or 'none' }}")] == ["none"]


def test_script_waits_for_what_is_awaitable(app: Erlen) -> None:
    @app.context_processor
    async def variables() -> dict[str, str]:
        await anyio.lowlevel.checkpoint()
        return {"a": "awaited"}

    with app.app_context():
        assert render_template_string("{{ a }} {{ f() }}", f=variables) == (
            "awaited {&#39;a&#39;: &#39;awaited&#39;}"
        )


async def word() -> str:
    raise NotImplementedError


def test_what_nobody_can_await_any_more_is_closed() -> None:
    coroutine = word()
    with pytest.raises(OutsideContextError):
        renderer.wait(coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
