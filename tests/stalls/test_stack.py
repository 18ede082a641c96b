"""Whose code an event loop is in, told by the frames of its thread: P-20."""

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from anyio import to_thread

import erlen
from erlen import Erlen
from erlen.stalls.stack import (
    describe,
    exchange_of,
    is_excused,
    loop_code,
    own_frames,
    root_of,
    stack_of,
)

ERLEN = str(Path(erlen.__file__).parent / "somewhere.py")
IMPORT = "<frozen importlib._bootstrap>"
APPLICATION = "/srv/shop/views.py"
INSTALLED = "/srv/venv/lib/python3.11/site-packages/thing/core.py"
STANDARD = str(Path(threading.__file__))


def stack(*calls: tuple[str, str, str], **values: Any) -> list[FrameType]:
    """Return the frames of functions that call one another, the outermost first.

    Each is a file, a module and a name; *values* are local variables of them all.
    """

    def innermost() -> list[FrameType]:
        frame, found = sys._getframe(1), list[FrameType]()
        for _ in calls:
            assert frame is not None
            found.append(frame)
            frame = frame.f_back  # type: ignore[assignment]  # there is one for each call
        return found

    inner: Callable[[], list[FrameType]] = innermost
    for file, module, name in reversed(calls):
        names: dict[str, Any] = {"__name__": module, "inner": inner, "values": values}
        taken = "".join(f"    {key} = values[{key!r}]\n" for key in values)
        exec(compile(f"def {name}():\n{taken}    return inner()\n", file, "exec"), names)
        inner = names[name]
    return inner()


def names(frames: Any) -> list[str]:
    return [frame.f_code.co_name for frame in frames]


@pytest.mark.parametrize(
    "file",
    [ERLEN, INSTALLED, STANDARD, IMPORT, "/usr/lib/python3/dist-packages/thing.py"],
)
def test_what_is_not_the_applications_own(file: str) -> None:
    assert own_frames(stack((file, "thing", "call"))) == []


@pytest.mark.parametrize(
    "file", [APPLICATION, "<stdin>", "templates/a.html", ERLEN.replace("/erlen/", "/erlen_shop/")]
)
def test_what_is_the_applications_own(file: str) -> None:
    assert names(own_frames(stack((file, "shop", "call")))) == ["call"]


def test_middleware_around_the_pipeline_is_not_to_blame() -> None:
    frames = stack(
        (APPLICATION, "shop", "middleware"),
        (ERLEN, "erlen.pipeline.dispatch", "run"),
        (APPLICATION, "shop", "view"),
    )
    assert names(own_frames(frames)) == ["view"]


def test_a_debugger_excuses() -> None:
    assert is_excused(stack((APPLICATION, "shop", "view"), (STANDARD, "bdb", "user_line")))
    assert not is_excused(stack((APPLICATION, "shop", "view"), (STANDARD, "json", "dumps")))


def test_an_import_of_erlens_own_excuses_and_one_of_the_applications_does_not() -> None:
    parts = (IMPORT, "importlib._bootstrap", "find"), (INSTALLED, "jinja2", "module")
    assert is_excused(stack((APPLICATION, "shop", "view"), (ERLEN, "erlen.pages", "load"), *parts))
    assert not is_excused(stack((APPLICATION, "shop", "view"), *parts))


def test_the_root_is_the_outermost_frame_that_is_not_the_loops() -> None:
    frames = stack(
        (STANDARD, "asyncio.tasks", "wait_for"),
        (APPLICATION, "shop", "fetch"),
        (STANDARD, "asyncio.locks", "acquire"),
    )
    assert root_of(frames) is frames[1]
    assert root_of(stack((STANDARD, "trio._core._run", "wait"))) is None


def test_where_no_context_is_the_innermost_function_is_named() -> None:
    frames = stack((APPLICATION, "shop", "poll"), (APPLICATION, "shop", "fetch"))
    assert exchange_of(frames) is None
    assert describe(frames) == f"the function 'fetch' at {APPLICATION}:2"


def test_a_local_variable_of_another_kind_is_no_context() -> None:
    frames = stack((ERLEN, "erlen.somewhere", "call"), context="text")
    assert exchange_of(frames) is None


async def test_code_that_is_nobodys_is_told_by_the_innermost_that_was_installed() -> None:
    """Of the pipeline itself by its own line, of a request that no rule matched by its path."""
    run = (ERLEN, "erlen.pipeline.dispatch", "run")
    async with Erlen("shop").test_request_context("/no%1Bwhere") as manual:
        frames = stack(
            run, (INSTALLED, "thing", "pack"), (STANDARD, "x", "y"), context=manual.context
        )
        alone = stack(run, context=manual.context)
    assert describe(frames) == f"the function 'pack' (GET /no\\x1bwhere) at {INSTALLED}:3"
    assert re.fullmatch(
        r"the function 'run' \(GET /no.*where\) at .*somewhere.py:3", describe(alone)
    )


async def test_an_application_context_has_no_request() -> None:
    async with Erlen("shop").app_context() as manual:
        parts = (ERLEN, "erlen.pipeline.teardown", "tear_down"), (APPLICATION, "shop", "close")
        frames = stack(*parts, context=manual.context)
    assert describe(frames) == f"the teardown hook 'close' at {APPLICATION}:3"


def test_files_below_the_working_directory_are_shown_relative_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "shop" / "views.py"
    file.parent.mkdir()
    file.write_text("def view():\n    return  inner()\n")
    shown = describe(stack((str(file), "shop", "view")))
    assert shown == "the function 'view' at shop/views.py:2: return  inner()"


async def test_a_loop_that_waits_is_in_no_step() -> None:
    loop, thread = loop_code(sys._getframe()), threading.get_ident()
    assert root_of(await to_thread.run_sync(stack_of, thread, loop)) is None
    assert names(stack_of(thread, loop))[1] == "test_a_loop_that_waits_is_in_no_step"


def test_a_thread_that_has_ended_is_in_no_step() -> None:
    assert stack_of(0, sys._getframe().f_code) == []


def test_a_loop_that_is_written_in_c_is_known_by_who_calls_it() -> None:
    async def step() -> str:
        return loop_code(sys._getframe()).co_name

    def run_until_complete() -> str:
        with pytest.raises(StopIteration) as done:
            step().send(None)
        return str(done.value.value)

    assert run_until_complete() == "run_until_complete"
