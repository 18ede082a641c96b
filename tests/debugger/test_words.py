"""The names that every console knows."""

import pytest

from tests.debugger.browsing import browsing, new_app


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("request.method", "'GET'"),
        ("g.get('a', 1)", "1"),
        ("dict(session)", "{}"),
        ("current_app.name", "'shop'"),
        ("url_for('order', number=3)", "'/3'"),
        ("import anyio; await anyio.sleep(0.01); request.path", "'/0'"),
    ],
)
async def test_words_of_the_exchange_work_in_a_console(source: str, value: str) -> None:
    app = new_app()  # a module that has imported none of them
    app.secret_key = "a key that is long enough"
    async with browsing(app) as browser:
        page = await browser.open("/0")
        await browser.unlock(page)
        assert (await browser.type(page, 0, source))["value"] == value
