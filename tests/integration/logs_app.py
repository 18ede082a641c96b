"""An application that logs and fails wherever it can; nothing of logging is configured."""

from collections.abc import AsyncIterator

from erlen import Erlen, g, request, websocket
from erlen.middleware import RequestID

app = Erlen("shop")
app.config["SECRET_KEY"] = "only for these tests, nobody else has it"
app.add_middleware(RequestID)


class UniqueError(Exception):
    """Each failure raises it with a word of its own."""


async def fail(word: str) -> None:
    raise UniqueError(word)


@app.get("/")
async def index() -> str:
    app.logger.info("seen: %s", request.args.get("q", "nothing"))
    app.logger.debug("in debug mode only")
    return "ok"


@app.get("/view/<path:name>")
async def view(name: str) -> str:
    raise UniqueError(f"view of {name} {request.args['q']}")


@app.get("/thread")
def thread() -> str:
    raise UniqueError("thread")


@app.get("/stream")
async def stream() -> AsyncIterator[str]:
    yield "begun"
    await fail("stream")


@app.get("/background")
async def background() -> str:
    app.add_background_task(fail, "background")
    return "ok"


@app.get("/child")
async def child() -> str:
    request.start_soon(fail, "child")
    return "ok"


@app.get("/teardown")
async def teardown() -> str:
    g.fails = True
    return "ok"


@app.teardown_request
async def finish(_error: BaseException | None) -> None:
    if "fails" in g:
        await fail("teardown")


@app.websocket("/socket")
async def socket() -> None:
    await websocket.accept()
    await fail("socket")


@app.get("/handler")
async def handler() -> str:
    raise KeyError("handler")


@app.errorhandler(KeyError)
async def explain(_error: Exception) -> str:
    raise UniqueError("handler") from None


@app.post("/json")
async def json() -> object:
    return await request.get_json()


@app.post("/small")
async def small() -> bytes:
    request.max_content_length = 4
    return await request.get_data()


unstartable = Erlen("unstartable")


@unstartable.before_serving
async def start() -> None:
    await fail("startup")
