"""The process of one application of one peer: verifies and measures it, as the coordinator asks.

``python -m bench.worker PEER APP RULES LOOP``. It reads one JSON object per line, and answers each
with one:

- ``{"do": "tell"}``: ``{"python": …, "versions": {distribution: version}}``.
- ``{"do": "open", "row": NAME, "seconds": S}``: ``{"built": ms, "note": words}`` when the answers
  of this scenario were right and S seconds have warmed it; ``{"lacks": words}`` when it has none.
- ``{"do": "measure", "seconds": S}``: ``{"us": …, "own": …, "reference": …}``, the microseconds of
  one request, of the driver alone, and of the reference work.

``{"wrong": words}`` is the answer when the application's was wrong. A process is fresh for each
application, so that nothing of one is in the other's way. It needs nothing but the standard library
and the peer.
"""

import asyncio  # noqa: TID251  # the loop of every peer
import gc
import importlib
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from importlib.metadata import distributions
from types import FrameType
from typing import Any

from bench.driving import Load, Template, lifespan, nothing, reference
from bench.scenarios import BY_NAME, Scenario
from bench.verifying import carried, touch, verify

#: Processor seconds in which an application must be made.
_BUILD = 30.0


class TooSlow(BaseException):
    """The application is not made yet; no ``except Exception`` of a framework takes it."""


class Worker:
    """One application of one peer: *app* names the function that makes it."""

    def __init__(self, peer: str, app: str, rules: int, stack: AsyncExitStack) -> None:
        self._peer = importlib.import_module(f"bench.peers.{peer}")
        self._name, self._rules = app, rules
        self._stack = stack
        self._app: Any = None
        self._made: dict[str, Any] = {}
        self._load = self._own = Load(nothing, [])

    async def tell(self) -> dict[str, Any]:
        versions = {each.name.lower(): each.version for each in distributions()}
        return {"python": platform.python_version(), "versions": versions}

    async def open(self, row: str, seconds: float) -> dict[str, Any]:
        lacks = getattr(self._peer, "LACKS", {}).get(row)
        if lacks:
            return {"lacks": lacks}
        scenario = BY_NAME[row]
        if not self._made:
            await self._make(scenario)
        if "built" in self._made:
            await self._ready(scenario, seconds)
        return {"note": getattr(self._peer, "NOTES", {}).get(row, ""), **self._made}

    async def _make(self, scenario: Scenario) -> None:
        make = getattr(self._peer, self._name)
        start = time.process_time()
        try:
            with _limited(_BUILD):
                self._app = make(self._rules) if self._rules else make()
                await self._stack.enter_async_context(lifespan(self._app))
                await touch(self._app, scenario)
        except TooSlow:
            self._made = {"lacks": f"not made within {_BUILD:.0f} s"}
        else:
            self._made = {"built": (time.process_time() - start) * 1000}

    async def _ready(self, scenario: Scenario, seconds: float) -> None:
        """Verify the application and warm it up."""
        fields = await carried(self._app, scenario)
        requests = [Template(each, fields) for each in scenario.asks]
        await verify(self._app, scenario, requests, fields)
        self._load = Load(self._app, requests, scenario.messages)
        self._own = Load(nothing, requests, scenario.messages)
        await self._load.run(seconds)
        await self._own.run(seconds / 10)

    async def measure(self, seconds: float) -> dict[str, float]:
        gc.collect()
        before = reference()
        taken = await self._load.run(seconds)
        return {
            "us": taken,
            "own": await self._own.run(min(seconds, 0.005)),
            "reference": (before + reference()) / 2 * 1e6,
        }


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise :class:`TooSlow` when the block takes longer than *seconds* of the processor."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


async def serve(peer: str, app: str, rules: int, answers: Any) -> None:
    """Answer each line of standard input, until the coordinator closes it."""
    async with AsyncExitStack() as stack:
        worker = Worker(peer, app, rules, stack)
        for line in sys.stdin:
            command = json.loads(line)
            try:
                answer = await getattr(worker, command.pop("do"))(**command)
            except AssertionError as error:
                answer = {"wrong": str(error)}
            print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Serve on standard input and output; what a framework prints goes to standard error."""
    peer, app, rules, loop = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    factory = importlib.import_module("uvloop").new_event_loop if loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(peer, app, int(rules), answers))


if __name__ == "__main__":
    main()
