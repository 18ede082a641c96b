"""The sweep finds what it looks for: small applications that do each of it wrong."""

import io
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from erlen import Response, request
from erlen.context import current_context
from erlen.spawning import Child, spawn
from tests.sweep import leaks, trial
from tests.sweep.places import prepared, sweep
from tests.sweep.scenario import Collection, Stage
from tests.sweep.stepping import Stepping, frames_of
from tests.sweep.trial import Way

faulty = Collection()
left: ContextVar[int] = ContextVar("left")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with prepared(tmp_path_factory.mktemp("sweep")) as folder:
        yield folder


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "PATIENCE", 0.2)
    monkeypatch.setattr(leaks, "TURNS", 50)


@faulty.http("hangs when it is cancelled: hung in erlen/")
def declare_hang(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        try:
            await checkpoint()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await anyio.sleep_forever()
        return "text"


@faulty.http("leaves a task: the task")
def declare_task(stage: Stage) -> None:
    running: list[Child] = []
    stage._undo.callback(lambda: end_all(running))

    @stage.app.get("/")
    async def view() -> str:
        child = spawn(anyio.sleep_forever)
        running.append(child)
        await checkpoint()
        child.cancel()
        return "text"


@faulty.http("leaves a descriptor: descriptor")
def declare_descriptor(stage: Stage) -> None:
    opened: list[int] = []
    stage._undo.callback(lambda: close_all(opened))

    @stage.app.get("/")
    async def view() -> str:
        opened.append(os.open(stage.folder / "small.txt", os.O_RDONLY))
        await checkpoint()
        os.close(opened.pop())
        return "text"


@faulty.http("leaves a file: the file")
def declare_file(stage: Stage) -> None:
    path = Path(tempfile.gettempdir()) / "left"
    stage._undo.callback(path.unlink, missing_ok=True)

    @stage.app.get("/")
    async def view() -> str:
        path.touch()
        await checkpoint()
        path.unlink()
        return "text"


@faulty.http("leaves a file to the garbage collector: nobody saw it: ResourceWarning")
def declare_unclosed(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        try:
            await checkpoint()
        except BaseException:
            io.FileIO(stage.folder / "small.txt")
            raise
        return "text"


@faulty.http("leaves a generator: the generator declare_generator.<locals>.items is not closed")
def declare_generator(stage: Stage) -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2

    @stage.app.get("/")
    async def view() -> str:
        async for _ in items():
            await checkpoint()
        return "text"


@faulty.http("leaves a variable: a context variable")
def declare_variable(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        token = left.set(1)
        await checkpoint()
        left.reset(token)
        return "text"


@faulty.http("logs an error: logged: tea")
def declare_log(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        try:
            await checkpoint()
        except BaseException:
            stage.app.logger.exception("tea")
            raise
        return "text"


@faulty.http("forgets what it holds: was begun 1 times and ended 0 times")
def declare_forgetting(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        stage.notes.expect("the work")
        await checkpoint()
        stage.notes.done("the work")
        return "text"


@faulty.http("sends two starts: a response starts exactly once")
def declare_two_starts(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        try:
            await checkpoint()
        except BaseException:
            context = current_context.get()
            start = {"type": "http.response.start", "status": 200, "headers": []}
            with anyio.CancelScope(shield=True):
                await context.send(start)
                await context.send(start)
            raise
        return "text"


@faulty.http("sends half as if it were whole: looks whole, but is not")
def declare_half(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> str:
        try:
            await checkpoint()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await Response("half").send(current_context.get())
            raise
        return "whole"


@faulty.http("serves the next request badly: the next request is not served well")
def declare_poison(stage: Stage) -> None:
    broken: list[bool] = []

    @stage.app.before_request
    async def before() -> str | None:
        return "broken" if broken and request.path == "/is-well" else None

    @stage.app.get("/")
    async def view() -> str:
        broken.append(True)
        await checkpoint()
        broken.clear()
        return "text"


def end_all(running: list[Child]) -> None:
    for child in running:
        child.cancel()


def close_all(opened: list[int]) -> None:
    for number in opened:
        os.close(number)


@pytest.mark.parametrize("scenario", faulty.members, ids=lambda each: each.name.partition(":")[0])
async def test_a_fault_is_found_and_named(scenario: Any, served: Path) -> None:
    swept = await sweep(scenario, Way.CANCEL, served)
    expected = scenario.name.partition(": ")[2]
    assert any(expected in failure.removeprefix(scenario.name) for failure in swept.failures)
    assert any("erlen/pipeline/dispatch.py" in failure for failure in swept.failures)


# --- the stepping ---------------------------------------------------------------------------------


async def waiting(times: int) -> int:
    for _ in range(times):
        await checkpoint()
    return times


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4])
async def test_every_wait_is_counted_and_the_strike_comes_once(at: int) -> None:
    strikes: list[int] = []
    stepping = Stepping(waiting(3), at, lambda: strikes.append(stepping.count))
    assert await stepping.run() == 3
    assert (stepping.count, stepping.has_struck) == (3, 0 < at < 4)
    assert strikes == ([at] if 0 < at < 4 else [])


async def items() -> AsyncGenerator[int, None]:
    await checkpoint()
    yield 1


async def first() -> int:
    async with aclosing(items()) as source:
        return await anext(source)


@pytest.mark.parametrize("function", [partial(waiting, 1), first])
async def test_the_place_is_known_also_within_generators(function: Callable[[], Any]) -> None:
    stepping = Stepping(function(), 1, lambda: names.extend(names_of(coroutine)))
    coroutine, names = stepping._coroutine, list[str]()
    await stepping.run()
    assert names[0] == ("first" if function is first else "waiting")
    assert names[1:2] == (["items"] if function is first else ["checkpoint"])


def names_of(coroutine: Any) -> list[str]:
    return [frame.f_code.co_qualname for frame in frames_of(coroutine)]
