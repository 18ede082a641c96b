"""BlackSheep with its compiled core; values of the path are bound to the handler's arguments."""

import asyncio  # noqa: TID251  # as its documentation has it
import os
from collections.abc import AsyncIterator
from typing import Any

os.environ["APP_JINJA_EXTENSION"] = ".html"  # read when the renderer is imported

import jinja2
import orjson
from blacksheep import (
    Application,
    Content,
    Request,
    Response,
    Router,
    StreamedContent,
    WebSocket,
    WebSocketDisconnectError,
)
from blacksheep.server.rendering.jinja2 import JinjaRenderer
from blacksheep.server.responses import html, view
from blacksheep.server.responses import json as json_response
from blacksheep.settings.html import html_settings
from blacksheep.settings.json import json_settings

from bench.peers import content
from bench.peers.content import tally

NOTES = {
    "json-fast": "json_settings.use(orjson)",
    "middleware": "wrapped around the application: its own middlewares are not ASGI's",
    "hooks": "5 of its middlewares",
    "sync": "asyncio.to_thread in the handler: def handlers run on the event loop",
}


def _app() -> Application:
    json_settings.use()  # its settings are the process's
    return Application(router=Router())


def plaintext() -> Application:
    app = _app()

    @app.router.get("/")
    async def hello() -> Response:
        return html(content.HELLO)

    return app


def json() -> Application:
    app = _app()

    @app.router.get("/json")
    async def user() -> Response:
        return json_response(content.user())

    return app


def json_fast() -> Application:
    app = json()
    json_settings.use(loads=orjson.loads, dumps=lambda value: orjson.dumps(value).decode())
    return app


def params() -> Application:
    app = _app()

    @app.router.get("/users/{int:user_id}/posts/{slug}")
    async def post(user_id: int, slug: str) -> Response:
        return html(f"{user_id}:{slug}")

    return app


def query() -> Application:
    app = _app()

    @app.router.get("/search")
    async def search(request: Request) -> Response:
        values = request.query
        mark = request.get_first_header(b"x-request-id") or b""
        text = f"{values['q'][0]} {int(values['page'][0])} {mark.decode()}"
        return html(f"{text} {request.cookies['theme']}")

    return app


def echo() -> Application:
    app = _app()

    @app.router.post("/echo")
    async def echo(request: Request) -> Response:
        return json_response(await request.json())

    return app


def form() -> Application:
    app = _app()

    @app.router.post("/form")
    async def submit(request: Request) -> Response:
        form: Any = await request.form()
        return html(f"{form['name']} {form['email']} {form['city']} {form['comment']}")

    return app


def multipart() -> Application:
    app = _app()

    @app.router.post("/upload")
    async def upload(request: Request) -> Response:
        form: Any = await request.form()
        (file,) = await request.files("file")
        name, data = file.file_name.decode(), file.data
        texts = f"{form['title']} {form['place']} {form['tag']} {name}"
        return html(f"{texts} {len(data)} {data[-4:].hex()}")

    return app


def template() -> Application:
    app = _app()
    html_settings.use(JinjaRenderer(loader=jinja2.FileSystemLoader(content.TEMPLATES)))

    @app.router.get("/page")
    async def page() -> Response:
        return view("page", title=content.TITLE, items=content.ITEMS)

    return app


def session() -> Application:
    app = _app()
    app.use_sessions(content.SECRET)

    @app.router.get("/login")
    async def login(request: Request) -> Response:
        request.session["user"] = "ann"
        request.session["visits"] = 1
        return html("")

    @app.router.get("/read")
    async def read(request: Request) -> Response:
        return html(request.session.get("user", "nobody"))

    @app.router.get("/visit")
    async def visit(request: Request) -> Response:
        request.session["visits"] += 1
        return html(str(request.session["visits"]))

    return app


def hooks() -> Application:
    app = plaintext()

    async def hook(request: Request, handler: Any) -> Response:
        tally.before += 1
        response = await handler(request)
        tally.after += 1
        return response

    for _ in range(content.HOOKS):
        app.middlewares.append(hook)
    return app


def middleware() -> Any:
    return content.wrapped(plaintext())


def stream() -> Application:
    app = _app()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(content.CHUNKS):
            yield content.CHUNK

    @app.router.get("/stream")
    async def stream() -> Response:
        body: Content = StreamedContent(b"application/octet-stream", chunks)
        return Response(200, content=body)

    return app


def static() -> Application:
    app = _app()
    app.serve_files(content.static_folder(), root_path="static")
    return app


def websocket() -> Application:
    app = _app()

    @app.router.ws("/ws")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnectError:
            pass

    return app


def sync() -> Application:
    app = _app()

    def view() -> str:
        return content.HELLO

    @app.router.get("/")
    async def hello() -> Response:
        return html(await asyncio.to_thread(view))

    return app


def routes(rules: int) -> Application:
    app = _app()

    async def item(number: int) -> Response:
        return html(str(number))

    for each in range(rules):
        app.router.add_get(f"/section-{each}/items/{{int:number}}", item)
    return app
