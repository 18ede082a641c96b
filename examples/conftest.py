"""What the tests of the examples share: a real server and a real browser."""

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

EXAMPLES = Path(__file__).parent

# Each example is a project of its own, whose modules are found in its own folder.
sys.path.extend(str(project.parent) for project in EXAMPLES.glob("*/pyproject.toml"))

CHROMIUM_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


Serve = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Serve an application as its README does: ``with serve(app, cwd=folder) as address:``."""

    @contextmanager
    def serve(app: str, **options: Any) -> Iterator[str]:
        command = [sys.executable, "-m", "erlen", "--app", app, "run", "--port", "0", "--no-reload"]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options
        ) as server:
            try:
                yield started(server)
            finally:
                server.terminate()
                try:
                    server.wait(10)
                except subprocess.TimeoutExpired:
                    server.kill()

    return serve


@pytest.fixture(scope="module")
def address(request: pytest.FixtureRequest, serve: Serve) -> Iterator[str]:
    """Serve the example of the test module; gives its address."""
    name = request.path.parents[1].name
    with serve(f"{EXAMPLES.name}/{name}/{name}.py:app", cwd=EXAMPLES.parent) as address:
        yield address


def started(server: subprocess.Popen[str], seconds: float = 20) -> str:
    """Wait until the server says where it serves; it is killed when it does not."""
    alarm = threading.Timer(seconds, server.kill)
    alarm.start()
    said = []
    assert server.stderr is not None
    try:
        for line in server.stderr:
            if found := re.search(r"http://[\d.:]+", line):
                return found[0]
            said.append(line)
    finally:
        alarm.cancel()
        alarm.join()
    pytest.fail(f"The server did not start: {''.join(said) or 'it said nothing'}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of the system, headless, with a fresh profile."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[[str], Page]]:
    """Open a path as a new person; the test fails when a script of a page has failed."""
    failures: list[Error] = []
    contexts = []

    def visit(path: str) -> Page:
        context = browser.new_context(base_url=address)
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(error))  # noqa: PLW0108  # gets a mark
        page.goto(path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert failures == []
