"""The application that gets the bad input: one view for each thing that input can reach."""

import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

from anyio.lowlevel import checkpoint

from erlen import Erlen, abort, request, websocket
from erlen.exceptions import WebSocketMessageError


class Hostile(Erlen):
    """An application whose views note that they ran.

    Attributes:
        ran: Endpoints, in the order in which they ran.
        seen: What the WebSocket views saw.
    """

    def __init__(self, **config: Any) -> None:
        super().__init__("hostile")
        self.ran: list[str] = []
        self.seen: list[Any] = []
        self.config.update(config)

    def view(self, rule: str, **options: Any) -> Callable[[Any], Any]:
        """Register a view that notes its name."""

        def register(function: Any) -> Any:
            @functools.wraps(function)
            async def noting(*args: Any, **kwargs: Any) -> Any:
                if function.__name__ != "ok":
                    self.ran.append(function.__name__)
                return await function(*args, **kwargs)

            self.add_url_rule(rule, view_func=noting, **options)
            return function

        return register


def make_app(**config: Any) -> Hostile:
    """Return the application with these changes to its configuration."""
    app = Hostile(**config)
    add_paths(app)
    add_parts(app)
    add_bodies(app)
    add_sockets(app)
    return app


def add_paths(app: Hostile) -> None:
    """Add what a target can reach."""

    @app.view("/ok")
    async def ok() -> str:
        return "ok"

    @app.view("/x/<value>")
    async def segment(value: str) -> dict[str, Any]:
        return {"value": value, "path": request.path, "url": request.url}

    @app.view("/x/y/z")
    async def deep() -> str:
        return "deep"

    @app.view("/p/<path:value>")
    async def tail(value: str) -> dict[str, Any]:
        return {"value": value, "path": request.path}

    @app.view("/int/<int:n>")
    async def whole(n: int) -> dict[str, Any]:
        return {"n": n}

    @app.view("/float/<float:n>")
    async def real(n: float) -> dict[str, Any]:
        return {"n": n}

    @app.view("/uuid/<uuid:n>")
    async def unique(n: object) -> dict[str, Any]:
        return {"n": str(n)}

    @app.view("/hooked/<value>", methods=["GET", "POST", "OPTIONS"])
    async def explicit(value: str) -> str:
        return request.method

    @app.view("/c")
    async def other() -> str:
        return "other place"


def add_parts(app: Hostile) -> None:  # noqa: C901  # a list of views
    """Add what header section and query can reach."""

    @app.view("/args")
    async def args() -> dict[str, Any]:
        return request.args.to_dict(flat=False)

    @app.view("/number")
    async def number() -> dict[str, Any]:
        return {"n": request.args.get("n", -1, type=int)}

    @app.view("/cookies")
    async def cookies() -> dict[str, Any]:
        return request.cookies.to_dict(flat=False)

    @app.view("/headers")
    async def headers() -> list[Any]:
        return list(request.headers)

    @app.view("/host")
    async def host() -> dict[str, Any]:
        return {"host": request.host, "url": request.url, "remote": request.remote_addr}

    @app.view("/stream")
    async def stream() -> AsyncIterator[str]:
        async def chunks() -> AsyncIterator[str]:
            try:
                for number in range(3):
                    yield str(number)
            finally:
                app.seen.append("closed")

        return chunks()

    @app.view("/stream/for-ever")
    async def endless() -> AsyncIterator[str]:
        async def chunks() -> AsyncIterator[str]:
            try:
                while True:
                    yield "x"
                    await checkpoint()
            finally:
                app.seen.append("closed")

        return chunks()


def add_bodies(app: Hostile) -> None:
    """Add what a body can reach."""
    every = ["GET", "HEAD", "POST", "DELETE", "OPTIONS"]

    @app.view("/data", methods=every)
    async def data() -> dict[str, Any]:
        return {"size": len(await request.get_data())}

    @app.view("/chunks", methods=every)
    async def chunks() -> dict[str, Any]:
        return {"size": sum([len(chunk) async for chunk in request.body])}

    @app.view("/small", methods=["POST"])
    async def small() -> dict[str, Any]:
        request.max_content_length = 1024
        return {"size": len(await request.get_data())}

    @app.view("/large", methods=["POST"])
    async def large() -> dict[str, Any]:
        request.max_content_length = 1024**3
        return {"size": len(await request.get_data())}

    @app.view("/unread", methods=["POST"])
    async def unread() -> str:
        return "unread"

    @app.view("/json", methods=["POST"])
    async def json() -> dict[str, Any]:
        return {"value": repr(await request.get_json())[:40]}

    @app.view("/json/forced", methods=["POST"])
    async def forced() -> dict[str, Any]:
        return {"value": repr(await request.get_json(force=True))[:40]}


def add_sockets(app: Hostile) -> None:  # noqa: C901, PLR0915  # a list of views
    """Add what a handshake can reach."""

    @app.view("/ws/echo", websocket=True)
    async def echo() -> None:
        async for message in websocket:
            await websocket.send(message)
        app.seen.append(websocket.close_code)

    @app.view("/ws/json", websocket=True)
    async def read_json() -> None:
        app.seen.append(await websocket.receive_json())

    @app.view("/ws/text", websocket=True)
    async def read_text() -> None:
        app.seen.append(await websocket.receive_text())

    @app.view("/ws/bytes", websocket=True)
    async def read_bytes() -> None:
        app.seen.append(await websocket.receive_bytes())

    @app.view("/ws/forgiving", websocket=True)
    async def forgiving() -> None:
        try:
            await websocket.receive_json()
        except WebSocketMessageError as error:
            await websocket.send_json({"code": error.code})

    @app.view("/ws/int/<int:n>", websocket=True)
    async def counted(n: int) -> None:
        await websocket.send(str(n))

    @app.view("/ws/silent", websocket=True)
    async def silent() -> None:
        pass

    @app.view("/ws/accepting", websocket=True)
    async def accepting() -> None:
        await websocket.accept()

    @app.view("/ws/choosing", websocket=True)
    async def choosing() -> None:
        offered = websocket.requested_subprotocols
        await websocket.accept(subprotocol=offered[0] if offered else None)

    @app.view("/ws/inventing", websocket=True)
    async def inventing() -> None:
        await websocket.accept(subprotocol="not-offered")

    @app.view("/ws/abort/<int:code>", websocket=True)
    async def aborting(code: int) -> None:
        abort(code)

    @app.view("/ws/abort-late/<int:code>", websocket=True)
    async def aborting_late(code: int) -> None:
        await websocket.accept()
        abort(code)

    @app.view("/ws/raise", websocket=True)
    async def raising() -> None:
        raise LookupError

    @app.view("/ws/raise-late", websocket=True)
    async def raising_late() -> None:
        await websocket.accept()
        raise LookupError

    @app.view("/ws/refusing", websocket=True)
    async def refusing() -> Any:
        return "not today", 403, {"X-Why": "closed"}

    @app.view("/ws/one", websocket=True)
    async def one() -> None:
        app.seen.append(await websocket.receive())

    @app.view("/ws/close/<int:code>", websocket=True)
    async def closing(code: int) -> None:
        await websocket.close(code)

    @app.view("/ws/close-late/<int:code>", websocket=True)
    async def closing_late(code: int) -> None:
        await websocket.accept()
        await websocket.close(code, request_reason(code))

    @app.view("/ws/twice/<what>", websocket=True)
    async def twice(what: str) -> None:
        await websocket.accept()
        try:
            for _ in range(2):
                await (websocket.accept() if what == "accept" else websocket.close())
        except RuntimeError as error:
            app.seen.append(type(error).__name__)


def request_reason(code: int) -> str:
    """Return a reason that is too long for one of the codes."""
    return "x" * 124 if code == 4124 else "bye"


def before(app: Hostile) -> None:
    """Let before hooks note that they ran."""

    @app.before_request
    async def hook() -> None:
        app.ran.append("hook")

    @app.before_websocket
    async def socket_hook() -> None:
        app.ran.append("hook")
