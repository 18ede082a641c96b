"""Fields that follow the body, where the server offers them and the client takes them."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from erlen import Erlen, Response, send_file
from erlen.protocols import Message, Scope
from erlen.testing import Client, ConductChecker
from erlen.wire.headers import Headers

TRAILERS = "http.response.trailers"
WANTED = {"TE": "gzip, Trailers"}


@pytest.fixture
def app() -> Erlen:
    app = Erlen("trailers")
    app.testing = True

    @app.get("/plain")
    async def plain() -> Response:
        response = Response("body")
        response.trailers = {"Server-Timing": "db;dur=5"}
        return response

    @app.get("/stream")
    async def streamed() -> Response:
        sha = hashlib.sha256()

        async def body() -> AsyncIterator[bytes]:
            for chunk in (b"one", b"two"):
                sha.update(chunk)
                yield chunk

        async def digest() -> dict[str, str]:
            return {"X-Digest": sha.hexdigest()}

        response = Response(body())
        response.trailers = digest
        return response

    return app


def scope_for(path: str, *offered: str, method: str = "GET", te: bytes = b"trailers") -> Scope:
    return {
        "type": "http", "method": method, "path": path, "extensions": {name: {} for name in offered},
        "headers": [(b"host", b"a.example"), (b"te", te)],
    }  # fmt: skip


async def never() -> Message:
    await anyio.sleep_forever()
    raise AssertionError


async def sent_for(app: Any, scope: Scope) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await ConductChecker(app)(scope, never, send)
    return sent


async def test_trailers_follow_a_body_that_is_known(app: Erlen) -> None:
    answer = await Client(app).get("/plain", headers=WANTED)
    assert answer.text == "body"
    assert answer.extensions[TRAILERS] == [(b"server-timing", b"db;dur=5")]


async def test_trailers_tell_what_the_stream_has_come_to(app: Erlen) -> None:
    answer = await Client(app).get("/stream", headers=WANTED)
    expected = hashlib.sha256(b"onetwo").hexdigest().encode()
    assert answer.extensions[TRAILERS] == [(b"x-digest", expected)]


async def test_the_start_announces_them_and_they_come_last(app: Erlen) -> None:
    sent = await sent_for(app, scope_for("/plain", TRAILERS))
    assert sent[0]["trailers"] is True
    assert [message["type"] for message in sent[1:]] == ["http.response.body", TRAILERS]


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(scope_for("/plain"), id="not offered"),
        pytest.param(scope_for("/stream", TRAILERS, te=b"gzip"), id="not asked for"),
        pytest.param(scope_for("/plain", TRAILERS, method="HEAD"), id="head"),
    ],
)
async def test_nobody_is_sent_what_he_does_not_take(app: Erlen, scope: Scope) -> None:
    sent = await sent_for(app, scope)
    assert "trailers" not in sent[0]
    assert sent[-1]["type"] == "http.response.body"


async def test_a_status_without_body_has_no_trailers(app: Erlen) -> None:
    @app.get("/nothing")
    async def nothing() -> Response:
        response = Response(status=204)
        response.trailers = {"X-A": "1"}
        return response

    sent = await sent_for(app, scope_for("/nothing", TRAILERS))
    assert "trailers" not in sent[0]


async def test_def_functions_and_those_that_return_something_to_await_work(app: Erlen) -> None:
    async def later() -> list[tuple[str, str]]:
        return [("X-A", "1")]

    @app.get("/def")
    async def view() -> Response:
        response = Response("x")
        response.trailers = lambda: later()  # noqa: PLW0108  # a def that returns an awaitable
        return response

    assert (await Client(app).get("/def", headers=WANTED)).extensions[TRAILERS] == [(b"x-a", b"1")]


async def test_a_file_with_trailers_is_not_left_to_the_server(app: Erlen, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("file")

    @app.get("/file")
    async def file() -> Response:
        response = await send_file(tmp_path / "a.txt")
        response.trailers = {"X-A": "1"}
        return response

    sent = await sent_for(app, scope_for("/file", TRAILERS, "http.response.pathsend"))
    assert b"".join(message.get("body", b"") for message in sent) == b"file"
    assert sent[-1]["type"] == TRAILERS


@pytest.mark.parametrize("error", [LookupError("lost"), OSError("disk")])
async def test_trailers_that_fail_break_the_connection(app: Erlen, error: Exception) -> None:
    @app.get("/fails")
    async def fails() -> Response:
        def fail() -> dict[str, str]:
            raise error

        response = Response("body")
        response.trailers = fail
        return response

    with pytest.raises((LookupError, RuntimeError), match=r"lost|could not be made: disk"):
        await sent_for(app, scope_for("/fails", TRAILERS))


@pytest.mark.parametrize("name", ["Content-Length", "Set-Cookie", "transfer-encoding", "Trailer"])
def test_what_a_client_needs_first_is_no_trailer(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a trailer"):
        Response("").trailers = {name: "1"}


@pytest.mark.parametrize("pair", [("X-A", "1\r\nX-B: 2"), (":status", "200"), ("X A", "1")])
def test_a_malformed_trailer_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the sentences are those of Headers
        Response("").trailers = [pair]


def test_trailers_can_be_looked_at_and_taken_back() -> None:
    response = Response("")
    response.trailers = {"X-A": "1"}
    assert isinstance(response.trailers, Headers)
    assert list(response.trailers) == [("X-A", "1")]
    response.trailers = None
    assert response.trailers is None
