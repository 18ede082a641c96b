"""The debugger as a developer uses it: the page, the token, a console in a frame."""

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "uvicorn", "tests.integration.debugger_app:served", "--port", "0"]


class Served(NamedTuple):
    """Where the application is, and what the terminal says unlocks it."""

    address: str
    token: str


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A server in debug mode, read as a person reads the terminal."""
    with subprocess.Popen(COMMAND, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        alarm = threading.Timer(20, server.kill)
        alarm.start()
        said = ""
        assert server.stderr is not None
        for line in server.stderr:
            said += line
            if "running on" in line:
                break
        address, token = re.search(r"http://[\d.:]+", said), re.search(r"token: (\w+)", said)
        assert address is not None, said
        assert token is not None, said
        alarm.cancel()
        drained = threading.Thread(target=server.stderr.read)
        drained.start()
        yield Served(address[0], token[1])
        server.terminate()
        drained.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of the system, headless."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A failing page; the test fails when one of its scripts fails, or its policy is broken."""
    failures: list[Error | str] = []
    context = browser.new_context(base_url=served.address)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.on("pageerror", lambda error: failures.append(error))  # noqa: PLW0108  # gets a mark
    page.on("console", lambda said: failures.append(said.text) if "Policy" in said.text else None)
    page.goto("/orders/0")
    yield page
    context.close()
    assert failures == []


def unlock(page: Page, token: str) -> None:
    page.get_by_role("button", name="Unlock the console").first.click()
    page.get_by_label("Token").fill(token)
    page.get_by_role("dialog").get_by_role("button", name="Unlock", exact=True).click()


def second_frame(page: Page) -> Locator:
    frame = page.locator(".frame.own").nth(1)
    frame.locator("> summary").click()
    return frame


def enter(frame: Locator, source: str) -> None:
    prompt = frame.get_by_role("textbox")
    prompt.fill(source)
    prompt.press("Enter")
    expect(prompt).to_have_value("")


def test_a_page_shows_what_failed(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("float division by zero")
    expect(page.locator("mark").first).to_have_text("total / count")
    expect(page.get_by_label("Coroutines that awaited one another")).to_contain_text("order awaits")


def test_the_second_frame_is_changed_and_awaits(page: Page, served: Served) -> None:
    unlock(page, served.token)
    frame = second_frame(page)
    enter(frame, "number = 2")
    enter(frame, "await average([1.5, 2.5], number)")
    expect(frame.get_by_role("log").locator(".value")).to_have_text("2.0")


def test_a_wrong_token_unlocks_nothing(page: Page) -> None:
    unlock(page, "0" * 32)
    expect(page.get_by_role("alert")).to_contain_text("This is not the token")
    expect(page.get_by_role("textbox", name="Python in average")).to_be_hidden()


def test_a_block_is_typed_over_several_lines(page: Page, served: Served) -> None:
    unlock(page, served.token)
    prompt = page.locator(".frame[open]").get_by_role("textbox")
    prompt.fill("for price in prices:")
    prompt.press("Enter")
    expect(prompt).to_have_value("for price in prices:\n    ")
    prompt.press_sequentially("print(price)")
    prompt.press("Enter")
    expect(prompt).to_have_value("for price in prices:\n    print(price)\n    ")
    prompt.press("Enter")
    expect(page.locator(".log .output")).to_have_text("1.5\n2.5")


def test_names_are_completed_and_inputs_recalled(page: Page, served: Served) -> None:
    unlock(page, served.token)
    frame = page.locator(".frame[open]")
    enter(frame, "count = 3")
    prompt = frame.get_by_role("textbox")
    prompt.press_sequentially("pric")
    prompt.press("Tab")
    expect(prompt).to_have_value("prices")
    prompt.press("ArrowUp")
    expect(prompt).to_have_value("count = 3")


def test_what_takes_long_is_interrupted(page: Page, served: Served) -> None:
    unlock(page, served.token)
    frame = page.locator(".frame[open]")
    prompt = frame.get_by_role("textbox")
    prompt.fill("while True: pass")
    prompt.press("Enter")
    frame.get_by_role("button", name="Interrupt").click()
    expect(frame.locator(".log .error")).to_contain_text("Interrupted")


def test_output_is_text(page: Page, served: Served) -> None:
    unlock(page, served.token)
    frame = page.locator(".frame[open]")
    enter(frame, "print('<img src=x onerror=alert(1)>')")
    expect(frame.locator(".log .output")).to_have_text("<img src=x onerror=alert(1)>")
    expect(frame.locator(".log img")).to_have_count(0)


def test_all_failures_are_listed(page: Page, served: Served) -> None:
    page.get_by_role("link", name="All failures").click()
    page.get_by_role("button", name="Unlock", exact=True).click()
    page.get_by_label("Token").fill(served.token)
    page.get_by_role("dialog").get_by_role("button", name="Unlock", exact=True).click()
    page.get_by_role("link", name="ZeroDivisionError").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("float division by zero")


def test_it_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
