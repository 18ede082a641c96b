"""Starlette: plain function endpoints, and no middleware beside its own two."""

from collections.abc import AsyncIterator
from typing import Any

import jinja2
import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.websockets import WebSocket

from bench.peers import content
from bench.peers.content import tally

NOTES = {
    "hooks": "5 pure ASGI middlewares that wrap send, as its documentation shows",
    "template": "with an environment whose auto_reload is off",
}


class OrjsonResponse(JSONResponse):
    def render(self, value: Any) -> bytes:
        return orjson.dumps(value)


class Hook:
    """Looks at the request before, and at the start of the response after the endpoint."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_wrapper(message: Any) -> None:
            if message["type"] == "http.response.start":
                tally.after += 1
            await send(message)

        tally.before += 1
        await self.app(scope, receive, send_wrapper)


async def hello(_request: Request) -> HTMLResponse:
    return HTMLResponse(content.HELLO)


def plaintext(middleware: Any = None) -> Starlette:
    return Starlette(routes=[Route("/", hello)], middleware=middleware)


def json() -> Starlette:
    async def user(_request: Request) -> JSONResponse:
        return JSONResponse(content.user())

    return Starlette(routes=[Route("/json", user)])


def json_fast() -> Starlette:
    async def user(_request: Request) -> OrjsonResponse:
        return OrjsonResponse(content.user())

    return Starlette(routes=[Route("/json", user)])


def params() -> Starlette:
    async def post(request: Request) -> HTMLResponse:
        values = request.path_params
        return HTMLResponse(f"{values['user_id']}:{values['slug']}")

    return Starlette(routes=[Route("/users/{user_id:int}/posts/{slug}", post)])


def query() -> Starlette:
    async def search(request: Request) -> HTMLResponse:
        values = request.query_params
        mark, theme = request.headers["x-request-id"], request.cookies["theme"]
        return HTMLResponse(f"{values['q']} {int(values['page'])} {mark} {theme}")

    return Starlette(routes=[Route("/search", search)])


def echo() -> Starlette:
    async def echo(request: Request) -> JSONResponse:
        return JSONResponse(await request.json())

    return Starlette(routes=[Route("/echo", echo, methods=["POST"])])


def form() -> Starlette:
    async def submit(request: Request) -> HTMLResponse:
        async with request.form() as form:
            text = f"{form['name']} {form['email']} {form['city']} {form['comment']}"
        return HTMLResponse(text)

    return Starlette(routes=[Route("/form", submit, methods=["POST"])])


async def upload(request: Request) -> HTMLResponse:
    async with request.form() as form:
        file: Any = form["file"]
        data = await file.read()
        texts = f"{form['title']} {form['place']} {form['tag']} {file.filename}"
    return HTMLResponse(f"{texts} {len(data)} {data[-4:].hex()}")


def multipart() -> Starlette:
    return Starlette(routes=[Route("/upload", upload, methods=["POST"])])


def templates() -> Jinja2Templates:
    loader = jinja2.FileSystemLoader(content.TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, auto_reload=False)
    return Jinja2Templates(env=environment)


def template() -> Starlette:
    pages = templates()

    async def page(request: Request) -> Response:
        values = {"title": content.TITLE, "items": content.ITEMS}
        return pages.TemplateResponse(request, "page.html", values)

    return Starlette(routes=[Route("/page", page)])


def session() -> Starlette:
    async def login(request: Request) -> HTMLResponse:
        request.session.update(user="ann", visits=1)
        return HTMLResponse("")

    async def read(request: Request) -> HTMLResponse:
        return HTMLResponse(request.session.get("user", "nobody"))

    async def visit(request: Request) -> HTMLResponse:
        request.session["visits"] += 1
        return HTMLResponse(str(request.session["visits"]))

    return Starlette(
        routes=[Route("/login", login), Route("/read", read), Route("/visit", visit)],
        middleware=[Middleware(SessionMiddleware, secret_key=content.SECRET)],
    )


def hooks() -> Starlette:
    return plaintext([Middleware(Hook)] * content.HOOKS)


def middleware() -> Starlette:
    return plaintext([Middleware(content.Passes)] * content.HOOKS)


async def chunks() -> AsyncIterator[bytes]:
    for _ in range(content.CHUNKS):
        yield content.CHUNK


def stream() -> Starlette:
    async def stream(_request: Request) -> StreamingResponse:
        return StreamingResponse(chunks())

    return Starlette(routes=[Route("/stream", stream)])


def static() -> Starlette:
    files = StaticFiles(directory=content.static_folder())
    return Starlette(routes=[Mount("/static", files)])


def websocket() -> Starlette:
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    return Starlette(routes=[WebSocketRoute("/ws", echo)])


def sync() -> Starlette:
    def hello(_request: Request) -> HTMLResponse:
        return HTMLResponse(content.HELLO)

    return Starlette(routes=[Route("/", hello)])


def routes(rules: int) -> Starlette:
    async def item(request: Request) -> HTMLResponse:
        return HTMLResponse(str(request.path_params["number"]))

    paths = (f"/section-{each}/items/{{number:int}}" for each in range(rules))
    return Starlette(routes=[Route(path, item) for path in paths])
