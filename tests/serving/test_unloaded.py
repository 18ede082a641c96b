"""What is served in the place of an application that could not be loaded."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from erlen.protocols import Message
from erlen.serving.unloaded import files_of, unloaded, without_ours


def test_files_of_a_syntax_error_are_that_with_the_error_too(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (")
    with pytest.raises(SyntaxError) as caught:
        compile((tmp_path / "broken.py").read_text(), str(tmp_path / "broken.py"), "exec")
    assert files_of(caught.value) == {__file__, str(tmp_path / "broken.py")}


def test_files_that_are_none_are_left_out() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        exec("1 / 0")
    assert files_of(caught.value) == {__file__}


def test_an_error_begins_where_the_application_does() -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module("no_such_module_of_ours")
    trace = without_ours(caught.value.with_traceback(caught.value.__traceback__.tb_next))  # type: ignore[union-attr]  # it was raised
    assert trace.__traceback__ is None


async def answer(scope: dict[str, Any]) -> list[Message]:
    """Return what is sent in the place of an application that cannot be loaded."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    await unloaded(scope, receive, send)
    return sent


async def test_outside_of_debug_mode_nothing_is_told() -> None:
    start, body = await answer({"type": "http"})
    assert (start["status"], body["body"]) == (
        500,
        b"The application could not be loaded. The terminal says why.\n",
    )


async def test_websockets_are_refused() -> None:
    assert await answer({"type": "websocket"}) == [{"type": "websocket.close"}]


async def test_it_starts_and_ends() -> None:
    sent = await answer({"type": "lifespan"})
    assert [each["type"] for each in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
