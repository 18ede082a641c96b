"""Falcon."""

from falcon.asgi import App, Request, Response


class Hello:
    async def on_get(self, _request: Request, response: Response) -> None:
        response.text = "Hello, World!"


app = App()
app.add_route("/", Hello())
