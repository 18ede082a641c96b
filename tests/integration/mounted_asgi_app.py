"""ASGI applications of erlen, Starlette and Django, and a single-page one, mounted below paths.

The three have the same pages, written as their users would.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.urls import path as django_path
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from erlen import Erlen, Response, current_app, g, request, send_from_directory, url_for, websocket
from erlen.exceptions import NotFound
from tests.integration.notes import note

PAGES = Path(__file__).parent / "mounted_spa"
YEAR = 365 * 24 * 60 * 60


async def endless(run: str) -> AsyncIterator[bytes]:
    """Give a body that ends only when the client leaves."""
    try:
        while True:
            yield b"x" * 10_000
            await anyio.sleep(0.001)
    finally:
        note(run, "closed")


async def counted() -> AsyncIterator[bytes]:
    """Give a body in pieces."""
    for number in range(5):
        yield f"{number}\n".encode()


def facts(data: bytes) -> dict[str, Any]:
    """Return what came of an upload."""
    return {"size": len(data), "digest": hashlib.sha256(data).hexdigest()}


# --- erlen ----------------------------------------------------------------------------------------

in_erlen = Erlen("inner")


@in_erlen.lifespan
async def inner_resources() -> AsyncIterator[dict[str, str]]:
    note("lifespan", "inner opens")
    yield {"pool": "inner"}
    note("lifespan", "inner closes")


@in_erlen.before_request
async def mark() -> None:
    g.marked = "inner"


@in_erlen.get("/see")
async def see() -> dict[str, Any]:
    return {
        "root": request.root_path,
        "link": url_for("see", _external=True),
        "pool": current_app.state.pool,
        "marked": g.get("marked"),
    }


@in_erlen.post("/upload")
async def upload() -> dict[str, Any]:
    return facts(await request.get_data())


@in_erlen.get("/stream")
async def stream() -> AsyncIterator[bytes]:
    return counted()


@in_erlen.get("/endless/<run>")
async def stream_for_ever(run: str) -> AsyncIterator[bytes]:
    return endless(run)


@in_erlen.websocket("/ws")
async def echo() -> None:
    async for message in websocket:
        await websocket.send(f"{websocket.root_path} {message!s}")


@in_erlen.get("/fail")
async def fail() -> str:
    raise LookupError("fails in erlen")


@in_erlen.errorhandler(404)
async def missing(_error: NotFound) -> tuple[str, int]:
    return "nothing in erlen", 404


# --- Starlette ------------------------------------------------------------------------------------


@asynccontextmanager
async def starlette_resources(_app: Starlette) -> AsyncIterator[dict[str, str]]:
    note("lifespan", "starlette opens")
    yield {"pool": "starlette"}
    note("lifespan", "starlette closes")


async def starlette_see(request: Request) -> JSONResponse:
    return JSONResponse(
        {
            "root": request.scope["root_path"],
            "link": str(request.url_for("see")),
            "pool": request.state.pool,
            "marked": None,
        }
    )


async def starlette_upload(request: Request) -> JSONResponse:
    return JSONResponse(facts(await request.body()))


async def starlette_stream(_request: Request) -> StreamingResponse:
    return StreamingResponse(counted())


async def starlette_endless(request: Request) -> StreamingResponse:
    return StreamingResponse(endless(request.path_params["run"]))


async def starlette_fail(_request: Request) -> JSONResponse:
    raise LookupError("fails in Starlette")


async def starlette_echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for message in websocket.iter_text():
        await websocket.send_text(f"{websocket.scope['root_path']} {message}")


in_starlette = Starlette(
    routes=[
        Route("/see", starlette_see, name="see"),
        Route("/upload", starlette_upload, methods=["POST"]),
        Route("/stream", starlette_stream),
        Route("/endless/{run}", starlette_endless),
        Route("/fail", starlette_fail),
        WebSocketRoute("/ws", starlette_echo),
    ],
    lifespan=starlette_resources,
)

# --- Django ---------------------------------------------------------------------------------------

settings.configure(
    SECRET_KEY="of tests only, and long enough",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)
django.setup()


async def django_see(request: HttpRequest) -> JsonResponse:
    link = request.build_absolute_uri(reverse("see"))
    root = reverse("see").removesuffix("/see")
    return JsonResponse({"root": root, "link": link, "pool": None, "marked": None})


async def django_upload(request: HttpRequest) -> JsonResponse:
    return JsonResponse(facts(request.body))


async def django_stream(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(counted())


async def django_endless(_request: HttpRequest, run: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(endless(run))


async def django_fail(_request: HttpRequest) -> JsonResponse:
    raise LookupError("fails in Django")


urlpatterns = [
    django_path("see", django_see, name="see"),
    django_path("upload", csrf_exempt(django_upload)),
    django_path("stream", django_stream),
    django_path("endless/<str:run>", django_endless),
    django_path("fail", django_fail),
]
in_django = get_asgi_application()

# --- a single-page application --------------------------------------------------------------------

pages = Erlen("pages", static_folder=None)


@pages.get("/")
@pages.get("/<path:name>")
async def page(name: str = "index.html") -> Response:
    """Send a file, or the shell for a path that only the browser's router knows."""
    try:
        kept = YEAR if name.startswith("assets/") else None
        return await send_from_directory(PAGES, name, max_age=kept)
    except NotFound:
        if "." in name.rpartition("/")[2]:
            raise  # a missing script is no page
        return await send_from_directory(PAGES, "index.html")


# --- the whole ------------------------------------------------------------------------------------

app = Erlen("whole")
app.mount("/erlen", in_erlen)
app.mount("/starlette", in_starlette)
app.mount("/django", in_django)
app.mount("/pages", pages)


@app.lifespan
async def resources() -> AsyncIterator[dict[str, str]]:
    note("lifespan", "whole opens")
    yield {"pool": "whole"}
    note("lifespan", "whole closes")


@app.before_request
async def mark_outer() -> None:
    g.marked = "whole"


@app.errorhandler(404)
async def missing_outside(_error: NotFound) -> tuple[str, int]:
    return "nothing outside", 404


@app.get("/")
async def index() -> str:
    return str(g.marked)
