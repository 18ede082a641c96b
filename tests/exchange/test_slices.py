"""Slices of a body: never long, and the loop gets its turn between them."""

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen.exchange.body import Body
from erlen.exchange.slices import SLICE, Slices
from tests.exchange.wire import feed, parts


def slices(*chunks: bytes) -> Slices:
    return Slices(Body(feed(*parts(*chunks))))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        pytest.param([0], [], id="empty"),
        pytest.param([3, 2], [3, 2], id="short-ones-as-they-come"),
        pytest.param([2 * SLICE + 1, 1], [SLICE, SLICE, 1, 1], id="long-ones-cut"),
    ],
)
async def test_no_slice_is_longer_than_allowed(sizes: list[int], expected: list[int]) -> None:
    assert [len(data) async for data in slices(*(b"x" * size for size in sizes))] == expected


async def test_the_bytes_are_those_of_the_body() -> None:
    body = bytes(range(256)) * 1000
    assert b"".join([data async for data in slices(body[:100], body[100:])]) == body


@pytest.mark.parametrize("chunk", [16 * SLICE, SLICE // 2], ids=["one-message", "all-ready"])
async def test_r9_others_run_when_it_is_their_turn(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erlen.exchange.slices.TURN_SECONDS", 0.0)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        async for _ in slices(*[b"x" * chunk] * (16 * SLICE // chunk)):
            pass
        tasks.cancel_scope.cancel()
    assert turns >= 15


async def test_nothing_is_read_before_it_is_asked_for() -> None:
    receive = feed(*parts(b"a"))
    body = Body(receive)
    Slices(body)
    assert await body.read() == b"a"
