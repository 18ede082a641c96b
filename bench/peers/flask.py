"""Flask in an ASGI server, as people run it there: under a2wsgi."""

from collections.abc import Iterator
from typing import Any

import orjson
from a2wsgi import WSGIMiddleware
from flask import Flask, Response, render_template, request
from flask import session as current
from flask.json.provider import JSONProvider

from bench.peers import content
from bench.peers.content import tally

LACKS = {"websocket": "WSGI has no WebSockets"}
NOTES = {
    "json-fast": "a JSON provider with orjson",
    "middleware": "wrapped around a2wsgi",
}


class OrjsonProvider(JSONProvider):
    def dumps(self, obj: Any, **_options: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        return orjson.loads(s)


def _app(**options: Any) -> Flask:
    return Flask(__name__, **{"static_folder": None, **options})


def _served(app: Flask) -> Any:
    return WSGIMiddleware(app)


def _hello() -> Flask:
    app = _app()

    @app.get("/")
    def hello() -> str:
        return content.HELLO

    return app


def plaintext() -> Any:
    return _served(_hello())


def _json() -> Flask:
    app = _app()

    @app.get("/json")
    def user() -> dict[str, Any]:
        return content.user()

    return app


def json() -> Any:
    return _served(_json())


def json_fast() -> Any:
    app = _json()
    app.json = OrjsonProvider(app)
    return _served(app)


def params() -> Any:
    app = _app()

    @app.get("/users/<int:user_id>/posts/<slug>")
    def post(user_id: int, slug: str) -> str:
        return f"{user_id}:{slug}"

    return _served(app)


def query() -> Any:
    app = _app()

    @app.get("/search")
    def search() -> str:
        args = request.args
        mark = request.headers["X-Request-ID"]
        return f"{args['q']} {args.get('page', 1, int)} {mark} {request.cookies['theme']}"

    return _served(app)


def echo() -> Any:
    app = _app()

    @app.post("/echo")
    def echo() -> Any:
        return request.get_json()

    return _served(app)


def form() -> Any:
    app = _app()

    @app.post("/form")
    def submit() -> str:
        form = request.form
        return f"{form['name']} {form['email']} {form['city']} {form['comment']}"

    return _served(app)


def multipart() -> Any:
    app = _app()

    @app.post("/upload")
    def upload() -> str:
        form, file = request.form, request.files["file"]
        data = file.read()
        texts = f"{form['title']} {form['place']} {form['tag']} {file.filename}"
        return f"{texts} {len(data)} {data[-4:].hex()}"

    return _served(app)


def template() -> Any:
    app = _app(template_folder=content.TEMPLATES)

    @app.get("/page")
    def page() -> str:
        return render_template("page.html", title=content.TITLE, items=content.ITEMS)

    return _served(app)


def session() -> Any:
    app = _app()
    app.secret_key = content.SECRET

    @app.get("/login")
    def login() -> str:
        current.update(user="ann", visits=1)
        return ""

    @app.get("/read")
    def read() -> str:
        return current.get("user", "nobody")

    @app.get("/visit")
    def visit() -> str:
        current["visits"] += 1
        return str(current["visits"])

    return _served(app)


def hooks() -> Any:
    app = _hello()

    def before() -> None:
        tally.before += 1

    def after(response: Response) -> Response:
        tally.after += 1
        return response

    for _ in range(content.HOOKS):
        app.before_request(before)
        app.after_request(after)
    return _served(app)


def middleware() -> Any:
    return content.wrapped(plaintext())


def stream() -> Any:
    app = _app()

    @app.get("/stream")
    def stream() -> Iterator[bytes]:
        return (content.CHUNK for _ in range(content.CHUNKS))

    return _served(app)


def static() -> Any:
    return _served(_app(static_folder=content.static_folder(), static_url_path="/static"))


def sync() -> Any:
    return plaintext()


def routes(rules: int) -> Any:
    app = _app()

    def item(number: int) -> str:
        return str(number)

    for each in range(rules):
        app.add_url_rule(f"/section-{each}/items/<int:number>", f"section-{each}", item)
    return _served(app)
