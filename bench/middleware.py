"""What a middleware that does nothing costs each request: microseconds.

``python bench/middleware.py``. Each figure is the difference between an application with that many
of them and the same without any, divided by their number; see ``inprocess.py`` for how it is taken.
"""

from typing import Any

import anyio
from inprocess import Subject, lifespan, measure

from erlen import Erlen

ROUNDS = 5
SECONDS = 0.2
COUNTS = (1, 5, 20)


class Passes:
    """Passes the call on: the least that a middleware can do."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


class Sees:
    """Sees each message of the response, and leaves it as it is."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def seen(message: Any) -> None:
            await send(message)

        await self.app(scope, receive, seen)


def make(middleware: Any, count: int) -> Erlen:
    """Return an application of one route with *count* of a middleware."""
    app = Erlen("bench", static_folder=None)
    for _ in range(count):
        app.add_middleware(middleware)

    @app.get("/")
    async def index() -> str:
        return "hello"

    return app


async def main() -> None:
    """Print the figures."""
    bare = Subject("none", make(Passes, 0))
    wrapped = {
        (kind, count): Subject(f"{kind.__name__} {count}", make(kind, count))
        for kind in (Passes, Sees)
        for count in COUNTS
    }
    async with anyio.create_task_group() as running:
        over = anyio.Event()

        async def hold(subject: Subject) -> None:
            async with lifespan(subject.app):
                await over.wait()

        for subject in (bare, *wrapped.values()):
            running.start_soon(hold, subject)
        await anyio.wait_all_tasks_blocked()
        taken = await measure([bare, *wrapped.values()], ["/"], rounds=ROUNDS, seconds=SECONDS)
        over.set()
    print(f"without any: {taken[bare.name]:.2f} µs")
    for (kind, count), subject in wrapped.items():
        each = (taken[subject.name] - taken[bare.name]) / count
        print(f"{count:2} of {kind.__name__:7} {each:5.2f} µs each")


if __name__ == "__main__":
    anyio.run(main)
