"""Sanic in an ASGI server; its own server is not measured here."""

import asyncio  # noqa: TID251  # as its documentation has it
from itertools import count
from typing import Any

import jinja2
import orjson
from sanic import HTTPResponse, Request, Sanic, Websocket
from sanic.response import html
from sanic.response import json as json_response
from sanic_ext import render

from bench.peers import content
from bench.peers.content import tally

LACKS = {
    "session-read": "it has no sessions",
    "session-write": "it has no sessions",
}
NOTES = {
    "json": "ujson, its default",
    "json-fast": "dumps=orjson.dumps",
    "middleware": "wrapped around the application: its own middlewares are not ASGI's",
    "template": "sanic-ext, off in other rows; an environment whose auto_reload is off",
    "sync": "asyncio.to_thread in the handler: def handlers run on the event loop",
}
_numbers = count()


def _app(**options: Any) -> Any:
    app: Any = Sanic(f"bench-{next(_numbers)}", configure_logging=False, **options)
    app.config.AUTO_EXTEND = False
    app.config.ACCESS_LOG = False
    return app


def plaintext() -> Any:
    app = _app()

    @app.get("/")
    async def hello(_request: Request) -> HTTPResponse:
        return html(content.HELLO)

    return app


def json(**options: Any) -> Any:
    app = _app(**options)

    @app.get("/json")
    async def user(_request: Request) -> HTTPResponse:
        return json_response(content.user())

    return app


def json_fast() -> Any:
    return json(dumps=orjson.dumps, loads=orjson.loads)


def params() -> Any:
    app = _app()

    @app.get("/users/<user_id:int>/posts/<slug:str>")
    async def post(_request: Request, user_id: int, slug: str) -> HTTPResponse:
        return html(f"{user_id}:{slug}")

    return app


def query() -> Any:
    app = _app()

    @app.get("/search")
    async def search(request: Request) -> HTTPResponse:
        query, page = request.args.get("q"), int(request.args.get("page", "1"))
        mark = request.headers["x-request-id"]
        return html(f"{query} {page} {mark} {request.cookies.get('theme')}")

    return app


def echo() -> Any:
    app = _app()

    @app.post("/echo")
    async def echo(request: Request) -> HTTPResponse:
        return json_response(request.json)

    return app


def form() -> Any:
    app = _app()

    @app.post("/form")
    async def submit(request: Request) -> HTTPResponse:
        get: Any = request.form.get  # type: ignore[union-attr]  # a form is there
        return html(f"{get('name')} {get('email')} {get('city')} {get('comment')}")

    return app


def multipart() -> Any:
    app = _app()

    @app.post("/upload")
    async def upload(request: Request) -> HTTPResponse:
        form: Any = request.form
        file: Any = request.files.get("file")  # type: ignore[union-attr]  # files are
        texts = f"{form.get('title')} {form.get('place')} {form.get('tag')} {file.name}"
        return html(f"{texts} {len(file.body)} {file.body[-4:].hex()}")

    return app


def template() -> Any:
    app = _app()
    app.config.AUTO_EXTEND = True
    loader = jinja2.FileSystemLoader(content.TEMPLATES)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, auto_reload=False, enable_async=True
    )

    @app.get("/page")
    async def page(_request: Request) -> HTTPResponse:
        values = {"title": content.TITLE, "items": content.ITEMS}
        return await render("page.html", context=values, app=app, environment=environment)

    return app


def hooks() -> Any:
    app = plaintext()

    def register() -> None:  # one function is registered once
        async def before(_request: Request) -> None:
            tally.before += 1

        async def after(_request: Request, _response: HTTPResponse) -> None:
            tally.after += 1

        app.on_request(before)
        app.on_response(after)

    for _ in range(content.HOOKS):
        register()
    return app


def middleware() -> Any:
    return content.wrapped(plaintext())


def stream() -> Any:
    app = _app()

    @app.get("/stream")
    async def stream(request: Request) -> None:
        response: Any = await request.respond()
        for _ in range(content.CHUNKS):
            await response.send(content.CHUNK)
        await response.eof()

    return app


def static() -> Any:
    app = _app()
    app.static("/static", content.static_folder())
    return app


def websocket() -> Any:
    app = _app()

    @app.websocket("/ws")
    async def echo(_request: Request, ws: Websocket) -> None:
        while (message := await ws.recv()) is not None:
            await ws.send(message)

    return app


def sync() -> Any:
    app = _app()

    def view() -> str:
        return content.HELLO

    @app.get("/")
    async def hello(_request: Request) -> HTTPResponse:
        return html(await asyncio.to_thread(view))

    return app


def routes(rules: int) -> Any:
    app = _app()

    async def item(_request: Request, number: int) -> HTTPResponse:
        return html(str(number))

    for each in range(rules):
        app.add_route(item, f"/section-{each}/items/<number:int>", name=f"section-{each}")
    return app
