"""The application that serves files in the conformance suite; the files are the test's."""

import os
from pathlib import Path

import anyio

from erlen import Erlen, request
from erlen.exchange.response import Response
from erlen.files import send_file

#: Where the files are: the root path.
ROOT = os.environ["ERLEN_TEST_FILES"]
#: Seconds after which a file counts as never closed.
PATIENCE = 5.0

app = Erlen("integration-files", root_path=ROOT)


@app.get("/pipe")
async def pipe() -> Response:
    read_end, write_end = os.pipe()
    os.write(write_end, b"from a pipe")
    os.close(write_end)
    return await send_file(os.fdopen(read_end, "rb"), "text/plain")


@app.get("/saved")
async def saved() -> Response:
    return await send_file("static/large.bin", as_attachment=True, download_name="é.bin")


@app.get("/extensions")
async def extensions() -> list[str]:
    return sorted(request.scope.get("extensions") or {})


@app.get("/open")
async def still_open() -> list[str]:
    """Return the files that are open, as soon as there are none or patience has ended."""
    with anyio.move_on_after(PATIENCE):
        while opened():  # noqa: ASYNC110  # the system tells nobody
            await anyio.sleep(0.01)
    return opened()


def opened() -> list[str]:
    links = map(os.path.realpath, Path("/proc/self/fd").iterdir())
    return [link for link in links if link.startswith(ROOT)]
