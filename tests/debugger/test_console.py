"""The console of one frame: B-272, and what makes it a console."""

import contextvars
import sys
import threading
import time
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from erlen.debugger import console as module
from erlen.debugger.console import Console, Outcome
from erlen.debugger.output import LIMIT

NAME = contextvars.ContextVar("NAME", default="outside")


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Unspeakable(BaseException):
    def __str__(self) -> str:
        raise RuntimeError("no")

    def __getattribute__(self, name: str) -> Any:
        if name == "__cause__":
            raise RuntimeError("no")
        return super().__getattribute__(name)


class Catching:
    """Awaits, and catches what would end it."""

    def __init__(self) -> None:
        self.release = anyio.Event()

    async def wait(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.release.wait()


async def numbers() -> AsyncGenerator[int, None]:
    for number in range(3):
        await anyio.lowlevel.checkpoint()
        yield number


@pytest.fixture
def console() -> Console:
    variables = contextvars.copy_context()
    variables.run(NAME.set, "the exchange")
    names = {
        "count": 0,
        "prices": [1, 2],
        "anyio": anyio,
        "NAME": NAME,
        "threading": threading,
        "time": time,
        "Hostile": Hostile,
        "Unspeakable": Unspeakable,
        "numbers": numbers,
    }
    return Console(names, variables)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.2)
    monkeypatch.setattr(module, "STEP_SECONDS", 0.1)
    monkeypatch.setattr(module, "LAST_SECONDS", 0.2)
    monkeypatch.setattr(module, "COMPLETION_SECONDS", 0.1)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 1", "2"),
        ("count = 3\ncount * 2", "6"),
        ("[price * count for price in prices]", "[0, 0]"),
        ("None", None),
        ("count = 1", None),
        ("", None),
        ("await anyio.sleep(0) or 7", "7"),
        ("await anyio.to_thread.run_sync(lambda: 8)", "8"),
        ("[number async for number in numbers()]", "[0, 1, 2]"),
        (
            "async with anyio.create_task_group() as group:\n    group.start_soon(anyio.sleep, 0)\n",
            None,
        ),
        ("NAME.get()", "'the exchange'"),
        ("await anyio.sleep(0) or NAME.get()", "'the exchange'"),
        ("'<b>'", "'<b>'"),
        ("x = 5; await anyio.sleep(0); x", "5"),
    ],
)
async def test_an_input_has_a_value(console: Console, source: str, value: str | None) -> None:
    outcome = await console.evaluate(source)
    assert (outcome.state, outcome.value, outcome.error) == ("done", value, None)
    assert outcome.milliseconds >= 0


async def test_names_stay_for_later_inputs(console: Console) -> None:
    await console.evaluate("count = 2")
    await console.evaluate("def double(x):\n    return x * count\n")
    await console.evaluate("later = await anyio.sleep(0) or 5")
    assert (await console.evaluate("double(later)")).value == "10"
    assert (await console.evaluate("_ + 1")).value == "11"
    await console.evaluate("None")
    assert (await console.evaluate("_")).value == "11"


async def test_a_block_waits_for_its_end(console: Console) -> None:
    assert await console.evaluate("for price in prices:") == Outcome("more")
    assert await console.evaluate("for price in prices:\n    print(price)") == Outcome("more")
    outcome = await console.evaluate("for price in prices:\n    print(price)\n")
    assert outcome.output == "1\n2\n"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("await anyio.sleep('x')", "TypeError"),
        ("1 +", "SyntaxError: invalid syntax"),
        ("\0", "null bytes"),
        ("(" * 1000, "too many nested parentheses"),
        ("nowhere", "NameError"),
        ("exit()", "SystemExit"),
        ("quit(3)", "SystemExit: 3"),
        ("raise SystemExit", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("await anyio.sleep(0)\nexit()", "SystemExit"),
        ("await anyio.sleep(0)\nraise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise Unspeakable", "Unspeakable"),
        ("raise ExceptionGroup('all', [ValueError(1)])", "ValueError: 1"),
    ],
)  # fmt: skip
async def test_b272_what_is_raised_is_told(console: Console, source: str, error: str) -> None:
    outcome = await console.evaluate(source)
    assert error in (outcome.error or "")
    assert "erlen/debugger" not in (outcome.error or "")
    assert (await console.evaluate("1")).value == "1"


async def test_b272_the_builtin_exit_does_not_close_the_servers_stdin(console: Console) -> None:
    await console.evaluate("exit()")
    assert not sys.stdin.closed


async def test_b273_a_hostile_repr_is_told(console: Console) -> None:
    assert "RuntimeError" in ((await console.evaluate("Hostile()")).value or "")


@pytest.mark.parametrize(
    "source",
    [
        "print('x' * 2**30)",
        "while True: print('x' * 1000)",
        "await anyio.sleep(0)\nprint('x' * 2**20)",
    ],
)
async def test_b272_endless_output_is_cut(
    console: Console, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setattr(module, "SECONDS", 2)
    outcome = await console.evaluate(source)
    assert LIMIT < len(outcome.output) < LIMIT + 100


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("while True: pass", "took more than 0.2 seconds"),
        ("await anyio.sleep(0)\nwhile True: pass", "took more than 0.1 seconds"),
        ("while True: pass\nawait anyio.sleep(0)", "took more than 0.1 seconds"),
        ("await anyio.sleep_forever()", "Cancelled."),
        (
            "try:\n    while True: pass\nexcept BaseException:\n    pass\nwhile True: pass\n",
            "took more",
        ),
    ],
)
async def test_b272_what_never_ends_is_interrupted(
    console: Console, source: str, error: str
) -> None:
    assert error in ((await console.evaluate(source)).error or "")
    assert (await console.evaluate("1")).value == "1"


@pytest.mark.usefixtures("hurried")
async def test_b272_what_blocks_in_c_is_left_behind(console: Console) -> None:
    await console.evaluate("stop = threading.Event()")
    outcome = await console.evaluate("stop.wait(); done = True")
    assert "left behind in its thread" in (outcome.error or "")
    assert (await console.evaluate("stop.set()")).error is None


@pytest.mark.usefixtures("hurried")
async def test_b272_a_task_that_catches_its_cancellation_is_left_behind(console: Console) -> None:
    catching = Catching()
    console._names["catching"] = catching
    outcome = await console.evaluate("await catching.wait()")
    assert "catches its cancellation" in (outcome.error or "")
    catching.release.set()
    await anyio.wait_all_tasks_blocked()


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("source", ["", "await anyio.sleep(0)\n"])
async def test_a_repr_that_never_ends_is_interrupted(console: Console, source: str) -> None:
    await console.evaluate("class Endless:\n    def __repr__(self):\n        while True: pass\n")
    assert "Interrupted" in ((await console.evaluate(f"{source}Endless()")).error or "")


@pytest.mark.parametrize("source", ["while True: pass", "await anyio.sleep_forever()"])
async def test_an_input_can_be_interrupted(console: Console, source: str) -> None:
    outcomes = []

    async def evaluate() -> None:
        outcomes.append(await console.evaluate(source))

    async with anyio.create_task_group() as group:
        group.start_soon(evaluate)
        await anyio.wait_all_tasks_blocked()
        assert (await console.evaluate("1")).state == "busy"
        assert console.interrupt()
    assert outcomes[0].error
    assert not console.interrupt()


async def test_b272_others_are_served_meanwhile(console: Console) -> None:
    turns = 0

    async def serve() -> None:
        nonlocal turns
        while True:
            await anyio.sleep(0.01)
            turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(serve)
        await console.evaluate("time.sleep(0.2)")
        await console.evaluate("sum(range(3_000_000))")
        group.cancel_scope.cancel()
    assert turns >= 5


async def test_what_is_not_running_cannot_be_interrupted() -> None:
    evaluation = module._Evaluation(compile("1", "", "exec"), {}, contextvars.copy_context())
    evaluation.interrupt()
    assert (await evaluation.run()).state == "done"


async def test_names_are_completed(console: Console) -> None:
    assert await console.complete("pri") == (0, ["prices", "print"])
    await console.evaluate("price_list = 1")
    assert (await console.complete("price_"))[1] == ["price_list"]


@pytest.mark.usefixtures("hurried")
async def test_a_property_that_never_ends_completes_nothing(console: Console) -> None:
    await console.evaluate(
        "class Endless:\n    @property\n    def x(self):\n        while True: pass\n"
    )
    await console.evaluate("endless = Endless()")
    assert await console.complete("endless.x.y") == (11, [])
