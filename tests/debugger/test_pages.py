"""The debugger's pages: what they show, and that nothing in them becomes markup."""

import re
from contextvars import copy_context
from html.parser import HTMLParser
from typing import Any

import anyio
import pytest

from erlen.debugger.facts import facts_of
from erlen.debugger.failures import Failure, Failures
from erlen.debugger.live import Live
from erlen.debugger.pages import failure_page, overview_page, span
from tests.debugger.browsing import ORIGIN, Browser, browsing, new_app, wrapped
from tests.debugger.raising import raised
from tests.exchange.wire import scope_of

XSS = "</textarea></script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Elements(HTMLParser):
    """The elements of a page, and those that must not be there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


class Hostile:
    def __repr__(self) -> str:
        return XSS


def failing(value: object) -> None:
    raise ValueError(XSS, value is None)


async def shown(error: BaseException, **scope: Any) -> str:
    variables = copy_context()
    failure = Failure(error, variables, facts_of(variables, scope_of(**scope)))
    page = failure_page(
        failure, await failure.locals(), base="/_erlen/", key="k", unlocked=True, notice=""
    )
    return page.body.decode()


async def test_b273_nothing_becomes_markup() -> None:
    error = raised(failing, Hostile())
    error.add_note(XSS)
    error.__cause__ = type("<script>", (Exception,), {"__module__": XSS})(XSS)
    text = await shown(
        error,
        path=f"/{XSS}",
        query_string=XSS.encode(),
        headers=[(b"user-agent", XSS.encode()), (XSS.encode(), b"x")],
    )
    elements = Elements(text)
    assert (elements.tags.count("script"), elements.tags.count("img")) == (1, 0)
    assert elements.handlers == []


async def test_b273_overviews_make_no_markup_either() -> None:
    failures, live = Failures(), Live()
    failures.add(ValueError(XSS), scope_of(f"/{XSS}"))
    with live.entered(scope_of(f"/{XSS}")):
        pass
    with live.entered(scope_of(f"/{XSS}")):
        page = overview_page(failures, live, base="/_erlen/", key="k")
    elements = Elements(page.body.decode())
    assert (elements.tags.count("script"), elements.tags.count("img")) == (1, 0)


async def test_pages_load_nothing() -> None:
    text = await shown(raised(failing, 1))
    rest = text.replace("http://www.w3.org/2000/svg", "").replace("GET http://example.com/", "")
    assert "http://" not in rest
    assert not {"link", "img", "iframe", "object"} & set(Elements(text).tags) - {"link"}


async def test_b274_surrogates_are_escaped() -> None:
    variables = copy_context()
    failure = Failure(ValueError("\ud800"), variables, facts_of(variables, None))
    page = failure_page(failure, {}, base="/", key="k", unlocked=False, notice="")
    assert b"\\ud800" in page.body


async def test_a_page_shows_frames_source_and_values() -> None:
    async with browsing(new_app()) as browser:
        text = (await browser.open("/0")).text
    assert text.count('class="frame own"') == 2
    assert "return <mark>sum(prices) / count</mark> / len(password)" in text
    assert "[1.5, 2.5]" in text
    assert "hunter2" not in text
    assert "password = &#39;***&#39;" in text  # the source
    assert "<dd>***</dd>" in text
    assert "awaits" in text


async def test_a_page_tells_where_a_task_was_started() -> None:
    app = new_app()

    async def fetch(number: int) -> None:
        raise ValueError(number)

    @app.get("/group")
    async def group() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch, 1)

    async with browsing(app) as browser:
        text = re.sub(r"<[^>]+>|\s+", " ", (await browser.open("/group")).text)
        assert "tasks.start_soon(fetch, 1)" in text.partition("Member of the group")[2]
        assert re.search(r"group +starts +test_a_page\S+fetch", text)
        told = (await browser.http.get("/group")).text
        assert re.search(r"group \(.*:\d+\) starts \S+fetch \(", told)


async def test_frames_of_libraries_are_folded() -> None:
    async with browsing(new_app()) as browser:
        text = (await browser.open("/0")).text
    assert "frames of libraries" in text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ExceptionGroup("all", [ValueError(1)]), "Member of the group"),
        (ValueError(), "It has no traceback"),
    ],
)
async def test_shapes_of_failures_are_told(error: Exception, words: str) -> None:
    assert words in await shown(error)


async def test_a_suppressed_context_is_folded() -> None:
    error = ValueError()
    error.__context__, error.__suppress_context__ = raised(failing, 1), True
    assert "Hidden by &#39;from None&#39;" in await shown(error)


async def test_what_is_left_out_is_counted() -> None:
    def fall(depth: int) -> None:
        fall(depth + 1)

    error: Exception = raised(fall, 0)
    for _ in range(40):
        after = ValueError()
        after.__cause__, error = error, after
    text = await shown(error)
    assert "exceptions more, which are not shown" in text
    assert "frames more, between these" in await shown(raised(fall, 0))


async def test_without_source_a_page_says_so() -> None:
    names: dict[str, Any] = {}
    exec(compile("def f():\n    1 / 0", "<nowhere>", "exec"), names)
    assert "There is no source to show" in await shown(raised(names["f"]))


async def test_the_overview_shows_what_goes_on() -> None:
    async with browsing(new_app()) as browser:
        page = await browser.open("/0")
        await browser.unlock(page)
        await browser.open("/2")
        overview = await browser.open("/_erlen/")
    assert overview.response.status_code == 200
    assert "ZeroDivisionError" in overview.text
    assert "Answered lately" in overview.text
    assert "GET /2" in overview.text


async def test_the_overview_of_a_new_server_is_empty() -> None:
    browser = Browser(wrapped(new_app()))
    async with browser.http:
        locked = await browser.open("/_erlen/")
        assert "Nothing has failed" not in locked.text
        await browser.unlock(locked)
        assert "Nothing has failed" in (await browser.open("/_erlen/")).text
    assert ORIGIN.endswith("5000")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00123, "1.2 ms"), (0.25, "250 ms"), (3.42, "3.4 s"), (300, "5 min")],
)
def test_lengths_of_time_are_for_people(seconds: float, text: str) -> None:
    assert span(seconds) == text
