"""erlen, as its README and docs write views, with the defaults of its configuration."""

from collections.abc import AsyncIterator
from typing import Any

from bench.peers import content
from bench.peers.content import tally
from erlen import Erlen, Response, render_template, request
from erlen import session as current
from erlen import websocket as socket


def _app(**options: Any) -> Erlen:
    return Erlen(__name__, static_folder=None, **options)


def plaintext() -> Erlen:
    app = _app()

    @app.get("/")
    async def hello() -> str:
        return content.HELLO

    return app


def json() -> Erlen:
    app = _app()

    @app.get("/json")
    async def user() -> dict[str, Any]:
        return content.user()

    return app


def json_fast() -> Erlen:
    app = json()
    app.config["JSON_PROVIDER"] = "orjson"
    return app


def params() -> Erlen:
    app = _app()

    @app.get("/users/<int:user_id>/posts/<slug>")
    async def post(user_id: int, slug: str) -> str:
        return f"{user_id}:{slug}"

    return app


def query() -> Erlen:
    app = _app()

    @app.get("/search")
    async def search() -> str:
        args = request.args
        mark = request.headers["X-Request-ID"]
        return f"{args['q']} {args.get('page', 1, int)} {mark} {request.cookies['theme']}"

    return app


def echo() -> Erlen:
    app = _app()

    @app.post("/echo")
    async def echo() -> dict[str, Any]:
        return await request.get_json()

    return app


def form() -> Erlen:
    app = _app()

    @app.post("/form")
    async def submit() -> str:
        form = await request.form
        return f"{form['name']} {form['email']} {form['city']} {form['comment']}"

    return app


def multipart() -> Erlen:
    app = _app()

    @app.post("/upload")
    async def upload() -> str:
        form, file = await request.form, (await request.files)["file"]
        data = await file.read()
        texts = f"{form['title']} {form['place']} {form['tag']} {file.filename}"
        return f"{texts} {len(data)} {data[-4:].hex()}"

    return app


def template() -> Erlen:
    app = _app()

    @app.get("/page")
    async def page() -> str:
        return await render_template("page.html", title=content.TITLE, items=content.ITEMS)

    return app


def session() -> Erlen:
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


def hooks() -> Erlen:
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


def middleware() -> Erlen:
    app = plaintext()
    for _ in range(content.HOOKS):
        app.add_middleware(content.Passes)
    return app


def stream() -> Erlen:
    app = _app()

    @app.get("/stream")
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(content.CHUNKS):
            yield content.CHUNK

    return app


def static() -> Erlen:
    return Erlen(__name__, static_folder=content.static_folder(), static_url_path="/static")


def websocket() -> Erlen:
    app = _app()

    @app.websocket("/ws")
    async def echo() -> None:
        async for message in socket:
            await socket.send(message)

    return app


def sync() -> Erlen:
    app = _app()

    @app.get("/")
    def hello() -> str:
        return content.HELLO

    return app


def routes(rules: int) -> Erlen:
    app = _app()

    async def item(number: int) -> str:
        return str(number)

    for each in range(rules):
        app.add_url_rule(f"/section-{each}/items/<int:number>", f"section-{each}", item)
    return app
