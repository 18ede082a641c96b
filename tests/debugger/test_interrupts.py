"""Code that may never end: run aside, watched, interrupted, or left behind."""

import contextvars
import json
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from erlen.debugger.interrupts import Aside, Interrupted, Stretch

NAME = contextvars.ContextVar("NAME", default="")


def spin() -> None:
    while True:
        pass


def count() -> int:
    return sum(number for number in range(2000))


def test_an_endless_loop_is_interrupted() -> None:
    stretch = Stretch()
    with stretch.limited(0.1), pytest.raises(Interrupted):
        stretch.call(spin)


def test_a_short_call_is_not() -> None:
    stretch = Stretch()
    with stretch.limited(0.01):
        values = [stretch.call(pow, 2, 3) for _ in range(1000)]
        threading.Event().wait(0.1)
    assert set(values) == {8}


def test_it_is_interrupted_at_once_when_somebody_asks() -> None:
    stretch = Stretch()
    timer = threading.Timer(0.1, stretch.interrupt)
    timer.start()
    with stretch.limited(60), pytest.raises(Interrupted):
        stretch.call(spin)


def test_it_is_interrupted_where_clocks_of_threads_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(time, "pthread_getcpuclockid")
    stretch = Stretch()
    with stretch.limited(0.1), pytest.raises(Interrupted):
        stretch.call(spin)


def test_code_of_libraries_is_interrupted_when_it_leaves_no_choice() -> None:
    stretch = Stretch()
    names: dict[str, Any] = {}
    exec(compile("def spin():\n    while True: pass", json.__file__, "exec"), names)
    with stretch.limited(0.1), pytest.raises(Interrupted):
        stretch.call(names["spin"])


def test_what_waits_within_c_is_left_alone() -> None:
    stretch = Stretch()
    with stretch.limited(0.05):
        assert not stretch.call(threading.Event().wait, 0.3)


def test_nothing_is_raised_where_nothing_runs() -> None:
    stretch = Stretch()
    stretch.interrupt()
    with stretch.limited(60):
        assert stretch.call(lambda: 7) == 7
    stretch.interrupt()
    stretch._send()


def test_what_is_caught_is_sent_again() -> None:
    stretch = Stretch()
    caught: list[BaseException] = []

    def stubborn() -> None:
        while len(caught) < 2:
            try:
                spin()
            except Interrupted as error:
                caught.append(error)

    with stretch.limited(0.05):
        stretch.call(stubborn)
    assert len(caught) == 2


@pytest.fixture
def untraced() -> Iterator[None]:
    """No measuring of coverage, whose locks an attack would take away."""
    here, in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    yield
    threading.settrace(in_threads)
    sys.settrace(here)


@pytest.mark.usefixtures("untraced")
def test_interruptions_never_leave_the_stretch() -> None:
    """An interruption that comes while the call ends hits nothing after it."""
    stretch = Stretch()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    done = threading.Event()

    def attack() -> None:
        while not done.is_set():
            with stretch._lock:
                stretch._send()

    attacker = threading.Thread(target=attack)
    attacker.start()
    interrupted = 0
    while interrupted < 50:
        try:
            stretch.call(count)
        except Interrupted:
            interrupted += 1
        count()  # must not be hit
    done.set()
    attacker.join()
    sys.setswitchinterval(before)


async def test_a_function_runs_aside_with_the_variables_given() -> None:
    variables = contextvars.copy_context()
    variables.run(NAME.set, "given")
    seen: list[Any] = []
    aside = Aside(lambda: seen.append((NAME.get(), threading.current_thread().daemon)), variables)
    assert await aside.wait(5)
    assert seen == [("given", True)]
    assert NAME.get() == ""


async def test_nobody_has_to_wait_for_it() -> None:
    release = threading.Event()
    aside = Aside(release.wait, contextvars.copy_context())
    assert not await aside.wait(0.01)
    release.set()
    assert await aside.wait(5)


def test_it_may_end_after_its_event_loop(anyio_backend: tuple[str, dict[str, Any]]) -> None:
    release, before = threading.Event(), threading.active_count()

    async def leave() -> None:
        Aside(release.wait, contextvars.copy_context())

    anyio.run(leave, backend=anyio_backend[0], backend_options=anyio_backend[1])
    release.set()
    for thread in threading.enumerate():
        if thread.name == "erlen debugger":
            thread.join(5)
    assert threading.active_count() <= before
