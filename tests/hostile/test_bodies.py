"""Catalogue 2.4: length, framing and limits of bodies."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from erlen import request
from erlen.protocols import Message
from tests.hostile.application import Hostile, make_app
from tests.hostile.harness import HOST, LEFT, Bare, part

MIB = 1024**2
READERS = pytest.mark.parametrize("path", ["/data", "/chunks"])


def declared(length: object) -> list[tuple[bytes, bytes]]:
    return [HOST, (b"content-length", str(length).encode())]


def stream(size: int, piece: int = 65_536) -> Iterator[Message]:
    """Yield the messages of a body of *size* bytes, made when they are taken."""
    for _ in range(size // piece):
        yield part(b"x" * piece, more=True)
    yield part(b"x" * (size % piece))


async def test_b052_two_different_lengths_are_400(server: Bare) -> None:
    headers = [HOST, (b"content-length", b"1"), (b"content-length", b"2")]
    answer = await server.http("/data", method="POST", headers=headers, body=b"a")
    assert (answer.status, answer.ran) == (400, [])


@pytest.mark.parametrize(
    "length",
    [b"+2", b"-1", b"1_0", b" 2", b"2,2", b"0x2", b"\xd9\xa2", b"9" * 30, b"", b"2 ", b"2.0"],
)
async def test_b053_a_length_that_is_not_plain_digits_is_400(server: Bare, length: bytes) -> None:
    headers = [HOST, (b"content-length", length)]
    answer = await server.http("/data", method="POST", headers=headers, body=b"ab")
    assert (answer.status, answer.ran) == (400, [])


async def test_b054_a_chunked_body_has_no_other_length(server: Bare) -> None:
    headers = [*declared(1), (b"transfer-encoding", b"chunked")]
    answer = await server.http("/data", method="POST", headers=headers, body=b"abc")
    assert json.loads(answer.body) == {"size": 3}


@pytest.mark.parametrize(("version", "status"), [("1.1", 400), ("2", 400), ("1.0", 200)])
async def test_b058_only_http_1_0_may_leave_the_host_out(
    server: Bare, version: str, status: int
) -> None:
    assert (await server.http("/c", headers=[], http_version=version)).status == status


@READERS
async def test_b061_more_than_declared_is_400_and_not_kept(server: Bare, path: str) -> None:
    answer = await server.http(
        path, method="POST", headers=declared(5), body=stream(20 * MIB, 1024)
    )
    assert (answer.status, answer.taken) == (400, 1)


@READERS
async def test_b062_a_client_that_leaves_is_not_answered(server: Bare, path: str) -> None:
    answer = await server.gone(
        path, method="POST", headers=declared(100), body=[part(b"x" * 10, more=True), LEFT]
    )
    assert answer.sent == []


async def test_b062_the_view_is_told_and_teardown_sees_it() -> None:
    app = make_app()

    @app.teardown_request
    async def teardown(error: BaseException | None) -> None:
        app.seen.append(type(error).__name__)

    server = Bare(app, app.ran)
    await server.gone("/data", method="POST", headers=declared(9), body=[LEFT])
    assert app.seen[0] == "ClientDisconnected"


@READERS
@pytest.mark.parametrize(
    ("size", "headers", "status"),
    [
        pytest.param(16 * MIB, declared(16 * MIB), 200, id="b064-at-the-limit"),
        pytest.param(16 * MIB + 1, declared(16 * MIB + 1), 413, id="b064-over"),
        pytest.param(16 * MIB, [HOST], 200, id="b064-chunked-at-the-limit"),
        pytest.param(16 * MIB + 1, [HOST], 413, id="b064-chunked-over"),
    ],
)
async def test_b064_the_limit_is_exact(
    server: Bare, path: str, size: int, headers: Any, status: int
) -> None:
    answer = await server.http(path, method="POST", headers=headers, body=stream(size))
    assert answer.status == status
    if status == 413 and len(headers) > 1:
        assert answer.taken == 0


async def test_b066_very_many_tiny_messages_are_read_in_time(server: Bare) -> None:
    body = (part(b"x", more=number < 2**17) for number in range(2**17 + 1))
    answer = await server.http("/data", method="POST", body=body)
    assert json.loads(answer.body) == {"size": 2**17 + 1}


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/small", 1024, 200), ("/small", 1025, 413), ("/data", 1025, 200),
        ("/data", 16 * MIB + 1, 413), ("/large", 16 * MIB + 1, 200),
    ],
)  # fmt: skip
@pytest.mark.parametrize("length", [True, False], ids=["declared", "chunked"])
async def test_b067_the_innermost_limit_wins(
    server: Bare, path: str, size: int, status: int, length: bool
) -> None:
    headers = declared(size) if length else [HOST]
    answer = await server.http(path, method="POST", headers=headers, body=stream(size))
    assert answer.status == status


def reading(app: Hostile, first: str, second: str) -> None:
    @app.view("/twice", methods=["POST"])
    async def read_twice() -> dict[str, Any]:
        found = []
        for way in (first, second):
            if way == "iterate":
                found.append("".join([chunk.decode() async for chunk in request.body]))
            elif way == "json":
                found.append(json.dumps(await request.get_json(force=True)))
            else:
                found.append(await request.get_data(as_text=True))
        return {"found": found}


@pytest.mark.parametrize("first", ["json", "data", "iterate"])
@pytest.mark.parametrize("second", ["json", "data", "iterate"])
async def test_b068_a_body_is_read_twice_or_says_why_not(first: str, second: str) -> None:
    app = make_app()
    reading(app, first, second)
    server = Bare(app, app.ran)
    answer = await server.http("/twice", method="POST", body=b"[1]")
    if first == "iterate":
        assert answer.status == 500
        assert "already read in chunks" in str(answer.log[0].exc_info)
    else:
        assert json.loads(answer.body) == {"found": ["[1]", "[1]"]}


async def test_b068_two_readers_at_once_do_not_hang() -> None:
    app = make_app()

    @app.view("/both", methods=["POST"])
    async def both() -> str:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(request.get_data)
            await anyio.wait_all_tasks_blocked()
            try:
                await request.get_data()
            except RuntimeError as error:
                return str(error)
            finally:
                tasks.cancel_scope.cancel()
        raise NotImplementedError

    server = Bare(app, app.ran)
    answer = await server.http("/both", method="POST", body=[part(b"a", more=True)])
    assert b"another task" in answer.body


async def test_b069_a_body_that_no_view_reads_is_never_taken(server: Bare) -> None:
    answer = await server.http(
        "/unread", method="POST", headers=declared(10 * MIB), body=stream(10 * MIB)
    )
    assert (answer.body, answer.taken) == (b"unread", 0)


@READERS
@pytest.mark.parametrize(
    "body",
    [
        pytest.param([], id="b070-nothing"),
        pytest.param([part(b"x", more=True)], id="b070-mid-body"),
    ],
)
async def test_b070_a_client_that_stops_sending_gets_408(path: str, body: Any) -> None:
    app = make_app(BODY_TIMEOUT=0.01)
    answer = await Bare(app, app.ran).http(path, method="POST", body=body)
    assert answer.status == 408


@READERS
async def test_b071_empty_messages_do_not_keep_a_connection(path: str) -> None:
    def nothing() -> Iterator[Message]:
        while True:
            yield part(b"", more=True)

    app = make_app(BODY_TIMEOUT=0.05)
    answer = await Bare(app, app.ran).http(path, method="POST", body=nothing())
    assert answer.status == 408
    assert answer.taken <= 60


@READERS
@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
async def test_b072_a_body_is_read_under_every_method(server: Bare, path: str, method: str) -> None:
    answer = await server.http(path, method=method, body=b"abc")
    assert json.loads(answer.body) == {"size": 3}
    over = await server.http(path, method=method, body=stream(16 * MIB + 1))
    assert over.status == 413


async def test_b072_head_reads_it_too(server: Bare) -> None:
    answer = await server.http("/data", method="HEAD", body=b"abc")
    assert (answer.status, answer.body, answer.taken) == (200, b"", 1)


async def test_a_body_in_chunks_does_not_grow_the_memory(server: Bare) -> None:
    tracemalloc.start()
    try:
        answer = await server.http("/chunks", method="POST", body=stream(16 * MIB))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 200
    assert peak < MIB


async def test_b066_a_whole_body_of_tiny_chunks_costs_a_small_multiple(server: Bare) -> None:
    tracemalloc.start()
    try:
        answer = await server.http("/data", method="POST", body=stream(MIB, 16))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 200
    assert peak < 4 * MIB
