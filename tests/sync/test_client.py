"""The blocking names of ``erlen.sync``."""

import pytest

from erlen import Erlen, request, websocket
from erlen import sync as blocking


def make_app() -> Erlen:
    app = Erlen("shop")

    @app.get("/")
    def index() -> str:
        return request.args.get("q", "none")

    @app.websocket("/echo")
    async def echo() -> None:
        async for message in websocket:
            await websocket.send(message)

    return app


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_plain_test_asks_a_page(backend: str) -> None:
    with blocking.test_client(make_app(), backend=backend) as client:
        assert client.get("/", query_string={"q": "tea"}).text == "tea"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_plain_test_speaks_to_a_websocket(backend: str) -> None:
    with (
        blocking.test_client(make_app(), backend=backend) as client,
        client.websocket("/echo") as ws,
    ):
        ws.send("hello")
        assert ws.receive() == "hello"


async def test_inside_an_event_loop_it_says_what_to_use() -> None:
    with pytest.raises(RuntimeError, match="test_client"), blocking.test_client(make_app()):
        pass
