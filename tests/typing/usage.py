"""What type checkers must see; mypy and pyright check this file, nobody runs it: TY-1."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

from erlen import (
    Blueprint,
    Erlen,
    Request,
    Response,
    WebSocket,
    abort,
    after_this_request,
    current_app,
    g,
    has_app_context,
    jsonify,
    make_response,
    redirect,
    request,
    url_for,
    websocket,
)
from erlen.config import Config
from erlen.context import Globals
from erlen.exceptions import NotFound
from erlen.typing import (
    AfterRequestCallable,
    BeforeRequestCallable,
    ErrorHandlerCallable,
    HeadersValue,
    ResponseReturnValue,
    ResponseValue,
    RouteCallable,
    StatusCode,
    TeardownCallable,
)

app = Erlen(__name__)
blueprint = Blueprint("pages", __name__)

# --- proxies are what they stand for ----------------------------------------------------------------

assert_type(request, Request)
assert_type(websocket, WebSocket)
assert_type(g, Globals)
assert_type(current_app, Erlen)
assert_type(request.method, str)
assert_type(request.args.get("a"), str | None)
assert_type(current_app.config, Config)
assert_type(current_app.name, str)
assert_type(g.anything, Any)
assert_type(g.get("anything"), Any)


# --- decorators keep the function's type ------------------------------------------------------------


@app.get("/item/<int:number>")
async def item(number: int) -> dict[str, int]:
    assert_type(await request.get_data(), bytes)
    assert_type(await request.get_data(as_text=True), str)
    return {"number": number}


@blueprint.route("/page", methods=["GET", "POST"])
def page() -> str:
    return url_for(".page")


@app.websocket("/echo")
async def echo() -> None:
    async for message in websocket:
        assert_type(message, str | bytes)
        await websocket.send(message)


@app.before_request
async def guard() -> Response | None:
    return None


@app.after_request
def tag(response: Response) -> Response:
    return response


@app.errorhandler(404)
def missing(error: NotFound) -> tuple[str, int]:
    return "", 404


@blueprint.before_app_request
def everywhere() -> None: ...


@app.lifespan
async def resources() -> AsyncIterator[dict[str, object]]:
    yield {}


@app.teardown_appcontext
def close(error: BaseException | None) -> None: ...


@app.endpoint("home")
def home() -> str:
    return ""


async def check_decorated() -> None:
    assert_type(await item(1), dict[str, int])
    assert_type(await item(number=1), dict[str, int])
    assert_type(page(), str)
    assert_type(await guard(), Response | None)
    assert_type(tag(Response()), Response)
    assert_type(missing(NotFound()), tuple[str, int])
    assert_type(resources(), AsyncIterator[dict[str, object]])
    assert_type(home(), str)
    everywhere()
    close(None)


# --- functions --------------------------------------------------------------------------------------


def check_functions(flag: bool) -> str:
    assert_type(url_for("item", number=1, _external=True), str)
    assert_type(app.url_for("item"), str)
    assert_type(redirect("/"), Response)
    assert_type(jsonify(a=1), Response)
    assert_type(make_response("text", 201), Response)
    assert_type(has_app_context(), bool)
    if flag:
        abort(404)  # without NoReturn the function would lack a return
    return ""


def check_after_this(response: Response) -> Response:
    return response


assert_type(after_this_request(check_after_this)(Response()), Response)


async def check_decorated_after_this() -> None:
    @after_this_request
    def plain(response: Response) -> Response:
        return response

    @after_this_request
    async def asynchronous(response: Response) -> Response:
        return response

    assert_type(plain(Response()), Response)
    assert_type(await asynchronous(Response()), Response)


# --- the types that users write ---------------------------------------------------------------------


def any_answer(status: StatusCode, headers: HeadersValue) -> list[ResponseReturnValue]:
    def rows() -> Iterator[str]:
        yield ""

    async def parts() -> AsyncIterator[bytes]:
        yield b""

    body: ResponseValue = {"a": 1}
    return [
        "", b"", {"a": 1}, [1], Response(), rows(), parts(), (body, 201), ("", "201 Made"),
        ("", {"x-a": "b"}), ("", [("x-a", "b")]), (body, status), (body, status, headers),
    ]  # fmt: skip


def returns_anything() -> ResponseReturnValue:
    return {"a": 1}, 201, {"x-a": "b"}


async def awaits_anything() -> ResponseReturnValue:
    return "", 201


views: list[RouteCallable] = [item, page, returns_anything, awaits_anything]
before: list[BeforeRequestCallable] = [guard, returns_anything, awaits_anything]
after: list[AfterRequestCallable] = [tag]
handlers: list[ErrorHandlerCallable] = [missing]
teardowns: list[TeardownCallable] = [close]

for route in views:
    app.add_url_rule("/", view_func=route)
for hook in before:
    assert_type(app.before_request(hook), BeforeRequestCallable)


async def check_contexts() -> None:
    with app.app_context():
        pass
    async with app.test_request_context("/") as entered:
        assert_type(entered.context.request, Request)
