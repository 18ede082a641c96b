"""How a WebSocket ends: the table of DESIGN section 4."""

from collections.abc import Iterable
from typing import Any

import anyio
import pytest

from erlen import Erlen, websocket
from erlen.exceptions import (
    Forbidden,
    HTTPException,
    InternalServerError,
    NotFound,
    RequestEntityTooLarge,
    RequestRedirect,
    ServiceUnavailable,
    Unauthorized,
    WebSocketMessageError,
)
from erlen.exchange.response import Response
from erlen.pipeline.endings import close_code_of
from erlen.protocols import Message

CONNECT: Message = {"type": "websocket.connect"}


async def talk(
    view: Any, messages: Iterable[Message] = (), *, denial: bool = True
) -> list[Message]:
    """Return what the server is sent when *view* serves a WebSocket."""
    app = Erlen(__name__)
    app.add_url_rule("/", "view", view, websocket=True)
    incoming = iter([CONNECT, *messages])
    sent: list[Message] = []

    async def receive() -> Message:
        for message in incoming:
            return message
        await anyio.sleep_forever()
        raise NotImplementedError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "http_version": "1.1", "scheme": "ws", "path": "/", "raw_path": b"/",
        "query_string": b"", "headers": [(b"host", b"example.com")],
        "extensions": {"websocket.http.response": {}} if denial else {},
    }  # fmt: skip
    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LookupError(), 1011),
        (InternalServerError(), 1011),
        (ServiceUnavailable(), 1013),
        (Unauthorized(), 1008),
        (Forbidden(), 1008),
        (NotFound(), 1008),
        (RequestEntityTooLarge(), 1009),
        (WebSocketMessageError("", 1003), 1003),
        (WebSocketMessageError("", 1007), 1007),
        (RequestRedirect("/"), 1011),
        (HTTPException(response=Response(status=403)), 1008),
        (HTTPException(response=Response(status=503)), 1013),
        (HTTPException(), 1011),
    ],
)
def test_b196_every_error_has_its_close_code(error: Exception, code: int) -> None:
    assert close_code_of(error) == code


@pytest.mark.parametrize(
    ("error", "code"), [(Unauthorized(), 1008), (LookupError(), 1011), (ServiceUnavailable(), 1013)]
)
async def test_b196_an_error_after_the_accept_closes(
    error: Exception, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def view() -> None:
        await websocket.accept()
        raise error

    sent = await talk(view)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[-1]["code"] == code
    assert len(caplog.records) == isinstance(error, LookupError)


@pytest.mark.parametrize(("error", "status"), [(Unauthorized(), 401), (LookupError(), 500)])
async def test_b196_an_error_before_the_accept_is_its_response(
    error: Exception, status: int
) -> None:
    async def view() -> None:
        raise error

    sent = await talk(view)
    assert [message["type"] for message in sent] == [
        "websocket.http.response.start", "websocket.http.response.body",
    ]  # fmt: skip
    assert sent[0]["status"] == status


async def test_pain22_a_returned_response_refuses_and_is_403_without_the_extension() -> None:
    async def view() -> Any:
        return "no", 401

    assert (await talk(view))[0]["status"] == 401
    assert await talk(view, denial=False) == [
        {"type": "websocket.close", "code": 1000, "reason": ""}
    ]


async def test_b197_a_view_that_returns_without_accepting_refuses() -> None:
    async def view() -> None:
        pass

    assert await talk(view) == [{"type": "websocket.close", "code": 1000, "reason": ""}]


async def test_b197_a_view_that_returns_after_accepting_closes_with_1000() -> None:
    async def view() -> Any:
        await websocket.accept()
        return "discarded"

    assert (await talk(view))[-1] == {"type": "websocket.close", "code": 1000, "reason": ""}


async def test_a_view_that_closed_by_itself_is_closed_once() -> None:
    async def view() -> None:
        await websocket.accept()
        await websocket.close(4001, "bye")

    sent = await talk(view)
    assert [message.get("code") for message in sent] == [None, 4001]


async def test_an_error_after_the_own_close_sends_nothing_more() -> None:
    async def view() -> None:
        await websocket.accept()
        await websocket.close(4001)
        raise Forbidden

    assert [message["type"] for message in await talk(view)] == [
        "websocket.accept", "websocket.close",
    ]  # fmt: skip


async def test_pain25_a_loop_ends_normally_and_the_code_is_there() -> None:
    seen: list[Any] = []

    async def view() -> None:
        seen.extend([message async for message in websocket])
        seen.append(websocket.close_code)

    messages: list[Message] = [
        {"type": "websocket.receive", "text": "a", "bytes": None},
        {"type": "websocket.disconnect", "code": 4001, "reason": ""},
    ]
    sent = await talk(view, messages)
    assert (seen, [message["type"] for message in sent]) == (["a", 4001], ["websocket.accept"])
