"""Bare ASGI applications that the tests of the client stand on."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from erlen.protocols import ASGIApp, Receive, Scope, Send


async def read_body(receive: Receive) -> list[bytes]:
    """Return the chunks of a request body."""
    chunks = []
    while True:
        event = await receive()
        chunks.append(event["body"])
        if not event["more_body"]:
            return chunks


@pytest.fixture
def mirror() -> ASGIApp:
    """An application that answers with what it got, as JSON."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        chunks = await read_body(receive)
        seen: dict[str, Any] = {
            key: scope.get(key)
            for key in ("method", "path", "scheme", "root_path", "client", "server", "http_version")
        }
        seen["raw_path"] = scope["raw_path"].decode("latin-1")
        seen["query"] = scope["query_string"].decode("latin-1")
        seen["headers"] = {n.decode(): v.decode("latin-1") for n, v in scope["headers"]}
        seen["chunks"] = [chunk.decode("latin-1") for chunk in chunks]
        seen["body"] = "".join(seen["chunks"])
        body = b"" if scope["method"] == "HEAD" else json.dumps(seen).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


@pytest.fixture
def answering() -> Callable[..., ASGIApp]:
    """Make an application that sends these messages in every HTTP scope."""

    def make(*messages: dict[str, Any]) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                raise NotImplementedError(scope["type"])
            for message in messages:
                await send(message)

        return app

    return make


@pytest.fixture
def simple(answering: Callable[..., ASGIApp]) -> Callable[..., ASGIApp]:
    """Make an application that answers every request with one response."""

    def make(
        body: bytes = b"", status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
    ) -> ASGIApp:
        start = {"type": "http.response.start", "status": status, "headers": headers or []}
        return answering(start, {"type": "http.response.body", "body": body})

    return make
