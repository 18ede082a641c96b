"""The program that is counted: each scenario in processes of its own, forked after the imports.

python -m bench.instructions.workload PEER REQUESTS SCENARIO...

For each scenario it prints two lines, ``SCENARIO REQUESTS PROCESS STATUS``: one for a process that
makes the application, verifies and warms it, and one that makes REQUESTS more. STATUS is that of
its end; :data:`NOT_OFFERED` says that the peer cannot do it. Valgrind prints what each has taken.

SCENARIO may end with ``*MODULE:NAME*TIMES``: that function is then called so many times where it is
called once.
"""

import asyncio  # noqa: TID251  # the loop of servers, which is what peers run on
import functools
import gc
import inspect
import os
import sys
import time
import traceback
from importlib import import_module
from itertools import cycle, islice, repeat
from types import ModuleType
from typing import Any

from bench.driving import Conversation, Exchange, Template, lifespan, nothing
from bench.scenarios import BY_NAME, Scenario
from bench.verifying import carried, verify

#: Requests before those that count: caches are filled, and the interpreter has specialised its
#: bytecode.
WARM_UP = 100
NOT_OFFERED = 3
#: The scenario that calls no application: what is left is the driver.
DRIVER = "driver"


def connections(scenario: Scenario, requests: int) -> int:
    """Return how often an application is called for *requests* requests or messages."""
    return -(-requests // scenario.messages) if scenario.messages else requests


async def run(peer: ModuleType, row: str, requests: int) -> None:
    """Make the application, verify and warm it; then make the requests."""
    row, *repeated = row.split("*")
    scenario = BY_NAME["plaintext" if row == DRIVER else row]
    make = getattr(peer, scenario.app)
    app = make(scenario.rules) if scenario.rules else make()
    async with lifespan(app):
        fields = await carried(app, scenario)
        sent = [Template(each, fields) for each in scenario.asks]
        await verify(app, scenario, sent, fields)
        if repeated:
            call_again(*repeated)
        gc.collect()
        gc.disable()  # when a collection comes depends on all that was allocated before
        called = nothing if row == DRIVER else app
        await _drive(called, scenario, sent, WARM_UP)
        await _drive(called, scenario, sent, requests)


def call_again(target: str, times: str) -> None:
    """Have the function *target* called *times* times in place of once, with the same arguments."""
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, import_module(module))
    function, more = getattr(owner, name), range(int(times) - 1)

    @functools.wraps(function, updated=())
    def called(*args: Any, **kwargs: Any) -> Any:
        for _ in more:
            function(*args, **kwargs)
        return function(*args, **kwargs)

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        for _ in more:
            await function(*args, **kwargs)
        return await function(*args, **kwargs)

    setattr(owner, name, awaited if inspect.iscoroutinefunction(function) else called)


async def _drive(app: Any, scenario: Scenario, sent: list[Template], requests: int) -> None:
    for template in islice(cycle(sent), connections(scenario, requests)):
        if scenario.messages:
            peer = Conversation(scenario.messages)
            await app(template.websocket_scope(), peer.receive, peer.send)
        else:
            exchange = Exchange(template.chunks)
            await app(template.scope(), exchange.receive, exchange.send)


def stop_the_clock() -> None:
    """Have monotonic clocks stand still for what is imported from now on.

    Under valgrind everything takes fifty times as long, so that timers would come that never come
    otherwise, in some runs and not in others. What stands for the clock is written in C, as it is.
    """
    time.monotonic = repeat(time.monotonic()).__next__
    time.perf_counter = repeat(time.perf_counter()).__next__


def main(name: str, requests: int, rows: list[str]) -> None:
    stop_the_clock()
    peer = import_module(f"bench.peers.{name}")
    _require_source(name)
    for row in rows:
        for more in (0, requests):
            process = os.fork()
            if not process:
                _end(peer, row, more)
            _, status = os.waitpid(process, 0)
            print(row, more, process, os.waitstatus_to_exitcode(status), flush=True)


def _end(peer: ModuleType, row: str, requests: int) -> None:
    """Run in this process, and end it."""
    status = 0
    try:
        if row in getattr(peer, "LACKS", {}):
            status = NOT_OFFERED
        else:
            asyncio.run(run(peer, row, requests))
    except BaseException:  # noqa: BLE001  # whatever it is, this process must not go on
        traceback.print_exc()
        status = 1
    os._exit(status)


def _require_source(name: str) -> None:
    """Raise when the package that was imported is not the one that is to be counted."""
    source = os.environ.get("COUNTED_SOURCE")
    path = sys.modules[name].__file__ if source else None
    if source and path and not path.startswith(source):
        raise SystemExit(f"{path} was imported, which is not below {source}.")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
