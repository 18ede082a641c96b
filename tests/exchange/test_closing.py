"""What made a body is closed, and what fails then is logged."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from erlen.exchange.closing import close_all
from erlen.exchange.response_body import at_once


async def stubborn() -> AsyncIterator[str]:
    try:
        yield "a"
    finally:
        yield "b"


def sync_stubborn() -> Iterator[str]:
    try:
        yield "a"
    finally:
        yield "b"


@pytest.mark.parametrize("make", [stubborn, sync_stubborn])
async def test_b320_who_yields_when_it_is_closed_is_told_so(
    make: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    generator = make()
    await anext(generator) if make is stubborn else next(generator)
    await close_all([generator], at_once)
    (record,) = caplog.records
    assert make.__name__ in record.getMessage()
    assert record.getMessage().endswith("Do not yield in 'finally'.")
    assert record.exc_info is None
