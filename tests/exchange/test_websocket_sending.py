"""A peer that takes nothing: SEND_TIMEOUT, for the view and for whoever sends besides (pains 30)."""

import logging
from time import monotonic
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio import wait_all_tasks_blocked

from erlen.exceptions import WebSocketDisconnect
from erlen.exchange import websocket_ending
from tests.exchange.sockets import Peer, at_work, owner


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_ending, "PATIENCE", 0.0)


def stop_reading(peer: Peer) -> None:
    peer.reads = anyio.Event()


async def test_p30_a_view_whose_send_does_not_return_is_cancelled_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with anyio.fail_after(2):
        async with at_work(SEND_TIMEOUT=0.02) as peer:
            await peer.socket.accept()
            stop_reading(peer)
            await peer.socket.send("never taken")
    assert (peer.view.cancelled_caught, peer.socket.close_code) == (True, 1006)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(
        "The peer of the WebSocket /socket has taken nothing for 0.02 s"
    )


async def test_p30_a_block_of_tasks_ends_although_one_receives() -> None:
    async with at_work(SEND_TIMEOUT=0.02) as peer:
        await peer.socket.accept()
        stop_reading(peer)
        async with peer.socket.tasks() as tasks:
            tasks.start_soon(peer.socket.receive)
            tasks.start_soon(peer.socket.send, "never taken")
        assert peer.socket.close_code == 1006
        with pytest.raises(WebSocketDisconnect, match="1006"):
            await peer.socket.send("b")
    assert not peer.view.cancelled_caught


async def test_p30_who_sends_from_another_exchange_is_told() -> None:
    async with at_work(SEND_TIMEOUT=0.02) as peer:
        await peer.socket.accept()
        stop_reading(peer)
        token = owner.set("another")
        with pytest.raises(WebSocketDisconnect, match="1006"), anyio.CancelScope(shield=True):
            await peer.socket.send("never taken")
        owner.reset(token)
        await anyio.sleep_forever()
    assert peer.view.cancelled_caught


async def test_b192_who_sends_from_another_exchange_is_told_that_the_peer_is_gone() -> None:
    async with at_work() as peer:
        await peer.socket.accept()
        peer.socket._send = fail_to_send
        token = owner.set("another")
        with pytest.raises(WebSocketDisconnect, match="1006"):
            await peer.socket.send("lost")
        owner.reset(token)
    assert peer.socket.close_code == 1006


async def fail_to_send(_message: Any) -> None:
    raise OSError


async def test_what_is_kept_says_after_the_exchange_that_it_is_closed() -> None:
    async with at_work() as peer:
        await peer.socket.accept()
    assert peer.socket._get_current_object() is peer.socket
    peer.socket.cut_off()
    peer.socket.cut_off()
    for act in (peer.socket.send("a"), peer.socket.receive()):
        with pytest.raises(WebSocketDisconnect, match="closed with code 1006"):
            await act
    await peer.socket.close()
    assert peer.kinds == ["accept"]


async def test_b327_an_accept_that_finds_nobody_is_the_end() -> None:
    async with at_work() as peer:

        async def send(message: object) -> None:
            raise BrokenPipeError

        peer.socket._send = send
        with pytest.raises(WebSocketDisconnect, match="1006"):
            await peer.socket.accept()
        assert peer.socket.close_code == 1006


async def test_a_task_without_any_exchange_may_send() -> None:
    peer = Peer()
    with peer.view:
        peer.socket.begin(peer.view, owner.get, peer)
        await peer.socket.send("a")
        await peer.socket.release()
    assert peer.kinds == ["accept", "send"]


async def test_sends_that_return_are_no_reason_to_worry() -> None:
    async with at_work(SEND_TIMEOUT=0.01) as peer:
        for _ in range(10):
            await peer.socket.send("a")
            await anyio.sleep(0.004)
        assert peer.socket.close_code is None


async def test_a_slow_peer_is_not_given_up_as_long_as_it_takes_something() -> None:
    async with at_work(SEND_TIMEOUT=0.1) as peer:
        await peer.socket.accept()
        for _ in range(6):
            stop_reading(peer)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(peer.socket.send, "a")
                await anyio.sleep(0.03)
                peer.reads.set()
        assert peer.socket.close_code is None


async def test_without_a_limit_nothing_is_watched() -> None:
    async with at_work(SEND_TIMEOUT=None) as peer:
        await peer.socket.send("a")
        assert peer.socket._progress._timer is None
        token = owner.set("another")
        await peer.socket.send("b")
        owner.reset(token)
    assert peer.kinds == ["accept", "send", "send"]


async def test_a_close_that_nobody_takes_is_given_up() -> None:
    async with at_work(SEND_TIMEOUT=0.01) as peer:
        await peer.socket.accept()
        stop_reading(peer)
        with anyio.fail_after(1):
            await peer.socket.close(4000)
        assert (peer.socket.close_code, peer.kinds) == (4000, ["accept"])


async def test_a_send_that_stands_still_while_the_socket_is_closed_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with at_work(SEND_TIMEOUT=0.02) as peer:
        await peer.socket.accept()
        stop_reading(peer)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.socket.send, "never taken")
            await wait_all_tasks_blocked()
            await peer.socket.close()
            await anyio.sleep(0.03)
            tasks.cancel_scope.cancel()
    assert (caplog.records, peer.socket.close_code) == ([], 1000)


async def test_b327_a_send_that_fails_after_the_end_tells_the_end() -> None:
    async with at_work() as peer:
        await peer.socket.accept()

        async def send(message: object) -> None:
            peer.socket._end(4005, "why", here=False)
            raise BrokenPipeError

        peer.socket._send = send
        with pytest.raises(WebSocketDisconnect, match=r"4005 \(why\)"):
            await peer.socket.send("a")


async def test_p28_b199_two_tasks_that_send_keep_messages_whole() -> None:
    async with at_work() as peer:
        async with anyio.create_task_group() as tasks:
            for name in "ab":
                tasks.start_soon(send_many, peer, name)
        assert sorted(message["text"] for message in peer.sent[1:]) == sorted(
            f"{name}{number}" for name in "ab" for number in range(50)
        )


async def send_many(peer: Peer, name: str) -> None:
    for number in range(50):
        await peer.socket.send(f"{name}{number}")
        await anyio.lowlevel.checkpoint()


async def test_who_only_sends_lets_the_event_loop_have_its_turn() -> None:
    async with at_work() as peer, anyio.create_task_group() as tasks:
        await peer.socket.accept()
        had_turn = anyio.Event()

        async def take_turn() -> None:
            had_turn.set()

        async def take_at_once(_message: object) -> None:
            """What a server does with a message for a peer that has left."""

        peer.socket._send = take_at_once
        tasks.start_soon(take_turn)
        limit = monotonic() + 5
        while not had_turn.is_set() and monotonic() < limit:
            await peer.socket.send("a")
        assert had_turn.is_set()
