"""Messages that are read before anybody asks, the end that is noticed by it, and rates."""

import math

import anyio
import anyio.lowlevel
import pytest
from anyio import wait_all_tasks_blocked

from erlen.exceptions import WebSocketDisconnect, WebSocketStateError
from erlen.exchange import websocket_ending, websocket_link
from erlen.exchange.websocket import State
from erlen.exchange.websocket_reading import BYTES, MESSAGES, Pace
from tests.exchange.sockets import Peer, at_work, owner


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_link, "SOON", 0.0)


async def read_ahead(peer: Peer) -> None:
    """Have messages read ahead, as after a send without a receive."""
    await peer.socket.send("a")
    await until_read_ahead(peer)


async def until_read_ahead(peer: Peer) -> None:
    with anyio.fail_after(1):
        while peer.socket._ahead is None:
            await anyio.lowlevel.checkpoint()
    await wait_all_tasks_blocked()


# --- when -----------------------------------------------------------------------------------------


async def test_p26_after_a_send_without_a_receive_messages_are_read_ahead() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.says("one", b"two")
        await wait_all_tasks_blocked()
        assert peer.taken == 3
        assert [await peer.socket.receive(), await peer.socket.receive()] == ["one", b"two"]


async def test_p26_after_an_accept_too() -> None:
    async with at_work() as peer:
        await peer.socket.accept()
        await until_read_ahead(peer)


async def test_a_view_that_answers_each_message_starts_nothing() -> None:
    async with at_work() as peer:
        peer.says("one", "two")
        for _ in range(2):
            await peer.socket.send(await peer.socket.receive())
        assert (peer.socket._timer, peer.socket._ahead) == (None, None)


async def test_a_view_that_receives_soon_after_its_greeting_starts_no_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket_link, "SOON", 0.01)
    async with at_work() as peer, anyio.create_task_group() as tasks:
        await peer.socket.send("ready")
        tasks.start_soon(peer.socket.receive)
        await anyio.sleep(0.03)
        await peer.socket.send("aside")
        await peer.socket.send("and on")
        assert (peer.socket._timer, peer.socket._ahead) == (None, None)
        tasks.cancel_scope.cancel()


async def test_a_view_that_has_received_meanwhile_starts_no_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket_link, "SOON", 0.01)
    async with at_work() as peer:
        peer.says("one")
        await peer.socket.send("ready")
        await peer.socket.receive()
        await anyio.sleep(0.03)
        assert peer.socket._ahead is None


async def test_p26_the_second_send_without_a_receive_reads_ahead_again() -> None:
    async with at_work() as peer:
        peer.says("subscribe")
        await peer.socket.receive()
        await peer.socket.send("one")
        assert peer.socket._timer is None
        await read_ahead(peer)


async def test_a_socket_that_is_closed_soon_starts_no_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket_link, "SOON", 0.01)
    async with at_work() as peer:
        await peer.socket.send("ready")
        await peer.socket.close()
        await anyio.sleep(0.03)
        assert peer.socket._ahead is None


async def test_what_reads_ahead_has_the_variables_of_its_own_exchange() -> None:
    seen = []
    async with at_work() as peer:
        receive = peer.socket._receive

        async def look() -> object:
            seen.append(owner.get())
            return await receive()

        peer.socket._receive = look  # type: ignore[assignment]  # a middleware's
        await peer.socket.accept()
        token = owner.set("another")
        await read_ahead(peer)
        owner.reset(token)
    assert seen == [peer, peer]


# --- what -----------------------------------------------------------------------------------------


async def test_b193_messages_come_first_and_then_the_end() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.says("one", "two")
        peer.leaves()
        await wait_all_tasks_blocked()
        assert (peer.socket.state, peer.socket.close_code) == (State.CLOSED, 4002)
        assert [message async for message in peer.socket] == ["one", "two"]
        with pytest.raises(WebSocketDisconnect, match=r"4002 \(bye\)"):
            await peer.socket.receive()


async def test_p26_a_send_says_at_once_that_the_peer_left() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.leaves()
        await wait_all_tasks_blocked()
        with pytest.raises(WebSocketDisconnect) as caught:
            await peer.socket.send("b")
        assert (caught.value.code, caught.value.reason, peer.kinds) == (
            4002,
            "bye",
            ["accept", "send"],
        )


async def test_who_waits_for_a_message_is_told_of_the_end() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(told, peer, 4002)
            await wait_all_tasks_blocked()
            peer.leaves()


async def told(peer: Peer, code: int) -> None:
    with pytest.raises(WebSocketDisconnect) as caught:
        await peer.socket.receive()
    assert caught.value.code == code


@pytest.mark.parametrize("act", ["close", "leave"])
async def test_who_waits_for_a_message_is_told_of_the_own_close_at_once(act: str) -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(told, peer, 1000 if act == "close" else 1001)
            await wait_all_tasks_blocked()
            await getattr(peer.socket, act)()


@pytest.mark.parametrize("act", ["close", "go_away"])
async def test_b192_after_the_own_close_nothing_is_given(act: str) -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.says("late")
        await wait_all_tasks_blocked()
        await getattr(peer.socket, act)()
        await told(peer, 1000 if act == "close" else 1001)


async def test_b199_a_second_receiver_gets_an_error_here_too() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.socket.receive)
            await wait_all_tasks_blocked()
            with pytest.raises(WebSocketStateError):
                await peer.socket.receive()
            peer.says("go on")


async def test_who_receives_message_after_message_needs_no_task_any_more() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.socket.receive)
            await wait_all_tasks_blocked()
            peer.says("one", "two")
        assert (peer.socket._ahead, peer.taken) == (None, 2)
        assert await peer.socket.receive() == "two"
        await peer.socket.send("a")
        await read_ahead(peer)


async def test_a_receiver_that_is_cancelled_as_its_message_comes_loses_nothing() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        assert peer.socket._ahead is not None
        peer.socket._ahead._has_taker = True  # and is cancelled before it runs again
        peer.says("one", "two")
        await wait_all_tasks_blocked()
        peer.socket._ahead._has_taker = False
        taken = [peer.taken]
        await peer.socket.send("b")
        await anyio.sleep(0.01)
        assert [*taken, peer.taken] == [2, 3]
        assert [await peer.socket.receive(), await peer.socket.receive()] == ["one", "two"]


async def test_what_the_server_raises_is_raised_by_receive() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.error = LookupError("of the server")
        peer.wake()
        with pytest.raises(LookupError, match="of the server"):
            await peer.socket.receive()


# --- how much -------------------------------------------------------------------------------------


async def test_b191_no_more_than_some_messages_are_read_ahead() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.says(*map(str, range(100)))
        await wait_all_tasks_blocked()
        assert peer.taken == 1 + MESSAGES
        received = [await peer.socket.receive() for _ in range(100)]
        assert received == [str(number) for number in range(100)]


async def test_b191_no_more_than_some_bytes_are_read_ahead() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.says(*[bytes(BYTES // 2)] * 10)
        await wait_all_tasks_blocked()
        assert peer.taken == 1 + 2
        await peer.socket.receive()
        await wait_all_tasks_blocked()
        assert peer.taken == 1 + 3


async def test_b191_what_waits_for_room_ends_with_the_socket() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.says(*["x"] * 100)
        await wait_all_tasks_blocked()
        await peer.socket.close()
        await wait_all_tasks_blocked()
        assert peer.taken == 1 + MESSAGES


async def test_b190_a_message_over_the_limit_closes_although_nobody_receives() -> None:
    async with at_work(MAX_WEBSOCKET_MESSAGE_SIZE=4) as peer:
        await read_ahead(peer)
        peer.says("fine", "too long", "never seen")
        await wait_all_tasks_blocked()
        assert peer.sent[-1]["code"] == 1009
        assert await peer.socket.receive() == "fine"
        await told(peer, 1009)
        await peer.socket.close()  # it is closed; nobody has called close() before


async def test_the_limits_may_be_changed_for_one_socket() -> None:
    async with at_work(MAX_WEBSOCKET_MESSAGE_SIZE=4) as peer:
        peer.socket.max_message_size = 8
        peer.says("12345678", "123456789")
        assert await peer.socket.receive() == "12345678"
        await told(peer, 1009)


# --- who is cancelled -----------------------------------------------------------------------------


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_ending, "PATIENCE", 0.0)


@pytest.mark.usefixtures("patience")
async def test_p26_a_view_that_only_waits_is_cancelled() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.leaves()
        await anyio.sleep_forever()
    assert peer.view.cancelled_caught


async def test_p26_it_has_half_a_second_to_find_out_by_itself() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        assert peer.view.deadline == math.inf
        peer.leaves()
        await wait_all_tasks_blocked()
        assert 0.4 < peer.view.deadline - anyio.current_time() <= 0.5
        with pytest.raises(WebSocketDisconnect):
            await peer.socket.send("b")
        assert peer.view.deadline == math.inf


async def test_it_has_longer_for_messages_that_came_before_the_end() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.says("order")
        peer.leaves()
        await wait_all_tasks_blocked()
        assert 9 < peer.view.deadline - anyio.current_time() <= 10
        assert await peer.socket.receive() == "order"
        assert peer.view.deadline == math.inf


async def test_a_view_that_receives_is_never_cancelled_for_it() -> None:
    async with at_work() as peer:
        peer.says("subscribe")
        await peer.socket.receive()
        await peer.socket.send("one")
        await read_ahead(peer)
        peer.leaves()
        await wait_all_tasks_blocked()
        assert peer.view.deadline == math.inf


async def test_what_another_exchange_is_told_gives_the_view_no_time() -> None:
    async with at_work() as peer:
        await read_ahead(peer)
        peer.leaves()
        await wait_all_tasks_blocked()
        token = owner.set("another")
        with pytest.raises(WebSocketDisconnect):
            await peer.socket.send("b")
        owner.reset(token)
        assert peer.view.deadline < math.inf


async def test_a_view_that_closes_may_go_on() -> None:
    async with at_work() as peer:
        await peer.socket.send("a")
        await peer.socket.close()
        assert peer.view.deadline == math.inf


# --- waiting for the end --------------------------------------------------------------------------


async def test_any_number_of_tasks_may_wait_for_the_end() -> None:
    async with at_work() as peer:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(peer.socket.wait_closed)
            await until_read_ahead(peer)
            assert peer.kinds == ["accept"]
            peer.leaves()
        assert (peer.socket.close_code, peer.socket.close_reason) == (4002, "bye")
        await peer.socket.wait_closed()
        assert peer.view.deadline == math.inf


async def test_who_waits_for_the_end_is_told_of_the_own_one() -> None:
    async with at_work() as peer, anyio.create_task_group() as tasks:
        tasks.start_soon(peer.socket.wait_closed)
        await wait_all_tasks_blocked()
        await peer.socket.close()


async def test_who_waits_for_the_end_is_told_while_the_receiver_is_busy() -> None:
    async with at_work() as peer:
        await peer.socket.accept()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.socket.wait_closed)
            peer.says("one", "two")
            for _ in range(2):
                await peer.socket.receive()
            await until_read_ahead(peer)
            peer.leaves()


async def test_a_receive_between_two_looks_does_not_end_the_looking() -> None:
    async with at_work() as peer:
        await peer.socket.accept()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.socket.wait_closed)
            await anyio.lowlevel.checkpoint()
            peer.says("one")
            await peer.socket.receive()
            peer.socket._look(0)
            await until_read_ahead(peer)
            peer.leaves()


# --- rates ----------------------------------------------------------------------------------------


async def test_a_peer_that_is_too_fast_is_closed_with_1008() -> None:
    async with at_work(MAX_WEBSOCKET_MESSAGE_RATE=3) as peer:
        peer.says(*"abcde")
        assert [await peer.socket.receive() for _ in range(3)] == ["a", "b", "c"]
        with pytest.raises(WebSocketDisconnect) as caught:
            await peer.socket.receive()
        assert (caught.value.code, caught.value.reason) == (1008, "The messages come too fast.")
        assert (peer.sent[-1]["code"], peer.socket.close_code) == (1008, 1008)


async def test_the_rate_may_be_changed_for_one_socket() -> None:
    async with at_work(MAX_WEBSOCKET_MESSAGE_RATE=1) as peer:
        peer.socket.max_message_rate = None
        peer.says(*"abc")
        peer.leaves()
        assert [message async for message in peer.socket] == ["a", "b", "c"]


async def test_the_end_counts_as_no_message() -> None:
    async with at_work(MAX_WEBSOCKET_MESSAGE_RATE=1) as peer:
        peer.says("a")
        peer.leaves()
        assert [message async for message in peer.socket] == ["a"]
        assert peer.socket.close_code == 4002


class Clock:
    """What stands for ``monotonic``."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("erlen.exchange.websocket_reading.monotonic", clock)
    return clock


def test_one_second_of_messages_may_come_at_once(clock: Clock) -> None:
    pace = Pace(5)
    assert [pace.allows(5, clock.now) for _ in range(6)] == [True] * 5 + [False]


def test_messages_at_the_rate_are_allowed_for_ever(clock: Clock) -> None:
    pace = Pace(5)
    for _ in range(1000):
        asked = clock.now
        clock.now += 0.2001
        assert pace.allows(5, asked)


def test_a_peer_that_was_waited_for_has_one_second_and_no_more(clock: Clock) -> None:
    pace = Pace(5)
    asked = clock.now
    clock.now += 3600
    assert pace.allows(5, asked)
    assert [pace.allows(5, clock.now) for _ in range(5)] == [True] * 4 + [False]


def test_what_piled_up_while_nobody_asked_is_no_haste(clock: Clock) -> None:
    pace = Pace(5)
    clock.now += 10
    assert [pace.allows(5, clock.now) for _ in range(56)] == [True] * 55 + [False]
