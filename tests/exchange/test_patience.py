"""A client that does not read a long body."""

import anyio
import pytest

from erlen import Response
from erlen.exceptions import ClientDisconnected, SendTimeout
from erlen.exchange import patience
from erlen.protocols import Message
from tests.exchange.wire import SendTo, Wire


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlen.exchange.response.SLICE", 4)
    monkeypatch.setattr(patience, "SLICE", 4)


@pytest.mark.parametrize(
    ("body", "slices"),
    [(b"four", [b"four"]), (b"fives", [b"five", b"s"]), (b"12345678", [b"1234", b"5678"])],
)
async def test_a_long_body_goes_in_slices(body: bytes, slices: list[bytes]) -> None:
    wire = Wire()
    await Response(body).send(wire)
    assert [message["body"] for message in wire.sent[1:]] == slices
    assert wire.is_complete
    assert (b"content-length", str(len(body)).encode()) in wire.headers


async def test_a_client_that_takes_nothing_of_a_slice_is_broken_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def block(wire: SendTo, message: Message) -> None:
        if message.get("body") == b"s":
            await anyio.sleep_forever()

    wire, closed = SendTo(block), []
    wire.scope["path"] = "/big\nfile"
    wire.send_timeout = 0.01
    response = Response(b"fives")
    response.call_on_close(lambda: closed.append(1))
    with anyio.fail_after(1), pytest.raises(SendTimeout):
        await response.send(wire)
    assert (closed, wire.sent[1]["more_body"]) == ([1], True)
    assert "GET /big\\nfile is broken off" in caplog.records[0].getMessage()


async def test_a_client_that_leaves_between_slices_has_left() -> None:
    async def leave(wire: SendTo, message: Message) -> None:
        if "body" in message:
            raise TimeoutError  # an OSError, as the server may have it

    with pytest.raises(ClientDisconnected):
        await Response(b"fives").send(SendTo(leave))
