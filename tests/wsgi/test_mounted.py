"""A WSGI application served over ASGI."""

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any
from wsgiref.validate import validator

import anyio
import pytest

from erlen.wsgi import WSGIApp
from tests.exchange.wire import LEFT, Feed, part, parts, scope_of
from tests.wsgi.requests import Got, ask

OK = ("200 OK", [("Content-Type", "text/plain")])
Start = Callable[..., Callable[[bytes], object]]
Environ = dict[str, Any]


def giving(body: Iterable[Any]) -> Any:
    """Return an application that responds with *body*."""

    def application(_environ: Environ, start_response: Start) -> Iterable[Any]:
        start_response(*OK)
        return body

    return application


class Chunks:
    """An iterable that knows whether and where it was closed."""

    def __init__(self, *chunks: Any, at_close: Exception | None = None) -> None:
        self._chunks = iter(chunks)
        self._at_close = at_close
        self.threads: list[int] = []
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self.threads.append(threading.get_ident())
        chunk = next(self._chunks)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def close(self) -> None:
        self.threads.append(threading.get_ident())
        self.closed += 1
        if self._at_close:
            raise self._at_close


# --- responses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [list, tuple, iter])
@pytest.mark.parametrize("chunks", [(), (b"",), (b"one",), (b"one", b"", b"two")], ids=len)
async def test_b290_any_iterable_of_bytes_is_a_body(make: Any, chunks: tuple[bytes, ...]) -> None:
    got = await ask(giving(make(chunks)))
    assert (got.status, got.body, got.is_complete) == (200, b"".join(chunks), True)


async def test_a_body_that_is_known_has_a_length() -> None:
    assert (await ask(giving([b"12345"]))).headers[b"content-length"] == b"5"


async def test_a_length_of_the_applications_own_stays() -> None:
    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "3")])
        return [b"abc"]

    got = await ask(application)
    assert [pair for pair in got.sent[0]["headers"] if pair[0] == b"content-length"] == [
        (b"content-length", b"3")
    ]


@pytest.mark.parametrize("scope", [{"method": "HEAD"}, {}], ids=["HEAD", "304"])
async def test_a_response_without_a_body_has_none(scope: Any) -> None:
    def application(environ: Environ, start_response: Start) -> Chunks:
        start_response("200 OK" if environ["REQUEST_METHOD"] == "HEAD" else "304 Not Modified", [])
        return chunks

    chunks = Chunks(b"one", b"two")
    got = await ask(application, **scope)
    assert (got.body, got.is_complete, chunks.closed) == (b"", True, 1)


async def test_b283_what_is_written_comes_before_what_is_returned() -> None:
    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        write = start_response(*OK)
        write(b"first ")
        write(b"")
        write(b"second ")
        return [b"third"]

    got = await ask(application)
    assert (got.body, got.is_complete) == (b"first second third", True)


async def test_b288_the_response_may_start_with_the_first_chunk() -> None:
    def application(_environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response(*OK)
        yield b"late"

    assert (await ask(application)).body == b"late"


async def test_b290_a_file_is_sent_block_by_block_and_closed() -> None:
    file = io.BytesIO(bytes(200_000))

    def application(environ: Environ, start_response: Start) -> Any:
        start_response(*OK)
        return environ["wsgi.file_wrapper"](file)

    got = await ask(application)
    assert (len(got.body), len(got.sent), file.closed) == (200_000, 6, True)


async def test_b290_a_file_wrapper_takes_what_cannot_be_closed() -> None:
    class Readable:
        def read(self, _size: int) -> bytes:
            return next(blocks)

    blocks = iter([b"abc", b""])

    def application(environ: Environ, start_response: Start) -> Any:
        start_response(*OK)
        return environ["wsgi.file_wrapper"](Readable(), 3)

    assert (await ask(application)).body == b"abc"


# --- start_response -------------------------------------------------------------------------------


async def test_b285_a_second_start_is_an_error_of_the_application() -> None:
    seen: list[BaseException] = []

    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response(*OK)
        try:
            start_response(*OK)
        except AssertionError as error:
            seen.append(error)
        return [b"fine"]

    assert (await ask(application)).body == b"fine"
    assert len(seen) == 1


async def test_b286_an_error_replaces_what_was_not_sent() -> None:
    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response(*OK)
        error = LookupError()
        start_response("503 Busy", [], (LookupError, error, None))
        return [b"busy"]

    got = await ask(application)
    assert (got.status, got.body) == (503, b"busy")


async def test_b287_after_the_start_the_error_comes_back() -> None:
    def application(_environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response(*OK)
        yield b"begun"
        failure = LookupError("original")
        start_response("500 Oops", [], (LookupError, failure, None))
        yield b"never"

    got = Got()
    with pytest.raises(LookupError, match="original"):
        await ask(application, got=got)
    assert (got.body, got.is_complete) == (b"begun", False)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200OK", []), ("abc", []), ("99 x", []), ("600 x", []), ("", []), (200, []),
        ("200 a\nb", []), ("200 OK", [("X", "a\r\nb: c")]), ("200 OK", [("a b", "c")]),
        ("200 OK", [("Connection", "close")]), ("200 OK", [(b"X", b"y")]),
        ("200 OK", [("X", 1)]), ("200 OK", [("X",)]),
    ],
    ids=str,
)  # fmt: skip
async def test_b289_what_http_does_not_allow_is_500(status: Any, headers: Any, caplog: Any) -> None:
    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response(status, headers)
        return [b"never"]

    got = await ask(application)
    assert (got.status, got.body) == (500, b"Internal Server Error\n")
    assert len(caplog.records) == 1


@pytest.mark.parametrize("status", ["200", "200 ", "404 Not Found", "200 caf\xe9"])
async def test_b289_a_status_may_have_a_phrase(status: str) -> None:
    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response(status, [("X", "caf\xe9")])
        return [b""]

    got = await ask(application)
    assert (got.status, got.headers[b"x"]) == (int(status[:3]), b"caf\xe9")


@pytest.mark.parametrize("make", [list, iter])
async def test_b290_a_body_of_text_is_500(make: Any, caplog: Any) -> None:
    assert (await ask(giving(make(["text"])))).status == 500
    assert "Give bytes" in caplog.text


async def test_b290_text_after_bytes_breaks_the_response() -> None:
    got = Got()
    with pytest.raises(TypeError, match="Give bytes"):
        await ask(giving([b"ok", None]), got=got)
    assert (got.body, got.is_complete) == (b"ok", False)


@pytest.mark.parametrize("make", [list, iter])
@pytest.mark.parametrize("chunks", [(), (b"x",)], ids=len)
async def test_b288_a_body_without_a_start_is_500(make: Any, chunks: Any, caplog: Any) -> None:
    assert (await ask(lambda _environ, _start: make(chunks))).status == 500
    assert "start_response" in caplog.text


# --- errors and ends ------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [LookupError, SystemExit, GeneratorExit, StopIteration])
async def test_b295_an_error_before_the_start_is_500(error: Any, caplog: Any) -> None:
    def application(_environ: Environ, _start: Start) -> list[bytes]:
        raise error("oops")

    got = await ask(application)
    assert (got.status, got.is_complete, len(caplog.records)) == (500, True, 1)


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit])
async def test_b295_an_exit_in_the_middle_breaks_the_response_only(error: Any) -> None:
    """It would end the server, were it to leave as it is."""

    def application(_environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response(*OK)
        yield b"begun"
        raise error

    got = Got()
    with pytest.raises(RuntimeError, match=f"ended with {error.__name__}"):
        await ask(application, got=got)
    assert (got.body, got.is_complete) == (b"begun", False)


async def test_b295_an_interrupt_is_not_held_up() -> None:
    def application(_environ: Environ, _start: Start) -> list[bytes]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await ask(application)


async def test_b284_an_error_in_the_middle_breaks_the_response_and_closes() -> None:
    chunks, got = Chunks(b"one", LookupError("oops"), b"two"), Got()
    with pytest.raises(LookupError, match="oops"):
        await ask(giving(chunks), got=got)
    assert (got.body, got.is_complete, chunks.closed) == (b"one", False, 1)


async def test_b284_an_error_before_the_first_chunk_closes() -> None:
    chunks = Chunks(LookupError("oops"))
    assert (await ask(giving(chunks))).status == 500
    assert chunks.closed == 1


async def test_b284_an_error_of_close_is_told() -> None:
    chunks, got = Chunks(b"one", at_close=LookupError("at close")), Got()
    with pytest.raises(LookupError, match="at close"):
        await ask(giving(chunks), got=got)
    assert chunks.closed == 1


async def test_b284_all_of_it_is_in_one_thread() -> None:
    chunks = Chunks(b"one", b"two")
    await ask(giving(chunks))
    assert len(chunks.threads) == 4
    assert len({*chunks.threads, threading.get_ident()}) == 2


async def test_b284_a_client_that_leaves_ends_the_iteration() -> None:
    def forever() -> Iterator[bytes]:
        try:
            while True:
                yield b"more"
        finally:
            ended.append(True)

    ended: list[bool] = []
    got = await ask(giving(forever()), leaves_after=5)
    assert (len(got.sent), ended) == (5, [True])


async def test_b290_a_server_that_only_says_that_the_client_left_is_heard() -> None:
    def forever() -> Iterator[bytes]:
        while True:
            yield b"more"

    got = await ask(giving(forever()), after=LEFT)
    assert not got.is_complete


async def test_b284_a_cancelled_request_closes() -> None:
    chunks = Chunks(*[b"more"] * 10_000)
    with anyio.CancelScope() as scope:

        async def send(_message: Any) -> None:
            scope.cancel()
            await anyio.lowlevel.checkpoint()

        app = WSGIApp(giving(chunks))
        await app(scope_of(), Feed(parts(b"")), send)
    app.close()
    assert chunks.closed == 1


# --- requests -------------------------------------------------------------------------------------


def read_all(environ: Environ, start_response: Start) -> list[bytes]:
    start_response(*OK)
    return [environ["wsgi.input"].read()]


async def test_a_body_is_read() -> None:
    assert (await ask(read_all, b"one ", b"two", method="POST")).body == b"one two"


async def test_b280_a_client_that_leaves_in_the_middle_is_answered_by_nobody(caplog: Any) -> None:
    got = await ask(read_all, b"one ", ended=LEFT, method="POST")
    assert (got.sent, caplog.records) == ([], [])


async def test_b282_a_body_over_the_limit_is_413_before_the_application() -> None:
    headers = [(b"content-length", b"100")]
    got = await ask(
        read_all, bytes(100), method="POST", headers=headers, options={"max_content_length": 99}
    )
    assert (got.status, got.body) == (413, b"Content Too Large\n")


@pytest.mark.parametrize(
    ("options", "length", "ended", "status"),
    [
        ({"max_content_length": 99}, None, None, 413),
        ({"body_timeout": 0.01}, None, part(b"x", more=True), 408),
        ({}, b"9", None, 400),
    ],
    ids=["too long", "too slow", "not what was declared"],
)
async def test_b282_what_is_wrong_with_a_body_is_answered(
    options: Any, length: bytes | None, ended: Any, status: int, caplog: Any
) -> None:
    got = await ask(
        read_all, b"x" * 60, b"x" * 60, method="POST", options=options, ended=ended,
        headers=[(b"content-length", length)] if length else [],
    )  # fmt: skip
    assert (got.status, got.is_complete, caplog.records) == (status, True, [])


async def test_a_length_of_thousands_of_digits_harms_nobody() -> None:
    headers = [(b"content-length", b"9" * 5000)]
    assert (await ask(read_all, b"abc", method="POST", headers=headers)).body == b"abc"


async def test_a_malformed_length_is_the_servers_to_refuse() -> None:
    headers = [(b"content-length", b"x")]
    assert (await ask(read_all, b"abc", method="POST", headers=headers)).body == b"abc"


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("root", ["", "/old"])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-length", b"5"), (b"content-type", b"text/plain")],
        [(b"transfer-encoding", b"chunked")],
        [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-long", b"x" * 1000)],
        [(b"accept", b"*/*"), (b"host", b"[::1]:80")],
    ],
    ids=range(5),
)
async def test_b279_the_validator_finds_nothing(method: str, root: str, headers: Any) -> None:
    def application(environ: Environ, start_response: Start) -> list[bytes]:
        environ["wsgi.input"].read(5)
        environ["wsgi.errors"].flush()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else b"fine"]

    got = await ask(
        validator(application), b"12345", method=method, headers=headers, root_path=root,
        path=f"{root}/x",
    )  # fmt: skip
    assert (got.status, got.is_complete) == (200, True)


name: ContextVar[str] = ContextVar("name")


async def test_b296_the_application_has_the_variables_and_keeps_its_own() -> None:
    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        start_response(*OK)
        seen = name.get()
        name.set("inside")
        return [seen.encode(), name.get().encode()]

    name.set("outside")
    assert (await ask(application)).body == b"outsideinside"
    assert name.get() == "outside"


async def test_b296_what_the_application_has_set_outlasts_its_reads_and_writes() -> None:
    """Django keeps the prefix of its links in such a variable."""

    def application(environ: Environ, start_response: Start) -> Iterator[bytes]:
        name.set("inside")
        environ["wsgi.input"].read()
        start_response(*OK)
        yield name.get().encode()
        yield name.get().encode()

    name.set("outside")
    assert (await ask(application, b"body", method="POST")).body == b"insideinside"
    assert name.get() == "outside"


async def test_b291_at_most_so_many_are_in_their_code_at_once() -> None:
    def application(_environ: Environ, start_response: Start) -> list[bytes]:
        inside.append(1)
        most.append(len(inside))
        turn.wait(0.005)
        inside.pop()
        start_response(*OK)
        return [b"ok"]

    inside: list[int] = []
    most: list[int] = []
    turn = threading.Event()
    app = WSGIApp(application, threads=3)

    async def send(_message: Any) -> None: ...

    async with anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(app, scope_of(), Feed(parts(b"")), send)
    app.close()
    assert (len(most), max(most) <= 3) == (30, True)


# --- other scopes ---------------------------------------------------------------------------------


async def test_wg_3_a_websocket_is_refused() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = scope_of(type="websocket")
    await WSGIApp(read_all)(scope, Feed([{"type": "websocket.connect"}]), send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_wg_3_a_lifespan_is_answered() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    feed = Feed([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    await WSGIApp(read_all)({"type": "lifespan"}, feed, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
