"""Serving on uvicorn: run(), its refusals, and the application under servers of others."""

import errno
import io
import logging
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.handlers import SimpleHandler
from wsgiref.util import setup_testing_defaults

import anyio
import httpx
import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from erlen import Erlen, serving
from erlen.config import DEFAULTS
from erlen.serving import addresses, start
from erlen.serving.server import Server
from tests.live_server import LIMIT, LiveServer, launch, start_server

APP = """
import contextvars
from erlen import Erlen, request, websocket

app = Erlen(__name__)
app.config["WEBSOCKET_ORIGINS"] = None
leak = contextvars.ContextVar("leak", default="clean")

@app.get("/")
def index():
    return "hello"

@app.get("/leak")
async def show_leak():
    seen = leak.get()
    leak.set("dirty")
    return seen

@app.get("/scheme")
def scheme():
    return request.scheme

@app.websocket("/echo")
async def echo():
    async for message in websocket:
        await websocket.send(message)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served")
    (path / "hello.py").write_text(APP)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LiveServer]:
    with start_server("hello:app", cwd=folder) as running:
        yield running


def interrupted(app: Erlen, number: int = signal.SIGINT) -> Erlen:
    """Let CTRL+C, or another signal, arrive during the startup of *app*."""

    @app.before_serving
    async def press() -> None:
        signal.raise_signal(number)

    return app


# --- erlen run ------------------------------------------------------------------------------------


def test_a_page_is_served_without_a_server_header(server: LiveServer) -> None:
    with server.get() as response:
        assert response.read() == b"hello"
        assert "server" not in response.headers


def test_a_websocket_is_served(server: LiveServer) -> None:
    with connect(f"ws://{server.host}:{server.port}/echo", open_timeout=LIMIT) as socket_:
        socket_.send("ping")
        assert socket_.recv(timeout=LIMIT) == "ping"


def test_a_websocket_message_over_the_limit_is_1009(server: LiveServer) -> None:
    with connect(f"ws://{server.host}:{server.port}/echo", open_timeout=LIMIT) as socket_:
        socket_.send("x" * (1024 * 1024 + 1))
        with pytest.raises(ConnectionClosed) as caught:
            socket_.recv(timeout=LIMIT)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


def test_b161_forwarded_headers_of_a_local_client_have_no_effect(server: LiveServer) -> None:
    with server.get("/scheme", {"X-Forwarded-Proto": "https"}) as response:
        assert response.read() == b"http"


def test_b049_pipelined_requests_see_no_context_variable_of_each_other(server: LiveServer) -> None:
    one = b"GET /leak HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /leak HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with socket.create_connection((server.host, server.port), LIMIT) as raw:
        raw.sendall(one + one + last)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.count(b"clean") == 3


@pytest.mark.parametrize(("size", "status"), [(70_000, b"431"), (200_000, b"400")])
def test_b043_headers_over_the_limit_are_refused(
    server: LiveServer, size: int, status: bytes
) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: " + b"x" * size + b"\r\n\r\n"
    with socket.create_connection((server.host, server.port), LIMIT) as raw:
        raw.sendall(head)
        assert raw.recv(65536).startswith(b"HTTP/1.1 " + status)


def test_interrupt_ends_the_command_with_code_0_and_one_start_line(folder: Path) -> None:
    with start_server("hello:app", cwd=folder) as server:
        assert server.stop(signal.SIGINT) == 0
    assert server.output == (
        f" * Serving erlen app 'hello' at http://127.0.0.1:{server.port} (Press CTRL+C to stop)\n"
    )


def test_p5_an_open_websocket_is_closed_with_1001_before_the_end(folder: Path) -> None:
    with start_server("hello:app", cwd=folder) as server:
        with connect(f"ws://{server.host}:{server.port}/echo", open_timeout=LIMIT) as socket_:
            socket_.send("ping")
            assert socket_.recv(timeout=LIMIT) == "ping"
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as caught:
                socket_.recv(timeout=LIMIT)
        assert (server.stop(), caught.value.rcvd and caught.value.rcvd.code) == (0, 1001)


def test_p5_a_peer_that_answers_no_close_holds_nothing_up(folder: Path) -> None:
    head = (
        "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with (
        start_server("hello:app", cwd=folder) as server,
        socket.create_connection((server.host, server.port), LIMIT) as raw,
    ):
        raw.sendall(head.encode())
        assert raw.recv(65536).startswith(b"HTTP/1.1 101")
        assert server.stop(signal.SIGTERM) == 0


def test_a_changed_file_is_served_after_reload(tmp_path: Path) -> None:
    source = tmp_path / "hello.py"
    source.write_text(APP)
    with start_server("hello.py", "--reload", cwd=tmp_path) as server:
        with server.get() as response:
            assert response.read() == b"hello"
        source.write_text(APP.replace("hello", "changed"))
        server.read_address()
        with server.get() as response:
            assert response.read() == b"changed"
        assert server.stop() == 0


# --- run() in this process ------------------------------------------------------------------------


def test_run_prints_the_address_and_returns_on_interrupt(
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(Erlen("here")).run(port=0)
    line = capsys.readouterr().err
    assert line.startswith(" * Serving erlen app 'here' at http://127.0.0.1:")
    assert line.count("\n") == 1


def test_b334_an_ipv6_host_is_shown_in_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    interrupted(Erlen("here")).run("::1", 0)
    assert "http://[::1]:" in capsys.readouterr().err


@pytest.mark.parametrize("hook", ["before_serving", "after_serving"])
def test_failure_of_startup_or_shutdown_is_exit_code_3(
    hook: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = interrupted(Erlen("here"))

    def fail() -> None:
        raise LookupError("no database")

    getattr(app, hook)(fail)
    with pytest.raises(SystemExit) as caught:
        app.run(port=0)
    assert caught.value.code == 3
    assert "LookupError: no database" in capsys.readouterr().err


def test_debug_given_to_run_is_set() -> None:
    app = interrupted(Erlen("here"))
    app.run(port=0, debug=True)
    assert app.debug is True


@pytest.mark.parametrize(
    ("server_name", "host", "port", "address"),
    [
        pytest.param(None, None, None, ("127.0.0.1", 5000), id="DV-1 defaults"),
        pytest.param("localhost:8080", None, None, ("localhost", 8080), id="DV-1 SERVER_NAME"),
        pytest.param("localhost", None, None, ("localhost", 5000), id="DV-1 no port"),
        pytest.param("localhost:8080", "0.0.0.0", 0, ("0.0.0.0", 0), id="DV-1 given"),
        pytest.param("[::1]:80", None, None, ("::1", 80), id="DV-1 IPv6"),
        pytest.param("localhost:0", None, None, ("localhost", 0), id="DV-1 any port"),
    ],
)
def test_address_is_that_given_then_that_of_server_name(
    server_name: str | None, host: str | None, port: int | None, address: tuple[str, int]
) -> None:
    assert addresses.choose(server_name, host, port) == address


def refusal(capsys: pytest.CaptureFixture[str], app: Erlen, *args: Any) -> str:
    """Return the line that run() ends with."""
    with pytest.raises(SystemExit) as caught:
        app.run(*args)
    assert caught.value.code == 3
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def test_b334_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        line = refusal(capsys, Erlen("here"), None, taken.getsockname()[1])
    assert "is in use by another program" in line


@pytest.mark.parametrize("port", [-1, 70000])
def test_b334_a_port_that_does_not_exist_is_one_line(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"There is no port {port}." in refusal(capsys, Erlen("here"), None, port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "x" * 64])
def test_an_address_of_elsewhere_is_one_line(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing can listen on port 0 of" in refusal(capsys, Erlen("here"), host, 0)


def test_a_server_name_with_a_bad_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    app = Erlen("here")
    app.config["SERVER_NAME"] = "localhost:port"
    assert "SERVER_NAME is 'localhost:port'" in refusal(capsys, app)


def test_b334_a_privileged_port_needs_rights() -> None:
    reason = addresses.reason(PermissionError(errno.EACCES, "Permission denied"), "127.0.0.1", 80)
    assert reason.startswith("Port 80 of 127.0.0.1 needs administrator rights.")


@pytest.mark.parametrize("name", ["posix", "nt"])
def test_only_where_that_is_harmless_a_port_may_be_taken_again_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("os.name", name)
        listener = addresses.new_listener(None)
    with listener:
        may = bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR))
        assert may is (name == "posix")


def test_a_socket_without_an_address_is_not_bound() -> None:
    with addresses.new_listener(None) as listener:
        assert not addresses.is_bound(listener)
        addresses.bind(listener, "127.0.0.1", 0)
        assert addresses.is_bound(listener)
    assert not addresses.is_bound(listener)


@pytest.mark.parametrize("option", ["use_reloader", "workers", "uds"])
def test_an_option_that_cannot_work_is_an_error(option: str) -> None:
    with pytest.raises(TypeError, match=f"does not take '{option}'"):
        serving.run(Erlen("here"), None, None, **{option: "1"})


def test_options_go_to_uvicorn(folder: Path) -> None:
    code = "import hello; hello.app.run(port=0, http='httptools', headers=[('X-Test', 'yes')])"
    with launch("-c", code, cwd=folder) as server, server.get() as response:
        assert response.headers["X-Test"] == "yes"


async def test_run_in_a_running_loop_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="while an event loop is running"):
        Erlen("here").run()


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [{}, {"proxy_headers": True}], ids=["bare", "wrapped"])
def test_p5_the_application_is_told_of_a_signal_at_once(
    number: int, options: dict[str, Any]
) -> None:
    app = interrupted(Erlen("here"), number)
    told = []

    @app.before_serving
    async def look() -> None:
        told.append(app.shutting_down.is_set())

    app.run(port=0, **options)
    assert told == [True]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """An application of no framework."""
    while scope["type"] == "lifespan":
        phase = (await receive())["type"]
        await send({"type": f"{phase}.complete"})
        if phase == "lifespan.shutdown":
            return


def test_an_application_of_no_framework_is_served_and_ended() -> None:
    server = Server(uvicorn.Config(bare, port=0, lifespan="on", log_level="critical"), "")

    async def serve_and_stop() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve)
            while not server.started:  # noqa: ASYNC110  # uvicorn tells nobody
                await anyio.sleep(0.01)
            server.handle_exit(signal.SIGTERM, None)

    anyio.run(serve_and_stop)
    assert not server.lifespan.should_exit


def test_p5_what_is_cancelled_at_the_end_is_torn_down_first(folder: Path) -> None:
    (folder / "slow.py").write_text(SLOW)
    with launch("-c", "import slow", cwd=folder) as server:
        assert httpx.get(f"{server.url}/", timeout=LIMIT).status_code == 500
        server.process.wait(LIMIT)
        server.stop()
    assert server.output.index("torn down") < server.output.index("after serving")


SLOW = """
import os, signal, threading, anyio
from erlen import Erlen

app = Erlen("slow")
app.after_serving(lambda: print("after serving", flush=True))

@app.get("/")
async def view():
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.05)

@app.teardown_request
async def tear_down(error):
    print("torn down", flush=True)

app.run(port=0, timeout_graceful_shutdown=1)
"""


def test_a_signal_may_come_before_the_application_is_there() -> None:
    server = Server(uvicorn.Config("not:imported"), "")
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit


def test_only_another_interrupt_breaks_off_an_import() -> None:
    server = Server(uvicorn.Config(Erlen("here")), "")
    server.handle_exit(signal.SIGINT, None)
    server.handle_exit(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        server.handle_exit(signal.SIGINT, None)


def test_a_second_interrupt_ends_an_application_that_does_not_end() -> None:
    app = interrupted(Erlen("here"))

    @app.after_serving
    async def hang() -> None:
        signal.raise_signal(signal.SIGINT)
        await anyio.sleep_forever()

    logger = logging.getLogger("uvicorn.error")
    level = logger.level
    app.run(port=0)
    assert (app.shutting_down.is_set(), logger.level) == (True, logging.CRITICAL)
    logger.setLevel(level)


@pytest.mark.parametrize(
    "options", [{"timeout_graceful_shutdown": None}, {"ws": "none"}], ids=["no-limit", "no-ws"]
)
def test_it_ends_with_other_options_too(options: dict[str, Any]) -> None:
    app = interrupted(Erlen("here"))
    ends = []
    app.after_serving(lambda: ends.append(app.shutting_down.is_set()))
    app.run(port=0, **options)
    assert ends == [True]


@pytest.mark.parametrize(("in_haste", "seconds"), [(False, 30), (True, 1)])
def test_p6_the_grace_is_short_in_development(in_haste: bool, seconds: int) -> None:
    settings = start.uvicorn_settings(DEFAULTS, in_haste=in_haste)
    assert settings["timeout_graceful_shutdown"] == seconds


# --- under servers of others ----------------------------------------------------------------------


@pytest.mark.parametrize("parser", ["h11", "httptools"])
def test_the_application_is_served_by_bare_uvicorn(folder: Path, parser: str) -> None:
    with launch(
        "-m", "uvicorn", "hello:app", "--port", "0", "--http", parser, cwd=folder
    ) as server:
        assert httpx.get(server.url, timeout=LIMIT).text == "hello"
        with connect(f"ws://{server.host}:{server.port}/echo", open_timeout=LIMIT) as socket_:
            socket_.send(b"\0ping")
            assert socket_.recv(timeout=LIMIT) == b"\0ping"
        assert server.stop() == 0


def test_a_wsgi_call_names_asgi_and_the_commands() -> None:
    app: Any = Erlen("here")
    with pytest.raises(TypeError, match="ASGI application: serve it with 'erlen --app module:app"):
        app({}, lambda *args: None)


def test_a_wsgi_server_shows_the_message() -> None:
    app: Any = Erlen("here")
    environ: dict[str, str] = {}
    setup_testing_defaults(environ)
    output, errors = io.BytesIO(), io.StringIO()
    SimpleHandler(io.BytesIO(), output, errors, environ).run(app)
    assert b"500 Internal Server Error" in output.getvalue()
    assert "erlen is an ASGI application" in errors.getvalue()
