"""The driver: calls ASGI applications as a server would, without a server, and takes the time.

An application that adds nothing (``_nothing``) is measured in the same rounds and subtracted, so
that what remains is the applications' own time.
"""

import gc
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import anyio
from scenarios import Scenario

_HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"bench/1.0"),
    (b"accept", b"*/*"),
]
_EMPTY_BODY = {"type": "http.request", "body": b"", "more_body": False}
_FIRST_COUNT = 200


@dataclass(frozen=True)
class Subject:
    """One application in one scenario; *receives* says that it reads the body unasked."""

    name: str
    app: Any
    receives: bool = False


def scope_of(path: str) -> dict[str, Any]:
    """Return the scope that uvicorn makes of a GET with three header fields, without ``state``."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": _HEADERS,
    }


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    pass


async def _send(message: Any) -> None:
    pass


async def _receive_body() -> dict[str, Any]:
    return _EMPTY_BODY


async def _refuse_receive() -> dict[str, Any]:
    raise AssertionError("receive() was called by an application that should not need the body")


DRIVER = Subject("the driver alone", _nothing)


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Run the lifespan of *app*; one that knows no lifespan is left alone, as servers do."""
    started, ending = anyio.Event(), anyio.Event()

    async def receive() -> dict[str, str]:
        if started.is_set():
            await ending.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"].endswith("failed"):
            raise AssertionError(message)
        started.set()

    async def run() -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
        try:
            await app(scope, receive, send)
        except NotImplementedError:
            started.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await started.wait()
        yield
        ending.set()


async def check(subject: Subject, scenario: Scenario) -> None:
    """Raise ``AssertionError`` unless *subject* gives the answer of *scenario*."""
    for path in (scenario.paths[0], scenario.paths[-1]):
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any], sent: list[dict[str, Any]] = sent) -> None:
            sent.append(message)

        await subject.app(scope_of(path), _receive_of(subject), send)
        start, *bodies = sent
        body = b"".join(each.get("body", b"") for each in bodies)
        types = [value.decode() for name, value in start["headers"] if name == b"content-type"]
        answer = (start["status"], types, scenario.read(body))
        expected = (200, [scenario.content_type], scenario.body(path))
        if answer != expected:
            raise AssertionError(f"{subject.name} answered {answer}, expected {expected}.")


async def drive(subject: Subject, scopes: Sequence[dict[str, Any]], count: int) -> float:
    """Return the processor seconds of *count* requests with copies of *scopes* in turn.

    Processor time of this process leaves out what other processes of the machine take.
    """
    app, receive, send = subject.app, _receive_of(subject), _send
    start = time.process_time()
    for scope in islice(cycle(scopes), count):
        await app(scope.copy(), receive, send)
    return time.process_time() - start


async def measure(
    subjects: Sequence[Subject], paths: Sequence[str], *, rounds: int, seconds: float
) -> dict[str, float]:
    """Return microseconds per request by the subjects' names, the driver's own subtracted.

    Every round measures each subject for about *seconds*, in another order than the round before;
    the fastest round of each counts.
    """
    scopes = [scope_of(path) for path in paths]
    order = [DRIVER, *subjects]
    counts = {each.name: await _count_for(each, scopes, seconds) for each in order}
    best = dict.fromkeys(counts, float("inf"))
    for _ in range(rounds):
        for subject in order:
            gc.collect()
            count = counts[subject.name]
            taken = await drive(subject, scopes, count)
            best[subject.name] = min(best[subject.name], taken / count * 1e6)
        order.append(order.pop(0))
    own = best.pop(DRIVER.name)
    return {name: taken - own for name, taken in best.items()}


async def _count_for(subject: Subject, scopes: Sequence[dict[str, Any]], seconds: float) -> int:
    """Return how many requests take *seconds*, each URL at least once; warms the caches."""
    count = max(_FIRST_COUNT, len(scopes))
    await drive(subject, scopes, count)
    taken = await drive(subject, scopes, count)
    return max(count, int(count * seconds / taken))


def _receive_of(subject: Subject) -> Any:
    return _receive_body if subject.receives else _refuse_receive
