"""An application served by a WSGI server."""

import io
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any
from wsgiref.validate import validator

import anyio
import pytest

from erlen import Erlen, request
from erlen.wsgi import WSGIAdapter
from tests.wsgi.serving import Got, Log, environ

NO_INPUT: dict[str, Any] = {"wsgi.input": None}
name: ContextVar[str] = ContextVar("name", default="nobody")


@pytest.fixture
def app(log: Log) -> Erlen:
    app = Erlen("served")
    app.before_serving(lambda: log.append("up"))
    app.after_serving(lambda: log.append("down"))
    app.teardown_request(lambda _error: log.append(f"end {request.path}"))

    @app.get("/hello/<who>")
    async def hello(who: str) -> str:
        return f"{who} {request.url} {name.get()}"

    @app.post("/size")
    async def size() -> dict[str, int]:
        return {"size": len(await request.get_data())}

    @app.get("/later")
    async def later() -> str:
        app.add_background_task(log.append, "worked")
        return "taken"

    @app.get("/fails")
    async def fails() -> str:
        raise LookupError("at once")

    app.add_url_rule("/ignored", "ignored", lambda: "ok", methods=["POST"])
    app.add_url_rule("/thread", "thread", lambda: threading.current_thread().name)
    for stream in (forever, waits, breaks):
        app.add_url_rule(f"/{stream.__name__}", stream.__name__, partial(stream, log))
    return app


async def forever(log: Log) -> AsyncIterator[str]:
    try:
        for number in range(10_000):
            log.append(f"chunk {number}")
            yield "x" * 1000
    finally:
        log.append("closed")


async def waits(log: Log) -> AsyncIterator[str]:
    yield "begun"
    try:
        await anyio.sleep_forever()
    finally:
        log.append("closed")


async def breaks(_log: Log) -> AsyncIterator[str]:
    yield "begun"
    raise LookupError("in the middle")


@pytest.fixture
def served(app: Erlen, backend: str) -> Iterator[WSGIAdapter]:
    adapter = WSGIAdapter(app, backend=backend)
    yield adapter
    adapter.close()


def test_wg_4_a_request_is_answered(served: WSGIAdapter) -> None:
    got = Got(served, environ(path="/hello/ann"))
    assert (got.status, got.read()) == ("200 OK", b"ann http://127.0.0.1/hello/ann nobody")


@pytest.mark.filterwarnings("ignore::wsgiref.validate.WSGIWarning")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/hello/ann", b""), ("HEAD", "/hello/ann", b""), ("POST", "/size", b"x" * 200_000),
        ("GET", "/nowhere", b""), ("OPTIONS", "/size", b""), ("GET", "/thread", b""),
    ],
    ids=str,
)  # fmt: skip
def test_the_validator_finds_nothing(
    served: WSGIAdapter, method: str, path: str, body: bytes
) -> None:
    Got(validator(served), environ(method, path, body)).read()


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 200_001])
def test_b297_a_body_is_read_to_its_end_and_no_further(served: WSGIAdapter, size: int) -> None:
    sent = environ("POST", "/size", bytes(size), **{"wsgi.input": io.BytesIO(bytes(size + 9))})
    assert Got(served, sent).read() == b'{"size":%d}' % size
    assert len(sent["wsgi.input"].read()) == 9


def test_b297_a_body_without_a_length_ends_with_its_file(served: WSGIAdapter) -> None:
    sent = environ("POST", "/size", bytes(70_000), CONTENT_LENGTH="")
    sent["wsgi.input_terminated"] = True
    assert Got(served, sent).read() == b'{"size":70000}'


def test_b297_without_length_and_end_there_is_no_body(served: WSGIAdapter) -> None:
    sent = environ("POST", "/size", b"", CONTENT_LENGTH="", **NO_INPUT)
    assert Got(served, sent).read() == b'{"size":0}'


@pytest.mark.parametrize("length", ["-1", "+5", "1_0", "abc", "٣"])
def test_b297_junk_for_a_length_is_400(served: WSGIAdapter, length: str) -> None:
    sent = environ("POST", "/size", **NO_INPUT)
    sent["CONTENT_LENGTH"] = length.encode().decode("latin-1")
    assert Got(served, sent).status.startswith("400")


def test_b297_a_body_that_breaks_off_is_never_whole(served: WSGIAdapter, log: Log) -> None:
    got = Got(served, environ("POST", "/size", b"short", CONTENT_LENGTH="1000"))
    assert (got.status[:3], log.wait("end /size")) == ("500", True)


def test_a_body_that_nobody_wants_is_not_read(served: WSGIAdapter) -> None:
    sent = environ("POST", "/ignored", bytes(10))
    assert Got(served, sent).read() == b"ok"
    assert len(sent["wsgi.input"].read()) == 10


def test_the_callers_variables_are_seen(served: WSGIAdapter) -> None:
    def ask() -> bytes:
        name.set("somebody")
        return Got(served, environ(path="/hello/ann")).read()

    assert copy_context().run(ask).endswith(b"somebody")


def test_a_def_view_has_a_thread_of_its_own(served: WSGIAdapter) -> None:
    assert Got(served, environ(path="/thread")).read() == b"erlen-worker"


def test_b303_the_server_pulls_the_stream(served: WSGIAdapter, log: Log) -> None:
    got = Got(served, environ(path="/forever"))
    assert (next(got.body), next(got.body)) == (b"x" * 1000,) * 2
    assert log.wait("chunk 1")
    assert "chunk 3" not in log
    got.body.close()
    assert log.wait("closed")


@pytest.mark.parametrize("path", ["/forever", "/waits"])
def test_b300_a_response_that_is_closed_early_ends_once(
    served: WSGIAdapter, log: Log, path: str
) -> None:
    got = Got(served, environ(path=path))
    next(got.body)
    got.body.close()
    got.body.close()
    assert log.wait(f"end {path}")
    assert (log.count("closed"), log.count(f"end {path}")) == (1, 1)


def test_b305_an_error_before_the_first_chunk_is_500(served: WSGIAdapter) -> None:
    got = Got(served, environ(path="/fails"))
    assert (got.status, b"Internal Server Error" in got.read()) == (
        "500 Internal Server Error",
        True,
    )


def test_b305_an_error_in_the_middle_is_the_servers(served: WSGIAdapter) -> None:
    got = Got(served, environ(path="/breaks"))
    with pytest.raises(LookupError, match="in the middle"):
        got.read()


def test_b305_an_application_that_raises_is_500(backend: str, caplog: Any) -> None:
    app = Erlen("raises")
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.add_url_rule("/", "index", lambda: 1 / 0)
    adapter = WSGIAdapter(app, backend=backend)
    got = Got(adapter, environ())
    assert (got.status, got.read()) == ("500 Internal Server Error", b"Internal Server Error\n")
    assert "ZeroDivisionError" in caplog.text
    adapter.close()


@pytest.mark.parametrize("sends_start", [False, True])
def test_an_application_that_sends_nothing_hangs_nobody(backend: str, sends_start: bool) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise ValueError
        if sends_start:
            await send({"type": "http.response.start", "status": 200, "headers": []})

    adapter = WSGIAdapter(app, backend=backend)
    if sends_start:
        with pytest.raises(RuntimeError, match="without completing"):
            Got(adapter, environ())
    else:
        assert Got(adapter, environ()).status.startswith("500")
    adapter.close()


def test_b304_a_websocket_is_501(served: WSGIAdapter) -> None:
    got = Got(served, environ(HTTP_UPGRADE="WebSocket"))
    assert (got.status[:3], b"WebSockets" in b"".join(got.body)) == ("501", True)


# --- the loop -------------------------------------------------------------------------------------


def test_b301_a_hundred_threads_share_one_loop(served: WSGIAdapter, log: Log) -> None:
    def ask(_: int) -> bytes:
        return Got(served, environ(path="/hello/ann")).read()

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(300)))
    assert len(set(answers)) == 1
    assert log.count("up") == 1


def test_b301_the_lifespan_ends_with_the_adapter(served: WSGIAdapter, log: Log) -> None:
    Got(served, environ(path="/hello/ann")).read()
    served.close()
    assert (log[0], log[-1]) == ("up", "down")
    assert all(thread.name != "erlen-wsgi" for thread in threading.enumerate())


def test_it_begins_anew_after_its_end(served: WSGIAdapter, log: Log) -> None:
    for _ in range(2):
        Got(served, environ(path="/hello/ann")).read()
        served.close()
    assert (log.count("up"), log.count("down")) == (2, 2)


def test_closing_what_never_began_does_nothing(app: Erlen) -> None:
    WSGIAdapter(app).close()


def test_background_work_goes_on(served: WSGIAdapter, log: Log) -> None:
    assert Got(served, environ(path="/later")).read() == b"taken"
    assert log.wait("worked")


def test_a_startup_that_fails_is_told_and_tried_again(backend: str) -> None:
    app, attempts = Erlen("fails"), []

    @app.before_serving
    async def up() -> None:
        attempts.append(1)
        if len(attempts) < 2:
            raise LookupError("no database yet")

    app.add_url_rule("/", "index", lambda: "fine")
    adapter = WSGIAdapter(app, backend=backend)
    with pytest.raises(LookupError, match="no database yet"):
        adapter(environ(), lambda *_: print)
    assert Got(adapter, environ()).read() == b"fine"
    adapter.close()


def test_an_application_that_only_reports_its_failure_is_told(backend: str) -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match="no database"):
        WSGIAdapter(app, backend=backend)(environ(), lambda *_: print)


def run(program: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, timeout=30
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform does not fork")
def test_b302_a_forked_process_makes_its_own_loop() -> None:
    ended = run(FORKS)
    assert ended.stdout.decode().splitlines() == [
        "up", "parent fine", "up", "child fine", "down", "down",
    ], ended.stderr  # fmt: skip


def test_the_end_of_the_process_ends_the_application() -> None:
    program = f"{PREAMBLE}\napp.after_serving(lambda: print('def down'))\nprint(ask())"
    ended = run(program)
    lines = ended.stdout.decode().splitlines()
    assert lines == ["up", "fine", "def down", "down"], ended.stderr


PREAMBLE = """
import io, os, sys
from erlen import Erlen
from erlen.wsgi import WSGIAdapter
from tests.wsgi.serving import Got, Log, environ

app = Erlen("forked")
sys.stdout.reconfigure(line_buffering=True)

@app.lifespan
async def around(app):
    print("up")
    yield
    print("down")

@app.get("/")
async def index():
    return "fine"

adapter = WSGIAdapter(app)

def ask():
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": "a", "SERVER_NAME": "a"}
    return b"".join(adapter(environ, lambda *_: None)).decode()
"""
FORKS = f"""{PREAMBLE}
print("parent", ask())
child = os.fork()
if child == 0:
    print("child", ask())
    sys.exit()
os.waitpid(child, 0)
"""
