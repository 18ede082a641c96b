"""What goes on right now, and how long its parts took."""

from typing import Any

import anyio
import pytest

from erlen.debugger.live import REMEMBERED, Exchange, Live, tasks
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
        ({}, []),
        ({"matched": 11.0}, [("match", 1.0)]),
        ({"handled": 12.0}, []),
        ({"matched": 11.0, "handled": 13.0}, [("match", 1.0), ("app", 2.0)]),
        ({"template": 0.5, "started": 14.0}, [("template", 0.5), ("total", 4.0)]),
        ({"started": 14.0, "ended": 15.5}, [("total", 4.0), ("send", 1.5)]),
    ],
)
def test_parts_are_told_once_they_have_ended(
    moments: dict[str, float], parts: list[tuple[str, float]]
) -> None:
    assert [(name, seconds) for name, _, seconds in exchange(**moments).parts()] == parts


def test_server_timing_is_in_milliseconds() -> None:
    made = exchange(matched=10.001, handled=10.0035, template=0.002, started=10.004)
    assert made.timing() == (
        b'match;desc="middleware and routing";dur=1.00, app;desc="hooks and view";dur=2.50, '
        b'template;dur=2.00, total;desc="until the response began";dur=4.00'
    )


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


def test_exchanges_are_listed_while_they_run_and_after() -> None:
    live = Live()
    request, socket = live.enter(scope_of()), live.enter({**scope_of(), "type": "websocket"})
    assert (live.running(websockets=False), live.running(websockets=True)) == ([request], [socket])
    assert request.age > 0
    live.leave(request)
    assert live.running(websockets=False) == []
    assert [each.title for each in live.ended()] == ["GET /"]
    assert request.age == request.ended - request.began


def test_the_last_ones_are_remembered_without_what_they_held() -> None:
    live = Live()
    for number in range(100):
        live.leave(live.enter(scope_of(f"/{number}", state={"held": object()})))
    assert [each.title for each in live.ended()] == [
        f"GET /{number}" for number in range(99, 99 - REMEMBERED, -1)
    ]
    assert all("state" not in each.scope for each in live.ended())


class Awaitable:
    def __await__(self) -> Any:
        yield from anyio.sleep_forever().__await__()


async def outer() -> None:
    await inner()


async def inner() -> None:
    await Awaitable()


async def test_tasks_are_listed_with_what_they_wait_in() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(outer, name="patient")
        group.start_soon(anyio.sleep_forever, name="library's")
        await anyio.wait_all_tasks_blocked()
        found = {task.name: task.waits_in for task in tasks()}
        group.cancel_scope.cancel()
    names = [place.partition(" ")[0] for place in found["patient"]]
    assert names[:2] == ["outer", "inner"]
    assert all("test_live.py" in place for place in found["patient"])
    assert len(found["library's"]) == 1


async def test_a_task_that_has_not_begun_waits_in_its_function() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(outer, name="new")
        assert "new" in {task.name for task in tasks()}
        group.cancel_scope.cancel()
