"""``websocket.tasks()``: siblings that end with their socket (pains 27)."""

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from anyio.lowlevel import checkpoint

from erlen.exceptions import WebSocketDisconnect
from erlen.exchange import websocket_ending, websocket_link
from tests.exchange.sockets import Peer, at_work


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_link, "SOON", 0.0)
    monkeypatch.setattr(websocket_ending, "PATIENCE", 0.0)


class Log(list[object]):
    """What has happened."""

    async def forever(self) -> None:
        """Wait, and note the end of it."""
        try:
            await anyio.sleep_forever()
        finally:
            self.append("cancelled")

    async def hear(self, peer: Peer) -> None:
        """Receive until the end."""
        async for message in peer.socket:
            self.append(message)
            await checkpoint()

    async def receive(self, peer: Peer) -> None:
        """Receive until it raises."""
        while True:
            self.append(await peer.socket.receive())


@pytest.mark.parametrize("way", ["hear", "receive"])
async def test_the_end_of_the_peer_cancels_the_others_after_its_messages(way: str) -> None:
    log = Log()
    async with at_work() as peer:
        async with peer.socket.tasks() as tasks:
            tasks.start_soon(log.forever)
            tasks.start_soon(getattr(log, way), peer)
            peer.says("one", "two")
            peer.leaves()
        log.append(peer.socket.close_code)
    assert log == ["one", "two", "cancelled", 4002]


async def test_the_block_itself_may_receive() -> None:
    log = Log()
    async with at_work() as peer:
        peer.says("one")
        peer.leaves()
        async with peer.socket.tasks() as tasks:
            tasks.start_soon(log.forever)
            await log.receive(peer)
        log.append("after")
    assert log == ["one", "cancelled", "after"]


async def test_tasks_that_only_wait_are_cancelled() -> None:
    log = Log()
    async with at_work() as peer:
        peer.says("subscribe")
        await peer.socket.receive()
        async with peer.socket.tasks() as tasks:
            tasks.start_soon(log.forever)
            tasks.start_soon(log.forever)
            peer.leaves()
        log.append(peer.socket.close_code)
    assert log == ["cancelled", "cancelled", 4002]


async def test_tasks_of_a_socket_that_is_closed_already_are_cancelled() -> None:
    log = Log()
    async with at_work() as peer:
        await peer.socket.accept()
        await peer.socket.close()
        async with peer.socket.tasks() as tasks:
            tasks.start_soon(log.forever)
            await log.forever()
    assert log == ["cancelled", "cancelled"]


async def test_the_own_close_ends_the_block_too() -> None:
    log = Log()
    async with at_work() as peer:
        await peer.socket.accept()
        async with peer.socket.tasks() as tasks:
            tasks.start_soon(log.forever)
            tasks.start_soon(log.receive, peer)
            await wait_all_tasks_blocked()
            tasks.start_soon(peer.socket.close, 4000)
        log.append(peer.socket.close_code)
    assert log == ["cancelled", 4000]


async def test_messages_that_came_before_the_end_are_received_first() -> None:
    log = Log()
    async with at_work() as peer:
        await peer.socket.accept()
        peer.says("one", "two")
        peer.leaves()
        await peer.socket.wait_closed()
        async with peer.socket.tasks() as tasks:
            tasks.start_soon(log.forever)
            tasks.start_soon(log.hear, peer)
    assert log == ["one", "two", "cancelled"]


async def test_a_task_that_returns_ends_nothing_as_long_as_the_socket_is_open() -> None:
    log = Log()
    async with at_work() as peer:
        async with peer.socket.tasks() as tasks:
            tasks.start_soon(checkpoint)
            tasks.start_soon(log.receive, peer)
            await wait_all_tasks_blocked()
            peer.says("still here")
            await wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert peer.socket.close_code is None
    assert log == ["still here"]


async def fail(error: BaseException) -> None:
    await checkpoint()
    raise error


async def side_by_side(peer: Peer, *functions: Callable[[], Awaitable[object]]) -> None:
    """Start all but the last as tasks, and await that one in the block."""
    async with peer.socket.tasks() as tasks:
        for function in functions[:-1]:
            tasks.start_soon(function)
        await functions[-1]()


async def fail_at_the_end() -> None:
    try:
        await anyio.sleep_forever()
    finally:
        raise ValueError("of the cleaning up")


@pytest.mark.parametrize("where", ["task", "block"])
async def test_law9_another_error_cancels_the_others_and_leaves_the_block_itself(
    where: str,
) -> None:
    log = Log()
    error = LookupError("mine")
    error.__cause__ = cause = ValueError()
    failing: Callable[[], Awaitable[object]] = partial(fail, error)
    last = [log.forever] if where == "task" else []
    async with at_work() as peer:
        with pytest.raises(LookupError) as caught:
            await side_by_side(peer, log.forever, failing, *last)
    assert (caught.value, error.__cause__) == (error, cause)
    assert set(log) == {"cancelled"}


async def test_errors_of_several_tasks_leave_as_a_group() -> None:
    async with at_work() as peer:
        with pytest.raises(ExceptionGroup) as caught:
            await side_by_side(peer, fail_at_the_end, partial(fail, LookupError()), checkpoint)
    assert {type(error) for error in caught.value.exceptions} == {LookupError, ValueError}


async def test_an_error_beside_the_end_is_not_lost() -> None:
    async with at_work() as peer:
        await peer.socket.accept()
        peer.leaves()
        with pytest.raises(ValueError, match="of the cleaning up"):
            await side_by_side(peer, fail_at_the_end, peer.socket.receive)


async def test_the_end_of_another_socket_is_an_error() -> None:
    async with at_work() as peer:
        for others in ((), (checkpoint,)):
            with pytest.raises(WebSocketDisconnect, match="1234"):
                await side_by_side(peer, partial(fail, WebSocketDisconnect(1234)), *others)


async def test_a_task_that_ends_with_messages_left_gives_the_others_time() -> None:
    async with at_work() as peer:
        await peer.socket.accept()
        peer.says("left")
        peer.leaves()
        await peer.socket.wait_closed()
        async with peer.socket.tasks() as tasks:
            tasks.start_soon(checkpoint)
            await wait_all_tasks_blocked()
            assert 9 < tasks.cancel_scope.deadline - anyio.current_time() <= 10
            assert await peer.socket.receive() == "left"
            assert tasks.cancel_scope.deadline == float("inf")


async def test_a_block_that_is_cancelled_from_outside_stays_cancelled() -> None:
    log = Log()
    async with at_work() as peer:
        with anyio.CancelScope() as outer:
            async with peer.socket.tasks() as tasks:
                tasks.start_soon(log.forever)
                await wait_all_tasks_blocked()
                outer.cancel()
            raise AssertionError
        assert outer.cancelled_caught
    assert log == ["cancelled"]


async def test_p27_reader_and_writer_in_one_line() -> None:
    log = Log()
    async with at_work() as peer:
        peer.says("one")
        peer.leaves()
        await peer.socket.run(partial(log.hear, peer), log.forever)
    assert log == ["one", "cancelled"]


async def test_tasks_have_names() -> None:
    async with at_work() as peer, peer.socket.tasks() as tasks:
        tasks.start_soon(anyio.sleep_forever)
        tasks.start_soon(anyio.sleep_forever, name="mine")
        await wait_all_tasks_blocked()
        names = {task.name for task in anyio.get_running_tasks()}
        tasks.cancel_scope.cancel()
    assert {"sleep_forever", "mine"} <= names
