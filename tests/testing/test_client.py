"""The client's requests: httpx's arguments, Flask's arguments, the scope, the exceptions."""

import io
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import anyio
import pytest

from erlen.json import DefaultJSONProvider
from erlen.protocols import ASGIApp, Receive, Scope, Send
from erlen.testing import Client, DeadlineExceeded, LifespanError
from erlen.testing.binding import httpx

Simple = Callable[..., ASGIApp]


# --- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "options", "trace"])
async def test_te2_every_verb_takes_flasks_arguments(mirror: ASGIApp, verb: str) -> None:
    seen = (await getattr(Client(mirror), verb)("/a", query_string="q=1", data="x")).json()
    assert (seen["method"], seen["path"], seen["query"], seen["body"]) == (
        verb.upper(),
        "/a",
        "q=1",
        "x",
    )


async def test_te2_head_has_no_body(mirror: ASGIApp) -> None:
    response = await Client(mirror).head("/")
    assert (response.status_code, response.data) == (200, b"")


async def test_te2_open_takes_path_and_method(mirror: ASGIApp) -> None:
    client = Client(mirror)
    assert (await client.open(method="POST")).json()["path"] == "/"
    assert (await client.open("/x")).json()["method"] == "GET"


@pytest.mark.parametrize(
    ("query", "sent"),
    [("a=1&b", "a=1&b"), ({"a": [1, 2], "b": "ü"}, "a=1&a=2&b=%C3%BC"), ({}, "")],
)
async def test_te2_query_string_is_text_or_mapping(mirror: ASGIApp, query: Any, sent: str) -> None:
    assert (await Client(mirror).get("/", query_string=query)).json()["query"] == sent


async def test_te3_a_query_given_twice_is_an_error(mirror: ASGIApp) -> None:
    with pytest.raises(ValueError, match="Give it once"):
        await Client(mirror).get("/?a=1", query_string={"b": 2})


@pytest.mark.parametrize("second", [{"data": b""}, {"content": b"x"}])
async def test_te3_two_bodies_are_an_error(mirror: ASGIApp, second: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="one body"):
        await Client(mirror).post("/", json={}, **second)


@pytest.mark.parametrize("data", ["text", b"text", io.BytesIO(b"text")])
async def test_te2_data_may_be_the_raw_body(mirror: ASGIApp, data: Any) -> None:
    if hasattr(data, "seek"):
        data.seek(0)
    seen = (await Client(mirror).post("/", data=data, content_type="text/x")).json()
    assert (seen["body"], seen["headers"]["content-type"]) == ("text", "text/x")


async def test_te2_data_mapping_is_a_form(mirror: ASGIApp) -> None:
    seen = (await Client(mirror).post("/", data={"a": ["1", 2], "b": "ü"})).json()
    assert seen["body"] == "a=1&a=2&b=%C3%BC"
    assert seen["headers"]["content-type"] == "application/x-www-form-urlencoded"


class Upload(io.BytesIO):
    """A file with what Werkzeug's FileStorage says of it."""

    filename = "dir/c.bin"
    content_type = "x/y"


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (lambda: (io.BytesIO(b"1"), "a.txt"), ['filename="a.txt"', "text/plain", "\r\n1\r\n"]),
        (lambda: (io.BytesIO(b"1"), "a.txt", "x/y"), ['filename="a.txt"', "x/y"]),
        (lambda: io.BytesIO(b"1"), ['filename="upload"', "\r\n1\r\n"]),
        (lambda: Upload(b"1"), ['filename="c.bin"', "x/y"]),
        (lambda: [(io.BytesIO(b"1"), "a"), (io.BytesIO(b"2"), "b")], ['"a"', '"b"']),
    ],
)
async def test_te2_a_file_in_data_makes_it_multipart(
    mirror: ASGIApp, value: Callable[[], Any], parts: list[str]
) -> None:
    seen = (await Client(mirror).post("/", data={"f": value(), "plain": "v"})).json()
    assert seen["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    assert all(part in seen["body"] for part in [*parts, 'name="f"', 'name="plain"', "v"])


async def test_te2_multipart_may_be_asked_for_without_files(mirror: ASGIApp) -> None:
    data = {"a": "1", "b": b"2"}
    seen = (await Client(mirror).post("/", data=data, content_type="multipart/form-data")).json()
    assert "boundary=" in seen["headers"]["content-type"]
    assert 'name="a"\r\n\r\n1\r\n' in seen["body"]


@pytest.mark.parametrize("files", [{"g": b"2"}, [("g", b"2")]])
async def test_httpx_files_join_flasks(mirror: ASGIApp, files: Any) -> None:
    data = {"f": (io.BytesIO(b"1"), "a")}
    seen = (await Client(mirror).post("/", data=data, files=files)).json()
    assert 'name="f"' in seen["body"]
    assert 'name="g"' in seen["body"]


async def test_te2_json_is_sent_as_json(mirror: ASGIApp) -> None:
    seen = (await Client(mirror).post("/", json={"a": [1]})).json()
    assert seen["body"].replace(" ", "") == '{"a":[1]}'
    assert seen["headers"]["content-type"] == "application/json"


async def test_te2_json_is_encoded_by_the_application(mirror: ASGIApp) -> None:
    class App:
        json = DefaultJSONProvider()

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await mirror(scope, receive, send)

    seen = (await Client(App()).post("/", json=datetime(2024, 1, 2))).json()  # noqa: DTZ001  # a naive datetime is the case
    assert seen["body"].startswith('"2024-01-02T')
    typed = await Client(App()).post("/", json=1, mimetype="application/x+json")
    assert typed.json()["headers"]["content-type"] == "application/x+json"


async def test_headers_and_content_type_go_together(mirror: ASGIApp) -> None:
    client = Client(mirror, headers={"X-Always": "1"})
    seen = (await client.post("/", data="x", headers=[("X-Once", "2")], content_type="a/b")).json()
    assert [seen["headers"][n] for n in ("x-always", "x-once", "content-type")] == ["1", "2", "a/b"]


async def test_te2_auth_is_a_pair(mirror: ASGIApp) -> None:
    seen = (await Client(mirror).get("/", auth=("u", "p"))).json()
    assert seen["headers"]["authorization"] == "Basic dTpw"


# --- where a request goes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "url", "path", "host", "scheme"),
    [
        ("http://localhost", "/", "/", "localhost", "http"),
        ("http://localhost", "", "/", "localhost", "http"),
        ("http://localhost", "x", "/x", "localhost", "http"),
        ("http://localhost", "//x//y", "//x//y", "localhost", "http"),
        ("http://localhost", "/a b/ü", "/a b/ü", "localhost", "http"),
        ("http://localhost", "/a%2Fb", "/a/b", "localhost", "http"),
        ("http://localhost:81/api/", "/x", "/api/x", "localhost:81", "http"),
        ("http://localhost", "https://h.test/x", "/x", "h.test", "https"),
        ("http://localhost", httpx.URL("https://h.test/x"), "/x", "h.test", "https"),
    ],
)
async def test_a_url_is_put_under_the_base(
    mirror: ASGIApp, base: str, url: Any, path: str, host: str, scheme: str
) -> None:
    seen = (await Client(mirror, base_url=base).get(url)).json()
    assert (seen["path"], seen["headers"]["host"], seen["scheme"]) == (path, host, scheme)


async def test_te2_base_url_may_be_given_per_call(mirror: ASGIApp) -> None:
    seen = (await Client(mirror).get("/x", base_url="https://h.test/p")).json()
    assert (seen["path"], seen["server"]) == ("/p/x", ["h.test", 443])


async def test_the_scope_has_client_server_and_version(mirror: ASGIApp) -> None:
    seen = (await Client(mirror, client=("192.0.2.1", 7)).get("/a%2fb?x=%20")).json()
    assert seen["client"] == ["192.0.2.1", 7]
    assert seen["server"] == ["localhost", 80]
    assert (seen["http_version"], seen["raw_path"], seen["query"]) == ("1.1", "/a%2fb", "x=%20")


async def test_root_path_becomes_the_prefix_of_a_base_url_without_path(mirror: ASGIApp) -> None:
    seen = (await Client(mirror, root_path="/api").get("/x")).json()
    assert (seen["root_path"], seen["path"]) == ("/api", "/api/x")
    other = Client(mirror, root_path="/api", base_url="http://localhost/own")
    assert (await other.get("/x")).json()["path"] == "/own/x"


async def test_the_extension_target_reaches_the_application_unchanged(mirror: ASGIApp) -> None:
    target = {"target": b"/a/../b%ff\xff?q=\xff"}
    seen = (await Client(mirror).get("/", extensions=target)).json()
    assert seen["raw_path"] == "/a/../b%ff\xff"
    assert seen["query"] == "q=\xff"


# --- body of the request ------------------------------------------------------------------------


async def test_a_streamed_upload_arrives_by_chunks(mirror: ASGIApp) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    assert (await Client(mirror).post("/", content=chunks())).json()["chunks"] == ["a", "b", ""]


@pytest.mark.parametrize(("length", "chunks"), [("0", [""]), ("2", ["ab"]), ("3", ["abc"])])
async def test_an_upload_ends_at_its_content_length(
    mirror: ASGIApp, length: str, chunks: list[str]
) -> None:
    headers = {"content-length": length}
    seen = (await Client(mirror).post("/", content=b"abc", headers=headers)).json()
    assert seen["chunks"] == chunks


async def test_an_upload_that_ends_early_is_a_disconnect() -> None:
    events = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        events.extend([(await receive())["type"] for _ in range(3)])

    await Client(app).post("/", content=b"ab", headers={"content-length": "3"})
    assert events == ["http.request", "http.disconnect", "http.disconnect"]


async def test_an_application_may_ignore_the_rest_of_an_upload(simple: Simple) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["more_body"]
        await simple(b"enough")(scope, receive, send)

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x"

    source = chunks()
    assert (await Client(app).post("/", content=source)).data == b"enough"
    await source.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_receive_after_the_response_gives_disconnect(simple: Simple) -> None:
    events = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await simple()(scope, receive, send)
        events.append(await receive())

    await Client(app).get("/")
    assert events == [{"type": "http.disconnect"}]


# --- task, deadline, exceptions -----------------------------------------------------------------


async def test_the_application_runs_in_the_task_of_the_test(simple: Simple) -> None:
    tasks = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        tasks.append(anyio.get_current_task().id)
        await simple()(scope, receive, send)

    await Client(app).get("/")
    assert tasks == [anyio.get_current_task().id]


@pytest.mark.parametrize("options", [{"deadline": 0.01}, {"timeout": 0.01}])
@pytest.mark.parametrize("raises", [True, False])
async def test_a_request_that_takes_too_long_says_what_was_awaited(
    options: Any, raises: bool
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep_forever()

    with pytest.raises(DeadlineExceeded) as caught:
        await Client(app, raise_app_exceptions=raises).get("/slow?x=1", **options)
    assert str(caught.value) == (
        "Waited 0.01 s for the end of the response to GET /slow?x=1; so far the application has "
        "not started it. Make the application answer, or give the call a longer deadline=."
    )


async def test_the_deadline_tells_what_had_come(answering: Simple) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 201})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await anyio.sleep_forever()

    with pytest.raises(DeadlineExceeded, match="status 201 and sent 3 bytes"):
        await Client(app, timeout=0.01).get("/")


async def test_without_a_deadline_a_request_may_take_its_time(simple: Simple) -> None:
    assert (await Client(simple(b"x")).get("/", deadline=None)).data == b"x"


class Configured:
    """An application with a ``config`` that fails."""

    def __init__(self, error: Exception, **config: object) -> None:
        self.config = config
        self.error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise self.error


@pytest.mark.parametrize(
    "config",
    [
        {"TESTING": True},
        {"DEBUG": True},
        {"PROPAGATE_EXCEPTIONS": True},
        {"PROPAGATE_EXCEPTIONS": None, "TESTING": True},
    ],
)
async def test_te9_the_applications_own_exception_leaves_the_client(config: Any) -> None:
    error = TimeoutError("mine")
    with pytest.raises(TimeoutError) as caught:
        await Client(Configured(error, **config)).get("/")
    assert caught.value is error


@pytest.mark.parametrize("config", [{}, {"PROPAGATE_EXCEPTIONS": False, "TESTING": True}])
async def test_te9_without_testing_an_exception_is_a_500(config: Any) -> None:
    response = await Client(Configured(ValueError(), **config)).get("/")
    assert (response.status, response.text) == (
        "500 Internal Server Error",
        "Internal Server Error",
    )


@pytest.mark.parametrize("config", [{}, {"TESTING": True}])
async def test_te9_the_client_may_decide(config: Any) -> None:
    app = Configured(ValueError(), **config)
    assert (await Client(app, raise_app_exceptions=False).get("/")).status_code == 500
    with pytest.raises(ValueError, match=r"^$"):
        await Client(app, raise_app_exceptions=True).get("/")


async def test_without_a_config_exceptions_leave_the_client() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await Client(app).get("/")


async def test_an_exception_in_the_body_is_never_a_short_response() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        raise ValueError

    with pytest.raises(httpx.RemoteProtocolError, match="3 bytes"):
        await Client(app, raise_app_exceptions=False).get("/")


async def test_an_exception_after_the_response_leaves_it_whole(simple: Simple) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await simple(b"done")(scope, receive, send)
        raise ValueError("late")

    assert (await Client(app, raise_app_exceptions=False).get("/")).data == b"done"
    with pytest.raises(ValueError, match="late"):
        await Client(app).get("/")


async def test_needs_lifespan_without_async_with_is_an_error(mirror: ASGIApp) -> None:
    class App:
        needs_lifespan = True

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await mirror(scope, receive, send)

    client = Client(App())
    with pytest.raises(LifespanError, match="async with app"):
        await client.get("/")
    with pytest.raises(LifespanError, match="async with app"):
        client.websocket("/")


# --- redirects ----------------------------------------------------------------------------------


def redirecting(to: bytes, status: int, mirror: ASGIApp) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/from":
            await mirror(scope, receive, send)
            return
        headers = [(b"location", to)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body"})

    return app


@pytest.mark.parametrize(("status", "method", "body"), [(302, "GET", ""), (307, "POST", "x")])
async def test_te5_redirects_are_followed_when_asked(
    mirror: ASGIApp, status: int, method: str, body: str
) -> None:
    client = Client(redirecting(b"/to?a=1", status, mirror))
    assert (await client.post("/from", data="x")).location == "/to?a=1"
    response = await client.post("/from", data="x", follow_redirects=True)
    seen = response.json()
    assert (seen["path"], seen["query"], seen["method"], seen["body"]) == (
        "/to", "a=1", method, body,
    )  # fmt: skip
    assert [r.status_code for r in response.history] == [status]


async def test_te5_a_redirect_to_another_host_is_not_followed(mirror: ASGIApp) -> None:
    client = Client(redirecting(b"https://other.test/", 302, mirror), follow_redirects=True)
    with pytest.raises(RuntimeError, match=r"another host .* Call without follow_redirects="):
        await client.get("/from")


# --- response -----------------------------------------------------------------------------------


async def test_te4_the_response_has_flasks_words(simple: Simple) -> None:
    headers = [(b"content-type", b"Application/JSON; charset=utf-8"), (b"location", b"/x")]
    response = await Client(simple(b'{"a": "\xc3\xbc"}', 201, headers)).get("/")
    assert response.status == "201 Created"
    assert response.data == response.get_data() == b'{"a": "\xc3\xbc"}'
    assert response.get_data(as_text=True) == response.text == '{"a": "ü"}'
    assert response.content_type == "Application/JSON; charset=utf-8"
    assert (response.mimetype, response.location) == ("application/json", "/x")
    assert response.get_json() == response.json() == {"a": "ü"}


async def test_te4_a_response_without_these_headers_has_none(simple: Simple) -> None:
    response = await Client(simple()).get("/")
    assert (response.content_type, response.mimetype, response.location) == (None, "", None)
    await response.disconnect()


@pytest.mark.parametrize(
    ("mimetype", "body", "options", "value"),
    [
        (b"text/plain", b"1", {}, None),
        (b"text/plain", b"1", {"force": True}, 1),
        (b"application/problem+json", b"1", {}, 1),
        (b"application/json", b"{", {"silent": True}, None),
    ],
)
async def test_te4_get_json_looks_at_the_media_type(
    simple: Simple, mimetype: bytes, body: bytes, options: Any, value: Any
) -> None:
    response = await Client(simple(body, 200, [(b"content-type", mimetype)])).get("/")
    assert response.get_json(**options) == value


async def test_te4_get_json_of_bad_json_is_an_error(simple: Simple) -> None:
    response = await Client(simple(b"{")).get("/")
    with pytest.raises(ValueError, match="Expecting"):
        response.get_json(force=True)


async def test_debug_and_early_hints_are_in_the_extensions(answering: Simple) -> None:
    app = answering(
        {"type": "http.response.debug", "info": {"template": "x"}},
        {"type": "http.response.early_hint", "links": [b"</a>"]},
        {"type": "http.response.early_hint", "links": [b"</b>"]},
        {"type": "http.response.start", "status": 200},
        {"type": "http.response.body"},
    )
    extensions = (await Client(app).get("/")).extensions
    assert extensions["http.response.debug"] == {"template": "x"}
    assert extensions["http.response.early_hint"] == [b"</a>", b"</b>"]


async def test_pushes_and_trailers_are_in_the_extensions(answering: Simple) -> None:
    app = answering(
        {"type": "http.response.push", "path": "/a", "headers": [(b"a", b"1")]},
        {"type": "http.response.push", "path": "/b"},
        {"type": "http.response.start", "status": 200, "trailers": True},
        {"type": "http.response.body", "body": b"x"},
        {"type": "http.response.trailers", "headers": [(b"b", b"2")], "more_trailers": True},
        {"type": "http.response.trailers", "headers": [(b"c", b"3")]},
    )
    answer = await Client(app).get("/")
    assert answer.text == "x"
    assert answer.extensions["http.response.push"] == [("/a", [(b"a", b"1")]), ("/b", [])]
    assert answer.extensions["http.response.trailers"] == [(b"b", b"2"), (b"c", b"3")]


async def test_header_values_need_not_be_utf8(simple: Simple) -> None:
    response = await Client(simple(b"", 200, [(b"x-a", b"\xff")])).get("/")
    assert response.headers["x-a"] == "ÿ"
