"""BlackSheep with its compiled core; values of the path are bound to the handler's arguments."""

from blacksheep import Application, Response, Router
from blacksheep.server.responses import html
from blacksheep.server.responses import json as json_response

NAME = "BlackSheep"
DISTRIBUTION = "blacksheep"
RECEIVES = False

plaintext = Application(router=Router())
json = Application(router=Router())
params = Application(router=Router())


@plaintext.router.get("/")
async def hello() -> Response:
    return html("Hello, World!")


@json.router.get("/json")
async def user() -> Response:
    return json_response({"id": 42, "name": "Ann", "active": True, "tags": ["a", "b"]})


@params.router.get("/users/{int:user_id}/posts/{slug}")
async def post(user_id: int, slug: str) -> Response:
    return html(f"{user_id}:{slug}")
