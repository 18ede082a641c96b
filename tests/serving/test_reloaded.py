"""The process that serves while another one watches."""

import importlib
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from erlen import Erlen
from erlen.serving import reloaded
from erlen.serving.reloaded import Line, Start, deaf, serve

Pipe = tuple["Connection[Any, Any]", "Connection[Any, Any]"]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """The supervisor's end, and that of the process."""
    ours, theirs = multiprocessing.Pipe()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """How this process would have ended, where it would have ended for good."""
    calls: list[Any] = []
    monkeypatch.setattr(signal, "raise_signal", calls.append)
    monkeypatch.setattr(os, "_exit", lambda code: calls.append(f"exit {code}"))
    monkeypatch.setattr(reloaded, "BLOCKED_AFTER", 0.02)
    monkeypatch.setattr(reloaded, "KILL_AFTER", 0.03)
    return calls


def test_b340_it_ends_when_the_supervisor_is_gone(
    pipe: Pipe, ends: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    pipe[0].close()
    Line(pipe[1]).follow()
    assert ends[:2] == [signal.SIGTERM, "exit 1"]
    assert capsys.readouterr().err.startswith(
        " * The server did not end within 0.02 seconds and is killed.\n"
    )


def test_one_that_is_ending_has_more_time(
    pipe: Pipe, ends: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(pipe[1])
    line.is_ending.set()
    pipe[0].close()
    line.follow()
    assert ends == ["exit 1"]
    assert "within 0.03 seconds" in capsys.readouterr().err


def test_dv3_what_is_imported_later_is_told_too(
    pipe: Pipe, ends: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reloaded, "_LOOK", 0.01)
    (tmp_path / "imported_later.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    thread = threading.Thread(target=Line(pipe[1]).follow)
    thread.start()
    _, before = pipe[0].recv()
    assert not pipe[0].poll(0.05)
    importlib.import_module("imported_later")
    told = pipe[0].recv()
    pipe[0].close()
    thread.join()
    assert (__file__ in before, told) == (True, ("files", {str(tmp_path / "imported_later.py")}))


def test_nobody_hears_what_is_said_to_a_supervisor_that_is_gone(pipe: Pipe) -> None:
    pipe[0].close()
    Line(pipe[1]).tell("serving", True)


def test_a_process_that_is_not_needed_any_more_serves_nothing(pipe: Pipe) -> None:
    pipe[0].close()
    serve(None, pipe[1])  # type: ignore[arg-type]  # it has no use for a socket


def test_ctrl_c_waits_until_a_process_is_there() -> None:
    survived = []

    def press() -> None:
        with deaf():
            signal.raise_signal(signal.SIGINT)
            survived.append(True)

    with pytest.raises(KeyboardInterrupt):
        press()
    assert survived


def test_ctrl_c_while_the_application_is_loaded_is_no_error_of_it() -> None:
    def load() -> Erlen:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reloaded._load(load)


def test_a_system_without_masks_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "pthread_sigmask")
    monkeypatch.delattr(signal, "SIGHUP")
    with deaf():
        reloaded.heed_signals()


@pytest.mark.parametrize(
    ("name", "port", "why"),
    [("localhost", 99999, "no port 99999"), ("[::1]:5000", None, "has the IPv6 address ::1")],
)
def test_where_nothing_can_listen_the_supervisor_is_told(
    pipe: Pipe, capsys: pytest.CaptureFixture[str], name: str, port: int | None, why: str
) -> None:
    app = Erlen("shop")
    app.config["SERVER_NAME"] = name
    start = Start(lambda: app, None, port, {}, "token")
    with socket.socket() as listener, pytest.raises(SystemExit):
        reloaded._bind(listener, app, start, Line(pipe[1]))
    assert pipe[0].recv() == ("refused", None)
    assert why in capsys.readouterr().err
