"""The life of an application: what is entered at its startup is left at its end."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from tests.sweep.notes import CleanupError
from tests.sweep.scenario import Collection, Stage

lifespans = Collection()


@lifespans.lifespan("lifespan with two contexts", in_pairs=True)
def declare_lifespans(stage: Stage) -> None:
    @stage.app.lifespan
    async def first() -> AsyncIterator[dict[str, Any]]:
        await checkpoint()
        with stage.notes.held("the first lifespan"):
            yield {"first": True}

    @stage.app.lifespan
    async def second() -> AsyncIterator[None]:
        with stage.notes.held("the second lifespan"):
            await checkpoint()
            yield
            await checkpoint()


@lifespans.lifespan("hooks around serving", uses_threads=True, in_pairs=True)
def declare_hooks(stage: Stage) -> None:
    notes = stage.notes

    @stage.app.before_serving
    async def begin() -> None:
        await checkpoint()

    @stage.app.before_serving
    def begin_in_thread() -> None:
        pass

    @stage.app.while_serving
    async def serve() -> AsyncIterator[None]:
        with notes.held("the serving"):
            await checkpoint()
            yield
            await checkpoint()

    @stage.app.after_serving
    async def end() -> None:
        await checkpoint()
        notes.clean_up()

    @stage.app.after_serving
    def end_in_thread() -> None:
        notes.clean_up()


@lifespans.lifespan("lifespan with a task group")
def declare_group(stage: Stage) -> None:
    @stage.app.lifespan
    async def live() -> AsyncIterator[None]:
        with stage.notes.held("the lifespan"):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep_forever)
                yield
                tasks.cancel_scope.cancel()


@lifespans.lifespan("background tasks that are drained")
def declare_background(stage: Stage) -> None:
    async def work() -> None:
        with stage.notes.held("the background task"):
            for _ in range(3):
                await checkpoint()

    @stage.app.before_serving
    async def begin() -> None:
        stage.app.add_background_task(work)

    @stage.app.after_serving
    async def end() -> None:
        stage.app.add_background_task(work)
        await checkpoint()


@lifespans.lifespan("startup that fails", begins_with=("lifespan.startup.failed", None))
def declare_failure(stage: Stage) -> None:
    declare_lifespans(stage)

    @stage.app.before_serving
    async def begin() -> None:
        await checkpoint()
        raise CleanupError("no database")
