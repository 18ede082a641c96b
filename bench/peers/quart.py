"""Quart."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
from quart import Quart, Response, render_template, request
from quart import session as current
from quart import websocket as socket
from quart.json.provider import JSONProvider

from bench.peers import content
from bench.peers.content import tally

NOTES = {"json-fast": "a JSON provider with orjson"}


class OrjsonProvider(JSONProvider):
    def dumps(self, obj: Any, **_options: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        return orjson.loads(s)


def _app(**options: Any) -> Quart:
    return Quart(__name__, **{"static_folder": None, **options})


def plaintext() -> Quart:
    app = _app()

    @app.get("/")
    async def hello() -> str:
        return content.HELLO

    return app


def json() -> Quart:
    app = _app()

    @app.get("/json")
    async def user() -> dict[str, Any]:
        return content.user()

    return app


def json_fast() -> Quart:
    app = json()
    app.json = OrjsonProvider(app)
    return app


def params() -> Quart:
    app = _app()

    @app.get("/users/<int:user_id>/posts/<slug>")
    async def post(user_id: int, slug: str) -> str:
        return f"{user_id}:{slug}"

    return app


def query() -> Quart:
    app = _app()

    @app.get("/search")
    async def search() -> str:
        args = request.args
        mark = request.headers["X-Request-ID"]
        return f"{args['q']} {args.get('page', 1, int)} {mark} {request.cookies['theme']}"

    return app


def echo() -> Quart:
    app = _app()

    @app.post("/echo")
    async def echo() -> Any:
        return await request.get_json()

    return app


def form() -> Quart:
    app = _app()

    @app.post("/form")
    async def submit() -> str:
        form = await request.form
        return f"{form['name']} {form['email']} {form['city']} {form['comment']}"

    return app


def multipart() -> Quart:
    app = _app()

    @app.post("/upload")
    async def upload() -> str:
        form, file = await request.form, (await request.files)["file"]
        data = file.read()
        texts = f"{form['title']} {form['place']} {form['tag']} {file.filename}"
        return f"{texts} {len(data)} {data[-4:].hex()}"

    return app


def template() -> Quart:
    app = _app(template_folder=content.TEMPLATES)

    @app.get("/page")
    async def page() -> str:
        return await render_template("page.html", title=content.TITLE, items=content.ITEMS)

    return app


def session() -> Quart:
    app = _app()
    app.secret_key = content.SECRET

    @app.get("/login")
    async def login() -> str:
        current.update(user="ann", visits=1)
        return ""

    @app.get("/read")
    async def read() -> str:
        return current.get("user", "nobody")

    @app.get("/visit")
    async def visit() -> str:
        current["visits"] += 1
        return str(current["visits"])

    return app


def hooks() -> Quart:
    app = plaintext()

    async def before() -> None:
        tally.before += 1

    async def after(response: Response) -> Response:
        tally.after += 1
        return response

    for _ in range(content.HOOKS):
        app.before_request(before)
        app.after_request(after)
    return app


def middleware() -> Quart:
    app = plaintext()
    app.asgi_app = content.wrapped(app.asgi_app)  # type: ignore[method-assign]  # as its docs say
    return app


def stream() -> Quart:
    app = _app()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(content.CHUNKS):
            yield content.CHUNK

    @app.get("/stream")
    async def stream() -> AsyncIterator[bytes]:
        return chunks()

    return app


def static() -> Quart:
    return _app(static_folder=content.static_folder(), static_url_path="/static")


def websocket() -> Quart:
    app = _app()

    @app.websocket("/ws")
    async def echo() -> None:
        while True:
            await socket.send(await socket.receive())

    return app


def sync() -> Quart:
    app = _app()

    @app.get("/")
    def hello() -> str:
        return content.HELLO

    return app


def routes(rules: int) -> Quart:
    app = _app()

    async def item(number: int) -> str:
        return str(number)

    for each in range(rules):
        app.add_url_rule(f"/section-{each}/items/<int:number>", f"section-{each}", item)
    return app
