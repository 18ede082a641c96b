"""Three limits: what blocks the threads of ``def`` views keeps nothing else from going on: P-19."""

import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen import Erlen, g, request, run_sync
from erlen import sync as blocking
from erlen.protocols import Message
from erlen.testing.request_context import request_scope

PLACES = 3


class Blocked:
    """An application all of whose places are taken by views that wait.

    Attributes:
        log: What has ended.
        serving: To be closed for the shutdown.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log: list[str] = []
        self.finish = threading.Event()
        self.app = Erlen("blocked", "/static", str(folder))
        self.app.testing = True
        self.app.config.update(WORKER_THREADS=PLACES, FILE_THREADS=1, UPLOAD_SPOOL_SIZE=0)
        self.app.get("/block")(self.block)
        self.app.get("/free")(self.free)
        self.app.post("/upload")(self.upload)
        self.app.teardown_appcontext(self.tear_down)
        self.app.after_serving(self.serve_no_more)
        self.client = self.app.test_client()
        self.serving = AsyncExitStack()

    def block(self) -> str:
        self.finish.wait(30)
        return "released"

    async def free(self) -> str:
        g.name = "free"
        return "free"

    async def upload(self) -> str:
        file = (await request.files)["file"]
        await file.save(self.folder / "saved")
        return str((self.folder / "saved").stat().st_size)

    def tear_down(self, _error: BaseException | None) -> None:
        self.log.append(f"torn down {g.get('name', '-')}")

    def serve_no_more(self) -> None:
        self.log.append("after serving")

    async def text(self, path: str, **options: Any) -> str:
        """Return what a request is answered, within seconds."""
        with anyio.fail_after(10):
            response = await self.client.request("POST" if options else "GET", path, **options)
        return response.text


@pytest.fixture
async def blocked(tmp_path: Path) -> AsyncIterator[Blocked]:
    blocked = Blocked(tmp_path)
    await blocked.serving.enter_async_context(blocked.client)
    async with anyio.create_task_group() as tasks:
        for _ in range(PLACES):
            scope, _body = request_scope(blocked.app, "/block")
            tasks.start_soon(blocked.app, scope, anyio.sleep_forever, checkpoint_with)
        await anyio.wait_all_tasks_blocked()
        assert blocked.app.threads._in_loop().limits.views.taken == PLACES
        yield blocked
        blocked.finish.set()
    await blocked.serving.aclose()
    blocked.app.threads.close()


async def checkpoint_with(_message: Message) -> None:
    await checkpoint()


async def test_p19_a_coroutine_view_and_its_def_teardown_go_on(blocked: Blocked) -> None:
    assert await blocked.text("/free") == "free"
    assert blocked.log[-1] == "torn down free"


async def test_p19_static_files_go_on(blocked: Blocked) -> None:
    (blocked.folder / "style.css").write_text("body {}")
    assert await blocked.text("/static/style.css") == "body {}"


async def test_p19_an_upload_to_disk_goes_on(blocked: Blocked) -> None:
    data = b"x" * 3_000_000
    assert await blocked.text("/upload", files={"file": ("a", data)}) == "3000000"


async def test_p19_background_tasks_go_on(blocked: Blocked) -> None:
    async with blocked.app.app_context():
        blocked.app.add_background_task(blocked.log.append, "task")
        with anyio.fail_after(10):
            await blocked.app.background_tasks.drain()
    assert "task" in blocked.log


async def test_p19_the_shutdown_goes_on(blocked: Blocked) -> None:
    with anyio.fail_after(10):
        await blocked.serving.aclose()
    assert blocked.log[-2:] == ["after serving", "torn down -"]
    assert blocked.app.threads._in_loop().limits.views.taken == PLACES


async def test_p19_another_def_view_waits_for_its_turn(blocked: Blocked) -> None:
    answers = list[str]()

    async def ask() -> None:
        answers.append(await blocked.text("/block"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert blocked.app.threads._in_loop().limits.views.waiting == 1
        blocked.finish.set()
    assert answers == ["released"]


# --- very many at once ----------------------------------------------------------------------------


async def test_e16_a_thousand_def_views_have_few_threads_and_lock_nothing() -> None:
    """Each has a ``def`` hook, waits for its body in ``erlen.sync``, and has a ``def`` teardown."""
    app, seen, torn_down = Erlen("many"), list[int](), list[None]()
    app.config.update(WORKER_THREADS=8, TEARDOWN_THREADS=2)

    @app.before_request
    def before() -> None:
        g.ident = threading.get_ident()

    @app.post("/")
    def view() -> str:
        own = app.threads._idle
        seen.append(sum(getattr(each, "_idle", 0) is own for each in threading.enumerate()))
        data: bytes = blocking.request.get_data()
        return f"{data.decode()} {g.ident == threading.get_ident()}"

    @app.teardown_request
    def tear_down(_error: BaseException | None) -> None:
        assert g.ident == threading.get_ident()
        torn_down.append(None)

    async def ask(number: int) -> None:
        response = await app.test_client().post("/", content=str(number).encode(), timeout=60)
        assert response.text == f"{number} True"

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(1000):
                tasks.start_soon(ask, number)
    assert len(torn_down) == 1000
    assert max(seen) <= 2 * 8 + 2 * 2
    assert [(each.taken, each.waiting) for each in app.threads._in_loop().limits] == [(0, 0)] * 3
    app.threads.close()


# --- functions on top of one another in one thread ------------------------------------------------


@pytest.mark.parametrize("size", [1, 2])
async def test_a_function_that_waits_below_another_one_keeps_no_place_from_it(size: int) -> None:
    app = Erlen("nested")
    app.config.update(TESTING=True, WORKER_THREADS=size)
    reached, went_on = anyio.Event(), anyio.Event()

    async def child() -> str:
        return str(await run_sync(above)())

    def above() -> str:
        return str(blocking.request.start_soon(slow).result())

    async def slow() -> str:
        reached.set()
        await went_on.wait()  # by now the view below has been answered
        await anyio.wait_all_tasks_blocked()
        return "above"

    async def answered() -> str:
        await reached.wait()
        went_on.set()
        return "view"

    @app.get("/")
    def view() -> str:
        started = blocking.request.start_soon(child)
        return f"{blocking.request.start_soon(answered).result()} {started.result()}"

    async with app.test_client() as client:
        assert (await client.get("/")).text == "view above"
        assert app.threads._in_loop().limits.views.taken == 0
