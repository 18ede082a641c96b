"""Defects of the frameworks that erlen follows, each reproduced there: none of them is here.

The numbers are those of the list in the research of behaviours (section 42).
"""

import math
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import anyio
import click
import pytest
from anyio.lowlevel import checkpoint

from erlen import (
    Blueprint,
    Erlen,
    Response,
    flash,
    render_template_string,
    request,
    send_file,
    session,
    sync,
    websocket,
)
from erlen.exceptions import DuplicateRuleError, FrozenError
from erlen.routing import BaseConverter, ValidationError
from tests.debugger.browsing import browsing
from tests.hostile.harness import HOST, Bare, binary, http_scope, left, part


@pytest.fixture
def app() -> Erlen:
    app = Erlen("x", static_folder=None)
    app.config["SECRET_KEY"] = "0123456789abcdef0123456789abcdef"

    @app.get("/ok")
    async def ok() -> str:
        return "ok"

    return app


@pytest.fixture
def server(app: Erlen) -> Bare:
    return Bare(app, [])


async def test_defect_01_reading_the_session_keeps_shared_caches_apart(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        return f"{session.get('user')}"

    assert (await app.test_client().get("/")).headers["vary"] == "Cookie"


async def test_defect_02_the_last_bytes_of_a_file_can_be_asked_for(
    app: Erlen, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("0123456789")

    @app.get("/")
    async def view() -> Response:
        return await send_file(tmp_path / "a.txt")

    response = await app.test_client().get("/", headers={"range": "bytes=-5"})
    assert (response.status_code, response.text) == (206, "56789")


async def test_defect_03_head_sends_no_body_and_204_no_length(app: Erlen, server: Bare) -> None:
    @app.get("/nothing")
    async def nothing() -> Any:
        return "", 204

    head = await server.http("/ok", method="HEAD")
    assert (head.headers[b"content-length"], head.body) == (b"2", b"")
    assert b"content-length" not in (await server.http("/nothing")).headers


@pytest.mark.parametrize(
    ("make", "status", "name"),
    [
        (lambda: ("x", "201 Made"), 201, None),
        (lambda: iter(["x"]), 200, None),
        (lambda: ("x", (("X-Name", "a"),)), 200, "a"),
        (lambda: ("x", 202, [("X-Name", "a")]), 202, "a"),
    ],
    ids=["status as text", "iterator", "pairs", "status and pairs"],
)
async def test_defect_04_a_view_may_return_all_that_a_flask_view_may(
    app: Erlen, make: Callable[[], Any], status: int, name: str | None
) -> None:
    app.get("/", endpoint="view")(make)
    response = await app.test_client().get("/")
    assert (response.status_code, response.text) == (status, "x")
    assert response.headers.get("x-name") == name


async def test_defect_05_a_websocket_whose_view_fails_closes_with_1011(
    app: Erlen, server: Bare
) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        await websocket.accept()
        raise LookupError

    assert (await server.websocket("/ws")).close == 1011


async def test_defect_06_an_empty_binary_message_is_a_message(app: Erlen, server: Bare) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        async for message in websocket:
            await websocket.send(message)

    answer = await server.websocket("/ws", binary(b""), binary(b"x"), left())
    assert [message.get("bytes") for message in answer.sent[1:]] == [b"", b"x"]


async def test_defect_07_teardown_websocket_of_a_blueprint_is_called(app: Erlen) -> None:
    called: list[object] = []
    blueprint = Blueprint("part", __name__)
    blueprint.teardown_websocket(called.append)

    @blueprint.websocket("/ws")
    async def view() -> None:
        await websocket.accept()

    app.register_blueprint(blueprint)
    async with app.test_client().websocket("/ws"):
        pass
    assert called == [None]


async def test_defect_08_url_value_preprocessors_see_websockets_too(app: Erlen) -> None:
    @app.url_value_preprocessor
    def take_language(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if values:
            values["language"] = values.pop("code").upper()

    @app.websocket("/<code>/ws")
    async def view(language: str) -> None:
        await websocket.send(language)

    async with app.test_client().websocket("/de/ws") as socket:
        assert await socket.receive() == "DE"


async def test_defect_09_flashes_and_templates_work_in_a_websocket(app: Erlen) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        flash("hello")
        text = await render_template_string("{{ websocket.path }} {{ get_flashed_messages()[0] }}")
        await websocket.send(text)

    async with app.test_client().websocket("/ws") as socket:
        assert await socket.receive() == "/ws hello"


def test_defect_10_get_json_of_a_response_is_silent_only_when_asked() -> None:
    broken = Response("{", mimetype="application/json")
    assert broken.get_json(silent=True) is None
    with pytest.raises(ValueError, match="Expecting property name"):
        broken.get_json()


async def test_defect_11_declaring_after_the_first_request_is_an_error(app: Erlen) -> None:
    await app.test_client().get("/ok")
    for declare in (app.before_request, app.teardown_websocket, app.get, app.register_blueprint):
        with pytest.raises(FrozenError, match=declare.__name__):
            declare(cast("Any", "/late"))


async def test_defect_12_json_of_another_media_type_is_415(app: Erlen) -> None:
    @app.post("/")
    async def view() -> Any:
        return {"value": await request.get_json()}

    response = await app.test_client().post("/", content=b"{}", content_type="text/plain")
    assert response.status_code == 415


async def test_defect_13_a_second_lifespan_runs_like_the_first(app: Erlen) -> None:
    ran: list[str] = []

    @app.while_serving
    async def pool() -> AsyncIterator[None]:
        ran.append("opened")
        yield
        ran.append("closed")

    for _ in range(2):
        async with app.test_client() as client:
            assert (await client.get("/ok")).text == "ok"
    assert ran == ["opened", "closed"] * 2


async def test_defect_14_a_def_view_reads_the_body(app: Erlen) -> None:
    @app.post("/")
    def view() -> Any:
        return [sync.request.get_json(), sync.request.get_data(as_text=True)]

    assert (await app.test_client().post("/", json={"a": 1})).json() == [{"a": 1}, '{"a":1}']


async def test_defect_15_no_time_is_set_to_a_stream(app: Erlen) -> None:
    deadlines: list[float] = []

    @app.get("/")
    async def view() -> Any:
        async def chunks() -> AsyncIterator[str]:
            deadlines.append(anyio.current_effective_deadline())
            yield "x"

        return chunks()

    await call(app, "/")
    assert deadlines == [math.inf]


async def call(app: Erlen, path: str) -> None:
    """Call the application as a server does that has no patience of its own."""

    async def receive() -> Any:
        return part()

    async def send(message: Any) -> None: ...

    await app(http_scope(path, [HOST]), receive, send)


async def test_defect_16_a_host_that_is_not_trusted_is_400(app: Erlen) -> None:
    app.config["TRUSTED_HOSTS"] = ["example.com"]
    client = app.test_client()
    assert (await client.get("http://example.com/ok")).status_code == 200
    assert (await client.get("http://evil.example/ok")).status_code == 400


def test_defect_17_an_async_command_runs(app: Erlen) -> None:
    @app.cli.command("greet")
    async def greet() -> None:
        click.echo("hello")

    assert app.test_cli_runner().invoke(args=["greet"]).output == "hello\n"


class Even(BaseConverter):
    """Even numbers, tried before ``int``."""

    weight = 40

    def to_python(self, value: str) -> int:
        if int(value) % 2:
            raise ValidationError
        return int(value)


async def test_defect_18_a_value_that_a_converter_refuses_is_tried_with_the_next_rule(
    app: Erlen,
) -> None:
    app.url_map.converters["even"] = Even
    app.get("/<even:n>", endpoint="even")(lambda n: "even")
    app.get("/<int:n>", endpoint="any")(lambda n: "any")
    client = app.test_client()
    assert [(await client.get(f"/{n}")).text for n in (2, 3)] == ["even", "any"]


async def test_defect_19_int_takes_the_digits_of_ascii_alone(app: Erlen) -> None:
    app.get("/<int:n>", endpoint="view")(lambda n: [n])
    client = app.test_client()
    for digits, status in (("12", 200), ("\u0967\u0968", 404), ("\xb2", 404)):
        assert (await client.get(f"/{digits}")).status_code == status


async def test_defect_20_the_debugger_lets_frames_go_and_awaits(app: Erlen) -> None:
    app.debug = True
    app.get("/fail")(lambda: 1 / 0)
    async with browsing(app) as browser:
        for _ in range(20):
            page = await browser.open("/fail")
        await browser.unlock(page)
        outcome = await browser.type(page, 0, "import anyio; await anyio.sleep(0); 1 + 1")
    assert len(browser.debugger.failures) == 16
    assert outcome["value"] == "2"


async def test_defect_21_a_request_can_have_a_limit_of_its_own(app: Erlen) -> None:
    @app.post("/")
    async def view() -> str:
        request.max_content_length = 10
        return str(len(await request.get_data()))

    client = app.test_client()
    for size, status in ((10, 200), (11, 413), (1000, 413)):
        assert (await client.post("/", content=bytes(size))).status_code == status


def test_defect_22_two_rules_for_the_same_requests_are_an_error(app: Erlen) -> None:
    app.get("/<a>", endpoint="one")(lambda a: "")
    with pytest.raises(DuplicateRuleError):
        app.get("/<b>", endpoint="two")(lambda b: "")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_defect_23_the_application_runs_on_both_event_loops(app: Erlen, backend: str) -> None:
    @app.get("/loop")
    async def loop() -> str:
        await checkpoint()
        return "async"

    app.get("/thread")(lambda: "def")

    async def ask() -> list[str]:
        client = app.test_client()
        return [(await client.get(path)).text for path in ("/loop", "/thread")]

    assert anyio.run(ask, backend=backend) == ["async", "def"]


def test_every_defect_is_proved() -> None:
    proved = {
        int(number)
        for number in re.findall(r"\bdef test_defect_(\d\d)_", Path(__file__).read_text())
    }
    assert proved == set(range(1, 24))
