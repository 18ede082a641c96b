"""Views that read what the client sends."""

import json
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from erlen import request
from erlen.exchange import request as request_module
from tests.exchange.form_bodies import MULTIPART, URLENCODED, multipart, sliced
from tests.sweep.scenario import Collection, Stage

bodies = Collection()
_LARGE = json.dumps(["tea"] * 2000).encode()
_FILES = multipart(
    ("title", b"five"),
    *((f"file{n}", bytes([n]) * 3000, f"{n}.bin") for n in range(4)),
)


def _typed(kind: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", kind.encode())]


@bodies.http(
    "JSON body", method="POST", headers=_typed("application/json"), body=[b'{"a"', b":", b"1}"]
)
def declare_json(stage: Stage) -> None:
    @stage.app.post("/")
    async def view() -> Any:
        return await request.get_json()


@bodies.http(
    "large JSON body",
    method="POST",
    headers=_typed("application/json"),
    body=sliced(_LARGE, 4096),
    uses_threads=True,
)
def declare_large_json(stage: Stage) -> None:
    stage.patch(request_module, "JSON_THREAD_THRESHOLD", 1000)

    @stage.app.post("/")
    async def view() -> dict[str, int]:
        return {"n": len(await request.get_json())}


@bodies.http(
    "JSON body that is malformed",
    method="POST",
    headers=_typed("application/json"),
    body=[b"{", b"["],
    begins_with=400,
)
def declare_malformed(stage: Stage) -> None:
    declare_json(stage)


@bodies.http(
    "urlencoded form", method="POST", headers=_typed(URLENCODED), body=[b"a=1", b"&b=2", b"&c=3"]
)
def declare_form(stage: Stage) -> None:
    @stage.app.post("/")
    async def view() -> dict[str, str]:
        return (await request.form).to_dict()


@bodies.http(
    "large urlencoded form",
    method="POST",
    headers=_typed(URLENCODED),
    body=sliced(b"a=" + b"tea" * 50_000, 40_000),
    uses_threads=True,
)
def declare_large_form(stage: Stage) -> None:
    @stage.app.post("/")
    async def view() -> dict[str, int]:
        return {"n": len((await request.form)["a"])}


@bodies.http(
    "multipart upload to disk",
    method="POST",
    headers=_typed(MULTIPART),
    body=sliced(_FILES, 2500),
    uses_threads=True,
    in_pairs=True,
)
def declare_upload(stage: Stage) -> None:
    stage.app.config["UPLOAD_SPOOL_SIZE"] = 1000

    @stage.app.post("/")
    async def view() -> dict[str, Any]:
        files = await request.files
        sizes = [len(await file.read()) for file in files.values()]
        async for _chunk in files["file2"]:
            pass
        return {"sizes": sizes, "title": (await request.form)["title"]}


@bodies.http(
    "multipart upload to disk, and a listener",
    method="POST",
    headers=_typed(MULTIPART),
    body=sliced(_FILES, 9000),
    uses_threads=True,
    in_pairs=True,
)
def declare_listened_upload(stage: Stage) -> None:
    stage.app.config["UPLOAD_SPOOL_SIZE"] = 1000

    @stage.app.post("/")
    async def view() -> str:
        files = await request.files
        await checkpoint()
        return f"{len(files)} {request.is_disconnected}"


@bodies.http(
    "multipart upload in memory",
    method="POST",
    headers=_typed(MULTIPART),
    body=sliced(_FILES, 4000),
)
def declare_memory_upload(stage: Stage) -> None:
    @stage.app.post("/")
    async def view() -> dict[str, int]:
        return {name: file.size for name, file in (await request.files).items()}


@bodies.http(
    "multipart upload that is malformed",
    method="POST",
    headers=_typed(MULTIPART),
    body=sliced(_FILES[:-10], 4000),
    uses_threads=True,
    begins_with=400,
)
def declare_broken_upload(stage: Stage) -> None:
    declare_upload(stage)


@bodies.http(
    "multipart parts as they arrive",
    method="POST",
    headers=_typed(MULTIPART),
    body=sliced(_FILES, 2500),
)
def declare_parts(stage: Stage) -> None:
    @stage.app.post("/")
    async def view() -> list[int]:
        return [len(await part.read()) async for part in request.multipart()]


@bodies.http("chunks of a body", method="POST", body=[b"a" * 10, b"", b"b" * 10, b"c"])
def declare_chunks(stage: Stage) -> None:
    @stage.app.post("/")
    async def view() -> str:
        return "".join([chunk.decode() async for chunk in request.body])


@bodies.http("body that is not read", method="POST", body=[b"a", b"b"])
def declare_unread(stage: Stage) -> None:
    @stage.app.post("/")
    async def view() -> str:
        await checkpoint()
        return "not read"


@bodies.http(
    "body read by a task while another waits",
    has_tasks=True,
    method="POST",
    body=[b"a", b"b", b"c"],
)
def declare_two_readers(stage: Stage) -> None:
    @stage.app.post("/")
    async def view() -> bytes:
        read: list[bytes] = []

        async def wait() -> None:
            await request.wait_disconnected()

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(wait)
            read.append(await request.get_data())
            tasks.cancel_scope.cancel()
        return b"".join(read)
