"""What a client can be told before the response: early hints (103) and promised pushes."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from erlen import Erlen, request, sync
from erlen.exceptions import ClientDisconnected, OutsideContextError
from erlen.protocols import Message
from erlen.replies import make_push_promise
from erlen.sync.pages import make_push_promise as blocking_push
from erlen.testing import Client, ConductChecker

HINT = "http.response.early_hint"
PUSH = "http.response.push"
STYLE = "</style.css>; rel=preload; as=style"


@pytest.fixture
def app() -> Erlen:
    app = Erlen("ahead")
    app.testing = True

    @app.get("/hints")
    async def hints() -> str:
        await request.send_early_hints(STYLE)
        await request.send_early_hints(
            "</a.js>; rel=preload", "<https://cdn.example>; rel=preconnect"
        )
        return "page"

    @app.get("/push")
    async def push() -> str:
        await make_push_promise("/styles/a b.css?x=ü")
        await request.send_push_promise("/plain", {"X-Kind": "pushed"})
        return "page"

    @app.get("/blocking")
    def blocking() -> str:
        sync.request.send_early_hints(STYLE)
        sync.request.send_push_promise("/plain", [])
        blocking_push("/other")
        return "page"

    return app


async def never() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


async def sent_to(app: Erlen, path: str, extensions: Any) -> list[str]:
    """Return the types of what a server that offers *extensions* is sent."""
    kinds: list[str] = []
    scope = {
        "type": "http", "method": "GET", "path": path, "headers": [(b"host", b"a.example")],
        "extensions": extensions,
    }  # fmt: skip

    async def send(message: Message) -> None:
        kinds.append(message["type"])

    await ConductChecker(app)(scope, never, send)
    return kinds


async def test_hints_come_before_the_response(app: Erlen) -> None:
    kinds = await sent_to(app, "/hints", {HINT: {}})
    assert kinds == [HINT, HINT, "http.response.start", "http.response.body"]


async def test_hints_are_values_of_link(app: Erlen) -> None:
    answer = await Client(app).get("/hints")
    assert answer.extensions[HINT] == [
        STYLE.encode(), b"</a.js>; rel=preload", b"<https://cdn.example>; rel=preconnect",
    ]  # fmt: skip
    assert answer.text == "page"


async def test_a_push_names_an_encoded_path_and_the_fields_of_the_request(app: Erlen) -> None:
    answer = await Client(app).get("/push", headers={"Accept-Language": "de", "X-Own": "1"})
    (first, kept), (second, given) = answer.extensions[PUSH]
    assert first == "/styles/a%20b.css?x=%C3%BC"
    assert dict(kept)[b"accept-language"] == b"de"
    assert not {b"host", b"x-own", b"cookie", b"authorization"} & dict(kept).keys()
    assert (second, given) == ("/plain", [(b"x-kind", b"pushed")])


@pytest.mark.parametrize("extensions", [None, {}, {"tls": {}}, {"http.response.trailers": {}}])
@pytest.mark.parametrize("path", ["/hints", "/push", "/blocking"])
async def test_a_server_without_the_extension_is_sent_nothing(
    app: Erlen, path: str, extensions: Any
) -> None:
    kinds = await sent_to(app, path, extensions)
    assert kinds == ["http.response.start", "http.response.body"]


async def test_def_views_send_them_too(app: Erlen) -> None:
    answer = await Client(app).get("/blocking")
    assert answer.extensions[HINT] == [STYLE.encode()]
    assert [path for path, _fields in answer.extensions[PUSH]] == ["/plain", "/other"]


@pytest.mark.parametrize(
    "link", ["", "/style.css", "</a>\r\nSet-Cookie: a=b", "</ä>", "</a", "</a>\0"]
)
async def test_what_is_no_link_is_refused(app: Erlen, link: str) -> None:
    async with app.test_request_context("/"):
        with pytest.raises(ValueError, match="is no Link"):
            await request.send_early_hints(link)


@pytest.mark.parametrize("path", ["", "plain", "//host/a", "https://host/a", "/a#b"])
async def test_what_is_no_path_cannot_be_pushed(app: Erlen, path: str) -> None:
    async with app.test_request_context("/"):
        with pytest.raises(ValueError, match="cannot be pushed"):
            await request.send_push_promise(path)


async def test_a_line_break_in_a_path_is_encoded(app: Erlen) -> None:
    @app.get("/break")
    async def broken() -> str:
        await request.send_push_promise("/a\r\nb")
        return ""

    assert (await Client(app).get("/break")).extensions[PUSH][0][0] == "/a%0D%0Ab"


async def test_hints_after_the_start_are_an_error_everywhere(app: Erlen) -> None:
    @app.get("/late")
    async def late() -> AsyncIterator[str]:
        yield "first"
        await request.send_early_hints(STYLE)

    with pytest.raises(RuntimeError, match="after the response has started"):
        await sent_to(app, "/late", None)


async def test_only_the_running_request_tells_ahead(app: Erlen) -> None:
    async with app.test_request_context("/"):
        other = request._get_current_object()
    async with app.test_request_context("/"):
        with pytest.raises(OutsideContextError, match="not the request that runs here"):
            await other.send_early_hints(STYLE)


async def test_a_client_that_has_left_ends_the_view(app: Erlen) -> None:
    seen: list[type] = []

    @app.teardown_request
    async def note(error: BaseException | None) -> None:
        seen.append(type(error))

    async def send(message: Message) -> None:
        raise BrokenPipeError

    scope = {
        "type": "http", "method": "GET", "path": "/hints", "headers": [(b"host", b"a.example")],
        "extensions": {HINT: {}},
    }  # fmt: skip
    await app(scope, never, send)
    assert seen == [ClientDisconnected]
