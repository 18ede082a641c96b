"""``client.stream``: each chunk when it is sent, and leaving early."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from erlen.protocols import ASGIApp, Receive, Scope, Send
from erlen.testing import Client, ConductError, DeadlineExceeded, Response
from erlen.testing.binding import httpx

START: dict[str, Any] = {"type": "http.response.start", "status": 200}


def chunk(data: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class Ticks:
    """An endless response that notes what it has sent and how it ended."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended_by: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            while True:
                await send(chunk(b"tick\n"))
                self.sent += 1
        except BaseException as error:
            self.ended_by = error
            raise


class Waiting:
    """An application that waits for the disconnect after its first chunk."""

    def __init__(self, after: Callable[[], Any] = lambda: None) -> None:
        self.after = after
        self.events: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        await send(chunk(b"x"))
        self.events.append(await receive())
        self.after()


async def test_three_events_of_an_endless_stream_then_leave() -> None:
    app = Ticks()
    async with Client(app).stream("GET", "/events") as response:
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(3)] == ["tick"] * 3
    assert isinstance(app.ended_by, OSError)


async def test_send_waits_until_the_test_reads() -> None:
    app = Ticks()
    async with Client(app).stream("GET") as response:
        chunks = response.aiter_raw()
        for number in range(3):
            await anyio.wait_all_tasks_blocked()
            assert app.sent == number
            await anext(chunks)


@pytest.mark.parametrize("how", ["aiter_raw", "aiter_bytes", "aiter_text", "aiter_lines"])
async def test_a_loop_may_be_left_by_break(how: str) -> None:
    app = Ticks()
    async with Client(app).stream("GET") as response:
        async for _ in getattr(response, how)():
            break
    assert isinstance(app.ended_by, OSError)


async def test_disconnect_ends_the_loop_and_the_application() -> None:
    app = Ticks()
    rounds = 0
    async with Client(app).stream("GET") as response:
        async for _ in response.aiter_bytes():
            rounds += 1
            await response.disconnect()
            assert app.ended_by is not None
        await response.disconnect()
    assert rounds == 1


async def test_after_disconnect_receive_gives_http_disconnect() -> None:
    app = Waiting()
    async with Client(app).stream("GET") as response:
        assert await anext(response.aiter_raw()) == b"x"
        await response.disconnect()
        assert app.events == [{"type": "http.disconnect"}]


async def test_an_application_that_does_not_notice_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("erlen.testing.running.GRACE", 0.01)
    ended = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    async with Client(app).stream("GET"):
        pass
    assert ended == [True]


async def test_a_cancelled_test_leaves_as_a_client_does() -> None:
    app = Waiting()
    with anyio.CancelScope() as scope:
        async with Client(app).stream("GET") as response:
            await anext(response.aiter_raw())
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert app.events == [{"type": "http.disconnect"}]


async def test_a_response_read_to_its_end_is_complete() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "headers": [(b"content-length", b"2")]})
        await send(chunk(b"a"))
        await send(chunk(b""))
        await send(chunk(b"b", more=False))

    async with Client(app).stream("GET") as response:
        assert (await response.aread(), response.status) == (b"ab", "200 OK")


async def test_the_end_of_the_body_does_not_wait_for_the_application() -> None:
    go = anyio.Event()
    events = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(chunk(b"x", more=False))
        await go.wait()
        events.append("background")

    async with Client(app).stream("GET") as response:
        await response.aread()
        assert not events
        go.set()
    assert events == ["background"]


async def test_background_work_has_a_deadline() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(chunk(b"", more=False))
        await anyio.sleep_forever()

    with pytest.raises(DeadlineExceeded, match="the application to return from GET /slow"):
        async with Client(app, timeout=0.01).stream("GET", "/slow"):
            pass


async def test_the_application_gets_the_upload() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        event = await receive()
        await send(START)
        await send(chunk(event["body"], more=False))

    async with Client(app).stream("POST", "/", data=b"abc") as response:
        assert await response.aread() == b"abc"


async def test_a_redirect_is_followed_within_a_stream() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/":
            await send({**START, "status": 302, "headers": [(b"location", b"/to")]})
            await send(chunk(b"moved", more=False))
        else:
            await Ticks()(scope, receive, send)

    async with Client(app).stream("GET", "/", follow_redirects=True) as response:
        assert await anext(response.aiter_lines()) == "tick"
        assert [r.content for r in response.history] == [b"moved"]


# --- deadlines and exceptions -------------------------------------------------------------------


async def test_the_start_has_a_deadline() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()

    with pytest.raises(DeadlineExceeded, match="the start of the response to GET /x; so far"):
        async with Client(app).stream("GET", "/x", deadline=0.01):
            pytest.fail("not reached")


async def test_every_chunk_has_a_deadline() -> None:
    with pytest.raises(DeadlineExceeded, match=r"the next chunk of .* status 200 and sent 1 bytes"):
        async with Client(Waiting()).stream("GET", deadline=0.01) as response:
            await response.aread()


def failing(error: BaseException, *messages: dict[str, Any]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        raise error

    return app


@pytest.mark.parametrize(
    "messages", [[], [START], [START, chunk(b"x")], [START, chunk(b"", more=False)]]
)
async def test_the_applications_exception_leaves_the_block_as_it_is(messages: Any) -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:
        async with Client(failing(error, *messages)).stream("GET") as response:
            await response.aread()
    assert caught.value is error


async def test_an_exception_that_the_test_has_seen_is_not_raised_twice() -> None:
    async with Client(failing(ValueError(), START)).stream("GET") as response:
        with pytest.raises(ValueError, match=r"^$"):
            await response.aread()


async def test_an_exception_after_leaving_is_raised_by_the_block() -> None:
    def fail() -> None:
        raise ValueError("after")

    with pytest.raises(ValueError, match="after"):
        async with Client(Waiting(fail)).stream("GET") as response:
            await anext(response.aiter_raw())


async def test_the_tests_own_failure_wins_and_names_the_applications() -> None:
    def fail() -> None:
        raise ValueError("after")

    async def check(response: Response) -> None:
        await anext(response.aiter_raw())
        raise AssertionError("mine")

    with pytest.raises(AssertionError, match=r"^mine") as caught:
        async with Client(Waiting(fail)).stream("GET") as response:
            await check(response)
    assert caught.value.__notes__ == ["The application raised, too: ValueError('after')"]


async def test_skip_and_fail_of_pytest_leave_the_block() -> None:
    with pytest.raises(pytest.fail.Exception):
        async with Client(Ticks()).stream("GET"):
            pytest.fail("stop")


async def test_an_exit_of_the_application_leaves_the_block() -> None:
    with pytest.raises(SystemExit):
        async with Client(failing(SystemExit(3), START)).stream("GET") as response:
            await response.aread()


async def test_without_raising_a_failure_before_the_start_is_a_500() -> None:
    client = Client(failing(ValueError()), raise_app_exceptions=False)
    async with client.stream("GET") as response:
        assert (response.status_code, await response.aread()) == (500, b"Internal Server Error")


async def test_without_raising_a_failure_in_the_body_is_a_broken_connection() -> None:
    client = Client(failing(ValueError(), START, chunk(b"abc")), raise_app_exceptions=False)
    async with client.stream("GET") as response:
        with pytest.raises(httpx.RemoteProtocolError, match="3 bytes"):
            await response.aread()


async def test_bad_conduct_fails_the_block() -> None:
    with pytest.raises(ConductError, match="exactly once"):
        async with Client(failing(ValueError(), START, START)).stream("GET"):
            pass
