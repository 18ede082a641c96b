"""Floor 8: the httpx transport that calls an ASGI application, complete or chunk by chunk.

A plain request runs the application in the task of the caller. A request whose extensions hold a
:class:`~erlen.testing.running.Company` runs it in a child task, and its response is there as soon
as it starts.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Self

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from erlen.protocols import ASGIApp, Message
from erlen.testing.binding import httpx
from erlen.testing.conduct import ConductChecker, ConductError
from erlen.testing.deadlines import DeadlineExceeded, deadline
from erlen.testing.isolation import in_own_context
from erlen.testing.response import LiveBody, Response
from erlen.testing.running import ClientGone, Company, Running
from erlen.testing.scopes import http_scope, request_events

__all__ = ["COMPANY", "ASGITransport", "failed_response", "seconds_of"]

#: Request extension: the company beside which the application runs.
COMPANY = "erlen.company"


class ASGITransport(httpx.AsyncBaseTransport):
    """Requests in, ASGI calls out.

    Attributes:
        state: The lifespan's state, ``None`` as long as no lifespan was run.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        raises: Callable[[], bool],
        prepare: Callable[[httpx.Request], None],
        root_path: str = "",
        client: tuple[str, int] | None = None,
    ) -> None:
        """Bind the transport to *app*.

        Args:
            app: Called once for each request, under the conduct checker.
            raises: Asked when the application has failed: whether its exception leaves the client.
            prepare: Called with each request, redirected ones included, before it is sent.
            root_path: The scope's ``root_path``.
            client: The scope's ``client``.
        """
        self.checked = ConductChecker(app)
        self.raises = raises
        self.state: dict[str, Any] | None = None
        self._prepare = prepare
        self._root_path = root_path
        self._client = client

    def scope(self, request: httpx.Request) -> dict[str, Any]:
        """Return the HTTP scope of *request*, after it is prepared."""
        self._prepare(request)
        return http_scope(request, root_path=self._root_path, client=self._client, state=self.state)

    async def handle_async_request(self, request: httpx.Request) -> Response:
        """Answer *request*; httpx calls this."""
        scope = self.scope(request)
        company: Company | None = request.extensions.get(COMPANY)
        if company is None:
            return await self._collected(request, scope)
        return await self._streamed(request, scope, company)

    async def _collected(self, request: httpx.Request, scope: dict[str, Any]) -> Response:
        chunks: list[bytes] = []

        async def collect(chunk: bytes) -> None:
            chunks.append(chunk)

        exchange = _Exchange(request, collect)
        try:
            with deadline(seconds_of(request), lambda: exchange.awaiting("the end of")):
                await in_own_context(self.checked(scope, exchange.receive, exchange.send))
        except (ConductError, DeadlineExceeded):
            raise
        except Exception:
            if self.raises():
                raise
        finally:
            await exchange.aclose()
        if exchange.status is not None and not exchange.complete:
            raise exchange.broken()
        return exchange.response(httpx.ByteStream(b"".join(chunks)))

    async def _streamed(
        self, request: httpx.Request, scope: dict[str, Any], company: Company
    ) -> Response:
        sender, chunks = anyio.create_memory_object_stream[bytes](0)
        exchange = _Exchange(request, sender.send, sender.close)
        seconds = seconds_of(request)

        def hang_up() -> bool:
            complete = exchange.hang_up()
            if not complete:
                chunks.close()  # a waiting send() fails
            return complete

        async def call() -> None:
            with sender, chunks:
                try:
                    await self.checked(scope, exchange.receive, exchange.send)
                finally:
                    await exchange.aclose()

        running = Running(
            call,
            at_end=exchange.started.set,
            hang_up=hang_up,
            describe=exchange.describe,
            seconds=seconds,
        )
        body = _StreamedBody(exchange, chunks, running, company)
        company.start(running)
        with deadline(seconds, lambda: exchange.awaiting("the start of")):
            await exchange.started.wait()
        if exchange.status is None:
            company.report(running)
        return exchange.response(body, live=body)


def seconds_of(request: httpx.Request) -> float | None:
    """Return the deadline of a request: httpx's read timeout."""
    seconds: float | None = request.extensions.get("timeout", {}).get("read")
    return seconds


def failed_response() -> Response:
    """Return what a server answers when the application fails before it has started a response."""
    text = b"Internal Server Error"
    headers = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(text))}
    return Response(500, headers=headers, stream=httpx.ByteStream(text))


class _Exchange:
    """The server's side of one request: what the application receives and sends."""

    def __init__(
        self,
        request: httpx.Request,
        deliver: Callable[[bytes], Awaitable[None]],
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        """*deliver* takes each chunk and may wait until it is read; *finish* follows the last."""
        self._request = request
        self._deliver = deliver
        self._finish = finish
        self._events: AsyncGenerator[Message, None] = request_events(request)
        self._uploaded = False
        self._over = anyio.Event()
        self._gone = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._extensions: dict[str, Any] = {}
        self._bytes = 0
        self._trailers = False
        self.started = anyio.Event()
        self.status: int | None = None
        self.complete = False

    async def receive(self) -> Message:
        if not (self._uploaded or self._gone):
            event = await anext(self._events, None)
            if event is not None:
                self._uploaded = not event["more_body"]
                return event
            self.hang_up()  # the client's body ended before its Content-Length
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._gone:
            raise ClientGone
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            self._headers = list(message.get("headers", ()))
            self._trailers = message.get("trailers", False)
            self.started.set()
        elif kind == "http.response.body":
            await self._send_body(message)
        elif kind == "http.response.early_hint":
            self._extensions.setdefault(kind, []).extend(message["links"])
        elif kind == "http.response.push":
            promise = (message["path"], list(message.get("headers", ())))
            self._extensions.setdefault(kind, []).append(promise)
        elif kind == "http.response.trailers":
            self._extensions.setdefault(kind, []).extend(message.get("headers", ()))
            if not message.get("more_trailers", False):
                self._complete()
        else:  # http.response.debug: the conduct checker has refused any other
            self._extensions[kind] = message["info"]

    async def _send_body(self, message: Message) -> None:
        chunk = message.get("body", b"")
        if chunk:
            self._bytes += len(chunk)
            try:
                await self._deliver(chunk)
            except anyio.BrokenResourceError:
                raise ClientGone from None
        if not message.get("more_body", False) and not self._trailers:
            self._complete()

    def _complete(self) -> None:
        self.complete = True
        self._over.set()
        self._finish()

    async def aclose(self) -> None:
        """Close the upload; the application is over."""
        await self._events.aclose()

    def hang_up(self) -> bool:
        """Leave; return whether the response was complete."""
        if not self.complete:
            self._gone = True
            self._over.set()
        return self.complete

    def describe(self) -> str:
        return f"{self._request.method} {self._request.url.raw_path.decode('ascii')}"

    def awaiting(self, part: str) -> str:
        """Say what is awaited, and what has come."""
        so_far = "has not started it"
        if self.status is not None:
            so_far = f"has started it with status {self.status} and sent {self._bytes} bytes"
        return f"{part} the response to {self.describe()}; so far the application {so_far}"

    def response(
        self, stream: httpx.AsyncByteStream, live: "_StreamedBody | None" = None
    ) -> Response:
        """Return the response, a server's 500 when the application has started none."""
        if self.status is None:
            return failed_response()
        return Response(
            self.status,
            headers=self._headers,
            stream=stream,
            live=live,
            extensions=self._extensions,
        )

    def broken(self) -> Exception:
        """Return what a client raises when the connection ends too early."""
        return httpx.RemoteProtocolError(
            f"The application ended before the response to {self.describe()} was complete; "
            f"{self._bytes} bytes of its body had been sent.",
            request=self._request,
        )


class _StreamedBody(LiveBody):
    """The client's side of a response that is still being sent."""

    def __init__(
        self,
        exchange: _Exchange,
        chunks: MemoryObjectReceiveStream[bytes],
        running: Running,
        company: Company,
    ) -> None:
        self._exchange = exchange
        self._chunks = chunks
        self._running = running
        self._company = company

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        exchange = self._exchange
        try:
            with deadline(self._running.seconds, lambda: exchange.awaiting("the next chunk of")):
                return await self._chunks.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            pass
        if not exchange.complete:
            await self._running.ended.wait()
            self._company.report(self._running)
            raise exchange.broken()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End of the body, or of the client's interest in it; httpx calls this."""
        await self.leave()

    async def leave(self) -> None:
        """Close the connection, unless the response is complete."""
        if not self._exchange.complete:
            await self._running.leave()
