"""Views that stream."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from erlen import EventStream, Response, ServerSentEvent, g, request
from erlen.exchange import outgoing
from erlen.pipeline.pushing import stream
from erlen.sync.streaming import stream as plain_stream
from tests.sweep.scenario import Collection, Stage

streams = Collection()


@streams.http("asynchronous generator", in_pairs=True)
def declare_generator(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> AsyncIterator[str]:
        with stage.notes.held("the generator"):
            for number in range(4):
                await checkpoint()
                yield f"{number} {request.path}"


@streams.http("asynchronous generator that cleans up by awaiting", in_pairs=True)
def declare_awaiting_cleanup(stage: Stage) -> None:
    notes = stage.notes

    async def items() -> AsyncIterator[str]:
        notes.expect("the cleanup of the generator")
        try:
            for number in range(3):
                yield str(number)
                await checkpoint()
        finally:
            with anyio.CancelScope(shield=True):
                notes.done("the cleanup of the generator")
                await checkpoint()
                await checkpoint()
                notes.clean_up()

    @stage.app.get("/")
    async def view() -> AsyncIterator[str]:
        return items()


@streams.http("asynchronous generator within scopes of its own")
def declare_scopes(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> AsyncIterator[str]:
        with stage.notes.held("the generator"), anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep_forever)
                for number in range(3):
                    await checkpoint()
                    yield str(number)
                tasks.cancel_scope.cancel()


@streams.http("generator around a generator")
def declare_nested(stage: Stage) -> None:
    async def inner() -> AsyncGenerator[int, None]:
        with stage.notes.held("the inner generator"):
            for number in range(3):
                await checkpoint()
                yield number

    @stage.app.get("/")
    async def view() -> AsyncIterator[str]:
        with stage.notes.held("the generator"):
            async with aclosing(inner()) as numbers:
                async for number in numbers:
                    yield str(number)


@streams.http("plain generator", uses_threads=True, in_pairs=True)
def declare_plain_generator(stage: Stage) -> None:
    @stage.app.get("/")
    def view() -> Iterator[str]:
        with stage.notes.held("the generator"):
            for number in range(3):
                yield f"{number} {request.path}"


@streams.http("stream with declared length, hooks and close")
def declare_length(stage: Stage) -> None:
    notes = stage.notes

    async def items() -> AsyncIterator[bytes]:
        with notes.held("the generator"):
            for _ in range(3):
                await checkpoint()
                yield b"tea"

    @stage.app.after_request
    async def after(response: Response) -> Response:
        await checkpoint()
        return response

    @stage.app.get("/")
    async def view() -> Response:
        response = Response(items(), headers={"Content-Length": "9"})
        response.call_on_close(lambda: notes.done("the close"))
        notes.expect("the close")
        g.response = response
        return response


@streams.http("HEAD of a stream", method="HEAD")
def declare_head(stage: Stage) -> None:
    declare_generator(stage)


@streams.http("stream() in the view", in_pairs=True)
def declare_pushed(stage: Stage) -> None:
    @stage.app.after_request
    async def after(response: Response) -> Response:
        await checkpoint()
        return response

    @stage.app.get("/")
    async def view() -> None:
        with stage.notes.held("the view"):
            async with stream(mimetype="text/plain") as out:
                for number in range(3):
                    await checkpoint()
                    await out.send(str(number))


@streams.http("HEAD of stream() in the view", method="HEAD")
def declare_pushed_head(stage: Stage) -> None:
    declare_pushed(stage)


@streams.http("stream() by several tasks", has_tasks=True)
def declare_pushed_by_tasks(stage: Stage) -> None:
    @stage.app.get("/")
    async def view() -> None:
        async with stream() as out, anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(out.send, "tea")


@streams.http("stream() in a def view", uses_threads=True)
def declare_plain_pushed(stage: Stage) -> None:
    @stage.app.get("/")
    def view() -> None:
        with stage.notes.held("the view"), plain_stream() as out:
            for number in range(3):
                out.send(str(number))


@streams.http("server-sent events", in_pairs=True, ends_early=True, varies=True)
def declare_events(stage: Stage) -> None:
    async def events() -> AsyncIterator[ServerSentEvent]:
        with stage.notes.held("the events"):
            for number in range(3):
                await checkpoint()
                yield ServerSentEvent(str(number), id=number)

    @stage.app.get("/")
    async def view() -> EventStream:
        return EventStream(events(), last=ServerSentEvent("over"))


@streams.http(
    "server-sent events of a plain generator", uses_threads=True, ends_early=True, varies=True
)
def declare_plain_events(stage: Stage) -> None:
    def events() -> Iterator[str]:
        with stage.notes.held("the events"):
            for number in range(3):
                yield str(number)

    @stage.app.get("/")
    async def view() -> EventStream:
        return EventStream(events())


# --- the same, while somebody looks whether the client is still there from the start --------------


def _watched(name: str, declare: Callable[[Stage], None], **facts: Any) -> None:
    @streams.http(f"{name}, watched", **facts)
    def declare_watched(stage: Stage) -> None:
        stage.patch(outgoing, "PATIENCE", 0)
        declare(stage)


_watched("asynchronous generator", declare_generator, has_tasks=True, in_pairs=True)
_watched(
    "generator that cleans up by awaiting", declare_awaiting_cleanup, has_tasks=True, in_pairs=True
)
_watched("generator within scopes of its own", declare_scopes, has_tasks=True)
_watched("plain generator", declare_plain_generator, uses_threads=True)
_watched(
    "server-sent events",
    declare_events,
    has_tasks=True,
    in_pairs=True,
    ends_early=True,
    varies=True,
)
_watched("stream() in the view", declare_pushed, has_tasks=True, in_pairs=True)
_watched("stream() by several tasks", declare_pushed_by_tasks, has_tasks=True)
_watched("stream() in a def view", declare_plain_pushed, uses_threads=True)
