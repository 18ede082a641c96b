"""What a child of a request costs from its start to its end, on both event loops: microseconds.

``python bench/children.py``. Each figure is the best of five rounds, so that a machine that does
other things too changes little.
"""

from collections.abc import Awaitable, Callable
from time import perf_counter

import anyio

from erlen import Erlen, request

ROUNDS = 5
app = Erlen(__name__)


async def coroutine() -> None:
    """Do nothing, on the event loop."""


def function() -> None:
    """Do nothing, in a thread."""


async def measure(call: Callable[[], Awaitable[object]], number: int) -> float:
    """Return the microseconds of one call, the best of all rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = perf_counter()
        for _ in range(number):
            await call()
        best = min(best, (perf_counter() - start) / number * 1e6)
    return best


async def scope() -> None:
    """What every request would pay if its view could be cancelled."""
    with anyio.CancelScope():
        await coroutine()


@app.get("/")
async def view() -> dict[str, float]:
    """Measure in a request."""
    return {
        "an 'async def' child": await measure(lambda: request.start_soon(coroutine), 5000),
        "a 'def' child": await measure(lambda: request.start_soon(function), 500),
        "a cancel scope": await measure(scope, 5000) - await measure(coroutine, 5000),
    }


async def main(backend: str) -> None:
    """Print the figures of one event loop."""
    async with app.test_client() as client:
        for what, cost in (await client.get("/")).json().items():
            print(f"{backend:8} {what:22} {cost:6.1f} µs")


if __name__ == "__main__":
    for backend in ("asyncio", "trio"):
        anyio.run(main, backend, backend=backend)
