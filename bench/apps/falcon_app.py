"""Falcon's ASGI application. It reads the first event of every request before it routes."""

from falcon import MEDIA_HTML
from falcon.asgi import App, Request, Response

NAME = "Falcon"
DISTRIBUTION = "falcon"
RECEIVES = True


class Hello:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.content_type = MEDIA_HTML
        resp.text = "Hello, World!"


class User:
    async def on_get(self, _req: Request, resp: Response) -> None:
        resp.media = {"id": 42, "name": "Ann", "active": True, "tags": ["a", "b"]}


class Post:
    async def on_get(self, _req: Request, resp: Response, user_id: int, slug: str) -> None:
        resp.content_type = MEDIA_HTML
        resp.text = f"{user_id}:{slug}"


plaintext = App()
plaintext.add_route("/", Hello())
json = App()
json.add_route("/json", User())
params = App()
params.add_route("/users/{user_id:int}/posts/{slug}", Post())
