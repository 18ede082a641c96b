"""Nothing of one exchange is seen by another, whatever a server does with tasks: pains 7, E-07.

The server here is the worst that is allowed: it runs one request after another in one task, and
never resets a context variable.
"""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen import (
    Erlen,
    Response,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
    run_sync,
    session,
    url_for,
    websocket,
)
from erlen.context import Context, current_context
from erlen.exceptions import OutsideContextError
from erlen.protocols import ASGIApp, Message, Receive, Scope, Send
from tests.exchange.wire import scope_of

#: Seeds, and requests for each. The long run: ``ISOLATION_SEEDS=20 ISOLATION_REQUESTS=10000``.
SEEDS = int(os.environ.get("ISOLATION_SEEDS", "3"))
REQUESTS = int(os.environ.get("ISOLATION_REQUESTS", "2000"))
#: Tasks that serve them, each one request after another.
TASKS = 40
KEY = "only for tests, but thirty-two bytes long"

#: Set around the application, as instrumentation does.
trace: ContextVar[str] = ContextVar("trace", default="none")
#: Set inside of it.
user: ContextVar[str] = ContextVar("user", default="nobody")


class Server:
    """What a server gives to one request.

    Attributes:
        body: What was sent, without the header section.
    """

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    async def receive(self) -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")


async def get(app: ASGIApp, path: str = "/", **more: Any) -> str:
    """Serve a request in this task, with its variables; return the body."""
    server = Server()
    await app(scope_of(path, **more), server.receive, server.send)
    return server.body.decode()


class Traced:
    """Middleware that sets a variable for what is inside, and reads one that the view has set."""

    def __init__(self, app: ASGIApp, seen: list[Any]) -> None:
        self.app = app
        self.seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(has_request_context())
        token = trace.set("traced")
        await self.app(scope, receive, send)
        trace.reset(token)
        self.seen.append(user.get())


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop")
    app.config.update(SECRET_KEY=KEY, TESTING=True)
    return app


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Tests run in one thread: what one leaves in its variables the next would see."""
    yield
    assert not has_app_context()


# --- one after another ------------------------------------------------------------------------------


async def test_pains7_the_next_request_of_a_task_sees_nothing_of_the_one_before(app: Erlen) -> None:
    @app.get("/<name>")
    async def view(name: str) -> list[Any]:
        before = [request.path, list(g), dict(session)]
        g.user = session["user"] = name
        return before

    assert [await get(app, f"/{name}") for name in ("ann", "bob")] == [
        '["/ann",[],{}]',
        '["/bob",[],{}]',
    ]
    assert not has_app_context()


async def test_after_a_request_its_variable_is_what_it_was(app: Erlen) -> None:
    app.get("/")(lambda: "view")
    outer = Context(app, None)
    token = current_context.set(outer)
    await get(app)
    assert current_context.get() is outer
    current_context.reset(token)


async def test_a_context_that_a_server_left_in_the_task_is_not_taken_for_ones_own(
    app: Erlen,
) -> None:
    """As asyncio does when a server resumes to read in the middle of the request before."""
    seen: list[Any] = []

    @app.get("/<name>")
    async def view(name: str) -> str:
        seen.append([name, list(g), request.path])
        g.user = name
        if name == "ann":  # the next request comes while this one has not ended
            await get(app, "/bob")
        return f"{g.user} {request.path}"

    app.add_middleware(Traced, seen=seen)
    assert await get(app, "/ann") == "ann /ann"
    assert seen == [False, ["ann", [], "/ann"], False, ["bob", [], "/bob"], "nobody", "nobody"]


async def test_middleware_of_the_application_has_no_context_and_is_told_so(app: Erlen) -> None:
    errors: list[str] = []

    def factory(inner: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            for use in (lambda: g.user, lambda: request.path, lambda: current_app.name):
                with pytest.raises(OutsideContextError) as caught:
                    use()
                errors.append(str(caught.value).partition(" stands")[0])
            await inner(scope, receive, send)

        return middleware

    app.add_middleware(factory)
    app.get("/")(lambda: "view")
    async with app.app_context():
        assert await get(app) == "view"
    assert errors == ["'g'", "'request'", "'current_app'"]


async def test_a_websocket_after_a_request_sees_nothing_of_it(app: Erlen) -> None:
    @app.get("/")
    async def view() -> str:
        g.user = session["user"] = "ann"
        return "view"

    @app.websocket("/")
    async def socket() -> None:
        await websocket.send_json([list(g), dict(session), websocket.path])

    sent: list[Any] = []
    messages = [{"type": "websocket.connect"}]

    async def receive() -> Any:
        return messages.pop() if messages else await anyio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)

    await get(app)
    await app({**scope_of(), "type": "websocket", "scheme": "ws"}, receive, send)
    assert [message.get("text") for message in sent] == [None, '[[],{},"/"]', None]


# --- inside one another -----------------------------------------------------------------------------


@pytest.mark.parametrize("by_client", [False, True])
async def test_a_request_to_another_application_inside_of_a_view_sees_only_its_own(
    app: Erlen, by_client: bool
) -> None:
    other = Erlen("other")

    @other.get("/inner")
    async def inner() -> list[Any]:
        return [current_app.name, request.path, list(g), url_for("inner")]

    @app.get("/outer")
    async def outer() -> str:
        g.user = "ann"
        if by_client:
            text = (await other.test_client().get("/inner")).text
        else:
            text = await get(other, "/inner")
        return f"{text} {current_app.name} {request.path} {g.user} {url_for('outer')}"

    assert await get(app, "/outer") == '["other","/inner",[],"/inner"] shop /outer ann /outer'


async def test_a_request_to_the_same_application_inside_of_a_view_too(app: Erlen) -> None:
    @app.get("/<int:depth>")
    async def view(depth: int) -> str:
        assert not list(g)
        g.depth = session["depth"] = depth
        inner = await get(app, f"/{depth - 1}") if depth else ""
        assert (g.depth, session["depth"], request.path) == (depth, depth, f"/{depth}")
        return f"{depth} {inner}"

    assert await get(app, "/3") == "3 2 1 0 "


# --- variables of others ----------------------------------------------------------------------------


async def test_what_middleware_outside_sets_is_seen_everywhere_inside(app: Erlen) -> None:
    seen: dict[str, str] = {}

    def note(place: str) -> None:
        seen[place] = trace.get()

    async def task() -> None:
        note("background task")

    @app.get("/<kind>")
    async def view(kind: str) -> Any:
        note("view")
        app.add_background_task(task)
        await run_sync(note)("thread")
        await request.start_soon(note, "def child")
        if kind == "error":
            raise ValueError

        async def body() -> AsyncIterator[str]:
            note("body")
            yield "body"

        return body()

    @app.get("/def")
    def plain() -> str:
        note("def view")
        return ""

    @app.after_request
    def after(response: Response) -> Response:
        note("after")
        return response

    @app.errorhandler(ValueError)
    async def handle(_: ValueError) -> str:
        note("handler")
        return ""

    app.before_request(lambda: note("before"))
    app.teardown_request(lambda _: note("teardown"))
    for path in ("/body", "/error", "/def"):
        await get(Traced(app, []), path)
    await anyio.wait_all_tasks_blocked()
    assert len(seen) == 10
    assert set(seen.values()) == {"traced"}


@pytest.mark.parametrize("is_async", [False, True])
async def test_pains11_what_a_view_sets_is_seen_after_it_even_by_middleware(
    app: Erlen, is_async: bool
) -> None:
    inside, outside, after = list[Any](), list[Any](), list[str]()

    def view() -> str:
        user.set("ann")
        return ""

    async def async_view() -> str:
        return view()

    @app.after_request
    async def look(response: Response) -> Response:
        after.append(user.get())
        return response

    app.get("/")(async_view if is_async else view)
    app.add_middleware(Traced, seen=inside)
    await get(Traced(app, outside))
    assert (inside, outside, after) == ([False, "ann"], [False, "ann"], ["ann"])


# --- all at once ------------------------------------------------------------------------------------


class Shop:
    """An application whose every part looks whether all that it sees is its own.

    Attributes:
        checks: How often each part has looked.
        mismatches: What was another's.
    """

    def __init__(self, name: str, dice: random.Random) -> None:
        self.name = name
        self.dice = dice
        self.checks: Counter[str] = Counter()
        self.mismatches: list[str] = []
        self.app = Erlen(name)
        self.app.config.update(SECRET_KEY=KEY, MAX_BACKGROUND_TASKS=10 * REQUESTS)
        self.declare(self.app)

    def check(self, place: str, mine: str) -> None:
        """Compare everything with *mine*, the name of the request."""
        self.checks[place] += 1
        found = {
            "request": request.path.rpartition("/")[2],
            "argument": request.args["mine"],
            "session": session["mine"],
            "trace": trace.get(),
            "user": user.get(),
        }
        if place != "background task":  # which has a g of its own, and no base for URLs
            found["g"] = g.mine
            found["url"] = url_for("view", mine="x", _external=True)[7:].partition(".")[0]
        wrong = {what: value for what, value in found.items() if value != mine}
        if wrong or current_app.name != self.name:
            self.mismatches.append(f"{place} of {mine} in {current_app.name}: {wrong}")

    async def rest(self) -> None:
        """Let others run, now more and now less."""
        for _ in range(self.dice.randrange(4)):
            await checkpoint()

    def declare(self, app: Erlen) -> None:
        """Add the parts, in the order of a request."""
        check = self.check

        @app.before_request
        async def before() -> None:
            assert not list(g)
            assert not session
            g.mine = session["mine"] = mine = request.args["mine"]
            user.set(mine)
            await self.rest()
            check("before hook", mine)

        @app.url_value_preprocessor
        def note(_endpoint: str | None, values: dict[str, Any] | None) -> None:
            assert values is not None
            assert values["mine"] == request.args["mine"]

        app.get("/async/<mine>", endpoint="view")(self.view)
        app.get("/def/<mine>")(self.def_view)
        app.get("/stream/<mine>")(self.stream)
        app.get("/error/<mine>")(self.fail)
        app.errorhandler(LookupError)(self.handle)

        @app.after_request
        async def after(response: Any) -> Any:
            await self.rest()
            check("after hook", g.mine)
            return response

        @app.teardown_request
        async def teardown(_error: BaseException | None) -> None:
            await self.rest()
            check("teardown hook", g.mine)

    async def view(self, mine: str) -> str:
        await self.rest()
        self.check("view", mine)
        child = request.start_soon(self.child, mine)
        await self.rest()
        self.app.add_background_task(self.task, mine)
        await run_sync(self.check)("thread", mine)
        await child
        self.check("view", mine)
        return mine

    async def child(self, mine: str) -> None:
        await self.rest()
        self.check("child", mine)

    async def task(self, mine: str) -> None:
        await self.rest()
        self.check("background task", mine)

    def def_view(self, mine: str) -> str:
        self.check("def view", mine)
        return mine

    def stream(self, mine: str) -> AsyncIterator[str]:
        async def body() -> AsyncIterator[str]:
            for letter in mine:
                await self.rest()
                self.check("body", mine)
                yield letter

        return body()

    async def fail(self, mine: str) -> str:
        await self.rest()
        raise LookupError(mine)

    async def handle(self, error: LookupError) -> str:
        await self.rest()
        self.check("handler", str(error.args[0]))
        return str(error.args[0])


PLACES = {
    "before hook", "view", "def view", "child", "thread", "background task", "body", "handler",
    "after hook", "teardown hook",
}  # fmt: skip


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_e07_interleaved_requests_see_only_their_own(seed: int) -> None:
    dice = random.Random(seed)
    shops = [Shop("one", dice), Shop("other", dice)]
    left = iter(range(REQUESTS))

    async def serve() -> None:
        """Serve requests one after another in this task, as the worst of servers."""
        for number in left:
            mine = f"r{number}"
            trace.set(mine)
            kind = dice.choice(["async", "async", "def", "stream", "error"])
            host = [(b"host", f"{mine}.example".encode())]
            query = f"mine={mine}".encode()
            app = dice.choice(shops).app
            text = await get(app, f"/{kind}/{mine}", headers=host, query_string=query)
            assert text == mine

    async with anyio.create_task_group() as tasks:
        for _ in range(TASKS):
            tasks.start_soon(serve)
    await anyio.wait_all_tasks_blocked()
    assert [shop.mismatches for shop in shops] == [[], []]
    checks = shops[0].checks + shops[1].checks
    assert set(checks) == PLACES
    assert checks["before hook"] == checks["after hook"] == checks["teardown hook"] == REQUESTS
