"""The last failures, with their frames; then both are let go."""

import gc
import resource
import time
from contextvars import copy_context
from typing import Any
from weakref import ref

import pytest

from erlen.debugger import failures as module
from erlen.debugger.facts import facts_of
from erlen.debugger.failures import KEPT, Failure, Failures
from tests.debugger.raising import raised


class Kept:
    """What a frame holds."""


def fail(number: int = 0, **names: Any) -> None:
    held = Kept()
    raise ValueError(number, held)


def failure_of(error: BaseException) -> Failure:
    variables = copy_context()
    return Failure(error, variables, facts_of(variables, None))


def test_b271_sixteen_are_kept_and_the_others_released() -> None:
    failures, held = Failures(), []
    for number in range(10_000):
        error = raised(fail, number)
        held.append(ref(error.args[1]))
        failure = failures.add(error)
        if number % 100 == 0:
            assert failure.console(0) is not None  # so that frames are read, and names copied
    del error, failure
    gc.collect()
    assert len(failures) == KEPT == 16
    assert [kept.error.args[0] for kept in failures] == list(range(9999, 9999 - KEPT, -1))
    assert sum(each() is not None for each in held) == KEPT


def test_b271_memory_stays_flat() -> None:
    failures = Failures()

    def add(count: int) -> int:
        for _ in range(count):
            failures.add(raised(fail, b"x" * 100_000))
        gc.collect()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = add(200)
    assert add(2000) - before < 20_000  # KiB, where 2,000 kept ones would be 200,000


def test_the_same_error_is_one_failure() -> None:
    failures, error = Failures(), ValueError()
    assert failures.add(error) is failures.add(error)
    assert len(failures) == 1


def test_a_failure_is_found_by_its_id() -> None:
    failures = Failures()
    failure = failures.add(ValueError())
    assert failures.find(failure.id) is failure
    assert failures.find("0") is None
    assert len(bytes.fromhex(failure.id)) == 16


def test_a_frame_has_one_console() -> None:
    failure = failure_of(raised(fail))
    assert failure.console(0) is failure.console(0)
    assert failure.console(0) is not failure.console(1)


@pytest.mark.parametrize("index", [-1, 99, 10**9])
def test_b270_unknown_frames_have_none(index: int) -> None:
    assert failure_of(raised(fail)).console(index) is None


def test_a_place_of_a_syntax_error_has_none() -> None:
    assert failure_of(raised(compile, "=", "<typed>", "exec")).console(1) is None


async def outer() -> None:
    await inner()


async def inner() -> None:
    fail()


async def test_the_coroutines_that_awaited_are_told() -> None:
    with pytest.raises(ValueError, match="0") as caught:
        await outer()
    links = failure_of(caught.value).chain[0].awaiting
    assert [(link.verb, link.function) for link in links][-1] == ("awaits", "inner")
    assert [link.function for link in links][-2:] == ["outer", "inner"]


class Hostile:
    def __init__(self, action: Any) -> None:
        self.action = action

    def __repr__(self) -> str:
        self.action()
        return "never"


def refuse() -> None:
    raise RuntimeError("no")


def spin() -> None:
    while True:
        pass


def recurse() -> None:
    recurse()


async def texts_of(**names: Any) -> dict[str, str]:
    failure = failure_of(raised(lambda: fail(**names)))
    return dict((await failure.locals())[0])


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (refuse, "<Hostile: its repr() raised RuntimeError>"),
        (recurse, "<Hostile: its repr() raised RecursionError>"),
        (spin, "<Hostile: its repr() takes too long>"),
    ],
)
async def test_b273_hostile_values_are_told(action: Any, text: str) -> None:
    def failing(hostile: Hostile, password: str) -> None:
        raise ValueError(hostile is None, password is None)

    failure = failure_of(raised(failing, Hostile(action), "hunter2"))
    assert dict((await failure.locals())[0]) == {"hostile": text, "password": "***"}


async def test_b273_a_value_that_blocks_costs_the_page_its_time_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PAGE_SECONDS", 0.2)
    began = time.monotonic()

    def failing() -> None:
        first = 1
        slow = Hostile(lambda: time.sleep(1))
        raise ValueError(first, slow is None)

    names = (await failure_of(raised(failing)).locals())[0]
    assert names == [("first", "1")]
    assert time.monotonic() - began < 1


async def test_locals_of_a_frame_are_not_too_many() -> None:
    source = "\n".join([f"    a{number} = 0" for number in range(200)])
    names: dict[str, Any] = {}
    exec(f"def f():\n{source}\n    1 / 0", names)
    assert len((await failure_of(raised(names["f"])).locals())[0]) == 80


async def test_texts_have_the_names_of_the_frame() -> None:
    texts = await texts_of(a=1)
    assert texts["names"] == "{'a': 1}"
