"""Applications of Flask, Django and Pyramid, each mounted below a path of one of erlen.

All three have the same pages, written as their users would.
"""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import flask
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http import JsonResponse as DjangoJSON
from django.middleware.csrf import get_token
from django.shortcuts import redirect as django_redirect
from django.urls import path as django_path
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.static import serve as serve_static
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import Response as PyramidResponse
from pyramid.session import JSONSerializer, SignedCookieSessionFactory

from erlen import Erlen
from tests.integration.notes import note

KEY = "of tests only, and long enough"
CHUNK = 64 * 1024
STATIC = Path(__file__).parent / "mounted_static"


def chunks(run: str) -> Iterator[bytes]:
    """Give a body that ends only when the client leaves."""
    try:
        while True:
            yield b"x" * 10_000
            time.sleep(0.001)
    finally:
        note(run, "closed")


def counted() -> Iterator[bytes]:
    """Give a body in pieces."""
    for number in range(5):
        yield f"{number}\n".encode()


def facts(file: Any, name: str | None) -> dict[str, Any]:
    """Return what came of an uploaded file."""
    data = file.read()
    return {"name": name, "size": len(data), "digest": hashlib.sha256(data).hexdigest()}


# --- Flask ----------------------------------------------------------------------------------------

in_flask = flask.Flask("old", static_folder=STATIC, static_url_path="/static")
in_flask.secret_key = KEY


@in_flask.post("/login")
def login() -> Any:
    flask.session["user"] = flask.request.form["name"]
    return flask.redirect(flask.url_for("user"))


@in_flask.get("/user")
def user() -> Any:
    link = flask.url_for("user", _external=True)
    return {"user": flask.session.get("user"), "link": link}


@in_flask.post("/upload")
def upload() -> Any:
    file = flask.request.files["up"]
    return facts(file, file.filename)


@in_flask.get("/stream")
def stream() -> Any:
    return flask.Response(counted())


@in_flask.get("/endless/<run>")
def endless(run: str) -> Any:
    return flask.Response(chunks(run))


@in_flask.get("/sleep")
def sleep() -> str:
    time.sleep(float(flask.request.args["seconds"]))
    return "slept"


@in_flask.get("/fail")
def fail() -> str:
    raise LookupError("fails in Flask")


# --- Django ---------------------------------------------------------------------------------------

settings.configure(
    SECRET_KEY=KEY,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)
django.setup()


def django_form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_token(request))


def django_login(request: HttpRequest) -> HttpResponse:
    request.session["user"] = request.POST["name"]
    return django_redirect("user")


def django_user(request: HttpRequest) -> HttpResponse:
    link = request.build_absolute_uri(reverse("user"))
    return DjangoJSON({"user": request.session.get("user"), "link": link})


def django_upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES["up"]
    return DjangoJSON(facts(file, file.name))


def django_stream(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(counted())


def django_endless(_request: HttpRequest, run: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(chunks(run))


def django_file(_request: HttpRequest) -> FileResponse:
    return FileResponse((STATIC / "hello.txt").open("rb"))  # by wsgi.file_wrapper


def django_fail(_request: HttpRequest) -> HttpResponse:
    raise LookupError("fails in Django")


urlpatterns = [
    django_path("form", django_form),
    django_path("login", django_login),
    django_path("user", django_user, name="user"),
    django_path("upload", csrf_exempt(django_upload)),
    django_path("stream", django_stream),
    django_path("endless/<str:run>", django_endless),
    django_path("file", django_file),
    django_path("fail", django_fail),
    django_path("static/<path:path>", serve_static, {"document_root": STATIC}),
]
in_django = get_wsgi_application()


# --- Pyramid --------------------------------------------------------------------------------------


def pyramid_login(request: Any) -> Any:
    request.session["user"] = request.POST["name"]
    return HTTPFound(location=request.route_path("user"))


def pyramid_user(request: Any) -> Any:
    return {"user": request.session.get("user"), "link": request.route_url("user")}


def pyramid_upload(request: Any) -> Any:
    field = request.POST["up"]
    return facts(field.file, field.filename)


def pyramid_stream(_request: Any) -> Any:
    return PyramidResponse(app_iter=counted())


def pyramid_endless(request: Any) -> Any:
    return PyramidResponse(app_iter=chunks(request.matchdict["run"]))


def pyramid_fail(_request: Any) -> Any:
    raise LookupError("fails in Pyramid")


def make_pyramid() -> Any:
    """Return the application of Pyramid."""
    sessions = SignedCookieSessionFactory(KEY, serializer=JSONSerializer())
    with Configurator(session_factory=sessions) as config:
        for name, view, renderer in (
            ("login", pyramid_login, None),
            ("user", pyramid_user, "json"),
            ("upload", pyramid_upload, "json"),
            ("stream", pyramid_stream, None),
            ("fail", pyramid_fail, None),
        ):
            config.add_route(name, f"/{name}")
            config.add_view(view, route_name=name, renderer=renderer)
        config.add_route("endless", "/endless/{run}")
        config.add_view(pyramid_endless, route_name="endless")
        config.add_static_view("static", str(STATIC))
        return config.make_wsgi_app()


# --- plain WSGI, and what it is mounted in --------------------------------------------------------


def plain(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    """Serve floods of both directions, and what blocks its thread for the seconds of the query."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/flood":
        for _ in range(int(environ["QUERY_STRING"]) // CHUNK):
            yield bytes(CHUNK)
    elif environ["PATH_INFO"] == "/swallow":
        size = 0
        while chunk := environ["wsgi.input"].read(CHUNK):
            if not size:
                time.sleep(0.5)
            size += len(chunk)
        yield b"%d" % size
    else:
        yield b"begun "
        time.sleep(float(environ["QUERY_STRING"]))
        yield b"late"


app = Erlen("integration-mounts")
app.config["MAX_CONTENT_LENGTH"] = None
app.mount("/flask", wsgi=in_flask)
app.mount("/django", wsgi=in_django)
app.mount("/pyramid", wsgi=make_pyramid())
app.mount("/plain", wsgi=plain)


@app.get("/native")
async def native() -> str:
    return "native"


@app.get("/memory")
async def memory() -> dict[str, int]:
    """Return the bytes that the process has, and has had at most, in memory, and its threads."""
    lines = Path("/proc/self/status").read_text().splitlines()  # noqa: ASYNC240  # no disk is read
    told = dict(line.split(":", 1) for line in lines)
    return {
        "now": int(told["VmRSS"].split()[0]) * 1024,
        "most": int(told["VmHWM"].split()[0]) * 1024,
        "threads": int(told["Threads"]),
    }
