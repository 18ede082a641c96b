"""No framework: what a person would write against ASGI itself, with the standard library.

One event of a body is not the whole of it, a cookie is not trusted, a file is looked at before it
is sent: what is necessary is here, and nothing is general.
"""

import asyncio  # noqa: TID251  # there is no anyio here
import base64
import hashlib
import hmac
import json as json_library
import time
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

import jinja2
import orjson

from bench.peers import content
from bench.peers.content import tally

_HTML = (b"content-type", b"text/html; charset=utf-8")
_JSON = (b"content-type", b"application/json")
_PNG = (b"content-type", b"image/png")


async def _answer(send: Any, kind: Any, body: bytes, *fields: Any) -> None:
    headers = [kind, (b"content-length", b"%d" % len(body)), *fields]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _not_found(send: Any) -> None:
    headers = [_HTML, (b"content-length", b"9")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"Not Found"})


def _allow(scope: Any, method: str, path: str) -> None:
    if scope["type"] != "http" or scope["method"] != method or scope["path"] != path:
        raise NotImplementedError(scope)


async def _body(receive: Any) -> bytes:
    chunks = []
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ConnectionError("The client left.")
        chunks.append(event["body"])
        if not event["more_body"]:
            return b"".join(chunks)


def plaintext() -> Any:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        _allow(scope, "GET", "/")
        await _answer(send, _HTML, content.HELLO.encode())

    return app


def json() -> Any:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        _allow(scope, "GET", "/json")
        await _answer(send, _JSON, json_library.dumps(content.user()).encode())

    return app


def json_fast() -> Any:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        _allow(scope, "GET", "/json")
        await _answer(send, _JSON, orjson.dumps(content.user()))

    return app


def params() -> Any:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            raise NotImplementedError(scope)
        _, users, number, posts, slug = scope["path"].split("/")
        if users != "users" or posts != "posts":
            raise NotImplementedError(scope)
        user_id = int(number)
        await _answer(send, _HTML, f"{user_id}:{slug}".encode())

    return app


def query() -> Any:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        _allow(scope, "GET", "/search")
        values = dict(parse_qsl(scope["query_string"].decode()))
        headers = dict(scope["headers"])
        theme = SimpleCookie(headers[b"cookie"].decode())["theme"].value
        found = f"{values['q']} {int(values['page'])} {headers[b'x-request-id'].decode()} {theme}"
        await _answer(send, _HTML, found.encode())

    return app


def echo() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        _allow(scope, "POST", "/echo")
        order = json_library.loads(await _body(receive))
        await _answer(send, _JSON, json_library.dumps(order).encode())

    return app


def form() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        _allow(scope, "POST", "/form")
        form = dict(parse_qsl((await _body(receive)).decode()))
        text = f"{form['name']} {form['email']} {form['city']} {form['comment']}"
        await _answer(send, _HTML, text.encode())

    return app


def multipart() -> Any:
    """The whole body in memory, and each boundary found with ``bytes.find``."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        _allow(scope, "POST", "/upload")
        kind = dict(scope["headers"])[b"content-type"]
        values: dict[bytes, bytes] = {}
        filename = b""
        for head, value in _parts(await _body(receive), kind.partition(b"boundary=")[2]):
            values[head.partition(b'name="')[2].partition(b'"')[0]] = value
            filename = head.partition(b'filename="')[2].partition(b'"')[0] or filename
        texts = b" ".join((values[b"title"], values[b"place"], values[b"tag"], filename)).decode()
        file = values[b"file"]
        await _answer(send, _HTML, f"{texts} {len(file)} {file[-4:].hex()}".encode())

    return app


def _parts(body: bytes, boundary: bytes) -> list[tuple[bytes, bytes]]:
    mark = b"\r\n--" + boundary
    parts = []
    start = len(boundary) + 4
    while (end := body.find(mark, start)) > 0:
        split = body.index(b"\r\n\r\n", start)
        parts.append((body[start:split], body[split + 4 : end]))
        start = end + len(mark) + 2
    return parts


def template() -> Any:
    loader = jinja2.FileSystemLoader(content.TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, auto_reload=False)

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        _allow(scope, "GET", "/page")
        page = environment.get_template("page.html")
        text = page.render(title=content.TITLE, items=content.ITEMS)
        await _answer(send, _HTML, text.encode())

    return app


def session() -> Any:
    """JSON, base64, a time stamp, and one HMAC-SHA-256."""
    key = content.SECRET.encode()

    def load(scope: Any) -> dict[str, Any]:
        cookie = SimpleCookie(dict(scope["headers"]).get(b"cookie", b"").decode())
        if "session" not in cookie:
            return {}
        text, _, mark = cookie["session"].value.rpartition(".")
        wanted = base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256))
        if not hmac.compare_digest(wanted.decode(), mark):
            return {}
        value = json_library.loads(base64.urlsafe_b64decode(text))
        return {} if time.time() - value["at"] > 1_209_600 else value["session"]

    def dump(session: dict[str, Any]) -> tuple[bytes, bytes]:
        text = json_library.dumps({"at": int(time.time()), "session": session})
        value = base64.urlsafe_b64encode(text.encode())
        mark = base64.urlsafe_b64encode(hmac.digest(key, value, hashlib.sha256))
        cookie = b"session=%s.%s; Path=/; HttpOnly; SameSite=Lax" % (value, mark)
        return b"set-cookie", cookie

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            raise NotImplementedError(scope)
        session = load(scope)
        if scope["path"] == "/login":
            await _answer(send, _HTML, b"", dump({"user": "ann", "visits": 1}))
        elif scope["path"] == "/read":
            await _answer(send, _HTML, session.get("user", "nobody").encode())
        else:
            session["visits"] += 1
            await _answer(send, _HTML, str(session["visits"]).encode(), dump(session))

    return app


def hooks() -> Any:
    async def before(_scope: Any) -> None:
        tally.before += 1

    async def after(_headers: Any) -> None:
        tally.after += 1

    befores = [before] * content.HOOKS
    afters = [after] * content.HOOKS

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        _allow(scope, "GET", "/")
        for early in befores:
            await early(scope)
        body = content.HELLO.encode()
        headers = [_HTML, (b"content-length", b"%d" % len(body))]
        for late in afters:
            await late(headers)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def middleware() -> Any:
    return content.wrapped(plaintext())


def stream() -> Any:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(content.CHUNKS):
            yield content.CHUNK

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        _allow(scope, "GET", "/stream")
        await send({"type": "http.response.start", "status": 200, "headers": [_HTML]})
        async for chunk in chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    return app


def static() -> Any:
    """A stat, and for the file one blocking read on the event loop."""
    file = content.static_folder() / "image.png"

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        _allow(scope, "GET", "/static/image.png")
        found = file.stat()
        etag = b'"%x-%x"' % (found.st_mtime_ns, found.st_size)
        if dict(scope["headers"]).get(b"if-none-match") == etag:
            headers = [(b"etag", etag)]
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body"})
            return
        await _answer(send, _PNG, file.read_bytes(), (b"etag", etag))

    return app


def websocket() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket" or scope["path"] != "/ws":
            raise NotImplementedError(scope)
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})

    return app


def sync() -> Any:
    def view() -> str:
        return content.HELLO

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        _allow(scope, "GET", "/")
        text = await asyncio.get_running_loop().run_in_executor(None, view)
        await _answer(send, _HTML, text.encode())

    return app


def routes(rules: int) -> Any:
    """One dict of the first segments."""

    async def view(send: Any, number: int) -> None:
        await _answer(send, _HTML, str(number).encode())

    views = {f"section-{each}": view for each in range(rules)}

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            raise NotImplementedError(scope)
        _, section, items, number = scope["path"].split("/")
        found = views.get(section)
        if found is None or items != "items" or not number.isdecimal():
            await _not_found(send)
        else:
            await found(send, int(number))

    return app
