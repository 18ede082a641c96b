"""What a browser does with a debugger's pages, without a browser."""

import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from erlen import Erlen
from erlen.debugger import Debugger
from erlen.protocols import ASGIApp, Message, Receive, Scope, Send
from erlen.testing.binding import httpx
from erlen.testing.transport import ASGITransport

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
LOCAL = ("127.0.0.1", 50000)
ORIGIN = "http://localhost:5000"


def wrapped(app: ASGIApp, **options: Any) -> Debugger:
    """Return *app* in a debugger that says nothing."""
    return Debugger(app, say=lambda _line: None, **options)


def new_app() -> Erlen:
    """Return an application in debug mode whose view ``/`` fails in its second frame."""
    app = Erlen("shop")
    app.debug = True

    async def average(prices: list[float], count: int) -> float:
        password = "hunter2"
        return sum(prices) / count / len(password)

    @app.get("/<int:number>")
    async def order(number: int) -> str:
        return str(await average([1.5, 2.5], number))

    return app


class Page:
    """A page that came.

    Attributes:
        response: As it came.
    """

    def __init__(self, response: httpx.Response) -> None:
        self.response = response

    @property
    def text(self) -> str:
        text: str = self.response.text
        return text

    def data(self, name: str) -> str:
        found = re.search(rf'<body[^>]* data-{name}="([^"]*)"', self.text)
        assert found is not None, self.text
        return found[1]

    @property
    def id(self) -> str:
        return self.data("page")

    @property
    def key(self) -> str:
        return self.data("key")


class Browser:
    """A person at this machine."""

    def __init__(self, debugger: Debugger, client: tuple[str, int] | None = LOCAL) -> None:
        self.debugger = debugger
        transport = ASGITransport(
            debugger, raises=lambda: True, prepare=lambda _request: None, client=client
        )
        self.http = httpx.AsyncClient(transport=transport, base_url=ORIGIN)

    async def open(self, path: str, **headers: str) -> Page:
        return Page(await self.http.get(path, headers={**HTML, **headers}))

    async def command(
        self, page: Page, path: str, given: object = None, /, **headers: str | None
    ) -> httpx.Response:
        """Send what the script of *page* would send; *headers* replace or, as None, omit fields."""
        fields: dict[str, str | None] = {
            "origin": ORIGIN,
            "sec-fetch-site": "same-origin",
            "sec-fetch-mode": "cors",
            "x-erlen-page": page.key,
            "content-type": "application/json",
        }
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {
            name.encode(): value.encode("latin-1")
            for name, value in fields.items()
            if value is not None
        }
        where = f"/_erlen/{page.id}/{path}" if page.id else f"/_erlen/{path}"
        body = json.dumps({} if given is None else given)
        return await self.http.post(where, content=body, headers=sent)

    async def unlock(self, page: Page) -> None:
        answer = await self.command(page, "unlock", {"token": self.debugger.token})
        assert answer.status_code == 200, answer.text

    async def type(self, page: Page, frame: int, source: str) -> dict[str, Any]:
        """Type something into the console of a frame; return the outcome."""
        answer = await self.command(page, f"{frame}/evaluate", {"source": source})
        assert answer.status_code == 200, answer.text
        outcome: dict[str, Any] = answer.json()
        return outcome


@asynccontextmanager
async def browsing(app: ASGIApp, **options: Any) -> AsyncGenerator[Browser, None]:
    """Browse *app* in a debugger."""
    browser = Browser(wrapped(app, **options))
    async with browser.http:
        yield browser


async def exchange(
    app: ASGIApp, scope: Scope, *events: Message
) -> tuple[list[Message], Exception | None]:
    """Serve one scope to which these events come; return what was sent and raised."""
    waiting = list(events)
    sent: list[Message] = []

    async def receive() -> Message:
        if not waiting:
            await anyio.sleep_forever()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001  # the server's part
        return sent, error
    return sent, None


def failing(error: BaseException) -> ASGIApp:
    """Return an application that raises *error*."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    return app
