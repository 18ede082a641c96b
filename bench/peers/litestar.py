"""Litestar: declared parameters, which msgspec validates and writes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import jinja2
from litestar import Litestar, MediaType, Request, WebSocket, get, post
from litestar import websocket as websocket_route
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import WebSocketDisconnect
from litestar.middleware import ASGIMiddleware
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.params import Body, Parameter
from litestar.response import Stream, Template
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig

from bench.peers import content
from bench.peers.content import tally

LACKS = {"static-304": "answers a conditional GET with 200"}
NOTES = {
    "json": "msgspec, its default",
    "json-fast": "the same: msgspec is its default",
    "session-read": "encrypted, not signed",
    "session-write": "encrypted, not signed",
    "template": "with an environment whose auto_reload is off",
    "hooks": "5 of its middlewares: it has one before and one after hook per layer",
}


@dataclass
class Address:
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


@dataclass
class Upload:
    title: str
    place: str
    tag: str
    file: UploadFile


class Hook(ASGIMiddleware):
    """Looks at the request before, and at the start of the response after the handler."""

    async def handle(self, scope: Any, receive: Any, send: Any, next_app: Any) -> None:
        async def send_wrapper(message: Any) -> None:
            if message["type"] == "http.response.start":
                tally.after += 1
            await send(message)

        tally.before += 1
        await next_app(scope, receive, send_wrapper)


def _app(handler: Any, **options: Any) -> Litestar:
    return Litestar([handler], openapi_config=None, **options)


@get("/", media_type=MediaType.HTML)
async def hello() -> str:
    return content.HELLO


def plaintext() -> Litestar:
    return _app(hello)


def json() -> Litestar:
    @get("/json")
    async def user() -> dict[str, Any]:
        return content.user()

    return _app(user)


def json_fast() -> Litestar:
    return json()


def params() -> Litestar:
    @get("/users/{user_id:int}/posts/{slug:str}", media_type=MediaType.HTML)
    async def post(user_id: int, slug: str) -> str:
        return f"{user_id}:{slug}"

    return _app(post)


def query() -> Litestar:
    @get("/search", media_type=MediaType.HTML)
    async def search(
        q: str,
        page: int,
        request_id: Annotated[str, Parameter(header="x-request-id")],
        theme: Annotated[str, Parameter(cookie="theme")],
    ) -> str:
        return f"{q} {page} {request_id} {theme}"

    return _app(search)


def echo() -> Litestar:
    @post("/echo", status_code=200)
    async def echo(data: dict[str, Any]) -> dict[str, Any]:
        return data

    return _app(echo)


def form() -> Litestar:
    @post("/form", status_code=200, media_type=MediaType.HTML)
    async def submit(
        data: Annotated[Address, Body(media_type=RequestEncodingType.URL_ENCODED)],
    ) -> str:
        return f"{data.name} {data.email} {data.city} {data.comment}"

    return _app(submit)


def multipart() -> Litestar:
    @post("/upload", status_code=200, media_type=MediaType.HTML)
    async def upload(
        data: Annotated[Upload, Body(media_type=RequestEncodingType.MULTI_PART)],
    ) -> str:
        file = await data.file.read()
        texts = f"{data.title} {data.place} {data.tag} {data.file.filename}"
        return f"{texts} {len(file)} {file[-4:].hex()}"

    return _app(upload)


def template() -> Litestar:
    @get("/page")
    async def page() -> Template:
        return Template("page.html", context={"title": content.TITLE, "items": content.ITEMS})

    loader = jinja2.FileSystemLoader(content.TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, auto_reload=False)
    engine = JinjaTemplateEngine.from_environment(environment)
    return _app(page, template_config=TemplateConfig(instance=engine))


def session() -> Litestar:
    @get("/login", media_type=MediaType.HTML)
    async def login(request: Request[Any, Any, Any]) -> str:
        request.session.update(user="ann", visits=1)
        return ""

    @get("/read", media_type=MediaType.HTML)
    async def read(request: Request[Any, Any, Any]) -> str:
        return request.session.get("user", "nobody")

    @get("/visit", media_type=MediaType.HTML)
    async def visit(request: Request[Any, Any, Any]) -> str:
        request.session["visits"] += 1
        return str(request.session["visits"])

    config = CookieBackendConfig(secret=content.SECRET.encode())
    handlers: list[Any] = [login, read, visit]
    return Litestar(handlers, openapi_config=None, middleware=[config.middleware])


def hooks() -> Litestar:
    return _app(hello, middleware=[Hook() for _ in range(content.HOOKS)])


def middleware() -> Litestar:
    return _app(hello, middleware=[content.Passes] * content.HOOKS)


def stream() -> Litestar:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(content.CHUNKS):
            yield content.CHUNK

    @get("/stream")
    async def stream() -> Stream:
        return Stream(chunks())

    return _app(stream)


def static() -> Litestar:
    return _app(create_static_files_router("/static", [content.static_folder()]))


def websocket() -> Litestar:
    @websocket_route("/ws")
    async def echo(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        try:
            while True:
                await socket.send_text(await socket.receive_text())
        except WebSocketDisconnect:
            pass

    return _app(echo)


def sync() -> Litestar:
    @get("/", media_type=MediaType.HTML, sync_to_thread=True)
    def hello() -> str:
        return content.HELLO

    return _app(hello)


def routes(rules: int) -> Litestar:
    async def item(number: int) -> str:
        return str(number)

    paths = (f"/section-{each}/items/{{number:int}}" for each in range(rules))
    handlers: list[Any] = [get(path, media_type=MediaType.HTML)(item) for path in paths]
    return Litestar(handlers, openapi_config=None)
