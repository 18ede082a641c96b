"""The conformance suite's application, with what only HTTP/2 offers."""

import hashlib
from collections.abc import AsyncIterator

from erlen import Erlen, Response, request
from tests.integration.app import make_app


def add_extras(app: Erlen) -> None:
    """Declare the views that use optional extensions of ASGI."""

    @app.get("/hints")
    async def hints() -> str:
        await request.send_early_hints("</style.css>; rel=preload; as=style")
        return "page"

    @app.get("/promise")
    async def promise() -> str:
        await request.send_push_promise("/names/pushed")
        return "page"

    @app.get("/trailers")
    async def trailers() -> Response:
        sha = hashlib.sha256()

        async def body() -> AsyncIterator[bytes]:
            for chunk in (b"one", b"two"):
                sha.update(chunk)
                yield chunk

        response = Response(body(), headers={"Trailer": "X-Digest"})
        response.trailers = lambda: {"X-Digest": sha.hexdigest()}
        return response

    @app.get("/connection")
    async def connection() -> Response:
        fields = {"Connection": "close", "Keep-Alive": "timeout=5", "Upgrade": "h2c", "X-Own": "1"}
        return Response(f"{request.http_version} {request.scheme}", headers=fields)


app = make_app()
add_extras(app)
