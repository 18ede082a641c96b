"""Falcon's ASGI application. It reads the first event of every request before it routes."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import falcon
import jinja2
import orjson
from falcon import MEDIA_HTML, WebSocketDisconnected
from falcon.asgi import App, Request, Response, WebSocket
from falcon.media import JSONHandler

from bench.peers import content
from bench.peers.content import tally

LACKS = {
    "session-read": "it has no sessions",
    "session-write": "it has no sessions",
}
NOTES = {
    "json-fast": "JSONHandler with orjson",
    "template": "plain Jinja2: it has no templates",
    "middleware": "wrapped around the application: its own middlewares are not ASGI's",
    "hooks": "5 middlewares with process_request and process_response",
    "sync": "falcon.sync_to_async in the responder",
}


def _app(path: str, resource: Any, **options: Any) -> App:
    app = App(**options)
    app.add_route(path, resource)
    return app


class Hello:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = MEDIA_HTML
        resp.text = content.HELLO


class User:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.media = content.user()


class Post:
    async def on_get(self, _req: Request, resp: Response, user_id: int, slug: str) -> None:
        resp.content_type = MEDIA_HTML
        resp.text = f"{user_id}:{slug}"


class Search:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type = MEDIA_HTML
        query, page = req.get_param("q"), req.get_param_as_int("page")
        resp.text = f"{query} {page} {req.get_header('X-Request-ID')} {req.cookies['theme']}"


class Echo:
    async def on_post(self, req: Request, resp: Response) -> None:
        resp.media = await req.get_media()


class Form:
    async def on_post(self, req: Request, resp: Response) -> None:
        form = await req.get_media()
        resp.content_type = MEDIA_HTML
        resp.text = f"{form['name']} {form['email']} {form['city']} {form['comment']}"


class Upload:
    async def on_post(self, req: Request, resp: Response) -> None:
        texts: dict[str, Any] = {}
        name, data = "", b""
        async for part in await req.get_media():
            if part.filename:
                name, data = part.filename, await part.stream.read()
            else:
                texts[part.name] = await part.text
        resp.content_type = MEDIA_HTML
        found = f"{texts['title']} {texts['place']} {texts['tag']} {name}"
        resp.text = f"{found} {len(data)} {data[-4:].hex()}"


class Page:
    def __init__(self) -> None:
        loader = jinja2.FileSystemLoader(content.TEMPLATES)
        self._pages = jinja2.Environment(loader=loader, autoescape=True, auto_reload=False)

    async def on_get(self, _req: Request, resp: Response) -> None:
        page = self._pages.get_template("page.html")
        resp.content_type = MEDIA_HTML
        resp.text = page.render(title=content.TITLE, items=content.ITEMS)


class Hook:
    async def process_request(self, _req: Request, _resp: Response) -> None:
        tally.before += 1

    async def process_response(
        self, _req: Request, _resp: Response, _resource: object, _succeeded: bool
    ) -> None:
        tally.after += 1


class Stream:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.stream = self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        for _ in range(content.CHUNKS):
            yield content.CHUNK


class Talk:
    async def on_websocket(self, _req: Request, ws: WebSocket) -> None:
        await ws.accept()
        try:
            while True:
                await ws.send_text(await ws.receive_text())
        except WebSocketDisconnected:
            pass


class Blocking:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = MEDIA_HTML
        resp.text = await falcon.sync_to_async(self._view)

    def _view(self) -> str:
        return content.HELLO


class Item:
    async def on_get(self, _req: Request, resp: Response, number: int) -> None:
        resp.content_type = MEDIA_HTML
        resp.text = str(number)


plaintext = partial(_app, "/", Hello())
json = partial(_app, "/json", User())
params = partial(_app, "/users/{user_id:int}/posts/{slug}", Post())
query = partial(_app, "/search", Search())
echo = partial(_app, "/echo", Echo())
form = partial(_app, "/form", Form())
multipart = partial(_app, "/upload", Upload())
template = partial(_app, "/page", Page())
stream = partial(_app, "/stream", Stream())
websocket = partial(_app, "/ws", Talk())
sync = partial(_app, "/", Blocking())


def json_fast() -> App:
    app = json()
    handler = JSONHandler(dumps=orjson.dumps, loads=orjson.loads)
    app.resp_options.media_handlers[falcon.MEDIA_JSON] = handler
    return app


def hooks() -> App:
    return plaintext(middleware=[Hook() for _ in range(content.HOOKS)])


def middleware() -> Any:
    return content.wrapped(plaintext())


def static() -> App:
    app = App()
    app.add_static_route("/static", content.static_folder())
    return app


def routes(rules: int) -> App:
    app, item = App(), Item()
    for each in range(rules):
        app.add_route(f"/section-{each}/items/{{number:int}}", item)
    return app
