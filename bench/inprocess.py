"""The driver: calls ASGI applications as a server would, without a server, and takes the time.

An application that adds nothing (``_nothing``) is measured in the same rounds and subtracted, so
that what remains is the applications' own time.
"""

import gc
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import anyio
from scenarios import Scenario

#: As a client sends them; views, because copies of ``bytes`` would be the same objects.
_FIELDS = [
    (memoryview(b"host"), memoryview(b"127.0.0.1:8000")),
    (memoryview(b"user-agent"), memoryview(b"bench/1.0")),
    (memoryview(b"accept"), memoryview(b"*/*")),
]
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_SERVER = ("127.0.0.1", 8000)
_CLIENT = ("127.0.0.1", 50000)
_EMPTY_BODY = {"type": "http.request", "body": b"", "more_body": False}
_BATCH = 100


@dataclass(frozen=True)
class Subject:
    """One application in one scenario; *receives* says that it reads the body unasked."""

    name: str
    app: Any
    receives: bool = False


def scope_of(target: bytes) -> dict[str, Any]:
    """Return the scope that uvicorn makes of a GET with three header fields, without ``state``.

    What comes from the socket is new: the strings and bytes of two scopes are equal, but not the
    same objects, and no hash of them is known. What a connection keeps is the same.
    """
    return {
        "type": "http",
        "asgi": _ASGI.copy(),
        "http_version": "1.1",
        "server": _SERVER,
        "client": _CLIENT,
        "scheme": "http",
        "method": b"GET".decode(),
        "root_path": "",
        "path": target.decode(),
        "raw_path": memoryview(target).tobytes(),
        "query_string": b"",
        "headers": [(name.tobytes(), value.tobytes()) for name, value in _FIELDS],
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

        await subject.app(scope_of(path.encode()), _receive_of(subject), send)
        start, *bodies = sent
        body = b"".join(each.get("body", b"") for each in bodies)
        types = [value.decode() for name, value in start["headers"] if name == b"content-type"]
        answer = (start["status"], types, scenario.read(body))
        expected = (200, [scenario.content_type], scenario.body(path))
        if answer != expected:
            raise AssertionError(f"{subject.name} answered {answer}, expected {expected}.")


async def drive(subject: Subject, targets: Iterator[bytes], count: int) -> float:
    """Return the processor seconds of *count* requests for the next of *targets*.

    Processor time of this process leaves out what other processes of the machine take. The scopes
    are made before the clock runs, a few at a time, so that they are in the processor's cache.
    """
    app, receive, send = subject.app, _receive_of(subject), _send
    taken = 0.0
    for _ in range(count // _BATCH):
        scopes = [scope_of(target) for target in islice(targets, _BATCH)]
        start = time.process_time()
        for scope in scopes:
            await app(scope, receive, send)
        taken += time.process_time() - start
    return taken


async def measure(
    subjects: Sequence[Subject], paths: Sequence[str], *, rounds: int, seconds: float
) -> dict[str, float]:
    """Return microseconds per request by the subjects' names, the driver's own subtracted.

    Every round measures each subject for about *seconds*, in another order than the round before;
    the fastest round of each counts.
    """
    targets = [path.encode() for path in paths]
    order = [DRIVER, *subjects]
    counts = {each.name: await _count_for(each, targets, seconds) for each in order}
    best = dict.fromkeys(counts, float("inf"))
    for _ in range(rounds):
        for subject in order:
            gc.collect()
            count = counts[subject.name]
            taken = await drive(subject, cycle(targets), count)
            best[subject.name] = min(best[subject.name], taken / count * 1e6)
        order.append(order.pop(0))
    own = best.pop(DRIVER.name)
    return {name: taken - own for name, taken in best.items()}


async def _count_for(subject: Subject, targets: Sequence[bytes], seconds: float) -> int:
    """Return how many requests take *seconds*, each target at least once; warms the caches."""
    count = -(-len(targets) // _BATCH) * _BATCH
    await drive(subject, cycle(targets), count)
    taken = await drive(subject, cycle(targets), count)
    return max(count, int(count * seconds / taken) // _BATCH * _BATCH)


def _receive_of(subject: Subject) -> Any:
    return _receive_body if subject.receives else _refuse_receive
