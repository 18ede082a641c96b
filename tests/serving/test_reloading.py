"""A process that serves is put in the place of another; nothing is left of either."""

import multiprocessing
import os
import py_compile
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from erlen.serving import reloading
from tests.serving.reloading import Project

APP = """
import os, signal, time
app = Erlen("shop")

@app.get("/")
async def index():
    return {"version": "one", "pid": os.getpid()}

@app.get("/die")
async def die():
    os._exit(7)

@app.get("/end")
async def end():
    signal.raise_signal(signal.SIGTERM)
    return ""

@app.get("/hold-up")
async def hold_up():
    app.logger.warning("held up")
    time.sleep(60)
"""

SLOW_END = """
@app.after_serving
async def wait():
    import anyio; await anyio.sleep_forever()
"""

HTML = {"accept": "text/html"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The working directory; no process is left when the test has ended."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ERLEN_DEBUG", "1")
    monkeypatch.setenv("ERLEN_SKIP_DOTENV", "1")
    project = Project(tmp_path)
    project.save(APP)
    yield project
    assert multiprocessing.active_children() == []


def test_p72_what_is_saved_is_served_and_the_token_said_once(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    def use() -> None:
        project.wait_for("one")
        project.save(APP.replace("one", "two"))
        project.wait_for("two")

    assert project.serve(use) < 5
    said = capfd.readouterr().err
    assert said.count("token: ") == 1
    assert said.count(f"Serving erlen app 'shop' at http://127.0.0.1:{project.port} ") == 2
    assert " * Starting again: shop.py changed.\n" in said


def test_p72_the_later_of_two_saves_in_one_second_is_served(project: Project) -> None:
    file = project.folder / "shop.py"
    second = int(time.time()) - 10

    def use() -> None:
        project.wait_for("one")
        project.save(APP.replace("one", "two"))
        os.utime(file, (second + 0.7, second + 0.7))
        project.wait_for("two")

    os.utime(file, (second + 0.2, second + 0.2))
    py_compile.compile(str(file))
    project.serve(use)


def test_p72_a_syntax_error_at_the_start_is_a_page_and_mended_it_is_gone(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    pages: list[Any] = []

    def use() -> None:
        pages.extend([project.get(**HTML), project.get(accept="application/json"), project.get()])
        project.save(APP)
        pages.append(project.wait_for("one"))

    project.save("def (")
    project.serve(use)
    html, json, text, _mended = pages
    assert [page.status_code for page in pages] == [500, 500, 500, 200]
    assert (html.headers["content-type"], "SyntaxError" in html.text) == (
        "text/html; charset=utf-8",
        True,
    )
    assert json.json()["detail"].startswith("SyntaxError")
    assert f'"{project.folder}/shop.py", line 2' in text.text
    said = capfd.readouterr().err
    assert (said.count("SyntaxError"), said.count("token: ")) == (1, 1)
    assert "erlen/serving" not in said


def test_p72_an_error_outside_of_debug_mode_is_told_in_the_terminal_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ERLEN_DEBUG")
    pages: list[Any] = []
    project.save("raise LookupError('secret')")
    project.serve(lambda: pages.append(project.get(**HTML)))
    assert (pages[0].status_code, "secret" in pages[0].text) == (500, False)
    said = capfd.readouterr().err
    assert ("LookupError: secret" in said, "token" in said) == (True, False)


def test_an_application_that_turned_debug_mode_on_shows_its_errors(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ERLEN_DEBUG")
    project.save(f"{APP}\napp.debug = True")

    def use() -> None:
        project.wait_for("one")
        project.save(f"{APP}\nraise LookupError('seen')")
        project.wait_for("LookupError: seen")

    project.serve(use)


def test_b335_debug_mode_in_production_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ERLEN_ENV", "production")
    project.save("raise LookupError('secret')")
    said = ""

    def use() -> None:
        nonlocal said
        until = time.monotonic() + 20
        while "ended with code 3" not in said and time.monotonic() < until:
            said += capfd.readouterr().err

    project.serve(use)
    assert "Error: Debug mode is on, and ERLEN_ENV says" in said


def test_b339_a_server_that_dies_is_started_again(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    def use() -> None:
        first = project.wait_for("one").json()["pid"]
        os.kill(first, signal.SIGKILL)
        assert project.wait_for("one").json()["pid"] != first

    project.serve(use)
    assert "The server died with code -9 and is started again." in capfd.readouterr().err


def test_b339_one_that_dies_before_it_serves_waits_to_be_mended(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    project.save("import os; os._exit(7)")

    def use() -> None:
        said = ""
        while "The server ended with code 7." not in said:
            said += capfd.readouterr().err
        project.save(APP)
        project.wait_for("one")

    project.serve(use)


def test_one_that_ends_itself_ends_all(project: Project) -> None:
    project.serve(lambda: project.get("/end"), number=signal.SIGCONT)


def test_p5_the_terminal_that_goes_ends_all_in_order(project: Project) -> None:
    project.save(f"{APP}\n@app.after_serving\ndef tell(): open('ended', 'w').close()")
    assert project.serve(lambda: project.wait_for("one"), signal.SIGHUP) < 5
    assert (project.folder / "ended").exists()


def test_b340_what_nohup_ignores_stays_ignored(project: Project) -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def use() -> None:
        project.wait_for("one")
        os.kill(os.getpid(), signal.SIGHUP)
        project.wait_for("one")

    project.serve(use)
    assert signal.signal(signal.SIGHUP, former) is signal.SIG_IGN


def test_p72_what_holds_up_the_event_loop_is_killed_after_two_seconds(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    def use() -> None:
        project.wait_for("one")
        client = connected.enter_context(socket.create_connection(("127.0.0.1", project.port)))
        client.sendall(b"GET /hold-up HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while "held up" not in capfd.readouterr().err:
            time.sleep(0.02)

    with ExitStack() as connected:
        assert project.serve(use, signal.SIGTERM) < 5
    assert "did not end within 1.5 seconds and is killed." in capfd.readouterr().err


def test_a_second_ctrl_c_ends_it_where_it_stands(project: Project) -> None:
    project.save(f"{APP}{SLOW_END}")

    def use() -> None:
        project.wait_for("one")
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()

    assert project.serve(use) < 5


def test_ctrl_c_ends_all_while_one_is_being_replaced(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    project.save(f"{APP}{SLOW_END}")

    def use() -> None:
        project.wait_for("one")
        project.save(APP)
        while "Starting again" not in capfd.readouterr().err:
            time.sleep(0.02)
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()

    assert project.serve(use) < 5
    assert "Serving" not in capfd.readouterr().err


def test_dv3_what_the_application_imports_from_elsewhere_is_watched(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path_factory.mktemp("libraries") / "library_of_ours.py"
    library.write_text("version = 'one'")
    monkeypatch.setattr(sys, "path", [str(library.parent), *sys.path])
    project.save(
        "from library_of_ours import version\napp = Erlen('shop')\n"
        "@app.get('/')\ndef index(): return version\n"
    )

    def use() -> None:
        project.wait_for("one")
        library.write_text("version = 'two")
        project.wait_for("SyntaxError")
        library.write_text("version = 'two'")
        project.wait_for("two")

    project.serve(use)


def test_it_listens_where_the_application_says(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    project.save(f"{APP}\napp.config['SERVER_NAME'] = '127.0.0.1:{project.port}'")
    project.serve(lambda: project.wait_for("one"), host=None, port=None)
    assert f"http://127.0.0.1:{project.port} " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("[::1]:5000", "SERVER_NAME has the IPv6 address ::1. With --reload give it by --host"),
        ("localhost:port", "SERVER_NAME is 'localhost:port'"),
    ],
)
def test_b334_where_it_cannot_listen_all_ends(
    project: Project, capfd: pytest.CaptureFixture[str], name: str, reason: str
) -> None:
    project.save(f"{APP}\napp.config['SERVER_NAME'] = {name!r}")
    with pytest.raises(SystemExit) as caught:
        reloading.serve(load_shop)
    assert (caught.value.code, reason in capfd.readouterr().err) == (3, True)


def load_shop() -> Any:
    sys.path.insert(0, "")
    import shop  # type: ignore[import-not-found]  # the working directory's

    return shop.app
