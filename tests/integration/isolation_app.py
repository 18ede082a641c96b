"""The application of ``test_isolation.py``: each exchange tells what it sees of the one before."""

import contextvars
from typing import Any

from erlen import Erlen, g, has_app_context, has_request_context, request, session, websocket
from erlen.protocols import ASGIApp, Receive, Scope, Send

#: Set by middleware around the application, as instrumentation does.
trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="none")
#: Set by views.
user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")

inner = Erlen("isolation")
inner.config.update(
    SECRET_KEY="only for tests, but thirty-two bytes long", MAX_CONTENT_LENGTH=1_000_000
)


class Note:
    """Middleware that notes in the scope what it sees before the application runs."""

    def __init__(self, app: ASGIApp, place: str) -> None:
        self.app = app
        self.place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            seen = scope.setdefault("seen", {})
            seen[self.place] = [has_app_context(), has_request_context()]
        await self.app(scope, receive, send)


class Trace:
    """Middleware that sets a variable from a header, for whatever is inside."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(scope.get("headers", ()))
        token = trace.set(sent.get(b"x-trace", b"none").decode())
        try:
            await self.app(scope, receive, send)
        finally:
            trace.reset(token)


inner.add_middleware(Note, place="inside")


def seen(exchange: Any) -> dict[str, Any]:
    """Return what is there before the view has set anything."""
    return {
        **exchange.scope["seen"],
        "g": list(g),
        "session": dict(session),
        "path": exchange.path,
        "trace": trace.get(),
        "user": user.get(),
    }


@inner.before_request
async def note() -> None:
    g_before = list(g)
    assert g_before == [], g_before


@inner.post("/<name>")
async def enter(name: str) -> dict[str, Any]:
    """Set everything of *name*, before and after the body is read."""
    found = seen(request)
    user.set(name)
    g.user = session["user"] = name
    found["size"] = len(await request.get_data())
    assert (user.get(), g.user, session["user"], trace.get()) == (name, name, name, found["trace"])
    return found


@inner.websocket("/socket")
async def socket() -> None:
    await websocket.send_json(seen(websocket))


app = Note(Trace(inner), place="outside")
