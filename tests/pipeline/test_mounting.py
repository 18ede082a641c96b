"""Applications below a path: MW-3, B-025, B-160, pain 51."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from erlen import Erlen, abort, current_app, g, request, url_for, websocket
from erlen.context import current_context
from erlen.exceptions import FrozenError, SetupError
from erlen.testing import WebSocketRejected
from erlen.testing.lifespan import _Steps
from tests.hostile.harness import HOST, http_scope, run
from tests.pipeline.test_gate import careful
from tests.pipeline.test_lifespan import Server, around


def see(**more: Any) -> dict[str, Any]:
    """Return what a view of erlen sees of its place."""
    return {
        "app": current_app.name, "root": request.root_path, "path": request.path,
        "url": request.url, "link": url_for("see"), **more,
    }  # fmt: skip


def make(name: str) -> Erlen:
    """Return an application with a view that tells its place, and hooks and a 404 of its own."""
    app = Erlen(name, static_folder=None)

    @app.get("/see")
    async def see_all() -> dict[str, Any]:
        return see()

    app.view_functions["see"] = see_all
    app.add_url_rule("/see/<path:more>", "see_more", lambda more: see(more=more))
    app.add_url_rule("/", "see", see_all)

    @app.websocket("/ws")
    async def socket() -> None:
        await websocket.send(f"{current_app.name} {websocket.root_path} {websocket.path}")

    @app.errorhandler(404)
    async def missing(error: Exception) -> tuple[str, int]:
        return f"nothing in {name}", 404

    @app.after_request
    async def sign(response: Any) -> Any:
        response.headers["X-App"] = name
        return response

    return app


async def tell(request: Request) -> JSONResponse:
    """Be a view of Starlette."""
    return JSONResponse(
        {"root": request.scope["root_path"], "path": request.scope["path"], "url": str(request.url)}
    )


async def tell_socket(socket: WebSocket) -> None:
    """Be a WebSocket of Starlette."""
    await socket.accept()
    await socket.send_text(socket.scope["root_path"])
    await socket.close()


@pytest.fixture
def app() -> Erlen:
    return make("outer")


@pytest.fixture
def sub(app: Erlen) -> Erlen:
    sub = make("sub")
    app.mount("/sub", sub)
    return sub


async def ask(app: Erlen, path: str, **options: Any) -> Any:
    async with app.test_client(**options) as client:
        return (await client.get(path)).json()


# --- where it is ------------------------------------------------------------------------------------


async def test_mw3_a_mounted_application_sees_its_prefix_as_root_path(
    app: Erlen, sub: Erlen
) -> None:
    assert await ask(app, "/sub/see?a=1") == {
        "app": "sub", "root": "/sub", "path": "/see",
        "url": "http://localhost/sub/see?a=1", "link": "/sub/",
    }  # fmt: skip
    assert (await ask(app, "/see"))["app"] == "outer"


async def test_mw3_prefixes_add_up(app: Erlen, sub: Erlen) -> None:
    deep = make("deep")
    sub.mount("/deep/er", deep)
    seen = await ask(app, "/sub/deep/er/see", root_path="/site")
    assert (seen["app"], seen["root"], seen["path"]) == ("deep", "/site/sub/deep/er", "/see")
    assert seen["link"] == "/site/sub/deep/er/"


async def test_mw3_starlette_sees_its_prefix(app: Erlen) -> None:
    inner = Starlette(routes=[Route("/see", tell), WebSocketRoute("/ws", tell_socket)])
    app.mount("/sub", inner)
    async with app.test_client() as client:
        seen = (await client.get("/sub/see")).json()
        async with client.websocket("/sub/ws") as socket:
            assert await socket.receive() == "/sub"
    assert seen == {"root": "/sub", "path": "/sub/see", "url": "http://localhost/sub/see"}


async def test_mw3_websockets_are_mounted_too(app: Erlen, sub: Erlen) -> None:
    async with app.test_client() as client, client.websocket("/sub/ws") as socket:
        assert await socket.receive() == "sub /sub /ws"


async def test_the_longest_path_wins(app: Erlen) -> None:
    for name, path in (("a", "/a"), ("b", "/a/b"), ("c", "/a/b/c")):
        app.mount(path, make(name))
    for path in ("/a/b/c", "/a/b", "/a"):
        assert (await ask(app, f"{path}/see"))["app"] == path[-1]


@pytest.mark.parametrize(
    ("path", "name"),
    [("/sub/see", "sub"), ("/subway", "outer"), ("/su", "outer"), ("/x/sub/see", "outer")],
)
async def test_a_path_is_compared_by_its_segments(
    app: Erlen, sub: Erlen, path: str, name: str
) -> None:
    async with app.test_client() as client:
        assert (await client.get(path)).headers["x-app"] == name


# --- what is whose ----------------------------------------------------------------------------------


async def test_hooks_and_error_pages_below_the_path_are_the_mounted_ones(
    app: Erlen, sub: Erlen
) -> None:
    sub.before_request(lambda: abort(404) if request.path == "/see" else None)
    async with app.test_client() as client:
        for path in ("/sub/nothing", "/sub/see"):
            response = await client.get(path)
            assert (response.text, response.headers["x-app"]) == ("nothing in sub", "sub")
        assert (await client.post("/sub/see/x")).headers["allow"] == "GET, HEAD, OPTIONS"


async def test_the_outer_context_is_not_seen(app: Erlen, sub: Erlen) -> None:
    seen: list[Any] = []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["type"], current_context.get(None)))
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})

    app.mount("/look", look)
    app.before_serving(lambda: setattr(g, "name", "outer"))
    async with app.test_client() as client:
        await client.get("/look/")
    assert seen == [("lifespan", None), ("http", None)]


async def test_middleware_of_the_outer_application_is_around_mounts(app: Erlen, sub: Erlen) -> None:
    seen: list[str] = []

    def noting(inner: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope.get("path", "lifespan"))
            await inner(scope, receive, send)

        return middleware

    app.add_middleware(noting)
    await ask(app, "/sub/see")
    assert seen == ["lifespan", "/sub/see"]


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        pytest.param([(b"host", b"evil.example")], "/sub/see", id="b160-host"),
        pytest.param([(b"host", b"good.example")], "/sub/\x00", id="b160-path"),
    ],
)
async def test_b160_the_outer_application_lets_nothing_malformed_in(
    app: Erlen, sub: Erlen, headers: Any, path: str
) -> None:
    app.config["TRUSTED_HOSTS"] = ["good.example"]
    await Server("lifespan.startup", "lifespan.shutdown").run(sub)  # it is not asked
    sent = await unstarted(app, path, headers)
    assert sent[0]["status"] == 400


async def unstarted(app: Erlen, path: str, headers: Any, **scope: Any) -> list[Any]:
    """Call an application without a lifespan; it is started by that, and ended after it."""
    sent, _ = await run(app, http_scope(path, headers, **scope), [])
    app.begin_shutdown()
    await anyio.wait_all_tasks_blocked()
    return sent


async def test_a_websocket_of_a_foreign_page_is_refused_at_the_front_door(
    app: Erlen, sub: Erlen
) -> None:
    async with app.test_client() as client:
        with pytest.raises(WebSocketRejected):
            async with client.websocket("/sub/ws", headers={"Origin": "https://evil.example"}):
                pass


# --- the slash --------------------------------------------------------------------------------------


async def test_the_path_itself_is_redirected_to_its_slash(app: Erlen, sub: Erlen) -> None:
    async with app.test_client(root_path="/site") as client:
        response = await client.post("/sub?next=%2F%2Fevil")
    assert response.status_code == 308
    assert response.headers["location"] == "/site/sub/?next=%2F%2Fevil"
    assert "x-app" not in response.headers


async def test_a_websocket_at_the_path_itself_needs_no_slash(app: Erlen, sub: Erlen) -> None:
    sub.add_websocket("/", "root", lambda: websocket.send(websocket.path))
    async with app.test_client() as client, client.websocket("/sub") as socket:
        assert await socket.receive() == "/"


# --- rules beside mounts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/sub/login", "outer"), ("HEAD", "/sub/login", "outer"),
        ("POST", "/sub/login", "sub"), ("GET", "/sub/users/1", "outer"),
        ("GET", "/sub/users/ann", "sub"), ("GET", "/sub/folder", "outer"),
        ("GET", "/sub/notes/a/", "outer"), ("GET", "/sub/nothing/", "sub"),
        ("GET", "/sub//login", "sub"), ("GET", "/page/login", "outer"),
    ],
)  # fmt: skip
async def test_a_rule_below_the_path_wins_where_it_answers(
    app: Erlen, sub: Erlen, method: str, path: str, name: str
) -> None:
    for rule in (
        "/sub/login", "/sub/users/<int:id>", "/sub/folder/", "/sub/notes/<path:of>",
        "/<first>/login", "/<path:rest>",
    ):  # fmt: skip
        app.add_url_rule(rule, rule, lambda **_values: "rule")
    async with app.test_client() as client:
        response = await client.request(method, path)
    assert response.headers["x-app"] == name


async def test_at_the_root_is_what_no_rule_answers(app: Erlen) -> None:
    app.mount("/", make("old"))
    async with app.test_client() as client:
        assert (await client.get("/see")).json()["app"] == "outer"
        response = await client.get("/nothing")
        assert (response.text, response.headers["x-app"]) == ("nothing in old", "old")
        assert (await client.post("/see")).headers["x-app"] == "old"


async def test_a_rule_of_another_host_leaves_the_mount_alone() -> None:
    app = Erlen("outer", host_matching=True, static_folder=None)
    app.mount("/sub", make("sub"))
    app.add_url_rule("/sub/see", "see", lambda: {"app": "outer"}, host="a.example")
    assert (await ask(app, "/sub/see", base_url="http://a.example"))["app"] == "outer"
    assert (await ask(app, "/sub/see", base_url="http://b.example"))["app"] == "sub"


# --- the target as it was sent ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "raw", "root", "more"),
    [
        ("/sub/see/a/b", b"/sub/see/a%2Fb", "", "a/b"),
        ("/sub/see/ä", b"/sub/see/%C3%A4", "", "ä"),
        ("/site/sub/see/a/b", b"/sub/see/a%2Fb", "/site", "a/b"),
        ("/site/sub/see/x", b"/site/sub/see/x", "/site", "x"),
        ("/sub/see/x", None, "", "x"),
        ("http://example.com/sub/see/x", b"http://example.com/sub/see/x", "", "x"),
    ],
)
async def test_every_form_of_a_target_arrives(
    app: Erlen, sub: Erlen, path: str, raw: bytes | None, root: str, more: str
) -> None:
    sent = await unstarted(app, path, (HOST,), raw_path=raw, root_path=root)
    seen = json.loads(sent[1]["body"])
    assert (seen["app"], seen["root"], seen["more"]) == ("sub", f"{root}/sub", more)


async def test_an_encoded_slash_is_no_separator(app: Erlen, sub: Erlen) -> None:
    sent = await unstarted(app, "/sub/see", (HOST,), raw_path=b"/sub%2Fsee")
    assert (b"x-app", b"outer") in sent[0]["headers"]


async def test_the_target_of_options_for_the_server_is_no_path(app: Erlen) -> None:
    app.mount("/", make("old"))
    sent = await unstarted(app, "*", (HOST,), method="OPTIONS")
    assert (b"x-app", b"outer") in sent[0]["headers"]


# --- the lifespan -----------------------------------------------------------------------------------


def living(log: list[str], name: str) -> Erlen:
    """Return an application that notes its startup and shutdown."""
    app = make(name)
    app.lifespan(careful(log, name))
    return app


async def test_p51_mounted_applications_start_after_the_outer_one_and_end_before_it(
    app: Erlen,
) -> None:
    log: list[str] = []
    first, second, deep = (living(log, name) for name in ("first", "second", "deep"))
    app.mount("/1", first)
    app.mount("/2", second)
    first.mount("/deep", deep)
    app.lifespan(around(log, "outer"))
    app.before_serving(lambda: log.append("before"))
    app.while_serving(around(log, "while"))
    app.after_serving(lambda: log.append("after"))
    async with app.test_client():
        assert log == [
            "outer starts", "before", "first starts", "deep starts", "second starts", "while starts"
        ]  # fmt: skip
        log.clear()
    assert log == [
        "while ends", "second ends", "deep ends", "first ends", "after", "outer ends"
    ]  # fmt: skip


async def test_p51_starlettes_lifespan_is_run_and_has_state(app: Erlen) -> None:
    log: list[str] = []

    @asynccontextmanager
    async def lifespan(inner: Starlette) -> AsyncIterator[dict[str, str]]:
        log.append("starts")
        yield {"pool": "inner"}
        log.append("ends")

    async def show(request: Request) -> JSONResponse:
        return JSONResponse({"pool": request.state.pool, "outer": request.state.outer})

    @app.lifespan
    async def outer() -> AsyncIterator[dict[str, str]]:
        yield {"outer": "outer", "pool": "outer"}

    app.mount("/sub", Starlette(routes=[Route("/", show)], lifespan=lifespan))
    assert await ask(app, "/sub/") == {"pool": "inner", "outer": "outer"}
    assert log == ["starts", "ends"]
    assert app.state.pool == "outer"


async def test_each_request_has_a_copy_of_the_state(app: Erlen) -> None:
    seen: list[dict[str, Any]] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["count"] = 0
            await send({"type": "lifespan.startup.complete"})
            await receive()
            return
        seen.append({**scope["state"]})
        scope["state"]["count"] += 1
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    app.mount("/sub", inner)
    async with app.test_client() as client:
        for _ in range(2):
            await client.get("/sub/")
    assert seen == [{"count": 0}, {"count": 0}]


async def test_an_application_that_is_mounted_twice_is_started_once(app: Erlen) -> None:
    log: list[str] = []
    sub = living(log, "sub")
    app.mount("/1", sub)
    app.mount("/2", sub)
    for path in ("/1", "/2"):
        assert (await ask(app, f"{path}/see"))["root"] == path
    assert log == 2 * ["sub starts", "sub ends"]


async def test_an_application_that_two_others_have_mounted_is_started_once(app: Erlen) -> None:
    log: list[str] = []
    shared, other = living(log, "shared"), living(log, "other")
    app.mount("/other", other)
    app.mount("/shared", shared)
    other.mount("/shared", shared)
    async with app.test_client():
        assert log == ["other starts", "shared starts"]
    assert log[2:] == ["shared ends", "other ends"]


async def raising(scope: Any, receive: Any, send: Any) -> None:
    raise LookupError(scope["type"])


async def returning(scope: Any, receive: Any, send: Any) -> None:
    pass


async def uninterested(scope: Any, receive: Any, send: Any) -> None:
    await receive()


@pytest.mark.parametrize("inner", [raising, returning, uninterested])
async def test_an_application_without_a_lifespan_may_be_mounted(app: Erlen, inner: Any) -> None:
    app.mount("/sub", inner)
    assert (await ask(app, "/see"))["app"] == "outer"


async def test_p51_a_failing_startup_fails_the_whole_and_says_where(app: Erlen) -> None:
    log: list[str] = []
    app.mount("/1", living(log, "first"))
    sub = make("sub")
    sub.before_serving(lambda: 1 / 0)
    app.mount("/sub", sub)
    app.mount("/3", living(log, "third"))
    server = Server()
    with pytest.raises(ZeroDivisionError):
        await server.run(app)
    assert server.types == ["startup.failed"]
    assert "Raised at the startup of the application mounted at '/sub'" in server.sent[0]["message"]
    assert log == ["first starts", "first ends"]


async def test_p51_a_reported_failure_fails_the_whole_with_its_message(app: Erlen) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        await receive()

    app.mount("/sub", failing)
    with pytest.raises(RuntimeError, match="application mounted at '/sub' failed: no d"):
        await Server().run(app)


async def test_a_failure_without_a_message_says_so(app: Erlen) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed"})

    app.mount("/sub", failing)
    with pytest.raises(RuntimeError, match="gave no message"):
        await Server().run(app)


@pytest.mark.parametrize("reports", [True, False])
async def test_b308_a_failing_shutdown_is_reported_with_the_others(
    app: Erlen, reports: bool
) -> None:
    log: list[str] = []

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if not reports:
            raise LookupError
        await send({"type": "lifespan.shutdown.failed", "message": "no peace"})

    app.mount("/1", living(log, "first"))
    app.mount("/sub", failing)
    server = Server()
    with pytest.raises(RuntimeError if reports else LookupError):
        await server.run(app)
    assert server.types == ["startup.complete", "shutdown.failed"]
    assert log == ["first starts", "first ends"]


async def test_a_cancelled_server_ends_mounted_applications(app: Erlen) -> None:
    log: list[str] = []
    sub = make("sub")

    @sub.lifespan
    async def careful() -> AsyncIterator[None]:
        try:
            yield
        finally:
            log.append("ended")

    app.mount("/sub", sub)
    with anyio.CancelScope() as cancelling:
        await Server("lifespan.startup", cancels=cancelling).run(app)
    assert log == ["ended"]


async def test_a_server_that_is_cancelled_during_the_startup_ends_it(app: Erlen) -> None:
    log: list[str] = []
    sub = living(log, "sub")
    sub.before_serving(anyio.sleep_forever)
    app.mount("/sub", sub)
    with anyio.move_on_after(0.05):
        await Server().run(app)
    assert log == ["sub starts", "sub ends"]


async def test_an_application_that_does_not_end_is_left_behind(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erlen.pipeline.guest.LAST_SECONDS", 0.01)
    release = anyio.Event()

    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        with anyio.CancelScope(shield=True):
            await release.wait()

    app.mount("/sub", stubborn)
    with anyio.move_on_after(0.05) as late:
        await Server().run(app)
    assert late.cancelled_caught
    release.set()
    await anyio.wait_all_tasks_blocked()


async def test_a_client_that_gives_up_closes_mounted_applications(app: Erlen) -> None:
    log: list[str] = []
    app.mount("/sub", living(log, "sub"))
    server = Server("lifespan.startup")

    async def receive() -> Any:
        return await (server.receive() if server.events else steps.pause())

    steps = _Steps(app(server.scope, receive, server.send))
    await steps.advance(None, None, "the startup")
    steps._context.run(steps._coroutine.close)
    await anyio.wait_all_tasks_blocked()
    assert log == ["sub starts", "sub ends"]


async def test_the_end_of_the_outer_application_is_the_end_of_all(app: Erlen, sub: Erlen) -> None:
    deep = make("deep")
    sub.mount("/deep", deep)
    app.mount("/star", Starlette())
    app.begin_shutdown()
    assert sub.shutting_down.is_set()
    assert deep.shutting_down.is_set()
    async with app.test_client():
        assert not deep.shutting_down.is_set()
    assert deep.shutting_down.is_set()


async def test_b309_mounted_applications_are_started_by_the_first_request_too(app: Erlen) -> None:
    log: list[str] = []
    app.mount("/sub", living(log, "sub"))
    await unstarted(app, "/sub/see", (HOST,))
    assert log == ["sub starts", "sub ends"]


# --- declaring --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["", "sub", "/sub//x", "/<name>", "/a?b", "/a#b", "/a%20b", "/../x", "/.", "/a\n", "//"]
)
def test_a_malformed_path_is_refused(app: Erlen, path: str) -> None:
    with pytest.raises(ValueError, match="Write a plain path"):
        app.mount(path, returning)


def test_a_slash_at_the_end_says_nothing(app: Erlen) -> None:
    app.mount("/sub/", returning)
    with pytest.raises(SetupError, match="is mounted already"):
        app.mount("/sub", raising)


@pytest.mark.parametrize("given", [{}, {"wsgi": print, "asgi_app": print}], ids=["none", "two"])
def test_one_application_is_mounted_at_a_time(app: Erlen, given: Any) -> None:
    with pytest.raises(TypeError, match="needs one application"):
        app.mount("/sub", **given)


async def test_a_wsgi_application_is_mounted_by_name(app: Erlen) -> None:
    def old(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]

    app.config["TESTING"] = True
    app.mount("/old", wsgi=old)
    async with app.test_client() as client:
        assert (await client.get("/old/x")).text == "/old /x"


@pytest.mark.parametrize("wsgi", [lambda environ, start_response: [], "module:app"])
def test_what_is_no_asgi_application_is_refused(app: Erlen, wsgi: Any) -> None:
    with pytest.raises(TypeError, match="scope, receive and send"):
        app.mount("/sub", wsgi)


def test_a_callable_that_does_not_tell_its_arguments_is_taken(app: Erlen) -> None:
    app.mount("/sub", max)  # type: ignore[arg-type]  # a builtin stands for one


def test_an_application_is_not_mounted_below_itself(app: Erlen, sub: Erlen) -> None:
    for path, outer, inner in (("/x", app, app), ("/x", sub, app)):
        with pytest.raises(SetupError, match="one below the other only"):
            outer.mount(path, inner)


async def test_b312_mounting_after_the_start_is_refused(app: Erlen) -> None:
    app.freeze()
    with pytest.raises(FrozenError, match="'mount' was called after"):
        app.mount("/sub", returning)


def test_a_rule_that_leaves_nothing_to_a_mount_is_named() -> None:
    app = Erlen("outer", static_folder="static", root_path="/nowhere")
    app.mount("/static", returning)
    with pytest.raises(SetupError, match="answers all that is below '/static'"):
        app.freeze()
