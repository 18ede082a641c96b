"""Takes uploads in each of the three ways, and measures itself meanwhile; see upload.py."""

import gc
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from erlen import Erlen, request

#: Seconds between two looks at the memory, and between two turns that the loop is asked for.
MEMORY_STEP = 0.002
LOOP_STEP = 0.001

app = Erlen("upload")
app.config["MAX_CONTENT_LENGTH"] = None


@app.post("/files")
async def files() -> dict[str, Any]:
    async with measured() as figures:
        upload = (await request.files)["file"]
        with TemporaryDirectory() as folder:
            await upload.save(Path(folder, "saved"))
        figures["size"] = upload.size
    return figures


@app.post("/multipart")
async def multipart() -> dict[str, Any]:
    async with measured() as figures:
        async for part in request.multipart():
            figures["size"] = sum([len(chunk) async for chunk in part])
    return figures


@app.post("/body")
async def body() -> dict[str, Any]:
    async with measured() as figures:
        figures["size"] = sum([len(chunk) async for chunk in request.body])
    return figures


@app.post("/idle")
async def idle() -> dict[str, Any]:
    async with measured() as figures:
        await anyio.sleep(0.3)
    return figures


@asynccontextmanager
async def measured() -> AsyncIterator[dict[str, Any]]:
    """Put growth of memory (bytes), longest stall of the loop and time (seconds) into a dict."""
    gc.collect()
    figures: dict[str, Any] = {"size": 0, "stall": 0.0}
    ended = threading.Event()
    sampler = threading.Thread(target=_watch_memory, args=(figures, ended))
    sampler.start()
    begin = time.perf_counter()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch_loop, figures)
            yield figures
            figures["seconds"] = time.perf_counter() - begin
            tasks.cancel_scope.cancel()
    finally:
        ended.set()
        sampler.join()


async def _watch_loop(figures: dict[str, Any]) -> None:
    while True:
        asleep = time.perf_counter()
        await anyio.sleep(LOOP_STEP)
        late = time.perf_counter() - asleep - LOOP_STEP
        figures["stall"] = max(figures["stall"], late)


def _watch_memory(figures: dict[str, Any], ended: threading.Event) -> None:
    before = peak = _resident()
    while not ended.wait(MEMORY_STEP):
        peak = max(peak, _resident())
    figures["growth"] = peak - before


def _resident() -> int:
    """Return the bytes of memory that this process occupies."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("This system does not tell the memory of a process.")
