"""FastAPI: declared parameters and return types, which it validates and documents.

Its documentation recommends them for speed too: what a return type declares is written by pydantic.
"""

from typing import Annotated, Any

import orjson
from fastapi import Cookie, FastAPI, File, Form, Header, Request, UploadFile, WebSocket
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.middleware.sessions import SessionMiddleware
from starlette.websockets import WebSocketDisconnect

from bench.peers import content
from bench.peers.starlette import Hook, chunks, templates

NOTES = {
    "json": "a return type, written by pydantic",
    "json-fast": "a response class with orjson",
    "form": "a form model",
    "hooks": "5 pure ASGI middlewares that wrap send",
    "template": "with an environment whose auto_reload is off",
}


class User(BaseModel):
    id: int
    name: str
    active: bool
    tags: list[str]


class Address(BaseModel):
    name: str
    email: str
    street: str
    city: str
    zip: str
    country: str
    phone: str
    newsletter: str
    terms: str
    comment: str


class OrjsonResponse(JSONResponse):
    def render(self, value: Any) -> bytes:
        return orjson.dumps(value)


def plaintext() -> FastAPI:
    app = FastAPI()

    @app.get("/", response_class=HTMLResponse)
    async def hello() -> str:
        return content.HELLO

    return app


def json() -> FastAPI:
    app = FastAPI()

    @app.get("/json")
    async def user() -> User:
        return User(**content.user())

    return app


def json_fast() -> FastAPI:
    app = FastAPI()

    @app.get("/json")
    async def user() -> OrjsonResponse:
        return OrjsonResponse(content.user())

    return app


def params() -> FastAPI:
    app = FastAPI()

    @app.get("/users/{user_id}/posts/{slug}", response_class=HTMLResponse)
    async def post(user_id: int, slug: str) -> str:
        return f"{user_id}:{slug}"

    return app


def query() -> FastAPI:
    app = FastAPI()

    @app.get("/search", response_class=HTMLResponse)
    async def search(
        q: str,
        page: int,
        x_request_id: Annotated[str, Header()],
        theme: Annotated[str, Cookie()],
    ) -> str:
        return f"{q} {page} {x_request_id} {theme}"

    return app


def echo() -> FastAPI:
    app = FastAPI()

    @app.post("/echo")
    async def echo(order: dict[str, Any]) -> dict[str, Any]:
        return order

    return app


def form() -> FastAPI:
    app = FastAPI()

    @app.post("/form", response_class=HTMLResponse)
    async def submit(form: Annotated[Address, Form()]) -> str:
        return f"{form.name} {form.email} {form.city} {form.comment}"

    return app


def multipart() -> FastAPI:
    app = FastAPI()

    @app.post("/upload", response_class=HTMLResponse)
    async def upload(
        file: Annotated[UploadFile, File()],
        title: Annotated[str, Form()],
        place: Annotated[str, Form()],
        tag: Annotated[str, Form()],
    ) -> str:
        data = await file.read()
        return f"{title} {place} {tag} {file.filename} {len(data)} {data[-4:].hex()}"

    return app


def template() -> FastAPI:
    app, pages = FastAPI(), templates()

    @app.get("/page", response_class=HTMLResponse)
    async def page(request: Request) -> Response:
        values = {"title": content.TITLE, "items": content.ITEMS}
        return pages.TemplateResponse(request, "page.html", values)

    return app


def session() -> FastAPI:
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key=content.SECRET)

    @app.get("/login", response_class=HTMLResponse)
    async def login(request: Request) -> str:
        request.session.update(user="ann", visits=1)
        return ""

    @app.get("/read", response_class=HTMLResponse)
    async def read(request: Request) -> str:
        return request.session.get("user", "nobody")

    @app.get("/visit", response_class=HTMLResponse)
    async def visit(request: Request) -> str:
        request.session["visits"] += 1
        return str(request.session["visits"])

    return app


def hooks() -> FastAPI:
    app = plaintext()
    for _ in range(content.HOOKS):
        app.add_middleware(Hook)
    return app


def middleware() -> FastAPI:
    app = plaintext()
    for _ in range(content.HOOKS):
        app.add_middleware(content.Passes)
    return app


def stream() -> FastAPI:
    app = FastAPI()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(chunks())

    return app


def static() -> FastAPI:
    app = FastAPI()
    app.mount("/static", StaticFiles(directory=content.static_folder()))
    return app


def websocket() -> FastAPI:
    app = FastAPI()

    @app.websocket("/ws")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect:
            pass

    return app


def sync() -> FastAPI:
    app = FastAPI()

    @app.get("/", response_class=HTMLResponse)
    def hello() -> str:
        return content.HELLO

    return app


def routes(rules: int) -> FastAPI:
    app = FastAPI()

    async def item(number: int) -> str:
        return str(number)

    for each in range(rules):
        app.get(f"/section-{each}/items/{{number}}", response_class=HTMLResponse)(item)
    return app
