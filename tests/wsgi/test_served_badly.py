"""An application served by a WSGI server that does not keep to the rules, or itself does not."""

import io
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from erlen import Erlen, request
from erlen.wsgi import WSGIAdapter
from tests.wsgi.serving import Got, Log, comes, environ

START = {"type": "http.response.start", "status": 200, "headers": []}


@pytest.fixture
def served(log: Log, backend: str) -> Iterator[WSGIAdapter]:
    app = Erlen("served")
    app.teardown_request(lambda error: log.append(f"end {type(error).__name__}"))

    @app.get("/stream")
    async def stream() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"more"
        finally:
            log.append("closed")

    @app.post("/size")
    async def size() -> str:
        return str(len(await request.get_data()))

    adapter = WSGIAdapter(app, backend=backend)
    yield adapter
    adapter.close()


@pytest.fixture
def serve(backend: str) -> Iterator[Any]:
    """Return a function that serves an ASGI application without a lifespan."""
    adapters = []

    def serving(app: Any) -> WSGIAdapter:
        async def without_lifespan(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await app(scope, receive, send)

        adapters.append(WSGIAdapter(without_lifespan, backend=backend))
        return adapters[-1]

    yield serving
    for adapter in adapters:
        adapter.close()


# --- the server -----------------------------------------------------------------------------------


def test_b300_a_response_that_is_never_closed_ends_when_it_is_dropped(
    served: WSGIAdapter, log: Log
) -> None:
    got = Got(served, environ(path="/stream"))
    assert next(got.body) == b"more"
    del got
    assert log.wait("end ClientDisconnected")
    assert log == ["closed", "end ClientDisconnected"]


def test_b300_a_server_that_refuses_the_start_ends_the_view(served: WSGIAdapter, log: Log) -> None:
    def refuse(_status: str, _headers: Any) -> Any:
        raise ValueError("not these headers")

    with pytest.raises(ValueError, match="not these headers"):
        served(environ(path="/stream"), refuse)
    assert log.wait("end ClientDisconnected")


def test_b297_a_body_that_cannot_be_read_ends_the_view(served: WSGIAdapter, log: Log) -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError("reset by peer")

    sent = environ("POST", "/size", bytes(10), **{"wsgi.input": Broken()})
    with pytest.raises(OSError, match="reset by peer"):
        served(sent, lambda *_: print)
    assert log.wait("end ClientDisconnected")


def test_b297_a_body_of_chunks_whose_end_is_not_told_is_411(served: WSGIAdapter) -> None:
    sent = environ("POST", "/size", CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    got = Got(served, sent)
    assert (got.status, b"Content-Length" in got.read()) == ("411 Length Required", True)


def test_b297_a_length_of_thousands_of_digits_is_400(served: WSGIAdapter) -> None:
    sent = environ("POST", "/size", CONTENT_LENGTH="9" * 5000)
    assert Got(served, sent).status.startswith("400")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/stream", 200), ("", 404), ("*", 404), ("/stre\0am", 400), ("/stream\xff", 400),
        ("/stre\ram", 400), ("/nowhere", 404), ("/%73tream", 404), ("//stream", 308),
    ],
)  # fmt: skip
def test_b298_a_path_is_judged_as_anywhere(served: WSGIAdapter, path: str, status: int) -> None:
    assert Got(served, environ(path=path)).status.startswith(str(status))


def test_b306_a_server_without_threads_is_served(served: WSGIAdapter) -> None:
    sent = environ("POST", "/size", b"12345", **{"wsgi.multithread": False, "wsgi.run_once": True})
    assert Got(served, sent).read() == b"5"


# --- the application ------------------------------------------------------------------------------


def test_what_a_reader_gave_up_is_given_to_the_next(serve: Any) -> None:
    """A receive that is cancelled has asked for bytes, which then come."""
    asked, may_read = threading.Event(), threading.Event()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            asked.set()
            assert may_read.wait(10)
            return super().read(size)

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        with anyio.move_on_after(0.05):
            await receive()
        assert asked.is_set()
        may_read.set()
        message = await receive()
        await send(START)
        await send({"type": "http.response.body", "body": message["body"]})

    sent = environ("POST", "/", b"whole", **{"wsgi.input": Slow(b"whole")})
    assert Got(serve(app), sent).read() == b"whole"


def test_b304_a_message_that_wsgi_does_not_have_is_an_error(serve: Any, caplog: Any) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.push", "path": "/style.css", "headers": []})

    assert Got(serve(app), environ()).status.startswith("500")
    assert "'http.response.push', which WSGI does not have" in caplog.text


def test_fields_of_the_connection_are_left_to_the_server(serve: Any) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"Connection", b"close"), (b"transfer-encoding", b"chunked"), (b"x-a", b"1")]
        await send({**START, "headers": headers})
        await send({"type": "http.response.body"})

    assert Got(serve(app), environ()).headers == [("x-a", "1")]


def test_b305_after_an_error_the_response_has_ended(serve: Any) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise LookupError("in the middle")

    body = Got(serve(app), environ()).body
    assert next(body) == b"begun"
    with pytest.raises(LookupError):
        next(body)
    assert list(body) == []


@pytest.mark.parametrize("leaves", [True, False])
def test_b305_an_error_that_nobody_waits_for_is_logged(
    serve: Any, log: Log, caplog: Any, leaves: bool
) -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        await send({"type": "http.response.body", "body": b"begun", "more_body": leaves})
        assert (await receive())["type"] == "http.disconnect"
        try:
            raise LookupError("at the end")
        finally:
            log.append("raised")

    got = Got(serve(app), environ())
    assert next(got.body) == b"begun"
    got.body.close()
    assert log.wait("raised")
    got.body.close()
    assert comes(lambda: "LookupError: at the end" in caplog.text)


def test_b300_sending_on_is_an_error_of_the_system(serve: Any, log: Log, caplog: Any) -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        try:
            await send({"type": "http.response.body", "body": b"more", "more_body": True})
        finally:
            log.append("raised")

    got = Got(serve(app), environ())
    got.body.close()
    assert log.wait("raised")
    assert caplog.records == []
