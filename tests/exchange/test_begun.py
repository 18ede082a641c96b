"""The rest of a coroutine that has begun."""

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen.exchange.begun import attended


async def test_what_does_not_wait_is_not_attended() -> None:
    async def quick() -> int:
        return 7

    log: list[str] = []
    assert await attended(quick(), lambda: log.append("attended")) == 7
    assert log == []


async def test_what_waits_is_attended_once() -> None:
    async def slow() -> int:
        await checkpoint()
        await checkpoint()
        return 7

    log: list[str] = []
    assert await attended(slow(), lambda: log.append("attended")) == 7
    assert log == ["attended"]


@pytest.mark.parametrize("waits", [False, True])
async def test_what_it_raises_is_raised(waits: bool) -> None:
    async def fail() -> None:
        if waits:
            await checkpoint()
        raise LookupError

    with pytest.raises(LookupError):
        await attended(fail(), lambda: None)


async def test_it_is_cancelled_where_it_waits_and_may_clean_up() -> None:
    log: list[str] = []

    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await checkpoint()
            log.append("clean")

    with anyio.move_on_after(0.01):
        await attended(wait(), lambda: None)
    assert log == ["clean"]


async def test_a_cancellation_that_is_caught_does_not_end_it() -> None:
    async def stubborn() -> str:
        with anyio.move_on_after(0):
            await anyio.sleep_forever()
        await checkpoint()
        return "done"

    assert await attended(stubborn(), lambda: None) == "done"
