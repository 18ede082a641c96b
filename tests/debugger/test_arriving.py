"""The body of a request on its way to the application."""

from collections.abc import Iterable

import anyio
import pytest

from erlen.debugger import arriving as module
from erlen.debugger.arriving import KEPT, Arriving
from erlen.protocols import Message


def message(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def arriving(messages: Iterable[Message]) -> Arriving:
    """Return what comes from a client that sends these and then nothing any more."""
    waiting = iter(messages)

    async def receive() -> Message:
        for each in waiting:
            return each
        await anyio.sleep_forever()
        raise AssertionError

    return Arriving(receive)


async def test_messages_pass_and_their_beginning_is_kept() -> None:
    client = arriving([message(b"x" * KEPT, more=True), message(b"yz")])
    assert (await client.receive())["body"] == b"x" * KEPT
    assert not client.is_over
    assert (await client.receive())["body"] == b"yz"
    assert (client.body, client.size, client.is_over) == (b"x" * KEPT, KEPT + 2, True)


async def test_what_is_read_ahead_is_received_later() -> None:
    client = arriving([message(b"a", more=True), message(b"b")])
    await client.read_ahead()
    assert client.is_over
    assert [(await client.receive())["body"] for _ in range(2)] == [b"a", b"b"]


async def test_nothing_is_read_ahead_after_the_end() -> None:
    client = arriving([message(b"a"), {"type": "http.disconnect"}])
    await client.receive()
    await client.read_ahead()
    assert (await client.receive())["type"] == "http.disconnect"


async def test_a_client_that_has_left_is_received_as_one() -> None:
    client = arriving([{"type": "http.disconnect"}])
    await client.read_ahead()
    assert (await client.receive())["type"] == "http.disconnect"


async def test_a_slow_client_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AHEAD_SECONDS", 0.01)
    client = arriving([message(b"a", more=True)])
    await client.read_ahead()
    assert not client.is_over
    assert (await client.receive())["body"] == b"a"


@pytest.mark.parametrize("chunk", [b"x" * 100_000, b""])
async def test_only_so_much_is_read_ahead(chunk: bytes) -> None:
    async def receive() -> Message:
        return message(chunk, more=True)

    client = Arriving(receive)
    await client.read_ahead()
    assert client.size <= module.AHEAD_BYTES + 100_000
    assert not client.is_over


async def test_one_at_a_time_receives() -> None:
    client = arriving([])
    async with anyio.create_task_group() as group:
        group.start_soon(client.receive)
        await anyio.wait_all_tasks_blocked()
        await client.read_ahead()
        group.cancel_scope.cancel()
