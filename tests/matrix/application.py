"""An application that tells at every position of its exchanges that it is there.

All of its hooks, handlers and views are ``async def``, or all are ``def``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Protocol

from erlen import (
    Blueprint,
    Erlen,
    Response,
    after_this_request,
    has_websocket_context,
    render_template_string,
    request,
    stream,
    sync,
    websocket,
)
from erlen.exchange.websocket import State
from erlen.sessions import SessionInterface
from erlen.sessions.session import Session

TEMPLATE = "{{ reach('template') }}tea"
PLACES = ("before its first chunk", "after its first chunk", "after its last chunk")


class Known(Exception):
    """What the application has a handler for."""


class Boom(Exception):
    """What it has none for."""


class Unprintable(Exception):
    """What cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class Director(Protocol):
    """Who lets something happen, and takes notes."""

    is_async: bool

    async def reach(self, position: str) -> None:
        """Be at a position."""

    def reach_in_thread(self, position: str) -> None:
        """The same in a worker thread."""

    def note(self, what: str, value: Any) -> None:
        """Note a value that belongs to this exchange."""

    def trigger(self) -> None:
        """Raise what brings the exchange to a handler."""


def declare(app: Erlen, director: Director) -> None:
    """Declare one function for every position."""
    made = Functions(director)
    blueprint = Blueprint("inner", __name__)
    app.session_interface = Sessions(director.reach)
    app.url_value_preprocessor(made.preprocessor)
    for owner, name in ((app, "app"), (blueprint, "blueprint")):
        for kind in ("request", "websocket"):
            getattr(owner, f"before_{kind}")(made.function(f"before_{kind} ({name})"))
            getattr(owner, f"after_{kind}")(made.after(f"after_{kind} ({name})"))
            getattr(owner, f"teardown_{kind}")(made.teardown(f"teardown_{kind} ({name})"))
    app.teardown_appcontext(made.teardown("teardown_appcontext"))
    for key, name, status in ((403, "403", 403), (Known, "Known", 418), (500, "500", 500)):
        app.errorhandler(key)(made.handler(f"errorhandler({name})", status))
    blueprint.get("/well")(lambda: "well")
    views = AsyncViews if director.is_async else PlainViews
    views(director, made).declare(blueprint)
    app.register_blueprint(blueprint)


class Sessions(SessionInterface):
    """A store that must be awaited."""

    def __init__(self, reach: Callable[[str], Awaitable[None]]) -> None:
        self._reach = reach

    async def open_session(self, app: Any, request: Any) -> Session:
        await self._reach("session opens")
        return Session()

    async def save_session(self, app: Any, session: Any, response: Response) -> None:
        await self._reach("session is saved")


class Functions:
    """Makes hooks and handlers: each takes notes, reaches its position, and gives an answer."""

    def __init__(self, director: Director) -> None:
        self._director = director

    def function(
        self,
        position: str | Callable[[], str],
        gives: Callable[..., Any] = lambda *_: None,
        takes: Callable[..., Any] = lambda *_: None,
    ) -> Callable[..., Any]:
        director = self._director

        def named() -> str:
            return position if isinstance(position, str) else position()

        async def coroutine(*given: Any) -> Any:
            takes(*given)
            await director.reach(named())
            return gives(*given)

        def plain(*given: Any) -> Any:
            takes(*given)
            director.reach_in_thread(named())
            return gives(*given)

        return coroutine if director.is_async else plain

    async def preprocessor(self, endpoint: str | None, values: dict[str, Any] | None) -> None:
        # As def it would run on the event loop, where reach_in_thread() cannot wait.
        await self._director.reach("url_value_preprocessor")

    def after(self, position: str) -> Callable[..., Any]:
        return self.function(position, gives=lambda response: response)

    def teardown(self, position: str) -> Callable[..., Any]:
        return self.function(position, takes=lambda error: self._director.note("torn", error))

    def handler(self, name: str, status: int) -> Callable[..., Any]:
        def position() -> str:
            is_handshake = has_websocket_context() and websocket.state is State.CONNECTING
            return f"{name} of a handshake" if is_handshake else name

        def take(error: Exception) -> None:
            self._director.note("handled", getattr(error, "original_exception", None) or error)

        return self.function(position, gives=lambda error: ("sorry", status), takes=take)

    def response(self) -> Response:
        response = Response("tea")
        self.note_end_of(response)
        return response

    def note_end_of(self, response: Response) -> None:
        """Let the end of a response be noted, which must come."""
        note = self._director.note
        note("made", "response")
        response.call_on_close(
            self.function("call_on_close", takes=lambda: note("closed", "response"))
        )


class Views:
    """What the views of both kinds have in common."""

    page: Callable[..., Any]
    stream: Callable[..., Any]
    push: Callable[..., Any]
    children: Callable[..., Any]
    fail: Callable[..., Any]
    socket: Callable[..., Any]
    refuse: Callable[..., Any]
    fail_open: Callable[..., Any]

    def __init__(self, director: Director, made: Functions) -> None:
        self._director = director
        self._made = made
        self.reach = director.reach
        self.reach_in_thread = director.reach_in_thread

    def declare(self, blueprint: Blueprint) -> None:
        blueprint.get("/page")(self.page)
        blueprint.get("/stream")(self.stream)
        blueprint.get("/push")(self.push)
        blueprint.get("/children")(self.children)
        blueprint.get("/<any('403', known, boom):name>")(self.fail)
        blueprint.websocket("/socket")(self.socket)
        blueprint.websocket("/socket/refused")(self.refuse)
        blueprint.websocket("/socket/<any('403', known, boom):name>")(self.fail_open)

    def after_this(self, kind: str) -> None:
        after_this_request(self._made.after(f"after_this_{kind}"))

    def streamed(self, chunks: AsyncIterator[str] | Iterator[str]) -> Response:
        response = self._made.response()
        response.response = chunks
        return response


class AsyncViews(Views):
    """The views as ``async def``."""

    async def page(self) -> Response:
        await self.reach("view")
        self.after_this("request")
        await request.get_data()
        await self.reach("view, body read")
        await render_template_string(TEMPLATE, reach=self.reach)
        return self._made.response()

    async def stream(self) -> Response:
        await self.reach("view")
        self.after_this("request")
        return self.streamed(self._chunks())

    async def _chunks(self) -> AsyncIterator[str]:
        self._director.note("made", "generator")
        try:
            for place in PLACES[:-1]:
                await self.reach(f"generator, {place}")
                yield "tea"
            await self.reach(f"generator, {PLACES[-1]}")
        finally:
            self._director.note("closed", "generator")

    async def push(self) -> None:
        await self.reach("view")
        self.after_this("request")
        async with stream() as out:
            self._made.note_end_of(out.response)
            for place in PLACES[:-1]:
                await self.reach(f"stream(), {place}")
                await out.send("tea")
            await self.reach(f"stream(), {PLACES[-1]}")
        await self.reach("view, after stream()")

    async def children(self) -> Response:
        await self.reach("view")
        self.after_this("request")
        request.start_soon(self.reach, "child of the request")
        return self._made.response()

    async def fail(self, name: str) -> None:
        await self.reach("view")
        self.after_this("request")
        self._director.trigger()

    async def socket(self) -> None:
        await self.reach("view, before the accept")
        self.after_this("websocket")
        await websocket.accept()
        await self.reach("view, after the accept")
        await websocket.receive()
        await self.reach("view, after a message")
        await websocket.send("tea")

    async def refuse(self) -> None:
        await self.reach("view, before the accept")
        self.after_this("websocket")
        self._director.trigger()

    async def fail_open(self, name: str) -> None:
        await self.reach("view, before the accept")
        self.after_this("websocket")
        await websocket.accept()
        self._director.trigger()


class PlainViews(Views):
    """The views as ``def``."""

    def page(self) -> Response:
        self.reach_in_thread("view")
        self.after_this("request")
        sync.request.get_data()
        self.reach_in_thread("view, body read")
        sync.render_template_string(TEMPLATE, reach=self.reach_in_thread)
        return self._made.response()

    def stream(self) -> Response:
        self.reach_in_thread("view")
        self.after_this("request")
        return self.streamed(self._chunks())

    def _chunks(self) -> Iterator[str]:
        self._director.note("made", "generator")
        try:
            for place in PLACES[:-1]:
                self.reach_in_thread(f"generator, {place}")
                yield "tea"
            self.reach_in_thread(f"generator, {PLACES[-1]}")
        finally:
            self._director.note("closed", "generator")

    def push(self) -> None:
        self.reach_in_thread("view")
        self.after_this("request")
        with sync.stream() as out:
            self._made.note_end_of(out.response)
            for place in PLACES[:-1]:
                self.reach_in_thread(f"stream(), {place}")
                out.send("tea")
            self.reach_in_thread(f"stream(), {PLACES[-1]}")
        self.reach_in_thread("view, after stream()")

    def children(self) -> Response:
        self.reach_in_thread("view")
        self.after_this("request")
        request.start_soon(self.reach_in_thread, "child of the request")
        return self._made.response()

    def fail(self, name: str) -> None:
        self.reach_in_thread("view")
        self.after_this("request")
        self._director.trigger()

    def socket(self) -> None:
        self.reach_in_thread("view, before the accept")
        self.after_this("websocket")
        sync.websocket.accept()
        self.reach_in_thread("view, after the accept")
        sync.websocket.receive()
        self.reach_in_thread("view, after a message")
        sync.websocket.send("tea")

    def refuse(self) -> None:
        self.reach_in_thread("view, before the accept")
        self.after_this("websocket")
        self._director.trigger()

    def fail_open(self, name: str) -> None:
        self.reach_in_thread("view, before the accept")
        self.after_this("websocket")
        sync.websocket.accept()
        self._director.trigger()
