"""What goes on right now, and how long its parts took."""

from typing import Any

import anyio
import pytest

from erlen.debugger.live import REMEMBERED, Exchange, Live, Task, current_exchange, tasks
from erlen.debugger.starts import watch_starts
from erlen.protocols import Message
from tests.exchange.wire import scope_of


def exchange(**moments: float) -> Exchange:
    made = Exchange(scope_of(), began=10.0)
    for name, value in moments.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("moments", "parts"),
    [
        ({}, {}),
        ({"matched": 11.0}, {"match": 1.0}),
        ({"handled": 12.0}, {}),
        ({"matched": 11.0, "handled": 13.0}, {"match": 1.0, "hooks": 2.0}),
        (
            {"matched": 11.0, "view_began": 12.0, "view_ended": 15.0, "handled": 17.0},
            {"match": 1.0, "hooks": 3.0, "view": 3.0},
        ),
        ({"template": 0.5, "started": 14.0}, {"template": 0.5, "total": 4.0}),
        ({"handled": 13.0, "started": 14.0}, {"send": 1.0, "total": 4.0}),
        ({"handled": 13.0, "started": 14.0, "failed": True}, {"page": 1.0, "total": 4.0}),
        ({"handled": 15.0, "started": 14.0}, {"total": 4.0}),
        ({"started": 14.0, "ended": 15.5}, {"total": 4.0, "body": 1.5}),
    ],
)
def test_parts_are_told_once_they_have_ended(
    moments: dict[str, float], parts: dict[str, float]
) -> None:
    assert {name: seconds for name, _, seconds in exchange(**moments).parts()} == parts


def test_server_timing_is_in_milliseconds() -> None:
    made = exchange(matched=10.001, handled=10.0035, template=0.002, started=10.004)
    assert made.timing() == (
        b'match;desc="middleware and routing";dur=1.00, hooks;desc="and error handlers";dur=2.50, '
        b'template;desc="within the view or a hook";dur=2.00, '
        b'send;desc="up to the status line";dur=0.50, total;desc="up to the status line";dur=4.00'
    )


def test_a_websocket_is_open_for_a_while() -> None:
    socket = Exchange({"type": "websocket"}, began=10.0, started=11.0, ended=14.0)
    assert [name for name, _, _ in socket.parts()] == ["total", "open"]


@pytest.mark.parametrize(
    ("message", "status", "has_timing"),
    [
        ({"type": "http.response.start", "status": 404, "headers": []}, 404, True),
        ({"type": "http.response.start", "status": 200}, 200, True),
        ({"type": "websocket.http.response.start", "status": 403}, 403, True),
        ({"type": "websocket.accept"}, 101, False),
        ({"type": "http.response.body"}, 0, False),
    ],
)
async def test_the_start_of_a_response_is_noted(
    message: Message, status: int, has_timing: bool
) -> None:
    made, sent = exchange(), []

    async def send(message: Message) -> None:
        sent.append(message)

    await made.sending(send)(message)
    assert (made.status, bool(made.started)) == (status, bool(status))
    assert (b"server-timing" in dict(sent[0].get("headers", ()))) is has_timing


async def test_exchanges_are_listed_while_they_run_and_after() -> None:
    live = Live()
    with live.entered({**scope_of(), "type": "websocket"}) as socket:
        with live.entered(scope_of()) as request:
            assert live.running() == [socket, request]
            assert current_exchange.get() is request
            assert request.age > 0
        assert live.running() == [socket]
    assert [each.title for each in live.ended()] == ["WebSocket /", "GET /"]
    assert request.age == request.ended - request.began
    assert current_exchange.get() is None


async def test_the_last_ones_are_remembered_without_what_they_held() -> None:
    live = Live()
    for number in range(100):
        with live.entered(scope_of(f"/{number}", state={"held": object()})):
            pass
    assert [each.title for each in live.ended()] == [
        f"GET /{number}" for number in range(99, 99 - REMEMBERED, -1)
    ]
    assert all("state" not in each.scope for each in live.ended())


async def never() -> Message:
    raise AssertionError


def test_what_a_websocket_receives_is_its_own() -> None:
    socket = Exchange({"type": "websocket"})
    assert socket.receiving(never) is never
    assert socket.arriving is None


class Awaitable:
    def __await__(self) -> Any:
        yield from anyio.sleep_forever().__await__()


async def outer() -> None:
    await inner()


async def inner() -> None:
    await Awaitable()


async def found_tasks(live: Live | None = None) -> dict[str, Task]:
    await anyio.wait_all_tasks_blocked()
    return {task.name: task for task in tasks(live or Live())}


async def test_tasks_are_listed_with_what_they_wait_in() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(outer, name="patient")
        group.start_soon(anyio.sleep_forever, name="library's")
        found = await found_tasks()
        group.cancel_scope.cancel()
    patient = found["patient"].waits_in
    assert [link.function for link in patient][:2] == ["outer", "inner"]
    assert all("test_live.py" in link.file for link in patient)
    assert len(found["library's"].waits_in) == 1


async def test_a_task_that_has_not_begun_waits_in_its_function() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(outer, name="new")
        assert "new" in {task.name for task in tasks(Live())}
        group.cancel_scope.cancel()


async def test_tasks_tell_who_has_started_them_and_when() -> None:
    watch_starts()
    async with anyio.create_task_group() as group:
        group.start_soon(outer, name="patient")
        found = (await found_tasks())["patient"]
        group.cancel_scope.cancel()
    assert found.started[-1].function == "test_tasks_tell_who_has_started_them_and_when"
    assert found.age is not None
    assert 0 <= found.age < 60


async def test_the_task_of_an_exchange_bears_its_title() -> None:
    live = Live()

    async def serve() -> None:
        with live.entered(scope_of("/slow")):
            await outer()

    async with anyio.create_task_group() as group:
        group.start_soon(serve)
        assert "GET /slow" in await found_tasks(live)
        group.cancel_scope.cancel()
