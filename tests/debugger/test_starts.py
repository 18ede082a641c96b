"""Where tasks were started."""

import asyncio  # noqa: TID251  # its task factory
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from erlen.debugger import starts
from erlen.debugger.chain import Raised, unfold
from erlen.debugger.starts import REMEMBERED, running_start, start_of, watch_starts
from erlen.spawning import running_loop, spawn


async def leaf(number: int) -> None:
    await anyio.lowlevel.checkpoint()
    raise ValueError(number)


async def branch(number: int) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(leaf, number)


def start_by_function(start: Callable[..., object]) -> None:
    start(leaf, 1)


async def failures_of(function: Callable[..., Any], *args: Any) -> list[Raised]:
    watch_starts()
    with pytest.raises(ExceptionGroup) as caught:
        await function(*args)
    return unfold(caught.value)[0]


def links_of(raised: Raised) -> list[tuple[str, str]]:
    links = [(link.verb, link.function.rpartition(".")[2]) for link in raised.awaiting]
    return links[next(at for at, (_, name) in enumerate(links) if name in {"branch", "root"}) :]


async def test_a_member_of_a_group_tells_where_its_task_was_started() -> None:
    group, member = await failures_of(branch, 1)
    assert links_of(member)[1:] == [("starts", "leaf")]
    assert member.started is not None
    assert member.started.links[-1].function == "branch"
    assert member.started.links[-1].number == branch.__code__.co_firstlineno + 2
    assert group.started is None or group.started.links[-1].function != "branch"


async def test_a_task_that_a_task_has_started_tells_both() -> None:
    async def root() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(branch, 1)

    _, _, leaf_of_it = await failures_of(root)
    assert [verb for verb, _ in links_of(leaf_of_it)][1:] == ["starts", "starts"]
    assert [name for _, name in links_of(leaf_of_it)] == ["root", "branch", "leaf"]


async def test_the_function_that_has_started_it_is_told_though_it_awaits_nothing() -> None:
    async def root() -> None:
        async with anyio.create_task_group() as group:
            start_by_function(group.start_soon)

    _, member = await failures_of(root)
    assert links_of(member) == [
        ("awaits", "root"),
        ("calls", "start_by_function"),
        ("starts", "leaf"),
    ]


async def test_a_long_chain_ends_with_what_is_near() -> None:
    async def deep(left: int) -> None:
        if left:
            await deep(left - 1)
        else:
            await branch(1)

    watch_starts()
    _, member = await failures_of(deep, 20)
    assert len(member.awaiting) == 8 + 1


async def test_children_of_nobody_are_noted_too() -> None:
    watch_starts()
    child = spawn(leaf, 1)
    await child.wait()
    assert child.error is not None
    (only,), _ = unfold(child.error)
    assert only.started is not None
    assert only.started.links[-1].function == "test_children_of_nobody_are_noted_too"


async def test_ended_tasks_are_forgotten() -> None:
    watch_starts()
    async with anyio.create_task_group() as group:
        for _ in range(2 * REMEMBERED):
            group.start_soon(anyio.lowlevel.checkpoint)
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.lowlevel.checkpoint)
    gc.collect()
    assert len(starts._starts) < REMEMBERED + 50


async def test_a_frame_that_began_no_task_has_no_start() -> None:
    assert start_of(None) is None
    frame = (await failures_of(branch, 1))[0]
    assert all(each.started is None for each in frame.frames if each.function == "branch")


async def test_coroutines_of_other_kinds_are_not_noted() -> None:
    before = dict(starts._starts)
    starts._note(object())
    assert starts._starts == before


def test_what_no_code_of_the_application_starts_has_no_links() -> None:
    library: Any = type("Frame", (), {"f_code": anyio.sleep.__code__, "f_back": None})()
    assert starts._links(library) == ((), "")
    assert starts._links(None) == ((), "")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_factory_that_was_there_still_makes_the_tasks() -> None:
    loop, made = asyncio.get_running_loop(), []
    before = loop.get_task_factory()

    def factory(loop: Any, coroutine: Any, **options: Any) -> Any:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(factory)
    try:
        watch_starts()
        watch_starts()
        await asyncio.create_task(anyio.lowlevel.checkpoint())
    finally:
        loop.set_task_factory(before)
    assert len(made) == 1


def start_by_the_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Have the event loop itself start a task, as it does for a connection."""
    loop = running_loop()
    if hasattr(loop, "call_soon"):
        loop.call_soon(loop.create_task, coroutine)
    else:
        token = trio.lowlevel.current_trio_token()
        token.run_sync_soon(trio.lowlevel.spawn_system_task, lambda: coroutine)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_who_has_started_the_event_loop_has_started_no_task(backend: str) -> None:
    found: list[starts.Start | None] = []

    async def note(ended: anyio.Event) -> None:
        found.append(running_start())
        ended.set()

    async def main() -> None:
        watch_starts()
        ended = anyio.Event()
        start_by_the_loop(note(ended))
        await ended.wait()

    anyio.run(main, backend=backend)
    assert [start and start.links for start in found] == [()]
