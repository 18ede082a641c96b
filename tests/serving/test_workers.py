"""Several processes that serve on one socket."""

import functools
import multiprocessing
import os
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from erlen import Erlen
from erlen.cli.loader import load_again
from erlen.serving import workers
from tests.live_server import LIMIT

APP = """
import os
from erlen import Erlen
app = Erlen("shop")

@app.get("/")
def process():
    return str(os.getpid())
"""

LOAD = functools.partial(load_again, "shop", None, None, {})

WAIT = "    import anyio; await anyio.sleep_forever()"


@pytest.fixture
def served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[str], None]], None]:
    """Serve with two workers while a function runs, which is given the address; then CTRL+C."""
    (tmp_path / "shop.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def serve(use: Callable[[str], None]) -> None:
        def act() -> None:
            try:
                use(f"http://127.0.0.1:{port}/")
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=act)
        thread.start()
        workers.serve(Erlen("shop"), port=port, load=LOAD, workers=2)
        thread.join()

    return serve


def answers(address: str, count: int) -> set[int]:
    """Return the processes that answer, when there are *count*."""
    found: set[int] = set()
    until = time.monotonic() + LIMIT
    while len(found) < count and time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=LIMIT) as response:
                found.add(int(response.read()))
        except OSError:
            continue  # nothing listens yet, or one that was killed had taken the connection
    return found


def test_a_worker_that_dies_is_replaced(served: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def use(address: str) -> None:
        before = answers(address, 1)
        os.kill(min(before), signal.SIGKILL)
        assert answers(address, 3 - len(before)) - before

    served(use)
    said = capsys.readouterr().err
    assert "Serving erlen app 'shop' at http://127.0.0.1:" in said
    assert "died with code -9 and is replaced." in said
    assert multiprocessing.active_children() == []


def test_ctrl_c_again_ends_workers_where_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: Any
) -> None:
    (tmp_path / "shop.py").write_text(f"{APP}\n@app.after_serving\nasync def wait():\n{WAIT}")

    def press_again() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def use(address: str) -> None:
        answers(address, 1)
        threading.Timer(1, press_again).start()

    began = time.monotonic()
    served(use)
    assert time.monotonic() - began < LIMIT
    assert multiprocessing.active_children() == []


def test_workers_that_cannot_start_end_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.py").write_text(f"{APP}\n@app.before_serving\ndef fail(): 1 / 0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        workers.serve(Erlen("shop"), port=0, load=LOAD, workers=1)
    assert caught.value.code == 3
    assert multiprocessing.active_children() == []


class Parent:
    """A process that has died when the application has started."""

    def __init__(self) -> None:
        self.has_died = threading.Event()

    def join(self) -> None:
        self.has_died.wait(LIMIT)


def test_b340_a_worker_ends_with_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    app, parent, ended = Erlen("shop"), Parent(), []
    app.before_serving(parent.has_died.set)
    app.after_serving(lambda: ended.append(True))
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: parent)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        workers.work(uvicorn.Config(app, log_config=None), listener)
    assert ended == [True]


def test_what_has_no_parent_ends_by_ctrl_c() -> None:
    app = Erlen("shop")
    app.before_serving(lambda: signal.raise_signal(signal.SIGINT))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        workers.work(uvicorn.Config(app, log_config=None), listener)
