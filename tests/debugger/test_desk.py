"""The addresses below ``/_erlen/``."""

import pytest

from tests.debugger.browsing import Browser, Page, browsing, new_app, wrapped


async def opened(browser: Browser) -> Page:
    """Return an unlocked page of a failure, whose first frame is 0."""
    page = await browser.open("/0")
    await browser.unlock(page)
    return page


async def test_a_frame_is_typed_into() -> None:
    async with browsing(new_app()) as browser:
        page = await opened(browser)
        assert (await browser.type(page, 0, "count = 2"))["state"] == "done"
        assert (await browser.type(page, 0, "sum(prices) / count"))["value"] == "2.0"
        assert (await browser.type(page, 1, "number"))["value"] == "0"


async def test_the_request_is_there() -> None:
    async with browsing(new_app()) as browser:
        page = await opened(browser)
        await browser.type(page, 0, "import anyio; from erlen import request")
        assert (await browser.type(page, 0, "request.path"))["value"] == "'/0'"
        args = await browser.type(page, 0, "await anyio.sleep(0) or request.view_args")
        assert args["value"] == "{'number': 0}"


async def test_a_name_is_completed() -> None:
    async with browsing(new_app()) as browser:
        page = await opened(browser)
        answer = await browser.command(page, "0/complete", {"source": "x = pric"})
        assert answer.json() == {"start": 4, "names": ["prices"]}


async def test_nothing_to_interrupt_is_no_error() -> None:
    async with browsing(new_app()) as browser:
        page = await opened(browser)
        answer = await browser.command(page, "0/interrupt")
        assert answer.json() == {"interrupted": False}


@pytest.mark.parametrize(
    "path",
    ["99/evaluate", "-1/evaluate", "a/evaluate", "1e3/evaluate", "99999999999999999999/evaluate",
     "0/nothing", "0/", "evaluate", "/evaluate", "0/0/evaluate", "٣/evaluate", "0/unlock"],
)  # fmt: skip
async def test_b270_unknown_frames_and_commands_are_404(path: str) -> None:
    async with browsing(new_app()) as browser:
        page = await opened(browser)
        assert (await browser.command(page, path, {"source": "1"})).status_code == 404


async def test_a_page_of_a_failure_learns_that_the_token_was_given() -> None:
    async with browsing(new_app()) as browser:
        page = await browser.open("/0")
        assert (await browser.command(page, "unlocked")).json() == {"unlocked": False}
        await browser.unlock(page)
        again = await browser.open("/0")
        assert (await browser.command(again, "unlocked")).json() == {"unlocked": True}
        assert (await browser.command(again, "unlocked", origin="http://evil")).status_code == 403


async def test_b270_failures_of_before_are_404() -> None:
    async with browsing(new_app()) as browser:
        page = await opened(browser)
        for _ in range(16):
            await browser.open("/0")
        assert (await browser.command(page, "0/evaluate", {"source": "1"})).status_code == 404
        gone = await browser.open(f"/_erlen/{page.id}")
        assert (gone.response.status_code, "let go" in gone.text) == (404, True)


async def test_b270_failures_of_another_process_are_404() -> None:
    async with browsing(new_app()) as browser:
        page = await opened(browser)
        other = Browser(wrapped(new_app(), token=browser.debugger.token))
        other.http.cookies = browser.http.cookies
        async with other.http:
            answer = await other.command(page, "0/evaluate", {"source": "1"})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 400), ("{", 400), ("[]", 400), ("[" * 100_000, 400), ("\xff", 400), ("x" * 300_000, 413)],
    ids=["empty", "cut", "list", "deep", "octets", "long"],
)
async def test_what_is_no_command_is_refused(body: str, status: int) -> None:
    async with browsing(new_app()) as browser:
        page = await opened(browser)
        headers = {
            "origin": "http://localhost:5000",
            "x-erlen-page": page.key,
            "content-type": "application/json; charset=utf-8",
        }
        path = f"/_erlen/{page.id}/0/evaluate"
        answer = await browser.http.post(path, content=body.encode("latin-1"), headers=headers)
        assert answer.status_code == status


async def test_a_failure_has_an_address() -> None:
    async with browsing(new_app()) as browser:
        page = await browser.open("/0")
        locked = await browser.open(f"/_erlen/{page.id}")
        assert ("locked" in locked.text, "prices" in locked.text) == (True, False)
        await browser.unlock(locked)
        again = await browser.open(f"/_erlen/{page.id}")
        assert (again.response.status_code, "prices" in again.text) == (200, True)


async def test_head_has_no_body() -> None:
    async with browsing(new_app()) as browser:
        for path in ("/_erlen/", "/0"):
            answer = await browser.http.head(path)
            assert (answer.content, int(answer.headers["content-length"]) > 0) == (b"", True)


async def test_it_lies_below_the_root_path() -> None:
    browser = Browser(wrapped(new_app()))
    browser.http._transport._root_path = "/shop"  # type: ignore[attr-defined]  # ASGITransport's
    async with browser.http:
        page = await browser.open("/shop/0")
        assert page.data("base") == "/shop/_erlen/"
        answer = await browser.http.get("/shop/_erlen/", headers={"accept": "text/html"})
        assert "locked" in answer.text


async def test_curl_gets_the_address_of_the_page() -> None:
    async with browsing(new_app()) as browser:
        text = (await browser.http.get("/0")).text
        (failure,) = browser.debugger.failures
        assert f"http://localhost:5000/_erlen/{failure.id}\n" in text


async def test_json_is_a_problem() -> None:
    async with browsing(new_app()) as browser:
        answer = await browser.http.get("/0", headers={"accept": "application/json"})
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["endpoint"] == "order"
