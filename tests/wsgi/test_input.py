"""wsgi.input is a file, whatever the pieces in which the body arrives."""

import io
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.exchange.body import Body
from erlen.threads import Threads
from erlen.wsgi.input import RequestEnded, open_input
from tests.exchange.wire import LEFT, Feed, part, parts

LINES = b"one\ntwo\n\nthree is longer\nno end"
READS: dict[str, Callable[[Any], object]] = {
    "read": lambda file: (file.read(), file.read()),
    "read(n)": lambda file: [file.read(5) for _ in range(8)],
    "readline": lambda file: [file.readline() for _ in range(7)],
    "readline(n)": lambda file: [file.readline(3) for _ in range(12)],
    "readlines": lambda file: (file.readlines(), file.readlines()),
    "readlines(hint)": lambda file: [file.readlines(6) for _ in range(4)],
    "iteration": list,
    "mixed": lambda file: [
        file.read(2),
        file.readline(),
        next(file),
        file.readlines(),
        file.read(),
    ],
}


async def read(body: Body, how: Callable[[Any], object]) -> object:
    aiter(body)
    worker = Threads(1).worker()
    try:
        return await worker.run(how, open_input(body))
    finally:
        worker.release()


@pytest.mark.parametrize("how", READS.values(), ids=READS)
async def test_b281_every_split_reads_as_a_file_does(how: Callable[[Any], object]) -> None:
    expected = how(io.BytesIO(LINES))
    for at in range(len(LINES) + 1):
        body = Body(Feed(parts(LINES[:at], LINES[at:])), len(LINES))
        assert await read(body, how) == expected


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_b281_any_pieces_of_any_body_read_as_a_file_does(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    body = Body(Feed(parts(*pieces)))
    lines = anyio.run(read, body, lambda file: [file.readline(7) for _ in range(250)])
    assert b"".join(lines) == data  # type: ignore[arg-type]  # what the lambda returns


async def test_b281_an_empty_body_is_an_empty_file() -> None:
    assert await read(Body(Feed(parts(b""))), lambda file: (file.read(), list(file))) == (b"", [])


async def test_b282_nothing_is_read_beyond_the_end() -> None:
    feed = Feed(parts(b"12345"))
    assert await read(Body(feed, 5), lambda file: file.read(100)) == b"12345"
    assert feed.calls == 1


@pytest.mark.parametrize(
    "messages",
    [[part(b"ten bytes.", more=True), LEFT], [part(b"ten bytes.")]],
    ids=["left", "short"],
)
@pytest.mark.parametrize("how", [READS["read"], READS["iteration"], READS["readlines"]])
async def test_b280_a_short_body_is_never_given_as_a_whole(
    messages: Any, how: Callable[[Any], object]
) -> None:
    with pytest.raises(RequestEnded):
        await read(Body(Feed(messages), 1000), how)


async def test_it_can_be_read_only() -> None:
    assert await read(Body(Feed(parts(b""))), lambda file: (file.readable(), file.writable())) == (
        True,
        False,
    )
