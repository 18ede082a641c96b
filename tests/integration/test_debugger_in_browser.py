"""The debugger as a developer uses it: the page, the token, a console in a frame."""

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "erlen", "run", "--debug", "--port", "0"]
SERVED = [*COMMAND, "--no-reload", "--app", "tests.integration.debugger_app"]


class Served(NamedTuple):
    """Where the application is, and what the terminal says unlocks it."""

    address: str
    token: str


@contextmanager
def serving(command: list[str], folder: Path) -> Iterator[Served]:
    """Run a server in debug mode, and read the terminal as a person does."""
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:
        alarm = threading.Timer(20, server.kill)
        alarm.start()
        said = ""
        assert server.stderr is not None
        for line in server.stderr:
            said += line
            if "Serving erlen app" in line:
                break
        address, token = re.search(r"http://[\d.:]+", said), re.search(r"token: (\w+)", said)
        assert address is not None, said
        assert token is not None, said
        alarm.cancel()
        drained = threading.Thread(target=server.stderr.read)
        drained.start()
        try:
            yield Served(address[0], token[1])
        finally:
            server.terminate()
            drained.join(10)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A shop."""
    with serving(SERVED, ROOT) as served:
        yield served


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


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """Open a page; the test fails when one of its scripts fails, or its policy is broken."""
    failures: list[Error | str] = []
    context = browser.new_context(base_url=address, **options)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.on("pageerror", lambda error: failures.append(error))  # noqa: PLW0108  # gets a mark
    page.on("console", lambda said: failures.append(said.text) if "Policy" in said.text else None)
    try:
        yield page
    finally:
        context.close()
    assert failures == []


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A failing page."""
    with opened(browser, served.address) as page:
        page.goto("/orders/0")
        yield page


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
    expect(page.get_by_label("What awaited what")).to_contain_text("order awaits")


def test_the_second_frame_is_changed_and_awaits(page: Page, served: Served) -> None:
    unlock(page, served.token)
    frame = second_frame(page)
    enter(frame, "number = 2")
    enter(frame, "await average([1.5, 2.5], number)")
    expect(frame.get_by_role("log").locator(".value")).to_have_text("2.0")


def test_a_console_awaits_the_loop_and_knows_the_request(page: Page, served: Served) -> None:
    unlock(page, served.token)
    frame = second_frame(page)
    enter(frame, "await anyio.sleep(0.1); url_for('order', number=number + 1)")
    enter(frame, "(await request.get_data(), request.path, dict(session))")
    values = frame.get_by_role("log").locator(".value")
    expect(values).to_have_text(["'/orders/1'", "(b'', '/orders/0', {})"])


def test_a_body_that_no_view_has_read_is_shown_and_read(page: Page, served: Served) -> None:
    page.goto("/form")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("heading", name="Form")).to_be_visible()
    unlock(page, served.token)
    frame = page.locator(".frame[open]")
    enter(frame, "await request.get_data()")
    expect(frame.get_by_role("log").locator(".value")).to_have_text("b'item=bread'")


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


@pytest.mark.parametrize(
    "source",
    ["import anyio; await anyio.sleep_forever()", "import time; time.sleep(100)"],
)
def test_what_waits_for_ever_is_interrupted_by_the_keyboard(
    page: Page, served: Served, source: str
) -> None:
    unlock(page, served.token)
    frame = page.locator(".frame[open]")
    prompt = frame.get_by_role("textbox")
    prompt.fill(source)
    prompt.press("Enter")
    expect(frame.get_by_role("button", name="Interrupt")).to_be_visible()
    prompt.press("Control+c")
    expect(frame.locator(".log .error")).to_contain_text(re.compile("Interrupted|Cancelled"))
    enter(frame, "1 + 1")
    expect(frame.locator(".log .value")).to_have_text("2")


def test_input_has_nothing_to_read(page: Page, served: Served) -> None:
    unlock(page, served.token)
    frame = page.locator(".frame[open]")
    enter(frame, "input()")
    expect(frame.locator(".log .error")).to_contain_text("EOFError")


def test_output_is_text(page: Page, served: Served) -> None:
    unlock(page, served.token)
    frame = page.locator(".frame[open]")
    enter(frame, "print('<img src=x onerror=alert(1)>')")
    expect(frame.locator(".log .output")).to_have_text("<img src=x onerror=alert(1)>")
    expect(frame.locator(".log img")).to_have_count(0)


def unlock_list(page: Page, token: str) -> None:
    page.goto("/_erlen/")
    page.get_by_role("button", name="Unlock", exact=True).click()
    page.get_by_label("Token").fill(token)
    page.get_by_role("dialog").get_by_role("button", name="Unlock", exact=True).click()
    expect(page.get_by_role("heading", name="Failures")).to_be_visible()


def test_all_failures_are_listed(page: Page, served: Served) -> None:
    page.get_by_role("link", name="All failures").click()
    unlock_list(page, served.token)
    page.get_by_role("link", name="ZeroDivisionError").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("float division by zero")


TALK = """async (words) => {
  const socket = new WebSocket(`ws://${location.host}/talk`);
  await new Promise((resolve) => { socket.onopen = resolve; });
  if (words) socket.send(words);
  window.socket = socket;
}"""


def test_the_list_shows_what_goes_on_and_renews_itself(page: Page, served: Served) -> None:
    unlock_list(page, served.token)
    page.evaluate("fetch('/poll')")
    page.evaluate(TALK, "")
    sockets = page.locator("section", has=page.get_by_role("heading", name="WebSockets"))
    tasks = page.locator("section", has=page.get_by_role("heading", name="Tasks"))
    expect(sockets).to_contain_text("WebSocket /talk")
    expect(tasks).to_contain_text("poll")
    expect(tasks).to_contain_text("started by start_poll (tests/integration/debugger_app.py:")


def test_a_websocket_that_fails_has_a_page(page: Page, served: Served) -> None:
    unlock_list(page, served.token)
    page.evaluate(TALK, "said by the test")
    page.get_by_role("link", name="said by the test").click()
    expect(page.locator(".where")).to_contain_text("WebSocket /talk")
    enter(page.locator(".frame[open]"), "websocket.path")
    expect(page.locator(".log .value")).to_have_text("'/talk'")


def test_a_member_of_a_group_tells_where_it_was_started(page: Page) -> None:
    page.goto("/group")
    expect(page.locator(".related .started")).to_contain_text('tasks.start_soon(reserve, "bread")')
    expect(page.locator(".related .chain")).to_have_text("group starts reserve")


def test_what_cannot_be_imported_is_shown_until_it_is_mended(
    browser: Browser, tmp_path: Path
) -> None:
    source = tmp_path / "app.py"
    whole = 'from erlen import Erlen\n\napp = Erlen(__name__)\napp.get("/")(lambda: "mended")\n'
    source.write_text(whole)
    with (
        serving([*COMMAND, "--reload"], tmp_path) as served,
        opened(browser, served.address) as page,
    ):
        page.goto("/")
        expect(page.locator("body")).to_have_text("mended")
        source.write_text(f"{whole}def broken(:\n")
        shown = 200
        while shown == 200:
            with suppress(Error):  # the server is just being changed for another
                answer = page.goto("/")
                shown = 200 if answer is None else answer.status
        expect(page.locator(".kind")).to_have_text("SyntaxError")
        expect(page.locator("mark")).to_have_text(":")
        source.write_text(whole)
        expect(page.locator("body")).to_have_text("mended", timeout=10_000)  # by itself


def test_the_keyboard_suffices(page: Page, served: Served) -> None:
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.open === 'unlock'"):
            break
    page.keyboard.press("Enter")
    page.keyboard.type(served.token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Python in average")).to_be_focused()
    page.keyboard.type("count + 1")
    page.keyboard.press("Enter")
    expect(page.locator(".log .value")).to_have_text("1")


@pytest.mark.parametrize("path", ["/orders/0", "/group", "/_erlen/"])
def test_it_fits_a_phone(page: Page, served: Served, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    unlock_list(page, served.token)
    page.goto(path)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


#: Texts whose contrast is under 4.5:1 (WCAG 2.2, 1.4.3), by the nearest background that is there.
FAINT = """() => {
  const channels = (color) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = getComputedStyle(each).backgroundColor;
      if (channels(color)[3] === 255) return color;
    }
    return "white";
  };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const [a, b] = [getComputedStyle(element).color, ground(element)].map(luminance);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.add(`${element.className || element.tagName}: ${contrast}`);
  }
  return [...faint];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(browser: Browser, served: Served, scheme: str) -> None:
    with opened(browser, served.address, color_scheme=scheme) as page:
        unlock_list(page, served.token)
        faint = page.evaluate(FAINT)
        for path in ("/orders/0", "/group"):
            page.goto(path)
            page.evaluate(
                "for (const each of document.querySelectorAll('details')) each.open = true"
            )
            enter(page.locator(".frame[open]").first, "print(1); 1 / 0")
            faint += page.evaluate(FAINT)
        assert faint == []
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(253, 252, 251)" if scheme == "light" else "rgb(22, 21, 19)"
        )
