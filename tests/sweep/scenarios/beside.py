"""What runs beside a view, and what bounds it: tasks, limits, waiters."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from erlen import copy_current_request_context, g, request
from erlen.pipeline import limits
from tests.sweep.scenario import Collection, Stage

beside = Collection()


@beside.http("view with a timeout")
def declare_timeout(stage: Stage) -> None:
    @stage.app.get("/", timeout=60)
    async def view() -> str:
        with stage.notes.held("the view"):
            await checkpoint()
            await checkpoint()
        return "in time"


@beside.http("view that takes longer than its timeout", begins_with=503)
def declare_late(stage: Stage) -> None:
    @stage.app.get("/", timeout=0.001)
    async def view() -> str:
        with stage.notes.held("the view"):
            await anyio.sleep_forever()
        return "never"


@beside.http("cancel_on_disconnect", uses_threads=True)
def declare_watched(stage: Stage) -> None:
    stage.patch(limits, "PATIENCE", 0)

    @stage.app.get("/", cancel_on_disconnect=True)
    async def view() -> str:
        with stage.notes.held("the view"):
            for _ in range(5):
                await checkpoint()
        return "stayed"


@beside.http("cancel_on_disconnect with a timeout, and a body", method="POST", body=[b"a", b"b"])
def declare_watched_body(stage: Stage) -> None:
    stage.patch(limits, "PATIENCE", 0)

    @stage.app.post("/", cancel_on_disconnect=True, timeout=60)
    async def view() -> bytes:
        await checkpoint()
        return await request.get_data()


@beside.http("shield", in_pairs=True)
def declare_shield(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        with stage.notes.held("the view"), request.shield():
            await checkpoint()
            await checkpoint()
        return "kept"


@beside.http("is_disconnected", uses_threads=True)
def declare_listener(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        for _ in range(3):
            if request.is_disconnected:
                return "gone"
            await checkpoint()
        return "here"


@beside.http("several tasks that wait for the disconnect", has_tasks=True, in_pairs=True)
def declare_waiters(stage: Stage) -> None:
    async def wait() -> None:
        with stage.notes.held("a waiter"):
            await request.wait_disconnected()

    @stage.app.get("/")
    async def view() -> str:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(wait)
            for _ in range(3):
                await checkpoint()
            tasks.cancel_scope.cancel()
        return "here"


@beside.http("background tasks", has_tasks=True)
def declare_background(stage: Stage) -> None:
    async def work() -> None:
        for _ in range(5):
            await checkpoint()
        stage.notes.done("the background task")

    @stage.app.get("/")
    async def view() -> str:
        for _ in range(2):
            await checkpoint()
            stage.notes.expect("the background task")
            stage.app.add_background_task(work)
        await checkpoint()
        return "taken"


@beside.http("def background task", uses_threads=True)
def declare_plain_background(stage: Stage) -> None:
    @stage.app.get("/")
    def view() -> str:
        stage.app.add_background_task(stage.notes.done, "the background task")
        stage.notes.expect("the background task")
        return "taken"


@beside.http("task with a copy of the context", has_tasks=True)
def declare_copied(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        g.found = []

        @copy_current_request_context
        async def work(number: int) -> Any:
            with stage.notes.held("the work"):
                await checkpoint()
                g.found.append(f"{request.path}{number}")

        async with anyio.create_task_group() as tasks:
            for number in range(2):
                tasks.start_soon(work, number)
        return " ".join(sorted(g.found))


@beside.http("children of the request", has_tasks=True, in_pairs=True)
def declare_children(stage: Stage) -> None:
    async def load(number: int) -> int:
        with stage.notes.held("a child"):
            for _ in range(number):
                await checkpoint()
        return number

    @stage.app.get("/")
    async def view() -> list[int]:
        first = request.start_soon(load, 2)
        request.start_soon(load, 4)
        with stage.notes.held("the view"):
            await checkpoint()
            return [await first]


@beside.http(
    "child of the request that fails", begins_with=418, may_log=True, has_tasks=True, in_pairs=True
)
def declare_failing_child(stage: Stage) -> None:
    @stage.app.errorhandler(KeyError)
    async def handle(_error: KeyError) -> tuple[str, int]:
        await checkpoint()
        return "no tea", 418

    async def wait() -> None:
        with stage.notes.held("a child"):
            await anyio.sleep_forever()

    async def fail() -> None:
        with stage.notes.held("the failing child"):
            await checkpoint()
        raise KeyError("tea")

    @stage.app.get("/")
    async def view() -> str:
        request.start_soon(wait)
        request.start_soon(fail)
        await checkpoint()
        return "not joined"


@beside.http("def child of the request", uses_threads=True)
def declare_plain_child(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        child = request.start_soon(str.upper, "tea")
        await checkpoint()
        return await child


@beside.http("children with a timeout", begins_with=503)
def declare_late_children(stage: Stage) -> None:
    async def wait() -> None:
        with stage.notes.held("a child"):
            await anyio.sleep_forever()

    @stage.app.get("/", timeout=0.001)
    async def view() -> str:
        request.start_soon(wait)
        request.start_soon(wait)
        return "never"


@beside.http("child of a streamed body", has_tasks=True, in_pairs=True)
def declare_streaming_child(stage: Stage) -> None:
    async def load() -> str:
        with stage.notes.held("the child"):
            await checkpoint()
            await checkpoint()
        return "tea"

    @stage.app.get("/")
    async def view() -> AsyncIterator[str]:
        child = request.start_soon(load)
        with stage.notes.held("the generator"):
            yield "a"
            request.start_soon(load)
            yield await child
