"""Catalogue 2.17: URLs that are built, templates, and pages that erlen makes itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import anyio
import jinja2
import pytest
from markupsafe import Markup

from erlen import Blueprint, Erlen, abort, redirect, request, url_for
from erlen.exceptions import BuildError
from erlen.protocols import Message
from erlen.templating import render_template, render_template_string, stream_template_string
from tests.hostile.harness import HOST, Bare, http_scope

MARK = "<script>alert('\"&"


async def view(**values: Any) -> Any:
    return {name: repr(value) for name, value in values.items()}


@pytest.fixture
def app() -> Erlen:
    app = Erlen("hostile", static_folder=None)
    app.add_url_rule("/", "index", view)
    app.add_url_rule("/x/<value>", "text", view)
    app.add_url_rule("/p/<path:value>", "path", view)
    app.add_url_rule("/i/<int:value>", "int", view)
    app.add_url_rule("/two/<a>/<b>", "two", view)
    app.add_url_rule("/query", "query", lambda: {"q": repr(request.args["q"])})
    app.add_url_rule("/<path:value>", "root", view)
    app.add_url_rule("/ok", "ok", lambda: "ok")
    return app


# --- url_for --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "values", "sentence"),
    [
        pytest.param("two", {"a": 1}, r"'two' with values \['a'\].*\['b'\]", id="b237-missing"),
        pytest.param("two", {}, r"'two'.*\['a', 'b'\]", id="b237-all missing"),
        pytest.param("text", {"value": None}, r"'text'.*\['value'\]", id="b237-none"),
        pytest.param("int", {"value": 10**19}, "'int'", id="b237-20 digits"),
        pytest.param("int", {"value": -1}, "'int'", id="b237-negative"),
        pytest.param("int", {"value": 10**9999}, "'int'.*more than 64 bits", id="b237-digits"),
        pytest.param("int", {"value": 1.5}, "'int'.*1.5 is no integer", id="b237-fraction"),
        pytest.param("int", {"value": float("inf")}, "'int'.*inf is no integer", id="b237-inf"),
        pytest.param("index", {"q": 10**9999}, "'index'.*Exceeds", id="b237-digits in a query"),
        pytest.param("index", {"_anchor": 10**9999}, "'index'", id="b240-digits in an anchor"),
        pytest.param("text", {"value": ""}, "'text'.*The value of 'value'", id="b238-empty"),
        pytest.param("text", {"value": 10**9999}, "'text'", id="b237-long"),
        pytest.param("text", {"value": "a\0"}, "'text'", id="b238-nul"),
        pytest.param("text", {"value": "a\r\nb"}, "'text'", id="b238-crlf"),
        pytest.param("path", {"value": "a\nb"}, "'path'", id="b238-lf in a path"),
        pytest.param("text", {"value": "\ud800"}, "'text'", id="b238-surrogate"),
        pytest.param("index", {"q": "\ud800"}, "'index'", id="b238-query"),
        pytest.param("index", {"q": ["a", "\ud800"]}, "'index'", id="b238-query list"),
        pytest.param("index", {"\ud800": 1}, "'index'", id="b238-name in a query"),
        pytest.param("index", {"_anchor": "\ud800"}, "'index'.*anchor", id="b240-anchor"),
        *[
            pytest.param(endpoint, {"value": value}, "segments '.' and '..'", id=f"b238-{value}")
            for endpoint, value in [
                ("text", "."),
                ("text", ".."),
                ("path", "../a"),
                ("path", "a/./b"),
                ("path", "a/.."),
                ("root", ".."),
                ("root", "../x"),
                ("root", "a/../../x"),
            ]
        ],
        pytest.param("os.system", {}, "'os.system'", id="b241-module"),
        pytest.param("__class__", {}, "'__class__'", id="b241-attribute"),
        pytest.param(".missing", {}, "'missing'", id="b241-relative outside of a blueprint"),
        pytest.param("text\0", {"value": 1}, "'text", id="b241-nul"),
        pytest.param(MARK, {}, "Could not build", id="b241-markup"),
    ],
)
def test_what_has_no_url_is_a_build_error(
    app: Erlen, endpoint: str, values: Any, sentence: str
) -> None:
    with app.test_request_context("/"), pytest.raises(BuildError, match=sentence):
        url_for(endpoint, **values)


@pytest.mark.parametrize(
    ("values", "url"),
    [
        pytest.param({"value": True}, "/x/True", id="b237-true"),
        pytest.param({"value": 1, "q": [None, 2, None]}, "/x/1?q=2", id="b237-none in a list"),
        pytest.param({"value": 1, "q": [None]}, "/x/1", id="b237-only none in a list"),
        pytest.param({"value": 1, "_anchor": 5}, "/x/1#5", id="b240-number"),
        pytest.param({"value": b"a"}, "/x/b'a'", id="b237-bytes"),
        pytest.param({"value": [1]}, "/x/%5B1%5D", id="b237-list"),
        pytest.param({"value": {"a": {}}}, "/x/%7B'a':%20%7B%7D%7D", id="b237-nested"),
        pytest.param({"value": 1, "q": [1, 2], "n": None}, "/x/1?q=1&q=2", id="b237-extra"),
        pytest.param({"value": 1, "a\r\n&": "\r\n&"}, "/x/1?a%0D%0A%26=%0D%0A%26", id="b238-query"),
        pytest.param({"value": 1, "_anchor": "\r\n#<"}, "/x/1#%0D%0A%23%3C", id="b240-anchor"),
        pytest.param({"value": 1, "_host": "a\r\n"}, "/x/1?_host=a%0D%0A", id="b240-host"),
        *[
            pytest.param({"value": 1, "_scheme": scheme}, url, id=f"b240-{scheme}")
            for scheme, url in [
                ("HTTPS", "https://localhost/x/1"),
                ("Http", "http://localhost/x/1"),
                ("wss", "https://localhost/x/1"),
                ("WS", "http://localhost/x/1"),
            ]
        ],
    ],
)
def test_strange_values_are_text_and_strange_targets_are_encoded(
    app: Erlen, values: Any, url: str
) -> None:
    with app.test_request_context("/"):
        assert url_for("text", **values) == url


@pytest.mark.parametrize("scheme", ["javascript", "http\r\n", "https:", "data", "", 5])
def test_b240_other_scheme_is_refused(app: Erlen, scheme: Any) -> None:
    with app.test_request_context("/"), pytest.raises(ValueError, match="Give 'http', 'https'"):
        url_for("text", value=1, _scheme=scheme)


@pytest.mark.parametrize("endpoint", [view, None, 5, b"text", ["text"]])
def test_b241_endpoint_that_is_no_name_is_refused(app: Erlen, endpoint: Any) -> None:
    with app.test_request_context("/"), pytest.raises(TypeError, match=r"not str\. Give its name"):
        url_for(endpoint)


@pytest.mark.parametrize(("value", "url"), [(True, "/i/1"), (2.0, "/i/2"), ("007", "/i/7")])
def test_b237_whole_number_is_written_as_one(app: Erlen, value: Any, url: str) -> None:
    with app.test_request_context("/"):
        assert url_for("int", value=value) == url


@pytest.mark.parametrize("value", ["\0", "a\r\nb", "&=#?+%", "../a", "\u2028"])
async def test_b238_value_in_a_query_comes_back(app: Erlen, value: str) -> None:
    with app.test_request_context("/"):
        path, _, query = url_for("query", q=value).partition("?")
    assert query.isascii()
    assert query.isprintable()
    answer = await Bare(app, []).http(path, query_string=query.encode())
    assert answer.body == app.json.encode({"q": repr(value)})


def test_b237_value_that_cannot_be_written_raises_its_own_error(app: Erlen) -> None:
    class Failing:
        def __str__(self) -> str:
            raise LookupError("lazily")

    with app.test_request_context("/"):
        for values in ({"value": Failing()}, {"value": 1, "q": Failing()}):
            with pytest.raises(LookupError, match="lazily"):
                url_for("text", **values)


PLAIN = [
    "a?b",
    "a#b",
    "a%b",
    "a%2Fb",
    "a&b",
    "a+b",
    "a b",
    "é",
    "...",
    "..a",
    "%2e%2e",
    "{x}",
    "<value>",
    "a\\b",
    "\\a",
]


@pytest.mark.parametrize(
    ("endpoint", "value"),
    [
        *[pytest.param("text", value, id=f"b238-{value}") for value in PLAIN],
        *[pytest.param("path", value, id=f"b238-path-{value}") for value in [*PLAIN, "a/b"]],
        *[pytest.param("root", value, id=f"b239-root-{value}") for value in [*PLAIN, "a/b"]],
    ],
)
async def test_value_comes_back_when_its_url_is_asked_for(
    app: Erlen, endpoint: str, value: str
) -> None:
    with app.test_request_context("/"):
        url = url_for(endpoint, value=value)
    answer = await Bare(app, []).http(unquote(url), raw_path=url.encode())
    assert answer.body == app.json.encode({"value": repr(value)})


@pytest.mark.parametrize("value", ["a/b", "/a", "//a", "http://a/b", "/", "../a"])
async def test_b238_value_of_one_segment_stays_in_it(value: str) -> None:
    app = Erlen("hostile", static_folder=None)
    for rule in ("/x/<value>", "/<value>", "/x/<a>/<b>", "/a"):
        app.add_url_rule(rule, "text" if rule == "/x/<value>" else rule, view)
    app.add_url_rule("/ok", "ok", lambda: "ok")
    with app.test_request_context("/"):
        url = url_for("text", value=value)
    assert url == f"/x/{quote(value, safe=':')}"
    answer = await Bare(app, []).http(unquote(url), raw_path=url.encode())
    assert answer.status == 404


@pytest.mark.parametrize("value", ["/evil.com", "//evil.com", "\\evil.com", "/\\evil.com", "\\/e"])
@pytest.mark.parametrize("root_path", ["", "/shop"])
def test_b239_url_leads_to_no_other_host(app: Erlen, value: str, root_path: str) -> None:
    with app.test_request_context("/", base_url=f"http://localhost{root_path}/"):
        url = url_for("root", value=value)
    assert url.startswith(f"{root_path}/%")
    assert "\\" not in url


def test_b241_endpoint_of_a_blueprint_is_not_found_outside_of_it(app: Erlen) -> None:
    blueprint = Blueprint("inner", "hostile")
    blueprint.add_url_rule("/inner", "page", view)
    app.register_blueprint(blueprint)
    with app.test_request_context("/"), pytest.raises(BuildError):
        url_for(".page")


@pytest.mark.parametrize("special", [{"_external": True}, {"_scheme": "https"}])
def test_b242_no_host_is_guessed_outside_of_a_request(app: Erlen, special: Any) -> None:
    with app.app_context():
        assert url_for("index") == "/"
        with pytest.raises(RuntimeError, match=r"needs a host, and none is known.*SERVER_NAME"):
            url_for("index", **special)


# --- templates ------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Bare:
    """An application that renders what it is asked to, below a secret."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "templates"
    folder.mkdir()
    for name in ("x.html", "x.txt", "x.jinja", "x"):
        (folder / name).write_text("<p title='{{ a }}'>{{ a }}{{ a|tojson }}{{ safe|safe }}</p>")
    (folder / "loop.html").write_text("{% include 'loop.html' %}")
    app = Erlen("hostile", root_path=str(tmp_path), static_folder=None)

    @app.get("/render")
    async def page() -> str:
        return await render_template(request.args["name"], a=MARK, safe="<hr>")

    app.add_url_rule("/ok", "ok", lambda: "ok")
    return Bare(app, [])


@pytest.mark.parametrize(
    "name",
    [
        "../secret", "..%2Fsecret", "%2e%2e%2fsecret", "%2e%2e%5csecret", "a%2f..%2f..%2fsecret",
        "%2fetc%2fpasswd", "x.html%00", "x.html%0A", "%00", "", ".", "..", "%2f",
        "C:%5csecret", "a" * 5000, "%25",
    ],
)  # fmt: skip
async def test_b243_template_that_leads_out_is_not_found(server: Bare, name: str) -> None:
    answer = await server.http("/render", query_string=f"name={name}".encode())
    assert answer.status == 500
    assert b"secret" not in answer.body
    (record,) = answer.log
    assert record.exc_info
    assert record.exc_info[0] is jinja2.TemplateNotFound


@pytest.mark.parametrize("name", ["x.html", "x.txt", "x.jinja", "x"])
async def test_b245_values_are_escaped_whatever_the_name(server: Bare, name: str) -> None:
    answer = await server.http("/render", query_string=f"name={name}".encode())
    escaped = "&lt;script&gt;alert(&#39;&#34;&amp;"
    json = r'"\u003cscript\u003ealert(\u0027\"\u0026"'
    assert answer.body.decode() == f"<p title='{escaped}'>{escaped}{json}<hr></p>"


class Badge(Markup):
    """Markup of an application's own."""


async def test_b245_only_markup_is_trusted() -> None:
    class Claims(str):
        __slots__ = ()

    async with Erlen("hostile").app_context():
        source = "{{ badge }}{{ badge ~ text }}{{ claims }}"
        given = {"badge": Badge("<i>"), "text": "<b>", "claims": Claims("<u>")}
        page = await render_template_string(source, **given)
        assert page == "<i><i>&lt;b&gt;&lt;u&gt;"


async def test_b246_template_that_recurses_is_a_500(server: Bare) -> None:
    answer = await server.http("/render", query_string=b"name=loop.html")
    assert answer.status == 500
    (record,) = answer.log
    assert record.exc_info
    assert record.exc_info[0] is RecursionError


async def test_b246_template_that_waits_lets_others_run(server: Bare) -> None:
    waiting, go_on = anyio.Event(), anyio.Event()

    async def wait() -> str:
        waiting.set()
        await go_on.wait()
        return "done"

    async def help_it() -> None:
        await waiting.wait()
        assert await server.is_well()
        go_on.set()

    async with server.app.app_context(), anyio.create_task_group() as tasks:
        tasks.start_soon(help_it)
        assert await render_template_string("{{ wait() }}", wait=wait) == "done"


async def test_b246_gigabyte_is_streamed_no_faster_than_it_is_read() -> None:
    app, rendered, sent = Erlen("hostile"), 0, 0
    megabyte = Markup("x" * 2**20)

    async def rows() -> AsyncIterator[Markup]:
        nonlocal rendered
        for _ in range(1024):
            rendered += len(megabyte)
            yield megabyte

    @app.get("/")
    async def page() -> Any:
        source = "{% for row in rows() %}{{ row }}{% endfor %}"
        return await stream_template_string(source, rows=rows)

    async def send(message: Message) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))
        assert rendered - sent <= len(megabyte)

    await app(http_scope("/", (HOST,)), anyio.sleep_forever, send)
    assert sent == 2**30


# --- pages of erlen's own -------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [b"text/html", b"application/json", b"*/*", b"text/plain"])
@pytest.mark.parametrize("root_path", ["", f"/{MARK}"])
@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        (f"/missing/{MARK}", "GET", 404),
        ("/only-get", "POST", 405),
        ("/fail", "GET", 500),
        (f"/folder/{MARK}", "GET", 308),
        ("/abort", "GET", 400),
        ("/redirect", "GET", 302),
    ],
)
async def test_b244_page_of_an_error_repeats_nothing_of_the_request(
    path: str, method: str, status: int, root_path: str, accept: bytes
) -> None:
    headers = (HOST, (b"accept", accept), (b"x-mark", MARK.encode()))
    query = MARK.encode()
    answer = await Bare(failing(), []).http(
        root_path + path, method=method, headers=headers, root_path=root_path, query_string=query
    )
    assert answer.status == status
    assert b"<script" not in answer.body.lower()
    assert b"alert('" not in answer.body
    assert b"<script" not in answer.headers.get(b"location", b"")


def failing() -> Erlen:
    """An application of which every page is erlen's."""
    app = Erlen("hostile", static_folder=None)

    def fail() -> None:
        raise LookupError(MARK)

    app.add_url_rule("/only-get", "only-get", view)
    app.add_url_rule("/fail", "fail", fail)
    app.add_url_rule("/folder/<value>/", "folder", view)
    app.add_url_rule("/abort", "abort", lambda: abort(400))
    app.add_url_rule("/redirect", "redirect", lambda: redirect(f"/{MARK}", 302))
    app.add_url_rule("/ok", "ok", lambda: "ok")
    return app
