"""The application of the tests of threads: views that block, and all that must go on meanwhile."""

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from erlen import Erlen, request

#: Places of ``def`` functions.
PLACES = 2

app = Erlen("threads", static_url_path="/static", static_folder=str(Path(__file__).parent))
app.config.update(WORKER_THREADS=PLACES, FILE_THREADS=1, UPLOAD_SPOOL_SIZE=0)

_finish = threading.Event()
_blocked: list[str] = []
_torn_down: list[str] = []


@app.get("/block")
def block() -> str:
    """Take a place until somebody asks for /release."""
    _blocked.append(request.path)
    _finish.wait(30)
    return "released"


@app.get("/blocked")
async def blocked() -> str:
    """Answer when all places are taken."""
    while len(_blocked) < PLACES:  # noqa: ASYNC110  # another thread changes it
        await anyio.sleep(0.01)
    return "all"


@app.get("/torn-down")
async def torn_down() -> str:
    """Answer when /free was torn down."""
    while "/free" not in _torn_down:  # noqa: ASYNC110  # another thread changes it
        await anyio.sleep(0.01)
    return "/free"


@app.get("/free")
async def free() -> str:
    return "free"


@app.post("/upload")
async def upload() -> str:
    with TemporaryDirectory() as folder:
        file = Path(folder, "saved")
        await (await request.files)["file"].save(file)
        return str(file.stat().st_size)  # noqa: ASYNC240  # of a file that is there


@app.post("/release")
async def release() -> str:
    _finish.set()
    return ""


@app.teardown_request
def tear_down(_error: BaseException | None) -> None:
    _torn_down.append(request.path)


@app.get("/stall")
async def stall() -> str:
    time.sleep(0.3)  # noqa: ASYNC251  # the mistake that is to be named
    return "stalled"


@app.after_serving
def end() -> None:
    print("[after serving]", flush=True)  # noqa: T201  # heard by the test
