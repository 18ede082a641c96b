"""Sanic, served by another server."""

from sanic import Sanic
from sanic.request import Request
from sanic.response import HTTPResponse, text

app = Sanic("hello")


@app.get("/")
async def hello(_request: Request) -> HTTPResponse:
    return text("Hello, World!")
