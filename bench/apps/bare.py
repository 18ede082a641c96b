"""No framework: what a person would write against ASGI itself."""

from json import dumps
from typing import Any

NAME = "bare ASGI"
DISTRIBUTION = None
RECEIVES = False

_HTML = (b"content-type", b"text/html; charset=utf-8")
_JSON = (b"content-type", b"application/json")


async def _answer(send: Any, content_type: tuple[bytes, bytes], body: bytes) -> None:
    headers = [content_type, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def plaintext(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
        raise NotImplementedError(scope)
    await _answer(send, _HTML, b"Hello, World!")


async def json(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/json":
        raise NotImplementedError(scope)
    value = {"id": 42, "name": "Ann", "active": True, "tags": ["a", "b"]}
    await _answer(send, _JSON, dumps(value).encode())


async def params(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["method"] != "GET":
        raise NotImplementedError(scope)
    _, users, number, posts, slug = scope["path"].split("/")
    if users != "users" or posts != "posts":
        raise NotImplementedError(scope)
    user_id = int(number)
    await _answer(send, _HTML, f"{user_id}:{slug}".encode())
