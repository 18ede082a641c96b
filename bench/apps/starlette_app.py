"""Starlette, with its plain function endpoints and no middleware beside its own two."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

NAME = "Starlette"
DISTRIBUTION = "starlette"
RECEIVES = False


async def hello(_request: Request) -> HTMLResponse:
    return HTMLResponse("Hello, World!")


async def user(_request: Request) -> JSONResponse:
    return JSONResponse({"id": 42, "name": "Ann", "active": True, "tags": ["a", "b"]})


async def post(request: Request) -> HTMLResponse:
    values = request.path_params
    return HTMLResponse(f"{values['user_id']}:{values['slug']}")


plaintext = Starlette(routes=[Route("/", hello)])
json = Starlette(routes=[Route("/json", user)])
params = Starlette(routes=[Route("/users/{user_id:int}/posts/{slug}", post)])
