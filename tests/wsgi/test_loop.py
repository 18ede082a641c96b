"""The event loop of a process whose server has none: how it begins, breaks down and ends."""

import gc
import logging
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from erlen import Erlen
from erlen.wsgi import WSGIAdapter, loop
from erlen.wsgi.loop import LoopThread
from erlen.wsgi.served import _Exchange
from tests.wsgi.serving import Got, Log, environ


async def answer(send: Any, body: bytes = b"fine") -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


# --- it begins ------------------------------------------------------------------------------------


def test_an_unknown_backend_is_an_error_and_no_wait() -> None:
    adapter = WSGIAdapter(Erlen("app"), backend="nothing")
    with pytest.raises(LookupError, match="nothing"):
        Got(adapter, environ())


def test_a_startup_that_exits_is_told(backend: str) -> None:
    app = Erlen("exits")

    @app.before_serving
    async def up() -> None:
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match=r"could not start: it ended with SystemExit\(3\)"):
        Got(WSGIAdapter(app, backend=backend), environ())


def test_an_application_without_a_lifespan_is_served(backend: str) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await answer(send)

    adapter = WSGIAdapter(app, backend=backend)
    assert Got(adapter, environ()).read() == b"fine"
    adapter.close()


def test_an_adapter_that_nobody_has_any_more_is_freed() -> None:
    adapter = WSGIAdapter(Erlen("app"))
    Got(adapter, environ()).read()
    adapter.close()
    freed = weakref.ref(adapter._loops)
    del adapter
    gc.collect()
    assert freed() is None
    loop._forget(freed)  # what a fork would call


# --- it breaks down -------------------------------------------------------------------------------


def test_after_the_loop_broke_down_the_next_request_begins_another(caplog: Any) -> None:
    app = Erlen("interrupted")
    app.add_url_rule("/", "index", lambda: "fine")

    @app.get("/interrupt")
    async def interrupt() -> None:
        raise KeyboardInterrupt

    adapter = WSGIAdapter(app)
    assert Got(adapter, environ(path="/interrupt")).status.startswith("500")
    for thread in threading.enumerate():
        if thread.name == "erlen-wsgi":
            thread.join(5)
    assert Got(adapter, environ()).read() == b"fine"
    assert "broke down" in caplog.text
    adapter.close()


@pytest.mark.parametrize("comes", ["before", "after"])
def test_who_does_not_end_with_the_loop_is_let_go(
    backend: str, comes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are seen by accident only: a call may be lost with the loop that was to make it."""
    monkeypatch.setattr(loop, "EXCHANGE_SECONDS", 0.01)
    thread, got = LoopThread(Erlen("app"), backend), Log()
    exchange = _Exchange(Erlen("app"), environ(), thread)
    monkeypatch.setattr(exchange, "begin", lambda: None)
    if comes == "before":
        threading.Timer(0.1, thread.stop).start()
    else:
        thread.stop()
    start: Any = lambda status, _headers: got.append(status)  # noqa: E731  # three arguments, of which one counts
    exchange.respond(start)
    assert got == ["500 Internal Server Error"]
    thread.stop()


def test_nothing_is_kept_where_no_process_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork")
    adapter = WSGIAdapter(Erlen("app"))
    adapter._loops.forget()
    assert Got(adapter, environ()).status.startswith("404")
    adapter.close()


# --- it ends --------------------------------------------------------------------------------------


@pytest.fixture
def app(log: Log) -> Erlen:
    app = Erlen("ends")
    app.after_serving(lambda: log.append("down"))
    app.teardown_request(lambda _error: log.append("teardown"))

    @app.get("/slow")
    async def slow() -> str:
        log.append("begun")
        await app.shutting_down.wait()
        return "in time"

    @app.get("/never")
    async def never() -> AsyncIterator[str]:
        try:
            yield "begun"
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.2)
            yield "second"
            yield "third"
        finally:
            log.append("closed")

    return app


def test_requests_end_before_the_application_does(app: Erlen, backend: str, log: Log) -> None:
    adapter = WSGIAdapter(app, backend=backend)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(lambda: Got(adapter, environ(path="/slow")).read())
        assert log.wait("begun")
        adapter.close()
        assert answered.result() == b"in time"
    assert log == ["begun", "teardown", "down"]


def test_a_request_that_comes_meanwhile_is_served_by_the_next_loop(backend: str, log: Log) -> None:
    app = Erlen("app")
    app.add_url_rule("/", "index", lambda: "fine")
    may_end = threading.Event()

    @app.after_serving
    def down() -> None:
        log.append("ending")
        assert may_end.wait(5)

    adapter = WSGIAdapter(app, backend=backend)
    Got(adapter, environ()).read()
    with ThreadPoolExecutor(2) as pool:
        closed = pool.submit(adapter.close)
        assert log.wait("ending")
        answered = pool.submit(lambda: Got(adapter, environ()).read())
        with pytest.raises(TimeoutError):
            answered.result(0.1)
        may_end.set()
        assert answered.result(5) == b"fine"
        closed.result(5)
    adapter.close()


def test_def_functions_of_the_end_run_in_the_thread_that_ends_it(backend: str) -> None:
    """When a process of Python 3.12 ends, no thread can be started for them any more."""
    app, threads = Erlen("ends"), []
    app.after_serving(lambda: threads.append(threading.current_thread()))
    adapter = WSGIAdapter(app, backend=backend)
    Got(adapter, environ()).read()
    adapter.close()
    assert threads == [threading.current_thread()]


def test_what_comes_after_the_end_of_the_process_begins_nothing(
    app: Erlen, backend: str, log: Log
) -> None:
    adapter = WSGIAdapter(app, backend=backend)
    assert Got(adapter, environ()).status.startswith("404")
    adapter._loops._exit()
    assert log == ["teardown", "down"]
    with pytest.raises(RuntimeError, match="while the process was ending"):
        Got(adapter, environ())


def test_an_application_that_does_not_end_does_not_keep_the_process(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await anyio.to_thread.run_sync(ended.wait)

    monkeypatch.setattr(loop, "LAST_SECONDS", 0.2)
    ended = threading.Event()
    thread = LoopThread(app, backend)
    thread.stop()
    assert not thread.has_ended
    ended.set()
    thread._thread.join(10)


def test_a_response_that_nobody_pulls_does_not_keep_the_process(
    app: Erlen, backend: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "EXCHANGE_SECONDS", 0.5)
    adapter = WSGIAdapter(app, backend=backend)
    got = Got(adapter, environ(path="/never"))
    adapter.close()
    assert log == ["closed", "teardown", "down"]
    assert next(got.body) == b"begun"
    with pytest.raises(RuntimeError, match="without completing"):
        next(got.body)


def test_what_outlives_the_loop_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "EXCHANGE_SECONDS", 0.01)
    seen = threading.Event()

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        if scope["type"] == "http":
            seen.set()
            await anyio.sleep_forever()

    adapter = WSGIAdapter(app)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: Got(adapter, environ()))
        assert seen.wait(10)
        adapter.close()
        assert waiting.result().status.startswith("500")


@pytest.mark.parametrize("tells", [True, False])
def test_an_end_that_fails_is_logged_once(backend: str, tells: bool, caplog: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            if tells:
                await send({"type": "lifespan.shutdown.failed", "message": "no peace"})
            raise LookupError("no peace")
        await answer(send)

    adapter = WSGIAdapter(app, backend=backend)
    assert Got(adapter, environ()).read() == b"fine"
    adapter.close()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "no peace" in caplog.text


def test_b306_a_cgi_process_serves_one_request_and_ends_in_order() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CGI], check=False, capture_output=True, timeout=30,
        input=b"four", env={"REQUEST_METHOD": "POST", "SERVER_NAME": "a", "SERVER_PORT": "80",
                            "CONTENT_LENGTH": "4", "PATH_INFO": "/", "SCRIPT_NAME": "/cgi",
                            "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "a"},
    )  # fmt: skip
    head, _, rest = ended.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"Status: 200 OK\r\n"), ended.stderr
    assert rest == b'{"got":"four","root":"/cgi"}down\n'


CGI = """
from wsgiref.handlers import CGIHandler
from erlen import Erlen, request

app = Erlen("cgi")
app.after_serving(lambda: print("down", flush=True))

@app.post("/")
async def index():
    return {"got": (await request.get_data()).decode(), "root": request.root_path}

class Handler(CGIHandler):
    wsgi_multithread = wsgi_multiprocess = False

assert Handler.wsgi_run_once
Handler().run(app.wsgi)
"""
