"""Hello: a template, path parameters, JSON and a WebSocket, in one file."""

from itertools import count
from typing import Any

from erlen import Erlen, Response, abort, redirect, render_template, request, url_for, websocket

app = Erlen(__name__)

GREETINGS = {"en": "Hello", "de": "Hallo", "es": "Hola", "fr": "Bonjour", "pl": "Cześć"}

order_numbers = count(1)


@app.get("/")
async def index() -> str:
    return await render_template("index.html", greetings=GREETINGS)


@app.get("/hello")
async def choose() -> Response:
    """Send the form of the index page to the address of its greeting."""
    name = request.args.get("name", "").strip()
    return redirect(url_for("hello", name=name or "World", lang=request.args.get("lang")))


@app.get("/hello/<name>")
async def hello(name: str) -> str:
    lang = request.args.get("lang", "en")
    if lang not in GREETINGS:
        abort(404, f"No greeting is known in the language {lang!r}.")
    return await render_template("hello.html", name=name, lang=lang, greetings=GREETINGS)


@app.post("/orders")
async def create_order() -> tuple[dict[str, Any], int]:
    order = await request.get_json()
    if not isinstance(order, dict):
        abort(400, "An order is a JSON object.")
    return {**order, "id": next(order_numbers)}, 201


@app.websocket("/echo")
async def echo() -> None:
    async for message in websocket:
        await websocket.send(message)


if __name__ == "__main__":
    app.run()
