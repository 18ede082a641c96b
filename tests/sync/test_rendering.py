"""Running without an event loop what does not need one."""

from collections.abc import AsyncGenerator

import anyio
import pytest

from erlen.sync.rendering import finish, iterate_chunks


async def test_what_waits_for_nothing_is_finished_in_one_step() -> None:
    async def inner() -> int:
        return 6

    async def outer() -> int:
        return await inner() * 7

    assert finish(outer()) == 42


async def test_error_is_itself() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        finish(fail())


async def test_what_waits_after_all_is_closed_and_named() -> None:
    closed: list[bool] = []

    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            closed.append(True)

    with pytest.raises(
        RuntimeError, match=r"wait.* awaited something in a thread\. Wait for it by"
    ):
        finish(wait())
    assert closed == [True]


def test_chunks_are_given_and_closed() -> None:
    log: list[str] = []

    async def chunks() -> AsyncGenerator[str, None]:
        try:
            yield "a"
            yield "b"
        finally:
            log.append("closed")

    assert [*iterate_chunks(chunks())] == ["a", "b"]
    generator = iterate_chunks(chunks())
    assert next(generator) == "a"
    generator.close()
    assert log == ["closed"] * 2
