"""The application that takes large uploads, in each way in which they can be read."""

import hashlib
from collections.abc import AsyncIterable
from typing import Any

import anyio

from erlen import Erlen, request
from tests.exchange.form_bodies import MIB, open_temporary_files

#: Seconds after which a file counts as left open.
PATIENCE = 5.0

app = Erlen("uploads")
app.config["MAX_CONTENT_LENGTH"] = 64 * MIB
ended = 0


@app.teardown_request
async def count(_error: BaseException | None) -> None:
    global ended  # noqa: PLW0603  # of the process
    ended += request.method == "POST"


@app.post("/files")
async def files() -> dict[str, Any]:
    before = open_temporary_files()  # daphne keeps bodies in files of its own
    upload = (await request.files)["up"]
    return {
        "digest": await digest(upload),
        "name": upload.filename,
        "note": (await request.form)["note"],
        "on_disk": open_temporary_files() - before,
    }


@app.post("/parts")
async def parts() -> dict[str, Any]:
    before = open_temporary_files()
    seen: dict[str, Any] = {}
    async for part in request.multipart():
        if part.filename is None:
            seen[part.name] = await part.text()
        else:
            seen |= {"digest": await digest(part), "name": part.filename}
    return {**seen, "on_disk": open_temporary_files() - before}


async def digest(chunks: AsyncIterable[bytes]) -> str:
    made = hashlib.sha256()
    async for chunk in chunks:
        made.update(chunk)
    return made.hexdigest()


@app.get("/left/<int:uploads>")
async def left(uploads: int) -> dict[str, int]:
    """Answer once so many uploads have ended: a look before they begin would show nothing."""
    with anyio.move_on_after(PATIENCE):
        while ended < uploads or open_temporary_files():  # noqa: ASYNC110  # no event tells of it
            await anyio.sleep(0.01)
    return {"on_disk": open_temporary_files(), "ended": ended}
