"""Responses that a view sends itself: pains 10."""

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint

from erlen import (
    Erlen,
    Response,
    abort,
    after_this_request,
    g,
    request,
    request_finished,
    session,
    websocket,
)
from erlen.exceptions import ClientDisconnected, OutsideContextError, SendTimeout
from erlen.exchange import outgoing
from erlen.pipeline.pushing import PushedResponse, stream
from erlen.protocols import Message
from tests.exchange.wire import scope_of


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.config.update(TESTING=True, SECRET_KEY="only for tests, but thirty-two bytes long")
    return app


class Server:
    """A server that serves one request and keeps what is sent.

    Attributes:
        sent: The messages.
        gone: Set it to say that the client has left.
    """

    def __init__(self, app: Erlen, method: str = "GET") -> None:
        self._app = app
        self._scope = scope_of(method=method)
        self.sent: list[Message] = []
        self.gone = anyio.Event()
        self.on_send: Callable[[Message], Any] | None = None

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        if self.on_send is not None:
            await self.on_send(message)

    async def serve(self) -> None:
        with anyio.fail_after(5):
            await self._app(self._scope, self._receive, self._send)

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.sent if "body" in message]

    @property
    def is_complete(self) -> bool:
        return bool(self.sent) and not self.sent[-1].get("more_body", True)


# --- complete -------------------------------------------------------------------------------------


async def test_a_view_sends_its_response_chunk_by_chunk(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        async with stream(201, {"X-A": "1"}, mimetype="text/plain") as out:
            for chunk in ("é", b"b", bytearray(b"c"), memoryview(b"d"), ""):
                await out.send(chunk)

    server = Server(app)
    await server.serve()
    start = server.sent[0]
    assert start["status"] == 201
    assert (b"x-a", b"1") in start["headers"]
    assert (b"content-type", b"text/plain; charset=utf-8") in start["headers"]
    assert server.bodies == ["é".encode(), b"b", b"c", b"d", b""]
    assert server.is_complete


async def test_the_start_goes_out_with_the_first_chunk_which_may_be_empty(app: Erlen) -> None:
    seen: list[list[str]] = []
    server = Server(app)

    @app.get("/")
    async def view() -> None:
        async with stream(content_type="text/x") as out:
            out.response.headers["X-Late"] = "1"
            out.response.status = 202
            seen.append([message["type"] for message in server.sent])
            await out.send("")
            seen.append([message["type"] for message in server.sent])

    await server.serve()
    assert seen == [[], ["http.response.start"]]
    assert server.sent[0]["status"] == 202
    assert (b"x-late", b"1") in server.sent[0]["headers"]


async def test_a_block_without_a_chunk_sends_an_empty_body(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        async with stream():
            pass

    server = Server(app)
    await server.serve()
    assert (server.sent[0]["status"], server.bodies, server.is_complete) == (200, [b""], True)


async def test_the_block_runs_in_the_task_and_context_of_the_view(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        task, g.name = anyio.get_current_task().id, "ann"
        async with stream() as out:
            await out.send(f"{g.name} {request.path} {anyio.get_current_task().id == task}")

    assert (await app.test_client().get("/")).text == "ann / True"


async def test_pains_10_an_upstream_is_passed_on_while_it_comes(app: Erlen) -> None:
    upstream = Erlen("upstream")

    @upstream.get("/")
    async def numbers() -> AsyncIterator[str]:
        for number in range(3):
            yield str(number)

    @app.get("/")
    async def proxy() -> None:
        transport = httpx.ASGITransport(upstream)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://up") as client,
            client.stream("GET", "/") as source,
            stream(source.status_code) as out,
        ):
            async for chunk in source.aiter_bytes():
                await out.send(chunk)

    assert (await app.test_client().get("/")).text == "012"


async def test_tasks_of_a_group_take_turns_and_hooks_run_once(app: Erlen) -> None:
    log, server = counting(app), Server(app)

    async def slowly(message: Message) -> None:
        log.append("begin")
        await checkpoint()
        log.append("end")

    server.on_send = slowly

    @app.get("/")
    async def view() -> None:
        async with stream() as out, anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(out.send, str(number))

    await server.serve()
    assert log == ["after 200", *["begin", "end"] * 6, "teardown NoneType"]
    assert sorted(server.bodies) == [b"", b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("outside", [True, False])
async def test_a_group_may_be_around_it_or_in_it(app: Erlen, outside: bool) -> None:
    @app.get("/")
    async def view() -> None:
        if outside:
            async with anyio.create_task_group() as tasks, stream() as out:
                tasks.start_soon(checkpoint)
                await out.send("a")
        else:
            async with stream() as out, anyio.create_task_group() as tasks:
                tasks.start_soon(checkpoint)
                await out.send("a")

    assert (await app.test_client().get("/")).text == "a"


@pytest.mark.parametrize("length", ["2", "4"])
async def test_b150_a_body_that_differs_from_its_length_breaks(app: Erlen, length: str) -> None:
    @app.get("/")
    async def view() -> None:
        async with stream(headers={"Content-Length": length}) as out:
            await out.send("abc")

    server = Server(app)
    with pytest.raises(RuntimeError, match="Declare the right length"):
        await server.serve()
    assert not server.is_complete


# --- no body --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_where_no_body_follows_the_first_send_ends_the_block(
    app: Erlen, method: str, status: int
) -> None:
    log: list[str] = []

    @app.get("/")
    async def view() -> None:
        async with stream(status, {"Content-Length": "5"}) as out:
            try:
                await out.send("never sent")
                log.append("never here")
            finally:
                await checkpoint()
                log.append("clean")
        log.append("after")

    app.teardown_request(lambda error: log.append(repr(error)))
    server = Server(app, method)
    await server.serve()
    assert (log, server.bodies) == (["clean", "after", "None"], [b""])
    assert (server.sent[0]["status"], server.is_complete) == (status, True)


async def test_where_no_body_follows_a_block_without_a_send_ends_too(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        async with stream(204):
            pass

    server = Server(app)
    await server.serve()
    assert (server.sent[0]["status"], server.bodies) == (204, [b""])


async def test_a_block_that_shields_itself_sends_nothing_after_head(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            with request.shield():
                await out.send("a")
                await out.send("b")

    server = Server(app, "HEAD")
    await server.serve()
    assert (server.bodies, server.is_complete) == ([b""], True)


# --- before the start -----------------------------------------------------------------------------


def counting(app: Erlen) -> list[str]:
    """Note what runs around the view."""
    log: list[str] = []

    @app.after_request
    async def after(response: Response) -> Response:
        log.append(f"after {response.status_code}")
        response.headers["X-After"] = "1"
        return response

    @app.teardown_request
    async def teardown(error: BaseException | None) -> None:
        log.append(f"teardown {type(error).__name__}")

    return log


async def fail() -> None:
    abort(418)


async def fail_otherwise() -> None:
    raise LookupError


@pytest.mark.parametrize(("how", "status"), [(fail, 418), (fail_otherwise, 400)])
async def test_before_the_first_chunk_an_error_is_answered_as_ever(
    app: Erlen, how: Callable[[], Any], status: int
) -> None:
    log, closed = counting(app), []
    app.register_error_handler(LookupError, lambda _: ("handled", 400))

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            out.response.call_on_close(lambda: closed.append(1))
            await how()

    response = await app.test_client().get("/")
    assert (response.status_code, response.headers["x-after"]) == (status, "1")
    assert (log, closed) == ([f"after {status}", "teardown NoneType"], [1])


async def test_a_chunk_of_another_kind_is_answered_as_an_error(app: Erlen) -> None:
    app.config["TESTING"] = False
    wrong: Any = 5

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            await out.send(wrong)

    assert (await app.test_client().get("/")).status_code == 500


async def test_a_client_that_left_before_the_start_is_answered_by_nothing(app: Erlen) -> None:
    log, server = counting(app), Server(app)

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            with request.shield():
                await anyio.sleep(outgoing.PATIENCE * 2)
                server.gone.set()
                await anyio.wait_all_tasks_blocked()
                await out.send("a")

    await server.serve()
    assert (log, server.sent) == (["teardown ClientDisconnected"], [])


# --- hooks ----------------------------------------------------------------------------------------


async def test_hooks_run_once_and_before_the_start(app: Erlen) -> None:
    log, heard = counting(app), []

    @app.get("/")
    async def view() -> None:
        @after_this_request
        def mark(response: Response) -> Response:
            assert response.is_streamed
            response.headers["X-Mark"] = "1"
            return response

        session["name"] = "ann"
        async with stream(201) as out:
            await out.send("a")
            log.append("sent")

    def note(sender: Erlen, response: Response) -> None:
        heard.append(response.status_code)

    with request_finished.connected_to(note, app):
        response = await app.test_client().get("/")
    assert (response.headers["x-mark"], response.headers["x-after"]) == ("1", "1")
    assert response.cookies["session"]
    assert (log, heard) == (["after 201", "sent", "teardown NoneType"], [201])


@pytest.mark.parametrize("chunks", [1, 0])
async def test_what_a_hook_raises_is_raised_in_the_view_and_answered_once(
    app: Erlen, chunks: int
) -> None:
    log: list[str] = []

    @app.after_request
    async def failing(response: Response) -> Response:
        log.append("after")
        abort(409)

    @app.get("/")
    async def view() -> None:
        try:
            async with stream() as out:
                for _ in range(chunks):
                    await out.send("a")
        finally:
            log.append("left")

    response = await app.test_client().get("/")
    assert (response.status_code, log) == (409, ["after", "left"])


async def test_after_a_hook_has_failed_nothing_can_be_sent(app: Erlen) -> None:
    @app.after_request
    async def failing(response: Response) -> Response:
        raise LookupError

    @app.get("/")
    async def view() -> str:
        async with stream() as out:
            with pytest.raises(LookupError):
                await out.send("a")
            await out.send("a")
        return ""

    with pytest.raises(RuntimeError, match=r"have begun already.*\. Send one response"):
        await app.test_client().get("/")


def replace(response: Response) -> Response:
    return Response("another")


def fill(response: Response) -> Response:
    response.set_data("filled")
    return response


@pytest.mark.parametrize("hook", [replace, fill])
async def test_a_hook_cannot_put_another_response_in_its_place(
    app: Erlen, hook: Callable[[Response], Response]
) -> None:
    app.after_request(hook)

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            await out.send("a")

    with pytest.raises(RuntimeError, match=r"An after hook has put .*\. Change its status"):
        await app.test_client().get("/")


async def test_a_hook_cannot_read_the_body(app: Erlen) -> None:
    @app.after_request
    async def read(response: Response) -> Response:
        await response.freeze()
        return response

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            await out.send("a")

    with pytest.raises(RuntimeError, match=r"is sent by its view .*\. Leave it alone"):
        await app.test_client().get("/")


# --- the client leaves ----------------------------------------------------------------------------


async def test_st5_a_block_that_waits_is_cancelled_and_cleans_up(app: Erlen) -> None:
    log, server = counting(app), Server(app)

    @app.get("/")
    async def view() -> None:
        try:
            async with stream() as out:
                await out.send("a")
                server.gone.set()
                log.append("waits")
                try:
                    await anyio.sleep_forever()
                finally:
                    await anyio.sleep(0.001)
                    await checkpoint()
                    log.append("clean")
        except ClientDisconnected:
            log.append("left")
            raise

    await server.serve()
    assert log == ["after 200", "waits", "clean", "left", "teardown ClientDisconnected"]
    assert not server.is_complete


async def test_b327_a_send_that_fails_tells_that_the_client_left(app: Erlen) -> None:
    log, server = counting(app), Server(app)

    async def fail(message: Message) -> None:
        if "body" in message:
            raise BrokenPipeError

    server.on_send = fail

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            for _ in range(2):
                with pytest.raises(ClientDisconnected):
                    await out.send("a")

    await server.serve()
    assert log[-1] == "teardown ClientDisconnected"
    assert len(server.bodies) == 1


@pytest.mark.parametrize("outside", [True, False])
async def test_a_client_that_leaves_a_group_has_only_left(app: Erlen, outside: bool) -> None:
    log, server = counting(app), Server(app)

    async def wait(out: PushedResponse) -> None:
        await out.send("a")
        server.gone.set()
        await anyio.sleep_forever()

    @app.get("/")
    async def view() -> None:
        if outside:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep_forever)
                async with stream() as out:
                    await wait(out)
        else:
            async with stream() as out, anyio.create_task_group() as tasks:
                tasks.start_soon(wait, out)

    await server.serve()
    assert log == ["after 200", "teardown ClientDisconnected"]


async def test_a_client_that_does_not_read_is_broken_off(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["SEND_TIMEOUT"] = 0.02
    log, server = counting(app), Server(app)

    async def block(message: Message) -> None:
        if "body" in message:
            await anyio.sleep_forever()

    server.on_send = block

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            try:
                await out.send("a")
            finally:
                await checkpoint()
                log.append("clean")

    with pytest.raises(SendTimeout):
        await server.serve()
    assert log == ["after 200", "clean", "teardown SendTimeout"]
    assert not server.is_complete
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


# --- errors after the start -----------------------------------------------------------------------


@pytest.mark.parametrize("catch", [True, False], ids=["caught", "not caught"])
async def test_an_error_after_the_start_breaks_the_connection(app: Erlen, catch: bool) -> None:
    log, server, failure = counting(app), Server(app), LookupError()

    @app.get("/")
    async def view() -> None:
        try:
            async with stream() as out:
                await out.send("a")
                raise failure
        except LookupError:
            if not catch:
                raise

    with pytest.raises(LookupError) as caught:
        await server.serve()
    assert caught.value is failure
    assert log == ["after 200", "teardown LookupError"]
    assert not server.is_complete


async def test_a_scope_around_it_that_cuts_it_short_breaks_the_connection(app: Erlen) -> None:
    server = Server(app)

    @app.get("/")
    async def view() -> None:
        with anyio.move_on_after(0.01):
            async with stream() as out:
                await out.send("a")
                await anyio.sleep_forever()

    with pytest.raises(RuntimeError, match=r"left by a cancellation .* it ends whole"):
        await server.serve()
    assert not server.is_complete


async def test_a_scope_inside_of_it_lets_it_end_whole(app: Erlen) -> None:
    server = Server(app)

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            with anyio.move_on_after(0.01):
                await out.send("a")
                await anyio.sleep_forever()
            await out.send("b")

    await server.serve()
    assert (server.bodies, server.is_complete) == ([b"a", b"b", b""], True)


@pytest.mark.parametrize("limits", [{}, {"cancel_on_disconnect": True}], ids=len)
async def test_a_deadline_of_the_route_is_for_the_first_chunk_only(
    app: Erlen, limits: dict[str, Any]
) -> None:
    log, server = counting(app), Server(app)

    @app.get("/", timeout=0.02, **limits)
    async def view() -> None:
        async with stream() as out:
            await out.send("a")
            await anyio.sleep(0.05)

    await server.serve()
    assert (server.is_complete, log) == (True, ["after 200", "teardown NoneType"])


async def test_a_view_that_is_late_with_its_first_chunk_is_answered_with_503(app: Erlen) -> None:
    @app.get("/", timeout=0.01)
    async def view() -> None:
        async with stream():
            await anyio.sleep_forever()

    async with app.test_client() as client:
        assert (await client.get("/")).status_code == 503


async def test_a_chunk_whose_send_was_cancelled_breaks_the_connection(app: Erlen) -> None:
    server = Server(app)

    async def block(message: Message) -> None:
        if message.get("body") == b"a":
            await anyio.sleep_forever()

    server.on_send = block

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            with anyio.move_on_after(0.01):
                await out.send("a")

    with pytest.raises(RuntimeError, match=r"may have gone out or not.*\. Cancel what waits"):
        await server.serve()
    assert not server.is_complete


async def test_a_value_after_it_has_nowhere_to_go(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        async with stream() as out:
            await out.send("a")
        return "b"

    with pytest.raises(RuntimeError, match=r"has sent its response by stream\(\)"):
        await Server(app).serve()


class Outcome(BaseException):
    """As test runners have it."""


async def test_what_is_no_exception_passes_through(app: Erlen) -> None:
    failure = Outcome()

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            await out.send("a")
            raise failure

    with pytest.raises(Outcome) as caught:
        await Server(app).serve()
    assert caught.value is failure


# --- where it cannot be used ----------------------------------------------------------------------


async def test_it_is_used_once_in_an_exchange(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        async with stream():
            pass
        stream()

    with pytest.raises(RuntimeError, match=r"on its way already.*\. Use it once"):
        await Server(app).serve()


async def test_of_two_at_once_the_second_fails(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        async with stream() as outer, stream() as inner:
            await inner.send("a")
            await outer.send("b")

    with pytest.raises(RuntimeError, match="have begun already"):
        await Server(app).serve()


async def test_it_is_entered_once(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        out = stream()
        async with out, out:
            pass

    with pytest.raises(RuntimeError, match=r"entered a second time\. Call stream"):
        await app.test_client().get("/")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_chunk_outside_of_the_block_is_refused(app: Erlen, when: str) -> None:
    @app.get("/")
    async def view() -> None:
        out = stream()
        if when == "after":
            async with out:
                pass
        await out.send("a")

    with pytest.raises(RuntimeError, match=r"outside of its .*\. Send it inside"):
        await Server(app).serve()


async def test_a_generator_yields_instead(app: Erlen) -> None:
    @app.get("/")
    async def view() -> AsyncIterator[str]:
        async with stream():
            yield "a"

    with pytest.raises(RuntimeError, match="in a generator yield the chunk"):
        await app.test_client().get("/")


async def test_a_websocket_sends_instead(app: Erlen) -> None:
    @app.websocket("/")
    async def view() -> None:
        with pytest.raises(OutsideContextError, match=r"in a WebSocket call 'await websocket"):
            stream()
        await websocket.send("asked")

    async with app.test_client().websocket("/") as socket:
        assert await socket.receive() == "asked"


async def test_it_needs_a_request(app: Erlen) -> None:
    with pytest.raises(OutsideContextError):
        stream()
    async with app.app_context():
        with pytest.raises(OutsideContextError, match="where no request is served"):
            stream()


async def test_its_response_takes_what_a_response_takes(app: Erlen) -> None:
    class Own(Response):
        default_mimetype = "text/x-own"

    app.response_class = Own

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            assert isinstance(out.response, Own)
            with pytest.raises(ValueError, match="is not the status"):
                stream(99)

    assert (await app.test_client().get("/")).headers["content-type"].startswith("text/x-own")


# --- other places than the view -------------------------------------------------------------------


async def test_a_before_hook_may_send_the_response(app: Erlen) -> None:
    @app.before_request
    async def answer() -> None:
        async with stream() as out:
            await out.send("from the hook")

    @app.get("/")
    async def view() -> str:
        raise AssertionError

    async with app.test_client() as client:
        assert (await client.get("/")).text == "from the hook"


async def test_an_error_handler_may_send_the_response(app: Erlen) -> None:
    @app.errorhandler(LookupError)
    async def answer(_error: LookupError) -> None:
        async with stream(404) as out:
            await out.send("not here")

    @app.get("/")
    async def view() -> None:
        raise LookupError

    async with app.test_client() as client:
        response = await client.get("/")
    assert (response.status_code, response.text) == (404, "not here")


async def test_children_of_the_view_end_before_the_response_does(app: Erlen) -> None:
    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            request.start_soon(out.send, "from a child")

    async with app.test_client() as client:
        assert (await client.get("/")).text == "from a child"


async def test_a_child_that_outlives_the_chunks_is_no_client_that_does_not_read(app: Erlen) -> None:
    app.config["SEND_TIMEOUT"] = 0.02

    @app.get("/")
    async def view() -> AsyncIterator[str]:
        request.start_soon(anyio.sleep, 0.1)
        yield "whole"

    async with app.test_client() as client:
        assert (await client.get("/")).text == "whole"


# --- and children ---------------------------------------------------------------------------------


async def test_a_child_may_send_the_response(app: Erlen) -> None:
    async def answer() -> None:
        async with stream() as out:
            await out.send("from a child")

    @app.get("/")
    async def view() -> None:
        await request.start_soon(answer)

    with anyio.fail_after(5):
        assert (await app.test_client().get("/")).text == "from a child"


async def test_a_child_that_sends_the_response_waits_for_those_that_it_has_started(
    app: Erlen,
) -> None:
    async def send_late(out: PushedResponse) -> None:
        await checkpoint()
        request.start_soon(out.send, "late")

    async def answer() -> None:
        async with stream() as out:
            request.start_soon(send_late, out)

    @app.get("/")
    async def view() -> None:
        request.start_soon(anyio.sleep, 0.01)
        await request.start_soon(answer)

    with anyio.fail_after(5):
        assert (await app.test_client().get("/")).text == "late"


async def test_a_child_whose_own_child_failed_does_not_end_the_response(app: Erlen) -> None:
    failure = LookupError()

    async def fail() -> None:
        raise failure

    async def answer() -> None:
        async with stream() as out:
            await out.send("a")
            handles.append(request.start_soon(fail))

    async def fail_elsewhere() -> None:
        raise KeyError

    @app.get("/")
    async def view() -> None:
        handles.append(request.start_soon(fail_elsewhere))
        await request.start_soon(answer)

    handles: list[Any] = []
    server = Server(app)
    with pytest.raises(LookupError) as caught:
        await server.serve()
    assert caught.value is failure
    assert not server.is_complete


@pytest.mark.parametrize("is_kept", [True, False])
async def test_where_no_body_follows_block_and_children_end_when_they_send(
    app: Erlen, is_kept: bool
) -> None:
    ended: list[str] = []

    async def tick(out: PushedResponse) -> None:
        try:
            while True:
                await out.send("tick")
                await anyio.sleep(0.001)
        finally:
            ended.append("child")

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            first, second = request.start_soon(tick, out), request.start_soon(tick, out)
            if is_kept:
                await first
                await second
            del first, second
            await anyio.sleep_forever()
        ended.append("view")

    server = Server(app, "HEAD")
    await server.serve()
    assert server.bodies == [b""]
    assert sorted(ended) == ["child", "child", "view"]


async def test_where_no_body_follows_the_view_waits_for_no_child_before_it_ends(app: Erlen) -> None:
    async def tick(out: PushedResponse) -> None:
        while True:
            await out.send("tick")
            await checkpoint()

    @app.get("/")
    async def view() -> None:
        async with stream(204) as out:
            request.start_soon(tick, out)
            await out.send("")

    server = Server(app)
    await server.serve()
    assert server.bodies == [b""]


@pytest.mark.parametrize("limits", [{}, {"timeout": 4}, {"cancel_on_disconnect": True}])
@pytest.mark.parametrize("is_late", [True, False])
async def test_a_child_that_fails_breaks_the_response_off(
    app: Erlen, limits: dict[str, Any], is_late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erlen.pipeline.limits.PATIENCE", outgoing.PATIENCE * 2)
    failure = LookupError()

    async def fail() -> None:
        await anyio.sleep(outgoing.PATIENCE * 4)
        raise failure

    @app.get("/", **limits)
    async def view() -> None:
        async with stream() as out:
            request.start_soon(fail)
            await anyio.sleep(outgoing.PATIENCE * 2 if is_late else 0)
            await out.send("a")
            await anyio.sleep_forever()

    server = Server(app)
    with pytest.raises(LookupError) as caught:
        await server.serve()
    assert caught.value is failure
    assert not server.is_complete


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_client_that_left_while_a_child_sent_ends_the_block_at_once(
    app: Erlen, is_kept: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def leave(_message: Message) -> None:
        if len(server.sent) > 3:
            raise OSError

    async def tick(out: PushedResponse) -> None:
        while True:
            await out.send("tick")
            await checkpoint()

    @app.get("/")
    async def view() -> None:
        async with stream() as out:
            child: Any = request.start_soon(tick, out)
            child = child if is_kept else None
            await anyio.sleep_forever()

    server = Server(app)
    server.on_send = leave
    await server.serve()
    assert not server.is_complete
    assert not caplog.records


async def test_an_error_handler_may_send_for_a_long_time(app: Erlen) -> None:
    @app.errorhandler(LookupError)
    async def answer(_error: LookupError) -> None:
        async with stream(404) as out:
            await anyio.sleep(outgoing.PATIENCE * 2)
            await out.send("not here")

    @app.get("/")
    async def view() -> None:
        raise LookupError

    assert (await app.test_client().get("/")).text == "not here"


async def test_a_response_that_is_returned_besides_is_closed(app: Erlen) -> None:
    closed: list[bool] = []

    @app.get("/")
    async def view() -> Response:
        async with stream() as out:
            await out.send("a")
        response = Response("b")
        response.call_on_close(lambda: closed.append(True))
        return response

    with pytest.raises(RuntimeError, match="nowhere to go"):
        await app.test_client().get("/")
    assert closed == [True]
