"""Views that send files."""

import io

from erlen import Response, send_file
from tests.sweep.scenario import Collection, Stage

files = Collection()


@files.http("small static file", "/static/small.txt", uses_threads=True)
@files.http("large static file", "/static/large.bin", uses_threads=True)
@files.http(
    "range of a file",
    "/static/large.bin",
    headers=[(b"range", b"bytes=10-150000")],
    begins_with=206,
    uses_threads=True,
)
@files.http(
    "ranges of a file",
    "/static/large.bin",
    headers=[(b"range", b"bytes=10-20000,90000-150000")],
    begins_with=206,
    varies=True,
    uses_threads=True,
)
@files.http(
    "file that has not changed",
    "/static/large.bin",
    headers=[(b"if-modified-since", b"Fri, 01 Jan 2100 00:00:00 GMT")],
    begins_with=304,
    uses_threads=True,
)
@files.http("HEAD of a file", "/static/large.bin", method="HEAD", uses_threads=True)
@files.http("file that is not there", "/static/none.txt", begins_with=404, uses_threads=True)
def declare_static(_stage: Stage) -> None:
    """The application serves its folder by itself."""


@files.http("send_file() of a path", uses_threads=True)
def declare_path(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> Response:
        return await send_file(stage.folder / "large.bin")


@files.http("send_file() of an open file", uses_threads=True)
def declare_open_file(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> Response:
        file = (stage.folder / "large.bin").open("rb")
        return await send_file(file, mimetype="text/plain")


@files.http("send_file() of bytes in memory", uses_threads=True)
def declare_memory(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> Response:
        return await send_file(io.BytesIO(b"tea" * 30_000), mimetype="text/plain")


@files.http("file that a before hook's answer replaces", begins_with=200, uses_threads=True)
def declare_replaced(stage: Stage) -> None:
    @stage.app.after_request
    async def replace(response: Response) -> Response:
        return response if response.is_sequence else Response("another")

    @stage.app.get("/")
    async def view() -> Response:
        return await send_file(stage.folder / "large.bin")
