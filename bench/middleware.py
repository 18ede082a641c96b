"""What a middleware that does nothing costs each request: microseconds.

``python -m bench.middleware``. Each figure is the difference between an application with that many
of them and the same without any, divided by their number; see ``driving.py`` for how it is taken.
"""

import asyncio  # noqa: TID251  # the loop of every peer
from contextlib import AsyncExitStack
from typing import Any

from bench.driving import Load, Template, best, lifespan
from bench.scenarios import Ask
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
    app = Erlen(__name__, static_folder=None)
    for _ in range(count):
        app.add_middleware(middleware)

    @app.get("/")
    async def index() -> str:
        return "hello"

    return app


async def main() -> None:
    """Print the figures."""
    keys = [(kind, count) for kind in (Passes, Sees) for count in COUNTS]
    none: tuple[Any, int] = (Passes, 0)
    requests = [Template(Ask("/"))]
    loads = {key: Load(make(*key), requests) for key in (none, *keys)}
    async with AsyncExitStack() as stack:
        for load in loads.values():
            await stack.enter_async_context(lifespan(load.app))
        taken = await best(loads, requests, ROUNDS, SECONDS)
    print(f"without any: {taken[none]:.2f} µs")
    for kind, count in keys:
        each = (taken[kind, count] - taken[none]) / count
        print(f"{count:2} of {kind.__name__:7} {each:5.2f} µs each")


if __name__ == "__main__":
    asyncio.run(main())
