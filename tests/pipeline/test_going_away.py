"""WebSockets when the application ends (pains 5, B-200), or their peer leaves."""

from typing import Any

import anyio
import pytest

from erlen import Erlen, WebSocket, websocket
from erlen.exceptions import WebSocketDisconnect
from erlen.exchange import websocket_ending, websocket_link
from erlen.testing import WebSocketRejected


@pytest.fixture
def app() -> Erlen:
    return Erlen("chat")


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_link, "PATIENCE", 0.0)


async def end_of(app: Erlen, path: str = "/") -> tuple[list[Any], int]:
    """Open a WebSocket, let the application end; return what comes then, and the close code."""
    async with app.test_client().websocket(path) as socket:
        assert await socket.receive() == "ready"
        app.begin_shutdown()
        received = []
        try:
            while True:
                received.append(await socket.receive())
        except WebSocketDisconnect as closed:
            return received, closed.code


async def test_a_loop_over_messages_ends_and_the_view_goes_on(app: Erlen) -> None:
    ends = []

    @app.websocket("/")
    async def view() -> None:
        await websocket.send("ready")
        async for _ in websocket:
            raise AssertionError
        await anyio.sleep(0.01)
        ends.append(websocket.close_code)

    assert await end_of(app) == ([], 1001)
    assert ends == [1001]


async def test_receive_raises_1001_in_a_def_view_too(app: Erlen) -> None:
    from erlen.sync import websocket as blocking

    raised = []

    @app.websocket("/")
    def view() -> None:
        blocking.send("ready")
        try:
            blocking.receive()
        except WebSocketDisconnect as error:
            raised.append(error.code)
            raise

    assert await end_of(app) == ([], 1001)
    assert raised == [1001]


async def test_a_view_may_say_goodbye(app: Erlen) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.send("ready")
        await app.shutting_down.wait()
        await websocket.send("goodbye")

    assert await end_of(app) == (["goodbye"], 1001)


@pytest.mark.usefixtures("no_patience")
async def test_a_view_that_takes_no_notice_is_cancelled_and_torn_down(app: Erlen) -> None:
    ended: list[Any] = []

    @app.websocket("/")
    async def view() -> None:
        await websocket.send("ready")
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("view")

    @app.teardown_websocket
    async def tear_down(error: BaseException | None) -> None:
        ended.append(type(error))

    assert await end_of(app) == ([], 1001)
    assert ended == ["view", WebSocketDisconnect]


@pytest.mark.usefixtures("no_patience")
async def test_b310_a_handshake_without_an_answer_is_refused_with_503(app: Erlen) -> None:
    @app.websocket("/")
    async def view() -> None:
        app.begin_shutdown()
        await anyio.sleep_forever()

    with pytest.raises(WebSocketRejected) as caught:
        async with app.test_client().websocket("/"):
            pass
    assert caught.value.response.status_code == 503


async def test_b310_one_that_is_opened_too_late_is_closed_at_its_first_receive(app: Erlen) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.send("ready")
        await app.shutting_down.wait()
        await websocket.receive()

    app.begin_shutdown()
    assert await end_of(app) == ([], 1001)


async def test_other_endings_keep_their_codes(app: Erlen) -> None:
    @app.websocket("/<int:code>")
    async def view(code: int) -> None:
        await websocket.send("ready")
        await app.shutting_down.wait()
        await websocket.close(code)

    assert await end_of(app, "/4000") == ([], 4000)


async def test_tasks_end_and_the_view_goes_on(app: Erlen) -> None:
    ends: list[Any] = []

    async def hear() -> None:
        async for _ in websocket:
            raise AssertionError

    async def forever() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ends.append("cancelled")

    @app.websocket("/")
    async def view() -> None:
        await websocket.send("ready")
        async with websocket.tasks() as tasks:
            tasks.start_soon(forever)
            tasks.start_soon(hear)
        ends.append(websocket.close_code)

    assert await end_of(app) == ([], 1001)
    assert ends == ["cancelled", 1001]


async def test_who_waits_for_a_message_that_is_read_ahead_is_told_at_once(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_link, "SOON", 0.0)
    ends = []

    @app.websocket("/")
    async def view() -> None:
        await websocket.send("ready")
        await anyio.wait_all_tasks_blocked()
        async for _ in websocket:
            raise AssertionError
        ends.append(websocket.close_code)

    assert await end_of(app) == ([], 1001)
    assert ends == [1001]


async def test_nothing_is_left_of_a_socket_that_has_ended(app: Erlen) -> None:
    @app.websocket("/")
    async def view() -> None:
        await websocket.send("ready")

    async with app.test_client().websocket("/") as socket:
        assert await socket.receive() == "ready"
    assert app.shutting_down._waiting == set()


# --- a peer that leaves (pains 26, 28) ------------------------------------------------------------


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_link, "SOON", 0.0)
    monkeypatch.setattr(websocket_ending, "PATIENCE", 0.0)


@pytest.mark.usefixtures("soon")
async def test_pain26_a_view_that_only_waits_is_cancelled_and_torn_down_once(app: Erlen) -> None:
    ended: list[Any] = []

    @app.websocket("/")
    async def view() -> None:
        await websocket.send("ready")
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("view")

    @app.teardown_websocket
    async def tear_down(error: BaseException | None) -> None:
        ended.extend([type(error), getattr(error, "code", None)])

    async with app.test_client().websocket("/") as socket:
        assert await socket.receive() == "ready"
        await socket.close(4005)
    assert ended == ["view", WebSocketDisconnect, 4005]


async def test_pain28_a_kept_socket_is_used_from_another_request(app: Erlen) -> None:
    kept: list[WebSocket] = []
    failed: list[BaseException] = []

    @app.websocket("/")
    async def view() -> None:
        kept.append(websocket._get_current_object())
        await websocket.send("ready")
        await websocket.receive()

    @app.post("/say")
    async def say() -> str:
        try:
            await kept[0].send("from another request")
        except WebSocketDisconnect as error:
            failed.append(error)
        return ""

    async with app.test_client() as client:
        async with client.websocket("/") as socket:
            assert await socket.receive() == "ready"
            await client.post("/say")
            assert await socket.receive() == "from another request"
        await client.post("/say")
    assert [str(error) for error in failed] == ["The WebSocket is closed with code 1000."]


async def test_an_exchange_that_is_broken_off_closes_what_was_kept(app: Erlen) -> None:
    kept: list[WebSocket] = []

    @app.websocket("/")
    async def view() -> None:
        kept.append(websocket._get_current_object())
        await websocket.send("ready")
        raise WebSocketDisconnect(1234)

    async with app.test_client().websocket("/") as socket:
        assert await socket.receive() == "ready"
    assert kept[0].close_code == 1006
