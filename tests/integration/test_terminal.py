"""The command line as a person uses it, in a terminal: pain 72, B-339, B-340."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import httpx
import pytest

from tests.integration.terminals import Terminal, opened, until

#: Seconds within which everything has ended after CTRL+C.
AT_ONCE = 4.0

APP = """\
import time

from erlen import Erlen

app = Erlen(__name__)


@app.get("/")
async def index() -> str:
    return "as it was"


@app.get("/stop")
async def stop() -> str:
    answer = 42
    breakpoint()
    return f"went on with {answer}"


@app.get("/hold-up")
async def hold_up() -> str:
    print("[held up]", flush=True)
    time.sleep(60)
    return ""
"""

RUN = "erlen run --debug --port 0"


class Shop:
    """An application that is served in a terminal.

    Attributes:
        terminal: Where it is served.
        source: Its module.
        url: Its address.
    """

    def __init__(self, terminal: Terminal, folder: Path, command: str = RUN) -> None:
        self.terminal = terminal
        self.source = folder / "app.py"
        terminal.type(command)
        self.url = terminal.wait_for(r"https?://127\.0\.0\.1:\d+")[0]

    def get(self, path: str = "/", **headers: str) -> httpx.Response:
        """Return an answer."""
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=20, verify=False)

    def end(self) -> None:
        """Press CTRL+C, and see that all ends at once and the terminal is as it was."""
        began = time.monotonic()
        self.terminal.press("C-c")
        self.terminal.wait_for_prompt(AT_ONCE)
        assert time.monotonic() - began < AT_ONCE
        self.is_gone()
        self.terminal.type("stty -a | tr -d ';' | xargs -n 1 | grep -E '^-?(echo|icanon|isig)$'")
        self.terminal.wait_for(r"\nisig\nicanon\necho\n")

    def is_gone(self) -> None:
        """See that nobody has the port."""
        port = int(self.url.rpartition(":")[2])
        until(lambda: is_free(port), AT_ONCE, lambda: "The port is still in use.")


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in the directory of an application."""
    (tmp_path / "app.py").write_text(APP)
    with opened(tmp_path) as terminal:
        yield terminal


@pytest.fixture
def shop(terminal: Terminal, tmp_path: Path) -> Shop:
    """That application, served."""
    return Shop(terminal, tmp_path)


def wait_for(shop: Shop, text: str) -> httpx.Response:
    """Ask until an answer has *text*."""

    def ask() -> httpx.Response | None:
        try:
            answer = shop.get()
        except httpx.TransportError as error:
            # A process that is replaced closes the connections that it has no request of yet; its
            # socket stays open.
            if "refused" in str(error):
                raise
            return None
        return answer if text in answer.text else None

    found = until(ask, 20, lambda: shop.terminal.text)
    assert found is not None
    return found


@contextmanager
def asking(shop: Shop, path: str) -> Iterator["SimpleQueue[str]"]:
    """Ask in a thread; give where the answer will be, or what went wrong."""
    answers: SimpleQueue[str] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(shop.get(path).text)
        except httpx.TransportError as error:
            answers.put(repr(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        thread.join()


def test_p72_break_it_see_the_page_mend_it_and_end_it(shop: Shop) -> None:
    assert shop.get().text == "as it was"
    shop.source.write_text(f"{APP}\ndef broken(:\n")
    page = wait_for(shop, "SyntaxError")
    assert page.status_code == 500
    assert '<span class="' in shop.get(accept="text/html").text
    shop.terminal.wait_for(r"^    def broken\(:$")
    shop.terminal.wait_for("^SyntaxError: invalid syntax")
    shop.source.write_text(APP.replace("as it was", "mended"))
    began = time.monotonic()
    assert wait_for(shop, "mended").status_code == 200
    assert time.monotonic() - began < 5
    assert shop.terminal.text.count("token: ") == 1
    shop.end()


def test_p72_an_application_that_is_broken_at_the_start_is_mended(
    terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text("import no_such_library\n")
    shop = Shop(terminal, tmp_path)
    terminal.wait_for("^ModuleNotFoundError: No module named 'no_such_library'")
    assert "No module named 'no_such_library'" in shop.get().text
    shop.source.write_text(APP)
    wait_for(shop, "as it was")
    shop.end()


def test_p72_a_view_stops_at_a_breakpoint_and_goes_on(shop: Shop) -> None:
    with asking(shop, "/stop") as answers:
        shop.terminal.wait_for(r"^\(Pdb\) *$")
        shop.terminal.type("answer = 43")
        shop.terminal.type("p answer + 1")
        shop.terminal.wait_for("^44$")
        shop.terminal.type("continue")
        assert answers.get(timeout=20) == "went on with 43"
    shop.end()


def test_p72_ctrl_c_at_a_breakpoint_ends_all_and_leaves_the_terminal_as_it_was(shop: Shop) -> None:
    with asking(shop, "/stop"):
        shop.terminal.wait_for(r"^\(Pdb\) *$")
        shop.end()


def test_p72_a_file_that_is_saved_at_a_breakpoint_leaves_the_terminal_as_it_was(
    shop: Shop,
) -> None:
    with asking(shop, "/stop"):
        shop.terminal.wait_for(r"^\(Pdb\) *$")
        shop.source.write_text(APP.replace("as it was", "mended"))
        wait_for(shop, "mended")
    shop.end()


def test_p72_ctrl_c_ends_what_holds_up_the_event_loop(shop: Shop) -> None:
    with asking(shop, "/hold-up"):
        shop.terminal.wait_for(r"^\[held up\]$")
        shop.end()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_b340_nothing_is_left_of_a_supervisor_that_ends(
    terminal: Terminal, tmp_path: Path, number: int
) -> None:
    shop = Shop(terminal, tmp_path, f"sh -c 'echo $$ > pid; exec {RUN}'; echo \"code $?.\"")
    assert shop.get().text == "as it was"
    os.kill(int((tmp_path / "pid").read_text()), number)
    code = terminal.wait_for(r"^code (\d+)\.$", AT_ONCE)[1]
    assert code == ("137" if number == signal.SIGKILL else "0")
    shop.is_gone()


def test_a_terminal_that_is_closed_ends_the_server(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with opened(tmp_path) as terminal:
        shop = Shop(terminal, tmp_path)
        assert shop.get().text == "as it was"
    shop.is_gone()


def test_cl11_https_without_a_certificate(terminal: Terminal, tmp_path: Path) -> None:
    shop = Shop(terminal, tmp_path, f"{RUN} --cert adhoc")
    assert shop.url.startswith("https://")
    assert shop.get().text == "as it was"
    shop.source.write_text(APP.replace("as it was", "mended"))
    wait_for(shop, "mended")
    shop.end()
